"""Memory is short around the daemon: it has its own locked, and sessions do not notice."""

import contextlib
import os
import subprocess
import time

import pytest

from lab import Peregrine, wait_until
from many import Far, totals, wait_states

COUNT = 300
ROOM = 24 << 20  # bytes, beyond what the daemon has
GREEDY = """
import mmap, time
while True:
    pages = []
    try:
        for _ in range(4096):
            pages.append(mmap.mmap(-1, 1 << 20))
            pages[-1].write(bytes(1 << 20))
    except (MemoryError, OSError):
        pass
"""


def find_memory_group():
    """(the directory above ours, the file with the limit), of either version of control groups; None: there is none."""
    if os.path.isdir("/sys/fs/cgroup/memory"):
        return "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
    with contextlib.suppress(OSError), open("/sys/fs/cgroup/cgroup.subtree_control", encoding="ascii") as f:
        if "memory" in f.read().split():
            return "/sys/fs/cgroup", "memory.max"
    return None


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def join_as_victim(path):
    """Whoever has to go, it is us."""
    write("/proc/self/oom_score_adj", 1000)
    write(f"{path}/cgroup.procs", os.getpid())


@pytest.fixture(name="group")
def fixture_group():
    """A control group of our own, as (directory, file with the limit)."""
    found = find_memory_group()
    if not found:
        pytest.skip("no control groups for memory")
    path = f"{found[0]}/peregrine-test-{os.getpid()}"
    try:
        os.mkdir(path)
    except OSError as e:
        pytest.skip(f"no control group to be had: {e}")
    yield path, f"{path}/{found[1]}"
    wait_until(lambda: not open(f"{path}/cgroup.procs", encoding="ascii").read(), 5, "the group to be empty")
    os.rmdir(path)


@pytest.mark.parametrize("offload", ["off", "absorb"])
def test_sessions_outlive_what_takes_all_memory(lab, group, offload):
    path, limit = group
    far = Far(lab.link(lab.ns("a"), lab.ns("b")), COUNT, interval=50, mult=4)
    far.start()
    one = Peregrine(far.link.a.ns, far.config(body=f"offload {offload};"), limit=10)
    try:
        wait_states(one, "Up", COUNT)
        write(f"{path}/cgroup.procs", one.pid)
        write(limit, ROOM)  # what the daemon has so far is not counted here
        killed, end = 0, time.monotonic() + 4
        while time.monotonic() < end:
            greedy = subprocess.Popen(["/usr/bin/python3", "-c", GREEDY], preexec_fn=lambda: join_as_victim(path))
            greedy.wait(timeout=20)
            killed += greedy.returncode < 0
        assert killed > 0
        one.reload(far.config(body=f"offload {offload}; threads 2;"))
        assert {n for n in totals(one) if n.startswith("Sessions went down")} == set()
    finally:
        one.stop()
