"""What the peer may ask for: demand mode and Required Min RX 0 stop the periodic packets (RFC 5880 6.8.7)."""

import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, wait_detail, wait_fast


@pytest.fixture
def peered(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    wait_until(lambda: not peer.polling, 1, "the answer to our poll")
    return link, one, peer


def quiet_for(one, peer, seconds=0.5):
    """Nothing but answers to polls reaches the peer meanwhile, and the session stays Up."""
    start = time.monotonic() + 0.06  # one may be on its way
    wait_until(lambda: time.monotonic() > start + seconds, seconds + 1, "silence")
    assert not [p for p in peer.received if p.time > start and not p.final]
    assert one.session(peer.local)["state"] == "Up"


def talks(one, peer):
    start = len(peer.received)
    wait_until(lambda: len(peer.received) >= start + 5, 1, "periodic packets")
    assert one.session(peer.local)["state"] == "Up" and one.session(peer.local)["interval"] == 0.05


def test_demand_mode_of_the_peer(peered):
    _, one, peer = peered
    peer.set(demand=True)
    peer.wait_packet(lambda p: p.final)
    wait_detail(one, lambda d: d["Remote parameters/Demand mode"] == "Yes")
    quiet_for(one, peer)
    sent = time.monotonic()
    peer.set(desired_min_tx=40_000)  # a poll is answered in demand mode too
    peer.wait_packet(lambda p: p.final, 1, since=sent)
    quiet_for(one, peer, 0.2)
    peer.set(demand=False)
    talks(one, peer)


def test_required_min_rx_zero(peered):
    _, one, peer = peered
    peer.set(required_min_rx=0)
    peer.wait_packet(lambda p: p.final)
    wait_detail(one, lambda d: d["Remote parameters/Min RX interval"] == "0.000")
    quiet_for(one, peer)
    peer.set(required_min_rx=50_000)
    talks(one, peer)


def test_our_required_min_rx_zero(lab):
    """min rx interval 0: the peer need not send, and its silence is no failure (6.8.4)."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options="min rx interval 0 ms; "
                                   "min tx interval 50 ms; idle tx interval 200 ms; multiplier 3;"))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    # A peer that may not send periodically cannot start the handshake; each packet here is a state change.
    wait_until(lambda: peer.received, 2, "our first packet")
    assert peer.received[0].required_min_rx == 0
    for state in ("INIT", "UP"):
        peer.send_raw(peer.packet().encode())
        wait_until(lambda state=state: peer.state >= (2 if state == "INIT" else UP), 2, state)
    wait_until(lambda: one.session(link.b.ip4)["state"] == "Up", 2, "Up")
    quiet_since = time.monotonic()
    wait_until(lambda: time.monotonic() > quiet_since + 0.5, 2, "silence of the peer")
    assert one.session(link.b.ip4)["state"] == "Up" and one.session(link.b.ip4)["timeout"] == 0


def test_the_slower_side_sets_the_pace(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=200_000, required_min_rx=120_000,
                   detect_mult=5)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4, timeout=1.0)
    assert one.session(link.b.ip4)["interval"] == 0.12
