"""Dampening: a session that flaps goes on, but a route that depends on it stays away until it is released."""

import re
import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from routes import static, vias, wait_vias
from scenario import FAST, bfd, detail, wait_fast

NET = "10.1.0.0/16"
SLOW = "dampening { half life 600 s; suppress 1500; reuse 1000; };"


class World:
    """A static route with `bfd`, and a peer that can be made to flap."""

    def __init__(self, lab, options):
        link = lab.link(lab.ns("a"), lab.ns("b"))
        self.remote = link.b.ip4
        self.one = Peregrine(link.a.ns, self.config(options))
        self.peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
        wait_vias(self.one, NET, self.remote)

    def config(self, options):
        return static(f"{NET} via {self.remote} bfd") + bfd(options=FAST + options)

    def flap(self, count):
        """Fail that often, and be Up at the end."""
        for _ in range(count):
            wait_fast(self.one, self.remote)
            downs = int(detail(self.one, self.remote)["Counters/Went down"])
            self.peer.restart()
            wait_until(lambda downs=downs: int(detail(self.one, self.remote)["Counters/Went down"]) > downs, 3, "a failure")
        self.peer.wait_state(UP)
        wait_fast(self.one, self.remote)

    def dampening(self):
        return detail(self.one, self.remote).get("Dampening")


@pytest.fixture(name="make")
def fixture_make(lab):
    return lambda options: World(lab, options)


def test_the_route_stays_away_until_release(make):
    world = make("dampening { half life 1 s; suppress 1100; reuse 400; max suppress 10 s; };")
    world.flap(2)
    wait_until(lambda: world.dampening(), 2, "a penalty")
    assert world.one.session(world.remote)["state"] == "Up" and vias(world.one, NET) is None
    match = re.fullmatch(r"penalty (\d+), suppressed for another (\d\.\d+) s", world.dampening())
    assert match and 400 <= int(match[1]) <= 2000, world.dampening()
    release = time.monotonic() + float(match[2])
    assert re.search(r"Session to 10\.77\.1\.2 \(v1\) is suppressed, penalty 1\d\d\d: not Up for [12]\.", world.one.log())
    wait_vias(world.one, NET, world.remote)
    assert -0.1 < time.monotonic() - release < 0.5
    wait_until(lambda: "Session to 10.77.1.2 (v1) is no longer suppressed" in world.one.log(), 2, world.one.log)
    assert re.fullmatch(r"penalty \d+", world.dampening())
    assert world.one.session(world.remote)["state"] == "Up"


def test_without_it_the_route_follows(make):
    world = make("")
    world.flap(4)
    wait_vias(world.one, NET, world.remote)
    assert world.dampening() is None and "suppressed" not in world.one.log()


def test_down_is_not_delayed_and_an_operator_releases(make):
    world = make(SLOW)
    world.flap(2)
    assert vias(world.one, NET) is None
    assert world.one.birdc("bfd reset counters")[-1] == (0, "")
    assert "suppressed" in world.dampening() and vias(world.one, NET) is None
    assert world.one.birdc("bfd reset dampening 192.0.2.1")[-1][0] == 9001
    assert world.one.birdc(f"bfd reset dampening {world.remote}") == [(0, "")]
    wait_vias(world.one, NET, world.remote)
    assert world.dampening() is None
    world.peer.freeze()
    wait_vias(world.one, NET)
    assert world.dampening().startswith("penalty 99") or world.dampening() == "penalty 1000"


def test_an_administrative_end_is_no_failure(make):
    world = make(SLOW)
    for _ in range(3):
        world.peer.admin_down()
        wait_vias(world.one, NET)
        world.peer.admin_up()
        wait_vias(world.one, NET, world.remote)
    assert world.dampening() is None


def test_reload(make):
    world = make(SLOW)
    world.flap(2)
    assert vias(world.one, NET) is None
    world.one.reload(world.config(SLOW.replace("1500", "1400")))
    assert "suppressed" in world.dampening() and vias(world.one, NET) is None
    world.one.reload(world.config(""))
    wait_vias(world.one, NET, world.remote)
    assert world.dampening() is None
    world.one.reload(world.config(SLOW))
    world.flap(1)
    wait_vias(world.one, NET, world.remote)
    assert world.dampening().startswith("penalty ")
    with world.one.control() as client:
        client.command("restrict")
        assert client.command("bfd reset dampening")[-1][0] == 8007
