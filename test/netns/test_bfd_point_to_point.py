"""Links whose far end has an address outside of any common network; RFC 5881 section 6."""

import pytest

from bfdpkt import DOWN, Control
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, detail, direct, wait_detail, wait_fast
from tun import TunLink


@pytest.mark.parametrize("device", [True, False])
def test_address_with_a_peer_on_veth(lab, device):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    for end, own, other in ((link.a, "10.200.0.1", "10.201.0.1"), (link.b, "10.201.0.1", "10.200.0.1")):
        end.ns.ip(f"addr add {own} peer {other} dev {end.ifname}")
    one = Peregrine(link.a.ns, bfd(direct("10.201.0.1", link.a) if device else "10.201.0.1"))
    two = Peregrine(link.b.ns, bfd(direct("10.200.0.1", link.b) if device else "10.200.0.1"))
    assert wait_fast(one, "10.201.0.1")["interface"] == link.a.ifname
    wait_fast(two, "10.200.0.1")
    assert detail(one, "10.201.0.1")["Local address"] == "10.200.0.1"
    link.a.ns.ip(f"addr del 10.200.0.1 peer 10.201.0.1 dev {link.a.ifname}")
    if device:  # the owner of the configuration says that the neighbour is there: any address will do
        wait_detail(one, lambda d: d.get("Local address") == link.a.ip4)
    else:
        assert wait_detail(one, lambda d: "Waiting for" in d)["Waiting for"] == "connected network"


@pytest.fixture
def tunnel(lab):
    a, b = lab.ns("a"), lab.ns("b")
    carrier = TunLink(a, b)
    a.ip("addr add 10.200.0.1 peer 10.201.0.1 dev tun1", "addr add fd78::1 peer fd78::2 dev tun1 nodad")
    b.ip("addr add 10.201.0.1 peer 10.200.0.1 dev tun1", "addr add fd78::2 peer fd78::1 dev tun1 nodad")
    return carrier, a, b


@pytest.mark.parametrize("mine,theirs", [("10.200.0.1", "10.201.0.1"), ("fd78::1", "fd78::2")])
def test_session_over_a_point_to_point_interface(tunnel, mine, theirs):
    carrier, a, b = tunnel
    one = Peregrine(a, bfd(theirs))
    two = Peregrine(b, bfd(f'{mine} dev "tun1"'))
    for _ in range(2):
        assert wait_fast(one, theirs)["interface"] == "tun1"
        wait_fast(two, mine)
        carrier.cut = True
        one.wait_session(theirs, "Down", limit=1)
        two.wait_session(mine, "Down", limit=1)
        carrier.cut = False
    wait_fast(one, theirs)


@pytest.mark.parametrize("threads", [1, 3, 7])
def test_a_first_packet_is_known_by_its_interface_alone(tunnel, threads):
    _, a, b = tunnel
    b.ip("addr add 10.202.0.9 dev tun1")
    one = Peregrine(a, bfd('10.201.0.1 dev "tun1"', 'fd78::2 dev "tun1"', body=f"threads {threads};"))
    one.wait_session("10.201.0.1", "Down")
    stranger = BfdPeer(b, "10.202.0.9", "10.200.0.1", passive=True)
    stranger.send_raw(Control(state=DOWN, my_disc=77, detect_mult=50).encode())
    one.wait_session("10.201.0.1", "Init", limit=1)
    assert detail(one, "10.201.0.1")["Remote discriminator"] == "77"
    assert one.session("fd78::2")["state"] == "Down"  # the families are kept apart


@pytest.mark.parametrize("threads", [1, 3, 7])
def test_with_two_sessions_the_address_decides(tunnel, threads):
    _, a, b = tunnel
    b.ip("addr add 10.202.0.9 dev tun1")
    one = Peregrine(a, bfd('10.201.0.1 dev "tun1"', '10.203.0.1 dev "tun1"', body=f"threads {threads};"))
    one.wait_session("10.203.0.1", "Down")
    stranger = BfdPeer(b, "10.202.0.9", "10.200.0.1", passive=True)
    stranger.send_raw(Control(state=DOWN, my_disc=77).encode())
    wait_until(lambda: any("no such session" in text for _, text in one.birdc("show bfd sessions all")), 2, one.show)
    assert {s["state"] for s in one.sessions()} == {"Down"}
