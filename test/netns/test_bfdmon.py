"""bfdmon and the library below it, against the daemon; bfdmon(1) says what they do."""

import json
import os
import subprocess
import time

import pytest

from lab import heal, silent_cut, wait_until
from nslib import run
from program import Program
from scenario import DETECTION, FAST, wait_fast
from test_monitor import World

FAST_OPTIONS = ("--interval", "50", "--multiplier", "3")


def bfdmon(world, *args):
    return Program(world.ns, world.one.binary("bfdmon"), "-s", world.path, *args, cwd=world.one.dir)


@pytest.fixture(name="world")
def fixture_world(lab):
    world = World(lab, neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    return world


@pytest.fixture(name="empty")
def fixture_empty(lab):
    return World(lab, monitor="linger 100 ms;")


def answer(world, *args, status=0):
    with bfdmon(world, *args) as program:
        assert program.wait() == status, program.lines()
        return program.lines()


def test_list_and_show(world):
    line, = answer(world, "list")
    assert world.id in line and " up " in line
    assert json.loads(answer(world, "--json", "list")[0])["session"] == world.id
    lines = answer(world, "show", world.id)
    assert lines[0] == world.id and "  state: up" in lines and "  local_parameters:" in lines
    assert json.loads(answer(world, "show", "--json")[0])["show"] == world.id
    assert answer(world, "show", "10.9.9.9", status=1) == ["bfdmon: There is no session 10.9.9.9"]


def test_watch_says_what_happens(world):
    with bfdmon(world, "watch") as program:
        program.wait_line(world.id, " up ")
        silent_cut(world.link)
        program.wait_line(world.id, "expired", "Time expired, peer silent")
        heal(world.link)
        wait_until(lambda: sum(" up " in x for x in program.lines()) == 2, 4, program.lines)
        assert program.stop() == 0


def test_up_asks_for_a_session_as_long_as_it_runs(empty):
    with bfdmon(empty, "up", empty.remote, *FAST_OPTIONS) as program:
        program.wait_line(empty.id, " up ")
        wait_fast(empty.one, empty.remote)
        program.stop()
        wait_until(lambda: not empty.has_session(), 2, "the session to go")


def test_wait_ends_when_it_has_come_up(empty):
    assert answer(empty, "wait", "10.77.1.9", "up", "--timeout", "300ms", status=1) == []
    assert answer(empty, "wait", empty.remote, "up", *FAST_OPTIONS) == []
    with bfdmon(empty, "up", empty.remote, *FAST_OPTIONS) as program:
        program.wait_line(" up ")
        with bfdmon(empty, "wait", empty.id, "down") as waiting:
            silent_cut(empty.link)
            assert waiting.wait() == 0


@pytest.mark.parametrize("args", [
    (), ("fly",), ("list", "all"), ("wait", "10.0.0.1"), ("wait", "10.0.0.1", "sideways"), ("exec", "10.0.0.1"),
    ("up", "10.0.0.1", "--interval", "0"), ("up", "10.0.0.1", "--multiplier", "256"), ("--bogus", "list"),
    ("up", "10.0.0.1", "--min-rx", "5m"), ("exec", "10.0.0.1", "--on-up", "x", "--lost", "what")])
def test_a_wrong_command_line_ends_with_2(empty, args):
    assert answer(empty, *args, status=2)


def test_no_daemon_ends_with_3(empty):
    with bfdmon(empty, "-s", "/nonexistent/sock", "list") as program:
        assert program.wait() == 3
        assert "No such file" in program.lines()[0]


def test_a_refusal_ends_with_4(empty):
    with bfdmon(empty, "up", "fe80::1") as program:
        assert program.wait() == 4 and "fe80::1: A link-local address needs an interface" in program.lines()[-1]
    assert "session has to be" in answer(empty, "wait", "300.1.1.1", "up", status=4)[-1]


def test_exec_withdraws_an_address_when_the_session_fails(empty):
    def has_address():
        with empty.ns.inside():
            return "192.0.2.53" in run("ip", "-4", "addr", "show", "dev", "lo")
    with bfdmon(empty, "exec", empty.remote, *FAST_OPTIONS, "--on-up", "ip addr add 192.0.2.53/32 dev lo",
                 "--on-down", "ip addr del 192.0.2.53/32 dev lo 2>/dev/null; echo $BFD_EVENT $BFD_VERDICT") as program:
        wait_until(has_address, 5, "the address")
        cut = silent_cut(empty.link)
        wait_until(lambda: not has_address(), DETECTION + 1, "the address to go")
        assert time.monotonic() - cut < DETECTION + 1
        program.wait_line("down peer silent")
        heal(empty.link)
        wait_until(has_address, 5, "the address again")
        program.stop()


def test_a_restarted_daemon_is_found_again(world):
    with bfdmon(world, "watch", world.id) as program:
        program.wait_line(" up ")
        world.one.stop()
        program.wait_line("no connection")
        world.one.start()
        program.wait_line("connected", limit=8)
        wait_until(lambda: sum(" up " in x for x in program.lines()) >= 2, 8, program.lines)


def test_an_asked_for_session_is_asked_for_again(empty):
    with bfdmon(empty, "up", empty.remote, *FAST_OPTIONS) as program:
        program.wait_line(" up ")
        empty.one.stop()
        empty.one.start()
        wait_fast(empty.one, empty.remote)
        assert program.proc.poll() is None


def test_a_lost_daemon_counts_as_down_for_those_who_say_so(empty):
    mark = os.path.join(empty.one.dir, "mark")
    with bfdmon(empty, "exec", empty.remote, *FAST_OPTIONS, "--lost", "down", "--on-up", f"echo up > {mark}",
                 "--on-down", f"echo $BFD_STATE > {mark}") as program:
        def content():
            with open(mark, encoding="ascii") as f:
                return f.read()
        wait_until(lambda: os.path.exists(mark) and content() == "up\n", 5, program.lines)
        empty.one.stop()
        wait_until(lambda: content() == "lost\n", 5, program.lines)
        empty.one.start()
        wait_until(lambda: content() == "up\n", 8, program.lines)


def test_tcp(lab):
    world = World(lab, neighbors=["10.77.1.2"], monitor="listen 127.0.0.1; listen ::1 port 7000;")
    for where in "127.0.0.1:5643", "[::1]:7000":
        with bfdmon(world, "-s", where, "list") as program:
            assert program.wait() == 0 and world.id in program.lines()[0]


def test_the_example_program(world):
    source = os.path.join(os.path.dirname(__file__), "..", "..", "doc", "examples", "watch.c")
    build = os.path.dirname(world.one.binary("bfdmon"))
    binary = os.path.join(world.one.dir, "watch")
    include = os.path.join(os.path.dirname(source), "..", "..", "libbfdmon")
    sanitizer = {None: [], "tsan": ["-fsanitize=thread"]}.get(world.one.sanitized(), ["-fsanitize=address,undefined"])
    subprocess.run(["cc", *sanitizer, "-o", binary, source, "-I", include, "-L", build, "-lbfdmon", f"-Wl,-rpath,{build}"], check=True)
    out = os.path.join(world.one.dir, "example.out")
    with open(out, "wb") as f, world.ns.inside(), \
            subprocess.Popen([binary, world.remote, world.path], stdout=f, stderr=subprocess.STDOUT) as proc:
        def text():
            with open(out, encoding="utf-8") as o:
                return o.read()
        wait_until(lambda: f"{world.id} is up\n" in text(), 5, text)
        silent_cut(world.link)
        wait_until(lambda: f"{world.id} is expired: peer silent\n" in text(), 5, text)
        proc.kill()
