"""Ring, slot and socket have no common order: what was said last holds, whichever is read first. Also after a standstill."""

import random
import time

import pytest

from bfdpkt import DOWN
from lab import Peregrine, wait_until
from many import Far
from offloads import PatientPeer, Scene, later, unharmed, wait_offloaded, wait_taken
from scenario import DETECTION, NOISE
from wallclock import WallClock

BOTH = pytest.mark.parametrize("kind", ["ring", "absorb"])


class Stopped:
    """The daemon is stopped meanwhile; its peer is not, and has sent some packets more before it says anything new."""

    def __init__(self, scene):
        self.scene = scene

    def __enter__(self):
        self.scene.one.pause()
        count = len(self.scene.peer.sent)
        wait_until(lambda: len(self.scene.peer.sent) >= count + 2, 1, "two packets more")

    def __exit__(self, *exc):
        self.scene.one.resume()


IN_ORDER = pytest.mark.parametrize("kind", ["ring", "absorb"])


@IN_ORDER
def test_intervals_of_before_do_not_come_back(lab, kind):
    """They would make a slow peer a dead one."""
    scene = Scene(lab, kind, peer=PatientPeer)
    for _ in range(2):
        with Stopped(scene):
            scene.peer.set(desired_min_tx=1_000_000)
            wait_until(lambda: scene.peer.sent[-1][1] == scene.peer.packet().encode(), 0.1, "the poll")
        wait_until(lambda: not scene.peer.polling, 1, "our Final")
        scene.wait_timeout(3)
        later(DETECTION + 0.1)
        assert unharmed(scene.one)
        scene.peer.set(desired_min_tx=50_000)
        scene.wait_timeout(DETECTION)
        scene.wait_offloaded()


@IN_ORDER
def test_demand_mode_is_not_forgotten(lab, kind):
    scene = Scene(lab, kind, peer=PatientPeer)
    with Stopped(scene):
        scene.peer.lie(demand=True)
        wait_until(lambda: scene.peer.sent[-1][1] == scene.peer.packet().encode(), 0.1, "the news")
        scene.peer.freeze()
    later(0.05)
    assert scene.detail()["Remote parameters/Demand mode"] == "Yes"
    scene.peer.thaw()


@BOTH
def test_down_and_up_again_while_we_were_stopped(lab, kind):
    """Its packets of before are no answer to what we say now."""
    scene = Scene(lab, kind, peer=PatientPeer)
    with Stopped(scene):
        scene.peer.restart()
        wait_until(lambda: scene.peer.packet(your_disc=0).state == DOWN, 1, "it to be Down")
        count = len(scene.peer.sent)
        wait_until(lambda: len(scene.peer.sent) > count, 1.5, "it to say so")
    scene.wait()
    assert scene.detail()["Remote discriminator"] == str(scene.peer.local_disc)


@BOTH
def test_stopped_again_and_again(lab, tmp_path, kind):
    """0.1 to 10 detection times, with hardly a breath in between, and the wall clock set meanwhile."""
    link, clock = lab.link(lab.ns("a"), lab.ns("b")), WallClock(tmp_path)
    far = Far(link, 4, interval=50, mult=3)
    far.start()
    config = far.config().replace("multiplier 3", f"multiplier 100; offload {kind}")  # they are patient
    one = Peregrine(link.a.ns, config, env=clock.env)
    for remote in far.addresses:
        wait_offloaded(one, remote, kind)
    rng = random.Random(5)
    for times in (1, 0.1, 0.5, 0.9, 2, 1.1, 0.9, 0.1, 10 if kind == "absorb" else 3):
        one.pause()
        time.sleep(DETECTION * times)
        clock.step(rng.choice((-3600, 0.1, -0.1, 86400)))
        one.resume()
        time.sleep(rng.choice((0, 0.001, 0.01, 0.03)))
    for remote in far.addresses:
        wait_taken(one, remote, 5)
    assert unharmed(one) and "Stalled" not in one.log()  # what came was there to be read
    far.kill()
    killed = time.monotonic()
    for remote in far.addresses:
        assert one.wait_session(remote, "Down", limit=2)["at"] - killed < DETECTION + NOISE


@BOTH
def test_a_real_silence_before_we_stopped_is_found_afterwards(lab, kind):
    scene = Scene(lab, kind, peer=PatientPeer)
    scene.peer.freeze()
    scene.one.pause()
    time.sleep(2 * DETECTION)
    scene.one.resume()
    resumed = time.monotonic()
    assert scene.one.wait_session(scene.b, "Down", limit=2)["at"] - resumed < 2 * DETECTION + NOISE
