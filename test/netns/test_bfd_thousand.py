"""A thousand neighbours, removed by one reload and added again by the next."""

import os
import time

import pytest

from lab import Peregrine, wait_until
from scenario import bfd, direct
from simulator import Simulator, meet

COUNT = 1000
OPTIONS = "interval 200 ms; multiplier 5;"


def addresses():
    return [f"10.200.{1 + i // 250}.{i % 250 + 1}" for i in range(COUNT)]


@pytest.fixture
def far_end(lab):
    """The link, and simulated peers at its other end, more than a thousand addresses of them."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    meet(link.a, addresses())
    peers = Simulator(link.b, "10.200.1.0", COUNT * 2, 200000, 5)
    yield link
    peers.close()


def up(daemon):
    return sum(s["state"] == "Up" for s in daemon.sessions())


def said_goodbye(daemon):
    """Each session has a socket of its own until it has said AdminDown often enough."""
    return not daemon.sessions() and len(os.listdir(f"/proc/{daemon.pid}/fd")) < 100


def answers_while(daemon, done, limit):
    """Ask until `done`; returns how long the slowest answer took."""
    slowest, end = 0, time.monotonic() + limit
    while not done():
        asked = time.monotonic()
        assert daemon.birdc("show status")[-1][0] in (13, 24, 25) and asked < end
        slowest = max(slowest, time.monotonic() - asked)
    return slowest


def discriminators(daemon):
    return {d["Local discriminator"] for d in daemon.session_details()}


@pytest.mark.parametrize("when", ["at once", "after the farewells"])
def test_removed_and_added_again(lab, far_end, when):
    lines = [direct(x, far_end.a) for x in addresses()]
    one = Peregrine(far_end.a.ns, bfd(*lines, options=OPTIONS))
    wait_until(lambda: up(one) == COUNT, 10, lambda: f"{up(one)} of {COUNT} sessions Up")
    before = discriminators(one)
    one.reload(bfd(options=OPTIONS), check=False)
    gone = answers_while(one, lambda: said_goodbye(one) or when == "at once", 10)
    one.reload(bfd(*lines, options=OPTIONS), check=False)
    back = answers_while(one, lambda: up(one) == COUNT, 10)
    print(f"slowest answer while they went {gone:.3f} s, while they came {back:.3f} s")
    assert max(gone, back) < 1
    assert "went Down" not in one.log(tail=None)
    details = one.session_details()
    assert len(details) == COUNT and {d["Counters/Send errors"] for d in details} == {"0"}
    assert when != "at once" or discriminators(one) == before
