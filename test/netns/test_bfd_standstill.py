"""A daemon that was stopped for a while imagines no failure, whether packets came meanwhile or not; a real one it sees."""

import random
import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, wait_fast

# Slow enough that a busy machine does not silence the peers for a detection time
OPTIONS = "interval 100 ms; multiplier 3; idle tx interval 200 ms;"
DETECTION = 0.3


class PatientPeer(BfdPeer):
    """One that does not mind when we are silent."""

    def _detection_expired(self):
        pass


def test_stopped_again_and_again(lab):
    """As by a limit on the CPU time of a group, with hardly a breath in between; four peers go on all the time."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    remotes = [f"10.77.1.{i}" for i in range(11, 15)]
    link.b.ns.ip(*(f"addr add {x}/24 dev {link.b.ifname}" for x in remotes))
    one = Peregrine(link.a.ns, bfd(*(direct(x, link.a) for x in remotes), options=OPTIONS))
    peers = [PatientPeer(link.b.ns, x, link.a.ip4, desired_min_tx=100_000, required_min_rx=100_000) for x in remotes]
    for peer in peers:
        peer.wait_state(UP)
        wait_fast(one, peer.local, timeout=DETECTION)
    rng = random.Random(3)
    for _ in range(12):
        one.pause()
        time.sleep(rng.choice((0.03, 0.15, 0.3, 0.4, 1.2)))
        one.resume()
        time.sleep(rng.choice((0, 0.001, 0.01, 0.03)))
    start = [len(peer.received) for peer in peers]
    wait_until(lambda: all(len(peer.received) > n + 5 for peer, n in zip(peers, start)), 3, "packets again")
    assert {(d["Session state"], d["Counters/Went down"]) for d in one.session_details()} == {("Up", "0")}


@pytest.mark.parametrize("lost", [False, True], ids=["packets wait", "none comes"])
@pytest.mark.parametrize("stopped", [0.03, 0.3, 0.8, 3])
def test_stopped_for_a_while(lab, stopped, lost):
    """0.1 to 10 detection times."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=OPTIONS))
    peer = PatientPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=100_000, required_min_rx=100_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4, timeout=DETECTION)
    one.pause()
    if lost:
        peer.freeze()
    time.sleep(stopped)
    one.resume()
    peer.thaw()
    resumed = time.monotonic()
    wait_until(lambda: time.monotonic() > resumed + 1, 2, "some detection times")
    assert ("Stalled for" in one.log()) == (lost and stopped > 0.2)
    assert "went Down" not in one.log() and one.session(link.b.ip4)["state"] == "Up"
    peer.freeze()
    frozen = time.monotonic()
    one.wait_session(link.b.ip4, "Down", limit=1)
    assert time.monotonic() - frozen < 0.9
