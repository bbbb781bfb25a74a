"""Several engine threads for one instance: who has which session, and that their number changes without a flap."""

import contextlib
import os
import resource

import pytest

from lab import Peregrine, wait_until
from many import Far, totals, wait_states
from scenario import UP_LIMIT, bfd, direct, multihop

COUNT = 400


def threads(daemon):
    """How many sessions each has."""
    found = {}
    for d in daemon.session_details():
        found[d.get("Thread", "1")] = found.get(d.get("Thread", "1"), 0) + 1
    return found


def tasks(daemon):
    """The names of its threads."""
    names = []
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            with open(f"/proc/{daemon.pid}/task/{task}/comm", encoding="ascii") as f:
                names.append(f.read().strip())
    return names


def running(daemon):
    return tasks(daemon).count("bfd1")


def flaps(daemon):
    return {name: n for name, n in totals(daemon).items() if name.startswith("Sessions went down")}


@pytest.fixture(name="far")
def fixture_far(lab):
    far = Far(lab.link(lab.ns("a"), lab.ns("b")), COUNT, interval=50, mult=5)
    far.start()
    return far


@pytest.mark.parametrize("strict", [False, True])
def test_their_number_changes_without_a_flap(far, strict):
    extra = "strict bind yes; " if strict else ""
    one = Peregrine(far.link.a.ns, far.config(body=f"{extra}threads 2;"), limit=10)
    wait_states(one, "Up", COUNT)
    spread = threads(one)
    assert set(spread) == {"1", "2"} and min(spread.values()) > COUNT / 4
    assert running(one) == 2
    for count in (4, 3, 1, 5, 2):
        one.reload(far.config(body=f"{extra}threads {count};"))
        wait_until(lambda count=count: len(threads(one)) == count and running(one) == count, 5,
                   lambda: f"{threads(one)}, {running(one)} threads")
        assert sum(threads(one).values()) == COUNT
    wait_until(lambda: totals(one)["Packets received"] > 10000, 5, lambda: str(totals(one)))
    assert flaps(one) == {}
    assert totals(one)["Sessions went up"] == COUNT
    assert far.simulator.stats()["downs"] == {}


def test_reloads_in_quick_succession_end_where_the_last_one_says(far):
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    wait_states(one, "Up", COUNT)
    for count in (3, 1, 4, 2, 6, 1, 3):
        one.reload(far.config(body=f"threads {count};"))
    wait_until(lambda: len(threads(one)) == 3 and running(one) == 3, 5, lambda: f"{threads(one)}, {running(one)}")
    assert flaps(one) == {}
    far.kill()
    wait_states(one, "Down", COUNT)
    one.reload(far.config(body="threads 2;"))
    far.start()
    wait_states(one, "Up", COUNT)


def test_the_silent_are_found_while_sessions_move(far):
    """All die, and their sessions change hands before the detection time is over."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 1;"), limit=10)
    wait_states(one, "Up", COUNT)
    for count in (3, 2):
        far.kill()
        one.reload(far.config(body=f"threads {count};"))
        wait_states(one, "Down", COUNT)
        far.start()
        wait_states(one, "Up", COUNT)


@pytest.mark.parametrize("count", [2, 5])
def test_two_daemons_with_several_threads_and_all_kinds(lab, count):
    """First packets come to the first thread, whoever has the session."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    pairs = [(f"10.66.0.{i}", f"10.66.1.{i}") for i in range(1, 21)]
    link.a.ns.ip(*(f"addr add {a}/16 dev {link.a.ifname}" for a, _ in pairs))
    link.b.ns.ip(*(f"addr add {b}/16 dev {link.b.ifname}" for _, b in pairs))

    def config(end, turned):
        lines = []
        for i, (a, b) in enumerate(pairs):
            local, remote = (b, a) if turned else (a, b)
            lines.append(f"{direct(remote, end)} local {local}" if i % 2 else multihop(remote, local))
        return bfd(*lines, options="interval 100 ms; multiplier 4; idle tx interval 200 ms;", body=f"threads {count};")

    one, two = Peregrine(link.a.ns, config(link.a, False)), Peregrine(link.b.ns, config(link.b, True))
    for daemon in (one, two):
        wait_until(lambda daemon=daemon: sum(s["state"] == "Up" for s in daemon.sessions()) == len(pairs), UP_LIMIT,
                   lambda daemon=daemon: f"{daemon.sessions()}")
    two.stop()
    wait_until(lambda: not any(s["state"] == "Up" for s in one.sessions()), 5, lambda: str(one.sessions()))


def test_the_number_has_a_range(lab):
    ns = lab.ns("a")
    one = Peregrine(ns, bfd())
    for wrong in (0, 33):
        refused = one.reload(bfd(body=f"threads {wrong};"), check=False)
        assert any(f"Threads must be between 1 and 32, got {wrong}" in text for _, text in refused)


def test_descriptors_that_run_out_cost_no_session(far):
    """However far it gets: the threads there are go on, and the number is reached when there is room."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    wait_states(one, "Up", COUNT)
    _, most = resource.prlimit(one.pid, resource.RLIMIT_NOFILE)
    with one.connect():  # a connection that is there already; another takes its place
        used = len(os.listdir(f"/proc/{one.pid}/fd"))
    for spare in (*range(2, 8), *range(9, 20, 2)):  # one is for the configuration's file
        resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (used + spare, most))
        one.reload(far.config(body="threads 4;"))
        resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (most, most))
        assert sum(threads(one).values()) == COUNT
        one.reload(far.config(body="threads 2;"))
        wait_until(lambda: len(threads(one)) == 2 and running(one) == 2, 5, lambda: f"{threads(one)}, {running(one)}")
    assert "Cannot start thread 3: no file descriptors left" in one.log(tail=None)
    assert "for another thread: Too many open files" in one.log(tail=None)
    one.reload(far.config(body="threads 4;"))
    wait_until(lambda: len(threads(one)) == 4, 5, lambda: str(threads(one)))
    assert flaps(one) == {}
