"""What the network answers stops no session: ICMP errors, missing routes; extreme but legal values."""

import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, multihop, wait_detail, wait_fast


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_port_unreachable(link, family):
    a, b = (link.a.ip4, link.b.ip4) if family == "v4" else (link.a.ip6, link.b.ip6)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    counters = ("Counters/Packets sent", "Counters/Send errors")
    wait_detail(one, lambda d: sum(int(d.get(c, 0)) for c in counters) >= 6, limit=3)
    Peregrine(link.b.ns, bfd(direct(a, link.b)))
    wait_fast(one, b)
    assert len(one.log().splitlines()) < 30


def test_no_route_yet(link):
    one = Peregrine(link.a.ns, bfd(multihop("10.88.0.1", link.a.ip4)))
    block = wait_detail(one, lambda d: int(d.get("Counters/Send errors", 0)) >= 3, limit=3)
    assert block["Session state"] == "Down"
    assert "Cannot send to 10.88.0.1 (multihop)" in one.log()
    link.b.ns.ip("addr add 10.88.0.1/32 dev lo")
    Peregrine(link.b.ns, bfd(multihop(link.a.ip4, "10.88.0.1")))
    link.a.ns.ip(f"route add 10.88.0.0/16 via {link.b.ip4}")
    wait_fast(one, "10.88.0.1")


def test_our_own_address_is_no_neighbour(link):
    one = Peregrine(link.a.ns, bfd(link.a.ip4))
    assert wait_detail(one, lambda d: "Waiting for" in d)["Waiting for"] == "address of another host"


def test_extreme_values_are_believed(link):
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    peer.lie(detect_mult=255, desired_min_tx=0xFFFFFFFF, required_min_rx=0xFFFFFFFF, diag=31)
    row = wait_until(lambda: (s := one.session(link.b.ip4))["timeout"] > 1000 and s, 1, one.show)
    assert (row["state"], row["interval"], row["timeout"]) == ("Up", 4294.967, 1095216.660)
    assert len(one.session_details()) == 1
    start = time.monotonic()
    peer.truth()  # from an hour to 50 ms: at once (6.8.3), not after the hour
    peer.wait_packet(lambda p: not p.final, 0.5, since=start + 0.01)
    wait_fast(one, link.b.ip4)
    peer.lie(desired_min_tx=0, required_min_rx=1, detect_mult=1)
    row = wait_until(lambda: (s := one.session(link.b.ip4))["timeout"] == 0.05 and s, 1, one.show)
    assert row["interval"] == 0.05  # our own values are the least


def test_a_shorter_required_min_rx_holds_at_once(link):
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=5_000_000)
    peer.wait_state(UP)
    wait_until(lambda: one.session(link.b.ip4)["interval"] == 5.0, 2, one.show)
    start = time.monotonic()
    peer.set(required_min_rx=50_000)
    wait_until(lambda: len([p for p in peer.received if p.time > start]) >= 5, 0.6, "packets at the new rate")
