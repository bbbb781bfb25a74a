"""Interfaces that go and come back under a session; addresses likewise."""

import pytest

from lab import Peregrine, add_veth, wait_until
from scenario import FAMILIES, addr, addresses, bfd, detail, direct, wait_detail, wait_fast


@pytest.fixture(params=FAMILIES)
def pair(lab, request):
    """link, the addresses of both ends in one family, both daemons with a session that is Up"""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = addr(link.a, request.param), addr(link.b, request.param)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    wait_fast(one, b)
    wait_fast(two, a)
    return link, a, b, one, two


def path_down(daemon, remote, waits_for, diag=("Path down",)):
    """Down at once because the path went: no row in the table, and `all` says why."""
    daemon.wait_session(remote, None, limit=2)
    block = detail(daemon, remote)
    assert block["Session state"] == "Down" and block["Local diagnostic"] in diag
    assert block["Waiting for"] in waits_for, block["Waiting for"]
    return block


def test_link_set_down(pair):
    link, a, b, one, two = pair
    disc = detail(one, b)["Local discriminator"]
    link.a.ns.ip(f"link set {link.a.ifname} down")
    path_down(one, b, ("interface to come up",))
    # The kernel may take a second to notice that the carrier went
    path_down(two, a, ("interface to come up",), diag=("Path down", "Time expired"))
    link.a.ns.ip(*addresses(link.a)[1 if ":" in a else 3:])  # IPv6 addresses go with the link
    wait_fast(one, b)
    wait_fast(two, a)
    assert detail(one, b)["Local discriminator"] == disc


def test_interface_deleted_and_made_again_with_another_index(pair):
    link, a, b, one, two = pair
    index = link.a.ns.ifindex(link.a.ifname)
    link.a.ns.ip(f"link del {link.a.ifname}")
    path_down(one, b, ("interface to appear",))
    path_down(two, a, ("interface to appear",))
    link.a.ns.ip("link add filler type veth peer name filler2")  # takes the index that was free
    add_veth(link.a, link.b.ns, link.b.ifname, link.b.mac)
    for end in link.ends:
        end.ns.ip(*addresses(end))
    assert link.a.ns.ifindex(link.a.ifname) != index
    wait_fast(one, b)
    wait_fast(two, a)


def test_interface_renamed_away_and_back(pair):
    link, a, b, one, two = pair
    name = link.a.ifname
    link.a.ns.ip(f"link set {name} name other")
    path_down(one, b, ("interface to appear",))
    two.wait_session(a, "Down", limit=1)
    link.a.ns.ip(f"link set other name {name}")
    wait_fast(one, b, limit=3)
    wait_fast(two, a)


def test_local_address_removed_and_added_again(pair):
    link, a, b, one, two = pair
    length = 24 if ":" not in a else 64
    link.a.ns.ip(f"addr del {a}/{length} dev {link.a.ifname}")
    one.wait_session(b, None, limit=1)
    wait_detail(one, lambda d: "Waiting for" in d)
    two.wait_session(a, "Down", limit=1)
    link.a.ns.ip(f"addr add {a}/{length} dev {link.a.ifname}" + (" nodad" if ":" in a else ""))
    wait_fast(one, b)
    wait_fast(two, a)


def test_the_same_link_local_address_on_two_interfaces(lab):
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    left, right = lab.link(a, b), lab.link(a, c)
    for end in (left.b, right.b):
        end.ns.ip(f"addr add fe80::99/64 dev {end.ifname} nodad")
    one = Peregrine(a, bfd(direct("fe80::99", left.a), direct("fe80::99", right.a)))
    two = Peregrine(b, bfd(f'{left.a.ll} dev "{left.b.ifname}" local fe80::99'))
    one.wait_session("fe80::99", "Up", interface="v1")
    assert one.session("fe80::99", interface="v2")["state"] == "Down"
    three = Peregrine(c, bfd(f'{right.a.ll} dev "{right.b.ifname}" local fe80::99'))
    one.wait_session("fe80::99", "Up", interface="v2")
    two.kill()
    one.wait_session("fe80::99", "Down", interface="v1", limit=1)
    assert one.session("fe80::99", interface="v2")["state"] == "Up"
    wait_until(lambda: three.session(right.a.ll)["state"] == "Up", 1, "the other session to stay")
