"""A daemon that was stopped for a while imagines no failure, whether packets came meanwhile or not; a real one it sees."""

import random
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


def test_stopped_again_and_again(lab):
    """As by a limit on the CPU time of a group, with hardly a breath in between; four peers go on all the time."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    remotes = [f"10.77.1.{i}" for i in range(11, 15)]
    link.b.ns.ip(*(f"addr add {x}/24 dev {link.b.ifname}" for x in remotes))
    one = Peregrine(link.a.ns, bfd(*(direct(x, link.a) for x in remotes)))
    peers = [PatientPeer(link.b.ns, x, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000) for x in remotes]
    for peer in peers:
        peer.wait_state(UP)
        wait_fast(one, peer.local)
    rng = random.Random(3)
    for _ in range(12):
        one.pause()
        time.sleep(rng.choice((0.015, 0.07, 0.15, 0.2, 0.8)))
        one.resume()
        time.sleep(rng.choice((0, 0.001, 0.01, 0.03)))
    start = [len(peer.received) for peer in peers]
    wait_until(lambda: all(len(peer.received) > n + 5 for peer, n in zip(peers, start)), 2, "packets again")
    assert {(d["Session state"], d["Counters/Went down"]) for d in one.session_details()} == {("Up", "0")}


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
