"""A session over a router: up, a silent cut, recovery; and one that waits for its local address."""

import pytest

from lab import Capture, Peregrine
from scenario import addr, assert_prompt, bfd, cut_and_measure, multihop, wait_detail, wait_fast


def routed(lab):
    """a -- r -- b"""
    a, r, b = lab.ns("a"), lab.ns("r"), lab.ns("b")
    near, far = lab.link(a, r), lab.link(r, b)
    r.sysctl("net.ipv4.ip_forward", 1)
    r.sysctl("net.ipv6.conf.all.forwarding", 1)
    a.ip(f"route add 10.77.2.0/24 via {near.b.ip4}", f"route add fd77:2::/64 via {near.b.ip6}")
    b.ip(f"route add 10.77.1.0/24 via {far.a.ip4}", f"route add fd77:1::/64 via {far.a.ip6}")
    return near, far


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_multihop_session_flaps(lab, family):
    near, far = routed(lab)
    a, b = addr(near.a, family), addr(far.b, family)
    ends = [(Capture(near.a.ns, near.a.ifname), a, b), (Capture(far.b.ns, far.b.ifname), b, a)]
    one = Peregrine(near.a.ns, bfd(multihop(b, a)))
    two = Peregrine(far.b.ns, bfd(multihop(a, b)))

    def ready():
        assert wait_fast(one, b)["interface"] == "---"
        wait_fast(two, a)

    assert_prompt(cut_and_measure(near, ends, rounds=2, ready=ready), f"multihop {family}")
    heard = ends[1][0].packets(lambda p: p.src == a)
    assert {(p.dport, p.ttl) for p in heard} == {(4784, 254)}
    block, = one.session_details()
    assert (block["Session type"], block["Local address"]) == ("Multihop", a)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_multihop_session_waits_for_its_local_address(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    own = {"v4": "10.77.1.50", "v6": "fd77:1::50"}[family]
    length = {"v4": 24, "v6": "64 nodad"}[family]
    remote = addr(link.b, family)
    one = Peregrine(link.a.ns, bfd(multihop(remote, own)))
    two = Peregrine(link.b.ns, bfd(multihop(own, remote)))

    def waits():
        block = wait_detail(one, lambda d: "Waiting for" in d, what="a session that waits")
        assert (block["Address"], block["Waiting for"]) == (remote, "local address")
        assert not one.session(remote)

    waits()
    link.a.ns.ip(f"addr add {own}/{length} dev {link.a.ifname}")
    wait_fast(one, remote)
    wait_fast(two, own)
    link.a.ns.ip(f"addr del {own}/{str(length).split(maxsplit=1)[0]} dev {link.a.ifname}")
    one.wait_session(remote, None, limit=1)
    waits()
    two.wait_session(own, "Down", limit=1)
    link.a.ns.ip(f"addr add {own}/{length} dev {link.a.ifname}")
    wait_fast(one, remote)
