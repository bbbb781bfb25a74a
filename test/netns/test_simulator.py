"""The simulated peers of the benchmarks: they fall silent, come back, wait for us, and count what happens."""

import json

import pytest

from lab import Peregrine, wait_until
from scenario import bfd, direct
from simulator import Simulator, meet

COUNT = 20
OPTIONS = "interval 200 ms; multiplier 5; idle tx interval 200 ms;"
TIMEOUT = "1"  # diagnostic


@pytest.fixture
def peers(lab):
    """Twenty of them, all Up; and the daemon, as an attribute."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    addresses = [f"10.200.1.{i}" for i in range(COUNT)]
    meet(link.a, addresses)
    simulator = Simulator(link.b, addresses[0], COUNT, 200000, 5)
    simulator.daemon = Peregrine(link.a.ns, bfd(*(direct(a, link.a) for a in addresses), options=OPTIONS))
    wait_up(simulator)
    yield simulator
    simulator.close()


def wait_up(simulator):
    wait_until(lambda: simulator.stats()["up"] == COUNT, 10, lambda: f"all Up: {simulator.stats()}")


def missed(simulator):
    """How often peers found the daemon silent, whether the simulator was on time or not."""
    stats = simulator.stats()
    return stats["expired"] + stats["expired_in_stall"]


def test_those_that_fall_silent_are_missed_and_no_others(peers):
    assert peers.ask("mark") == {"ok": True}
    assert peers.ask("silence 3 4 2") == {"silenced": 4, "up": 4}
    stats = wait_until(lambda: (s := peers.stats())["detect"]["count"] == 4 and s, 10, "four failures noticed")
    assert (stats["silenced"], stats["unnoticed"], stats["detect"]["early"]) == (4, 0, 0)
    gone = {s["address"] for s in peers.daemon.sessions() if s["state"] == "Down"}
    assert gone == {f"10.200.1.{i}" for i in (3, 5, 7, 9)}
    peers.ask("speak")
    wait_up(peers)
    stats = peers.stats()
    assert stats["downs"] == {} and stats["expired"] == stats["ignored"] == stats["drops"] == 0


def test_patient_peers_stay_up_while_the_daemon_stands_still(peers):
    peers.ask("patient on")
    peers.daemon.pause()
    end = peers.stats()["now_us"] + 1500000  # the detection time is 1 s
    wait_until(lambda: peers.stats()["now_us"] > end, 10, "more than the detection time")
    assert (peers.stats()["up"], missed(peers)) == (COUNT, 0)
    peers.ask("mark")
    peers.ask("patient off")
    wait_until(lambda: missed(peers) == COUNT, 10, "patience to end")
    peers.daemon.resume()
    wait_up(peers)


def test_a_daemon_that_was_killed_is_seen_again(peers):
    peers.daemon.kill()
    wait_until(lambda: peers.stats()["up"] == 0, 10, "all Down")
    assert missed(peers) == COUNT and TIMEOUT not in peers.stats()["downs"]
    peers.daemon.start()
    wait_up(peers)


def test_commands_are_answered_one_by_one(peers):
    assert "error" in peers.ask("silence") and "error" in peers.ask("speak up") and "error" in peers.ask("")
    assert peers.ask("silence 15 10") == {"silenced": 5, "up": 5}
    peers.ask("speak")
    peers.process.stdin.write("mark\nquit\n")
    out = peers.process.communicate(timeout=10)[0].splitlines()
    assert [json.loads(line) for line in out[:2]] == [{"ok": True}] * 2
    assert json.loads(out[2])["sessions"] == COUNT and peers.process.returncode == 0
