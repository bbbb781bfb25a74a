"""The same address of two peers, and ours, on two interfaces: two sessions that have nothing to do with each other."""

import time

import pytest

from bfdpkt import DOWN
from lab import Peregrine, heal, silent_cut, wait_until
from peer import BfdPeer
from scenario import bfd, direct, refused, wait_detail, wait_fast

OURS, THEIRS = {"ll": "fe80::1", "v4": "10.99.0.1"}, {"ll": "fe80::2", "v4": "10.99.0.2"}


@pytest.fixture
def triangle(lab):
    """Two links from a, to b and to c, and the same addresses on both."""
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    left, right = lab.link(a, b), lab.link(a, c)
    for link in (left, right):
        for end, pool in ((link.a, OURS), (link.b, THEIRS)):
            end.ns.ip(f"addr add {pool['ll']}/64 dev {end.ifname} nodad", f"addr add {pool['v4']}/24 dev {end.ifname}")
    return left, right


def of(daemon, remote, end):
    return wait_detail(daemon, lambda d: (d["Address"], d["Interface"]) == (remote, end.ifname))


@pytest.mark.parametrize("family,strict", [("ll", ""), ("ll", "strict bind;"), ("v4", "")])
def test_two_sessions(triangle, family, strict):
    (left, right), own, remote = triangle, OURS[family], THEIRS[family]
    one = Peregrine(left.a.ns, bfd(*(f"{direct(remote, link.a)} local {own}" for link in (left, right)), body=strict))
    far = [Peregrine(link.b.ns, bfd(f"{direct(own, link.b)} local {remote}", body=strict)) for link in (left, right)]
    for daemon in far:
        wait_fast(daemon, own)
    for link, other in ((left, right), (right, left)):
        for end in (left.a, right.a):
            one.wait_session(remote, "Up", interface=end.ifname)
        before = of(one, remote, other.a)
        silent_cut(link)
        one.wait_session(remote, "Down", interface=link.a.ifname, limit=1)
        was = int(before["Counters/Packets received"])
        wait_until(lambda was=was, other=other: int(of(one, remote, other.a)["Counters/Packets received"]) > was + 10, 2,
                   "packets of the other")
        now = of(one, remote, other.a)
        assert (now["Session state"], now["Counters/Went down"]) == ("Up", before["Counters/Went down"])
        assert now["Local discriminator"] != of(one, remote, link.a)["Local discriminator"]
        heal(link)


@pytest.mark.parametrize("family", ["ll", "v4"])
def test_a_packet_of_the_other_interface_changes_nothing(triangle, family):
    """With the right addresses and discriminators, from the peer of the same name next door."""
    (left, right), own, remote = triangle, OURS[family], THEIRS[family]
    one = Peregrine(left.a.ns, bfd(*(f"{direct(remote, link.a)} local {own}" for link in (left, right))))
    near, far = (BfdPeer(link.b.ns, remote, own, dev=link.b.ifname, desired_min_tx=50_000, required_min_rx=50_000)
                 for link in (left, right))
    for link in (left, right):
        one.wait_session(remote, "Up", interface=link.a.ifname)
    since = time.monotonic()
    for _ in range(5):
        far.send_raw(near.packet(state=DOWN, diag=3).encode())
    wait_until(lambda: refused(one) == {"wrong interface for this session": 5}, 2, lambda: str(refused(one)))
    near.wait_packet(lambda p: p.time > since + 0.3, 2)
    assert {d["Session state"] for d in one.session_details()} == {"Up"}
    assert {d["Counters/Went down"] for d in one.session_details()} == {"0"}
