"""The wall clock is set, by little and by hours, both ways; also while the daemon is stopped. Sessions do not notice."""

import datetime
import random
import re
import time

import pytest

from bfdpkt import DIAG_TIMEOUT, DOWN, UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import DETECTION, NOISE, bfd, direct, wait_fast
from wallclock import WallClock

HOURS = [3 * 3600, -3 * 3600, 26 * 3600, -26 * 3600]


class PatientPeer(BfdPeer):
    """One that does not mind when we are silent."""

    def _detection_expired(self):
        pass


class Scene:
    """Ours with its own wall clock, and sessions to four peers at once: more waits in its socket than it reads at a time."""

    def __init__(self, lab, directory):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.clock = WallClock(directory)
        remotes = [f"10.77.1.{i}" for i in range(11, 15)]
        self.link.b.ns.ip(*(f"addr add {x}/24 dev {self.link.b.ifname}" for x in remotes))
        self.one = Peregrine(self.link.a.ns, bfd(*(direct(x, self.link.a) for x in remotes)),
                             env=dict(self.clock.env, TZ="UTC"))
        self.peers = [PatientPeer(self.link.b.ns, x, self.link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
                      for x in remotes]
        for peer in self.peers:
            peer.wait_state(UP)
            wait_fast(self.one, peer.local)

    def server_time(self):
        """What the daemon takes for the time of the day."""
        status = "\n".join(text for _, text in self.one.birdc("show status"))
        return datetime.datetime.strptime(re.search(r"Current server time is (\S+ \S+)", status)[1][:19],
                                          "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc).timestamp()

    def wait_packets(self, count):
        start = {p: len(p.received) for p in self.peers}
        wait_until(lambda: all(len(p.received) >= start[p] + count for p in self.peers), 5, f"{count} packets each")

    def undisturbed(self):
        return ({d["Session state"] for d in self.one.session_details()} == {"Up"}
                and {d["Counters/Went down"] for d in self.one.session_details()} == {"0"})


@pytest.fixture
def scene(lab, tmp_path):
    return Scene(lab, tmp_path)


def test_set_while_sessions_run(scene):
    rng, since = random.Random(4), time.monotonic()
    for seconds in HOURS + [0.1, -0.1, 0.003, -0.003] + [rng.uniform(-1e5, 1e5) for _ in range(8)]:
        scene.clock.step(seconds)
        assert abs(scene.server_time() - time.time() - scene.clock.offset) < 2
        scene.wait_packets(4)
        assert scene.undisturbed(), seconds
    for peer in scene.peers:
        sent = [p.time for p in peer.received if p.time > since]
        assert max(later - earlier for earlier, later in zip(sent, sent[1:])) < 0.05 + NOISE


@pytest.mark.parametrize("seconds", HOURS[:2])
@pytest.mark.parametrize("later", [0, 0.4], ids=["stamps of before", "stamps of both"])
def test_set_while_we_are_stopped(scene, seconds, later):
    scene.one.pause()
    time.sleep(0.8 - later)
    scene.clock.step(seconds)
    time.sleep(later)
    scene.one.resume()
    scene.wait_packets(8)
    assert scene.undisturbed()
    assert "Stalled" not in scene.one.log()  # the packets were there


@pytest.mark.parametrize("seconds", HOURS[:2])
def test_a_real_failure_is_noticed_in_time(scene, seconds):
    victim = scene.peers[0]
    frozen = victim.freeze()
    last = [t for t, _ in victim.sent if t <= frozen][-1]
    scene.clock.step(seconds)
    said = victim.wait_packet(lambda p: p.state == DOWN, 1, since=frozen)
    assert said.diag == DIAG_TIMEOUT and -0.001 < said.time - last - DETECTION < NOISE
    scene.wait_packets(4)
    assert [d["Session state"] for d in scene.one.session_details()] == ["Down", "Up", "Up", "Up"]
