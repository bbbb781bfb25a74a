"""Options of the daemon that concern where it logs and what it leaves behind."""

import os
import subprocess
import tempfile

from lab import Peregrine, wait_until


def bird():
    return os.path.join(os.environ.get("PEREGRINE_BUILD", "."), "bird")


def test_debug_file_besides_all_other_sinks(lab):
    """-d, -D and no log statement: syslog, stderr and the file."""
    one = Peregrine(lab.ns("a"), "log syslog all;\nprotocol device { }\n", args=["-d", "-D", "debug.log"])
    one.birdc("configure")
    with open(f"{one.dir}/debug.log", encoding="ascii") as f:
        assert "Started" in f.read()


def test_a_pid_file_that_cannot_be_written_is_told_before_the_background(lab):
    with tempfile.TemporaryDirectory() as where, lab.ns("a").inside():
        with open(f"{where}/bird.conf", "w", encoding="ascii") as f:
            f.write("protocol device { }\n")
        done = subprocess.run([bird(), "-c", f"{where}/bird.conf", "-s", f"{where}/ctl", "-P", f"{where}/no/pid"],
                              capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Cannot write PID file" in done.stderr


def test_into_the_background_and_out(lab):
    with tempfile.TemporaryDirectory() as where, lab.ns("a").inside():
        with open(f"{where}/bird.conf", "w", encoding="ascii") as f:
            f.write(f'log "{where}/log" all;\nprotocol device {{ }}\n')
        args = [bird(), "-c", f"{where}/bird.conf", "-s", f"{where}/ctl", "-P", f"{where}/pid"]
        assert subprocess.run(args, check=False).returncode == 0
        wait_until(lambda: os.path.exists(f"{where}/log") and "Started" in open(f"{where}/log").read(), 5, "started")
        with open(f"{where}/pid", encoding="ascii") as f:
            pid = int(f.read())
        os.kill(pid, 15)
        wait_until(lambda: not os.path.exists(f"{where}/ctl") and not os.path.exists(f"{where}/pid"), 5, "ended")
