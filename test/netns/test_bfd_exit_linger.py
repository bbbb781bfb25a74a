"""exit linger: how long a session that goes may say so to a slow peer."""

import time

import pytest

from bfdpkt import ADMIN_DOWN, UP
from lab import Capture, Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct


@pytest.mark.parametrize("linger,most", [("0 us", 0.5), ("600 ms", 1.2)])
def test_the_daemon_leaves_after_that_time(lab, linger, most):
    """The peer takes a packet in 5 s, so three of them would last for long."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, required_min_rx=5_000_000)
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), body=f"exit linger {linger};"))
    peer.wait_state(UP, 20)
    capture = Capture(link.b.ns, link.b.ifname)
    start = time.monotonic()
    one.stop()
    assert time.monotonic() - start < most
    wait_until(lambda: capture.packets(lambda p: p.src == link.a.ip4 and p.state == ADMIN_DOWN), 2, "AdminDown")
