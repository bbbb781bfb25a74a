"""Users and capabilities: -u keeps what is needed, and what is missing is named once."""

import os
import re
import shutil
import subprocess
import tempfile

import pytest

from lab import Peregrine, wait_until
from scenario import bfd, direct


NEEDED = 1 << 10 | 1 << 12 | 1 << 13 | 1 << 23 | 1 << 39  # BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_NICE, BPF


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", maxsplit=1) for line in f if ":\t" in line)


def test_another_user_keeps_the_needed_capabilities(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)), args=["-u", "nobody", "-g", "nogroup"])
    Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b)))
    one.wait_session(link.b.ip4, "Up")
    status = status_of(one.pid)
    with open(f"/proc/{one.pid}/limits", encoding="ascii") as f:
        unlimited = re.search(r"Max locked memory +unlimited", f.read())
    assert status["Uid"].split()[0] != "0" and status["Gid"].split()[0] != "0"
    assert int(status["CapEff"], 16) == NEEDED | (0 if unlimited else 1 << 14)
    assert "Without CAP" not in one.log() and "No real-time priority" not in one.log()
    assert os.getpriority(os.PRIO_PROCESS, one.pid) == -10
    policies = {os.sched_getscheduler(int(tid)) for tid in os.listdir(f"/proc/{one.pid}/task")}
    assert policies == {os.SCHED_OTHER, os.SCHED_FIFO}
    assert one.sanitized() or int(status["VmLck"].split()[0]) > 1000  # sanitizers do not let memory be locked


def test_a_chosen_nice_value_is_kept(lab):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, 3)
    try:
        one = Peregrine(lab.ns("a"), "protocol device { }")
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
    assert os.getpriority(os.PRIO_PROCESS, one.pid) == 3


@pytest.mark.parametrize("option, name", [("-u", "nosuchuser"), ("-g", "nosuchgroup")])
def test_an_unknown_user_or_group_is_an_error(lab, option, name):
    with tempfile.TemporaryDirectory() as where, lab.ns("a").inside():
        with open(f"{where}/bird.conf", "w", encoding="ascii") as f:
            f.write("protocol device { }\n")
        bird = os.path.join(os.environ.get("PEREGRINE_BUILD", "."), "bird")
        done = subprocess.run([bird, "-f", "-c", f"{where}/bird.conf", "-s", f"{where}/ctl", option, name],
                              capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert name in done.stderr


def test_without_capabilities_each_loss_is_named(lab):
    """As an ordinary user: it runs, and says what will not work."""
    with tempfile.TemporaryDirectory() as where, lab.ns("a").inside():
        with open(f"{where}/bird.conf", "w", encoding="ascii") as f:
            f.write("log stderr all;\nprotocol device { }\n")
        os.chmod(where, 0o777)
        # a copy: that user may not be able to reach where it was built
        bird = shutil.copy(os.path.join(os.environ.get("PEREGRINE_BUILD", "."), "bird"), where)
        with open(f"{where}/log", "w+", encoding="ascii") as log:
            proc = subprocess.Popen(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", bird, "-f",
                                     "-c", f"{where}/bird.conf", "-s", f"{where}/ctl"], stderr=log)
            try:
                wait_until(lambda: "Reconfigured" in open(f"{where}/log", encoding="ascii").read(), 5, "started")
            finally:
                proc.terminate()
                assert proc.wait(10) == 0
            text = open(f"{where}/log", encoding="ascii").read()
    for name in ("CAP_NET_ADMIN:", "CAP_NET_RAW:", "CAP_SYS_NICE", "CAP_IPC_LOCK"):
        assert text.count(f"Without {name}") == 1
