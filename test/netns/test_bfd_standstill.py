"""A daemon that was stopped for a while imagines no failure, whether packets came meanwhile or not; a real one it sees."""

import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, wait_fast


class PatientPeer(BfdPeer):
    """One that does not mind when we are silent."""

    def _detection_expired(self):
        pass


@pytest.mark.parametrize("lost", [False, True], ids=["packets wait", "none comes"])
@pytest.mark.parametrize("stopped", [0.015, 0.15, 0.4, 1.5])
def test_stopped_for_a_while(lab, stopped, lost):
    """0.1 to 10 detection times."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = PatientPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    one.pause()
    if lost:
        peer.freeze()
    time.sleep(stopped)
    one.resume()
    peer.thaw()
    resumed = time.monotonic()
    wait_until(lambda: time.monotonic() > resumed + 0.5, 1, "some detection times")
    assert ("Stalled for" in one.log()) == (lost and stopped > 0.1)
    assert "went Down" not in one.log() and one.session(link.b.ip4)["state"] == "Up"
    peer.freeze()
    frozen = time.monotonic()
    one.wait_session(link.b.ip4, "Down", limit=1)
    assert time.monotonic() - frozen < 0.6
