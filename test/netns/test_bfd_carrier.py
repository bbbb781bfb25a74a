"""Carrier that goes takes its sessions Down at once, long before the detection time, and the peer is told why when it is back."""

import time

import pytest

from bfdpkt import DIAG_PATH_DOWN, DOWN, UP
from lab import Capture, Peregrine, wait_until
from peer import BfdPeer
from scenario import addr, bfd, direct, multihop, wait_detail

MINUTES = "interval 500 ms; multiplier 200; idle tx interval 200 ms;"
NOTICED = 1.5  # the kernel may take a second to tell of a carrier that went


@pytest.mark.parametrize("family", ["v4", "ll"])
def test_carrier_lost_and_found(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"), bridge=True)
    a, b = addr(link.a, family), addr(link.b, family)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a), multihop(link.b.ip4, link.a.ip4), options=MINUTES))
    peer = BfdPeer(link.b.ns, b, a, dev=link.b.ifname, detect_mult=200, desired_min_tx=500_000, required_min_rx=500_000)
    other = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, multihop=True, detect_mult=200)
    for each in (peer, other):
        each.wait_state(UP)
    one.wait_session(b, "Up", interface=link.a.ifname)
    one.wait_session(link.b.ip4, "Up", interface="---")
    capture, moves = Capture(link.b.ns, link.b.ifname), len(other.transitions)
    for times in (1, 2):
        at = time.monotonic()
        link.bridge.ip(f"link set {link.a.port} down")
        one.wait_session(b, None, limit=NOTICED, interface=link.a.ifname)
        block = wait_detail(one, lambda d: d["Address"] == b and d["Session type"] == "Direct")
        assert (block["Session state"], block["Local diagnostic"]) == ("Down", "Path down")
        assert (block["Waiting for"], block["Counters/Went down"]) == ("interface to come up", str(times))
        wait_until(lambda times=times: one.log().count(f"Session to {b} ({link.a.ifname}) went Down: Path down") == times,
                   1, one.log)
        assert one.session(link.b.ip4, interface="---")["state"] == "Up"  # there may be another way
        link.bridge.ip(f"link set {link.a.port} up")
        said = capture.wait(lambda p: p.src == a and p.dport == 3784 and p.state == DOWN, 5, "word of it", since=at)
        assert said.diag == DIAG_PATH_DOWN and said.your_disc == 0
        one.wait_session(b, "Up", interface=link.a.ifname)
        peer.wait_state(UP)
    assert len(other.transitions) == moves
