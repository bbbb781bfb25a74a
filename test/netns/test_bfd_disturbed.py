"""Disturbances that are none of a peer's: a full queue, another MTU, hardly any memory."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from bfdpkt import UP, Control
from lab import Peregrine, wait_until
from many import Far, records, totals, wait_states
from peer import BfdPeer
from scenario import bfd, direct, wait_fast

SLOW = "interval 200 ms; multiplier 10; idle tx interval 200 ms;"
STEADY = "interval 100 ms; multiplier 3; idle tx interval 200 ms;"
SOL_UDP, UDP_SEGMENT = 17, 103


def dropped(ns):
    """Datagrams that found the queue of port 3784 full."""
    with ns.inside(), open("/proc/thread-self/net/udp", encoding="ascii") as f:
        return int(next(line.split() for line in f if ":0EC8 00000000:0000" in line)[-1])


def test_a_full_queue(lab):
    """What the kernel dropped while a peer was silent may have been its packets: that is what is said, and no more."""
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    near, far, evil = lab.lan(a, b, c).ends
    one = Peregrine(a, bfd(direct(far.ip4, near), options=SLOW))
    peer = BfdPeer(b, far.ip4, near.ip4, desired_min_tx=200_000, required_min_rx=200_000, detect_mult=10)
    wait_fast(one, far.ip4, timeout=2.0)
    before = dropped(a)
    with evil.ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    sock.setsockopt(SOL_UDP, UDP_SEGMENT, 24)  # the kernel makes datagrams of it
    sock.connect((near.ip4, 3784))
    peer.freeze()
    paused = one.pause()
    while dropped(a) < before + 50 and time.monotonic() < paused + 0.7:
        sock.send(Control(state=UP, my_disc=1, your_disc=2).encode() * 50)
    one.resume()
    paused = time.monotonic() - paused
    sock.close()
    lost = dropped(a) - before
    one.wait_session(far.ip4, "Down")
    if paused > 0.9 or not lost:
        pytest.skip("the queue does not fill in time on this machine")
    assert wait_until(lambda: records(one), 2, "a record") == [(far.ip4, "kernel dropped, possibly")]
    verdict = next(t for _, t in one.birdc("show bfd history") if t.strip().startswith("Verdict"))
    assert verdict.endswith(f": {lost} packets at our sockets, 0 elsewhere")
    assert totals(one)["dropped by the kernel"] == lost


def test_another_mtu(lab):
    """On either side, of any family, again and again."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one, two = (Peregrine(near.ns, bfd(*(direct(x, near) for x in (far.ip4, far.ip6, far.ll)), options=STEADY))
                for near, far in ((link.a, link.b), (link.b, link.a)))
    for daemon in (one, two):
        wait_states(daemon, "Up", 3)
    for mtu in (9000, 1280, 1400, 9000, 1500):
        for end in link.ends:
            end.ns.ip(f"link set {end.ifname} mtu {mtu}")
        for daemon in (one, two):
            start = totals(daemon)["Packets received"]
            wait_until(lambda daemon=daemon, start=start: totals(daemon)["Packets received"] > start + 10, 5, "packets")
    for daemon in (one, two):
        wait_states(daemon, "Up", 3)
        assert {d["Counters/Went down"] for d in daemon.session_details()} == {"0"} and records(daemon) == []


# Memory

EATER = """
import os, sys
with open("/proc/self/oom_score_adj", "w") as f:
    f.write("1000")
data, held = os.urandom(1 << 20), []
while True:
    with open(sys.argv[1], "wb") as f:  # pages of a file, which push others out
        for _ in range(48):
            f.write(data)
    held.append(bytearray(data * 8))
"""
GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
MEMORY = 64 << 20


@pytest.fixture(name="group")
def fixture_group():
    """A control group with little memory: its directory."""
    for root, knob in GROUPS:
        path = f"{root}/pg-{os.getpid()}"
        with contextlib.suppress(OSError):
            os.mkdir(path)
            try:
                with open(f"{path}/{knob}", "w", encoding="ascii") as f:
                    f.write(str(MEMORY))
            except OSError:
                os.rmdir(path)
                continue
            break
    else:
        pytest.skip("no control group of ours can limit memory here")
    yield path
    with open(f"{path}/cgroup.procs", encoding="ascii") as f:
        wait_until(lambda: f.seek(0) == 0 and not f.read(), 5, "the group to be empty")
    os.rmdir(path)


def in_group(group, *argv):
    return "sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *argv


def test_hardly_any_memory(group, lab):
    """Somebody eats all that the daemon's group has until the kernel kills him, again and again."""

    class Confined(Peregrine):
        def _spawn(self, *argv):
            return super()._spawn(*in_group(group, *argv))

    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, 50, interval=100, mult=3)
    far.start()
    one = Confined(link.a.ns, far.config())
    wait_states(one, "Up", 50)
    if one.sanitized():
        pytest.skip("sanitizers need memory of their own")
    for _ in range(3):
        eater = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *in_group(
            group, sys.executable, "-c", EATER, os.path.join(one.dir, "file"))])
        try:
            assert eater.wait(timeout=30) == -signal.SIGKILL  # by the kernel
        finally:
            eater.kill()
            eater.wait()
    wait_states(one, "Up", 50)
    assert records(one) == [] and not any(name.startswith("Sessions went down") for name in totals(one))
