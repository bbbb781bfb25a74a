"""Ours stopped for 0.1 to 10 detection times, with bird2 as the peer: what bird2 takes for a failure is told, never imagined."""

import time

import pytest

from bfdpkt import DIAG_TIMEOUT, DOWN, UP
from lab import Bird2, Capture, Peregrine
from scenario import bfd, direct, wait_fast


@pytest.mark.parametrize("stopped", [0.015, 0.075, 0.15, 0.3, 1.5])
def test_stopped_for_a_while(lab, stopped):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = link.a.ip4, link.b.ip4
    capture = Capture(link.b.ns, link.b.ifname)
    bird2 = Bird2(link.b.ns, bfd(direct(a, link.b)))
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    wait_fast(one, b)
    bird2.wait_session(a, "Up")
    one.pause()
    time.sleep(stopped)
    one.resume()
    resumed = time.monotonic()
    capture.wait(lambda p: p.src == a and p.state == UP, 5, "us to be heard", since=resumed)
    wait_fast(one, b)
    bird2.wait_session(a, "Up")
    ended = [p.diag for p in capture.packets(lambda p: p.src == a and p.state == DOWN)]
    assert DIAG_TIMEOUT not in ended and "Time expired" not in one.log()
    if stopped > 0.2:  # then bird2 did, or nothing was tested
        assert capture.packets(lambda p: p.src == b and p.state == DOWN and p.diag == DIAG_TIMEOUT)
