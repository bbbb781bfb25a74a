"""Global statements that act: router id from, time formats, logs, debug, watchdog."""

import os
import re
import signal
import socket

import pytest

from lab import Peregrine, wait_until
from scenario import bfd

BODY = bfd("10.0.0.1")


def status(daemon, word):
    return next(text for _, text in daemon.birdc("show status") if text.startswith(word))


def test_router_id_from_interfaces(lab):
    ns = lab.ns("a")
    ns.ip("link add d1 type veth peer name d2", "link set d1 up", "addr add 192.0.2.7/24 dev d1", "addr add 198.51.100.1/24 dev d1")
    one = Peregrine(ns, BODY + 'router id from -192.0.2.0/24, "d*";\n')
    wait_until(lambda: status(one, "Router ID") == "Router ID is 198.51.100.1", 5, lambda: status(one, "Router ID"))
    ns.ip("addr add 198.51.100.0/32 dev d1")
    ns.ip("addr del 198.51.100.1/24 dev d1")
    assert status(one, "Router ID") == "Router ID is 198.51.100.1"
    one.reload(BODY + 'router id from "d1" 192.0.2.0/24;\n')
    assert status(one, "Router ID") == "Router ID is 192.0.2.7"


@pytest.mark.parametrize("fmt,pattern", [
    ("iso short", r"\d\d:\d\d:\d\d"), ("iso long us", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"),
    ('"%F/%3f"', r"\d{4}-\d\d-\d\d/\d{3}"), ('"now" 1000000 "long ago"', "now"), ('"now" 0 "long ago"', "long ago"),
])
def test_timeformat_base(lab, fmt, pattern):
    one = Peregrine(lab.ns("a"), BODY + f"timeformat base {fmt};\n")
    assert re.fullmatch(f"Last reboot on {pattern}", status(one, "Last reboot")), status(one, "Last reboot")


def test_timeformat_log(lab):
    one = Peregrine(lab.ns("a"), BODY + 'log stderr all; timeformat log "<%H-%3f>";\n')
    assert re.search(r"^<\d\d-\d{3}> <INFO> Started$", one.log(), re.M)


def test_a_log_file_rotates_and_follows_the_configuration(lab):
    config = BODY + 'log stderr all;\nlog "one.log" 2000 "one.old" { info };\n'
    one = Peregrine(lab.ns("a"), config)

    def size(name):
        path = os.path.join(one.dir, name)
        return os.path.getsize(path) if os.path.exists(path) else 0

    while size("one.old") == 0:
        one.birdc("configure")
    assert 1800 < size("one.old") <= 2000
    wait_until(lambda: os.path.exists(os.path.join(one.dir, "one.log")), 5, "the file after the one that was full")
    assert size("one.log") <= 2000
    os.rename(os.path.join(one.dir, "one.log"), os.path.join(one.dir, "taken.log"))
    one.reload(config)  # opens the file anew
    wait_until(lambda: size("one.log") > 0, 5, "a new file")


def test_log_over_udp(lab):
    ns = lab.ns("a")
    ns.ip("link set lo up")
    with ns.inside():
        server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::1", 514))
    server.settimeout(5)
    one = Peregrine(ns, BODY + 'hostname "r7";\nlog stderr all;\nlog udp ::1 { info };\n')
    texts = []
    while not any(t.endswith("Started") for t in texts):
        texts.append(server.recv(2048).decode())
    assert re.fullmatch(rf"<30>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d r7 bird\[{one.pid}\]: Started", texts[-1])
    server.close()


def test_debug_commands(lab):
    one = Peregrine(lab.ns("a"), BODY)
    one.birdc("show protocols")
    assert "Control session" not in one.log()
    one.reload(BODY + "debug commands 1;\n")
    one.birdc("show protocols")
    wait_until(lambda: re.search(r"<TRACE> Control session \d+ closed", one.log()), 5, one.log)
    assert re.search(r"<TRACE> Control session \d+ opened on \S+bird.ctl", one.log())
    assert "show protocols" not in one.log()
    one.reload(BODY + "debug commands 2;\n")
    one.birdc("show protocols all")
    wait_until(lambda: re.search(r"<TRACE> Control session \d+: show protocols all", one.log()), 5, one.log)


def test_a_stop_of_the_process_is_no_hang(lab):
    """What it does in earnest is tested without a network: here it must not be mistaken."""
    one = Peregrine(lab.ns("a"), BODY + "watchdog timeout 1 s;\nwatchdog warning 500 ms;\n")
    for _ in range(2):
        one.pause()
        with pytest.raises(AssertionError):
            wait_until(lambda: False, 1.5, "time to pass")
        one.proc.send_signal(signal.SIGCONT)
        assert one.birdc("show status")[-1] == (13, "Daemon is up and running")
    one.stop()
