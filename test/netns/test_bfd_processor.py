"""The processor belongs to others for a while: we imagine no failure of a peer, and do not blame one for ours."""

import fcntl
import os
import re
import subprocess
import sys

import pytest

from lab import Peregrine, wait_until
from many import Far, in_state, records, totals, wait_states
from nslib import TEMP_DIR

COUNT = 50
HOG = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(sys.argv[2])))
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    pass
"""

KERNEL = tuple(int(x) for x in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


@pytest.fixture(name="cpu")
def fixture_cpu():
    """The one the daemon has to use; another one is left for the rest of the machine."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("it takes two processors")
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pytest.skip("real-time priority is not permitted here")
    os.sched_setscheduler(0, *before)
    with open(os.path.join(TEMP_DIR, "pg-hogs.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of these tests at a time on this machine
        yield cpus[0]


def hog(cpu, priority, seconds):
    """Nothing of lower or equal priority runs on the processor meanwhile."""
    argv = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-c", HOG, str(cpu), str(priority), str(seconds)]
    proc = subprocess.Popen(argv)
    try:
        assert proc.wait(timeout=seconds + 20) == 0
    finally:
        proc.kill()
        proc.wait()


def bind(daemon, cpu):
    for tid in os.listdir(f"/proc/{daemon.pid}/task"):
        os.sched_setaffinity(int(tid), {cpu})


@pytest.fixture(name="scene")
def fixture_scene(lab, cpu):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT, interval=100, mult=3)
    far.start(priority=70)
    os.sched_setaffinity(far.simulator.process.pid, set(os.sched_getaffinity(0)) - {cpu})
    one = Peregrine(link.a.ns, far.config())
    bind(one, cpu)
    wait_states(one, "Up", COUNT)
    return one, far


@pytest.mark.parametrize("priority", [50, 60], ids=["of our priority", "above us"])
def test_a_hog(scene, cpu, priority):
    """For some detection times: the peers say that they have heard nothing, and it was us."""
    one, _ = scene
    hog(cpu, priority, 1.2)
    wait_until(lambda: len(records(one)) == COUNT, 5, lambda: f"{len(records(one))} records")
    wait_states(one, "Up", COUNT)
    counted = totals(one)
    assert counted.get("Sessions went down, Time expired", 0) == 0
    assert {verdict for _, verdict in records(one)} == {"we were stalled"}
    assert counted["Verdict, we were stalled"] == COUNT and counted["Late ticks"] > 0


def test_short_hogs(scene, cpu):
    """Each takes a third of a detection time: nobody notices."""
    one, _ = scene
    for _ in range(4):
        hog(cpu, 50, 0.1)
    assert in_state(one, "Up") == COUNT and records(one) == []
    assert not any(name.startswith("Sessions went down") for name in totals(one))


class WithoutNice(Peregrine):
    """One that may not have real-time priority, nor a better nice value."""

    def _spawn(self, *argv):
        return super()._spawn("setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice", "--", *argv)


def slices(daemon):
    """The slice of each thread in ns, by its name; None where the kernel does not tell or has no notion of it."""
    found = {}
    for tid in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{tid}/comm", encoding="ascii") as name:
            key = name.read().strip()
        try:
            with open(f"/proc/{daemon.pid}/task/{tid}/sched", encoding="ascii") as text:
                told = re.search(r"^se\.slice\s*:\s*(\d+)", text.read(), re.MULTILINE)
        except OSError:
            told = None
        found[key] = int(told[1]) if told and KERNEL >= (6, 12) else None
    return found


def test_without_cap_sys_nice(lab):
    """It is said once, and sessions work."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT, interval=200, mult=5)
    far.start()
    one = WithoutNice(link.a.ns, far.config())
    assert {os.sched_getscheduler(int(tid)) for tid in os.listdir(f"/proc/{one.pid}/task")} == {os.SCHED_OTHER}
    wait_states(one, "Up", COUNT)
    assert one.log(tail=None).count("No real-time priority") == 1
    assert one.log(tail=None).count("Without CAP_SYS_NICE") == 1
    one.reload(far.config() + "\n# the same again")
    assert one.log(tail=None).count("No real-time priority") == 1
    assert slices(one)["bfd1"] in (None, 100_000), "the shortest slice is the next best thing"
    far.kill()
    wait_states(one, "Down", COUNT)
    assert totals(one)["Sessions went down, Time expired"] == COUNT
