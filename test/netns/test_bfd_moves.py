"""Addresses that move to another interface, and interfaces that come and go while the daemon looks away."""

import pytest

from lab import Peregrine, add_veth, wait_until
from scenario import addr, addresses, bfd, detail, direct, multihop, wait_detail, wait_fast


@pytest.fixture
def links(lab):
    a, b = lab.ns("a"), lab.ns("b")
    return lab.link(a, b), lab.link(a, b)


def move(end, to, *moved):
    end.ns.ip(*(f"addr del {x} dev {end.ifname}" for x in moved),
              *(f"addr add {x} dev {to.ifname}" + (" nodad" if ":" in x else "") for x in moved))


def of_family(end, family):
    return f"{end.ip4}/24" if family == "v4" else f"{end.ip6}/64"


@pytest.mark.parametrize("family,first", [("v4", "ours"), ("v6", "theirs")])
def test_the_network_moves(lab, links, family, first):
    """A neighbour without interface is followed to wherever its network is, one with an interface is not."""
    left, right = links
    a, b = addr(left.a, family), addr(left.b, family)
    one = Peregrine(left.a.ns, bfd(b, multihop(b, a)))
    two = Peregrine(left.b.ns, bfd(a, multihop(a, b)))
    assert wait_fast(one, b)["interface"] == "v1"
    for source, target in ((left, right), (right, left)):
        ours = (source.a, target.a, of_family(left.a, family))
        theirs = (source.b, target.b, of_family(left.b, family))
        half, rest = (ours, theirs) if first == "ours" else (theirs, ours)
        move(*half)
        for daemon in (one, two):
            wait_until(lambda daemon=daemon: all(s["state"] != "Up" for s in daemon.sessions() if s["interface"] != "---"),
                       2, daemon.show)
        move(*rest)
        for daemon, remote in ((one, b), (two, a)):
            daemon.wait_session(remote, "Up", interface=target.a.ifname)
            daemon.wait_session(remote, "Up", interface="---")
            assert not daemon.session(remote, source.a.ifname)


def test_a_neighbour_with_an_interface_stays_there(lab, links):
    left, right = links
    b = left.b.ip4
    one = Peregrine(left.a.ns, bfd(direct(b, left.a)))
    two = Peregrine(left.b.ns, bfd(left.a.ip4))
    wait_fast(one, b)
    disc = detail(one, b)["Local discriminator"]
    for end, target in ((left.a, right.a), (left.b, right.b)):
        move(end, target, f"{end.ip4}/24")
    one.wait_session(b, None, limit=1)
    waiting = wait_detail(one, lambda d: d["Address"] == b and "Waiting for" in d)
    assert waiting["Waiting for"] in ("local address", "connected network") and waiting["Interface"] == "v1"
    two.wait_session(left.a.ip4, "Down", interface="v2")
    for end, target in ((left.a, right.a), (left.b, right.b)):
        move(target, end, f"{end.ip4}/24")
    wait_fast(one, b)
    wait_fast(two, left.a.ip4)
    assert detail(one, b)["Local discriminator"] == disc


@pytest.mark.parametrize("family", ["v4", "ll"])
def test_made_anew_while_we_were_stopped(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = addr(link.a, family), addr(link.b, family)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    wait_fast(one, b)
    index = link.a.ns.ifindex(link.a.ifname)
    one.pause()
    link.a.ns.ip(f"link del {link.a.ifname}", "link add filler type veth peer name filler2")
    add_veth(link.a, link.b.ns, link.b.ifname, link.b.mac)
    for end in link.ends:
        end.ns.ip(*addresses(end))
    assert link.a.ns.ifindex(link.a.ifname) != index
    one.resume()
    wait_fast(two, a)
    wait_fast(one, b)
    assert [d["Interface"] for d in one.session_details()] == [link.a.ifname]


@pytest.mark.parametrize("stopped", [False, True], ids=["watched", "stopped"])
def test_two_interfaces_exchange_their_names(lab, links, stopped):
    """The name is what counts: the peers are at the wrong end then, until the names are as they were."""
    left, right = links
    one = Peregrine(left.a.ns, bfd(direct(left.b.ll, left.a), direct(right.b.ll, right.a)))
    two = Peregrine(left.b.ns, bfd(direct(left.a.ll, left.b), direct(right.a.ll, right.b)))
    for link in links:
        wait_fast(one, link.b.ll)
        wait_fast(two, link.a.ll)
    for state in ("Down", "Up"):
        if stopped:
            one.pause()
        left.a.ns.ip("link set v1 name away", "link set v2 name v1", "link set away name v2")
        if stopped:
            one.resume()
        for link in links:
            one.wait_session(link.b.ll, state, interface=link.a.ifname)
            two.wait_session(link.a.ll, state, interface=link.b.ifname)
