"""configure and its relatives: check, file, errors, undo, confirm, timeout, status, SIGHUP."""

import os
import re
import signal
import subprocess

import pytest

from lab import Peregrine, wait_until
from scenario import HONEST, bfd, direct

FIRST, SECOND, THIRD = (f'10.0.0.{i} dev "v1"' for i in (1, 2, 3))


@pytest.fixture
def one(lab):
    return Peregrine(lab.ns("a"), bfd(FIRST))


def has(daemon, *expected):
    """Wait until the neighbours asked for are exactly these."""
    def now():
        return {d["Address"] for d in daemon.session_details()} == {e.split()[0] for e in expected}

    wait_until(now, 2, lambda: f"{expected}\n{daemon.show()}")


def write(daemon, config, name="bird.conf"):
    path = os.path.join(daemon.dir, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(config + "log stderr all;\nrouter id 10.255.0.1;\nprotocol device { }\n")
    return path


def test_nothing_is_waited_for(one):
    """A pipe that nobody writes to must not hold up the commands that come after it, nor the end."""
    pipe = os.path.join(one.dir, "pipe")
    os.mkfifo(pipe)
    for command in (f'configure "{pipe}"', f'configure check "{pipe}"'):
        assert one.birdc(command)[1] == (8002, f"{pipe}: It is a pipe")
    write(one, bfd(FIRST) + f'include "{pipe}";\n')
    assert one.birdc("configure")[1] == (8002, f"{one.config_path}:7:9 Unable to open included file {pipe}: It is a pipe")
    write(one, bfd(SECOND))
    assert one.birdc("configure")[-1] == (3, "Reconfigured")
    one.stop()


def test_at_the_start_a_pipe_will_do(one):
    done = subprocess.run([one.binary("bird"), "-p", "-c", "/dev/stdin"], input="protocol device { }\nprotocol device { }\n",
                          capture_output=True, text=True, check=False, timeout=5)
    assert done.returncode == 1 and "/dev/stdin:2:" in done.stderr


def test_configure_and_check(one):
    has(one, FIRST)
    reading = (2, f"Reading configuration from {one.config_path}")
    assert one.birdc("configure") == [reading, (3, "Reconfigured")]
    write(one, bfd(SECOND))
    check = one.birdc("configure check")
    assert (check[0], check[-1]) == (reading, (20, "Configuration OK"))
    assert any("would drop" in text for code, text in check if code == 1020)
    has(one, FIRST)
    assert one.birdc("configure soft") == [reading, (3, "Reconfigured")]
    has(one, SECOND)


def test_another_file_for_once(one):
    other = write(one, bfd(SECOND), "other.conf")
    assert one.birdc(f'configure check "{other}"')[-1] == (20, "Configuration OK")
    assert one.birdc(f'configure "{other}"') == [(2, f"Reading configuration from {other}"), (3, "Reconfigured")]
    has(one, SECOND)
    assert one.birdc("configure")[0] == (2, f"Reading configuration from {one.config_path}")
    has(one, FIRST)


@pytest.mark.parametrize("text,where", [
    ("protocol bfd {\n  nonsense;\n}\n", ":2:3 syntax error"), ('include "nosuch.conf";\n', ":1:9 Unable to open"),
    ("protocol bfd {\n  neighbor fe80::1;\n}\n", ":2:12 Link-local neighbor"),
    ("/*", r":\d+:\d+ Unterminated comment"),
])
def test_an_error_leaves_everything_as_it_was(one, text, where):
    with open(one.config_path, "w", encoding="utf-8") as f:
        f.write(text)
    for command in ("configure", "configure check", "configure timeout 5"):
        reply = one.birdc(command)
        assert reply[0][0] == 2 and reply[1][0] == 8002 and reply[-1][0] == 8002
        assert re.match(re.escape(one.config_path) + where, reply[1][1]), reply
    has(one, FIRST)
    assert one.birdc("configure status") == [(3, "Daemon is up and running"), (0, "")]
    assert one.client("configure").returncode == 1


def test_a_file_that_is_not_there(one):
    assert one.birdc('configure "/nonexistent.conf"')[-1] == (8002, "/nonexistent.conf: No such file or directory")
    os.unlink(one.config_path)
    assert one.birdc("configure")[-1] == (8002, f"{one.config_path}: No such file or directory")
    has(one, FIRST)


def test_undo(one):
    assert one.birdc("configure undo") == [(21, "Undo requested"), (19, "Nothing to do")]
    write(one, bfd(SECOND))
    one.birdc("configure")
    has(one, SECOND)
    assert one.birdc("configure undo") == [(21, "Undo requested"), (3, "Reconfigured")]
    has(one, FIRST)
    assert one.birdc("configure undo")[-1] == (19, "Nothing to do")


def test_timeout_undoes_by_itself(one):
    write(one, bfd(SECOND))
    reply = one.birdc("configure timeout 1")
    assert reply[1:] == [(22, "Undo scheduled in 1 s"), (3, "Reconfigured")]
    has(one, SECOND)
    status = one.birdc("configure status")
    assert status[0] == (3, "Daemon is up and running") and status[-1] == (0, "")
    assert status[1][0] == 22 and re.fullmatch(r"Configuration unconfirmed, undo in 0\.\d{3} s", status[1][1])
    wait_until(lambda: {d["Address"] for d in one.session_details()} == {FIRST.split()[0]}, 3, "the undo")
    assert one.birdc("configure status") == [(3, "Daemon is up and running"), (0, "")]


def test_confirm(one):
    assert one.birdc("configure confirm") == [(19, "Nothing to do")]
    write(one, bfd(SECOND))
    assert one.birdc("configure timeout")[1] == (22, "Undo scheduled in 300 s")
    assert one.birdc("configure confirm") == [(18, "Reconfiguration confirmed")]
    assert len(one.birdc("configure status")) == 2
    has(one, SECOND)


def test_sighup(one):
    write(one, bfd(SECOND))
    one.proc.send_signal(signal.SIGHUP)
    has(one, SECOND)
    with open(one.config_path, "w", encoding="utf-8") as f:
        f.write("protocol bfd { nonsense; }\n")
    one.proc.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in one.log(), 2, "the error in the log")
    has(one, SECOND)


def test_sigterm_is_an_orderly_end(one):
    one._stopping = True  # pylint: disable=protected-access
    one.proc.terminate()
    wait_until(lambda: not one.running(), 3, "the end")
    assert one.proc.returncode == 0 and not os.path.exists(one.socket_path)
    assert "Shutdown completed" in one.log()


def test_protocols_come_and_go_by_reload(one):
    def names():
        return [text.split()[0] for code, text in one.birdc("show protocols") if code == 1002]

    assert names() == ["bfd1", "device1"]
    write(one, bfd(FIRST) + bfd(SECOND, name="other").replace("{", "{ accept ipv6;", 1))
    one.birdc("configure")
    wait_until(lambda: names() == ["bfd1", "other", "device1"], 2, names)
    write(one, "protocol bfd other { }\n")
    one.birdc("configure")
    wait_until(lambda: names() == ["other", "device1"], 3, names)
    has(one)
    one.reload("protocol bfd other { disabled; }")
    wait_until(lambda: "down" in one.birdc("show protocols other")[1][1], 3, "other down")


def test_many_reloads_in_a_row(one):
    for i in range(60):
        write(one, bfd(*((FIRST, SECOND, THIRD)[:i % 3 + 1])))
        assert one.birdc("configure")[-1][0] in (3, 4, 5)
    has(one, FIRST, SECOND, THIRD)
    with one.connect() as raw:
        raw.sendall(b"configure\n" * 50)
        done = b""
        while done.count(b"Reconfigur") + done.count(b"reconfiguration") < 50 or not done.endswith(b"\n"):
            done += raw.recv(1 << 16)
    has(one, FIRST, SECOND, THIRD)


def lingering(lab):
    """A daemon whose session is Up with an idle interval of 1 s: removing it takes about 2 s of farewells."""
    link = lab.link(lab.ns("l"), lab.ns("r"))
    config = bfd(direct(link.b.ip4, link.a), options=HONEST)
    one = Peregrine(link.a.ns, config)
    Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b)))
    one.wait_session(link.b.ip4, "Up")
    return link, config, one


def test_undo_timeout_while_the_new_configuration_is_being_applied(lab):
    link, _, one = lingering(lab)
    write(one, "")
    assert one.birdc("configure timeout 1")[-1] == (4, "Reconfiguration in progress")
    wait_until(lambda: one.birdc("configure status")[0][1] == "Daemon is up and running", 4, "the application's end")
    wait_until(lambda: any(text.startswith("bfd1 ") for _, text in one.birdc("show protocols")), 3,
               lambda: f"the undo: {one.birdc('show protocols')}")
    one.wait_session(link.b.ip4, "Up")


def test_what_is_on_trial_stays_so_when_the_next_one_is_dropped(lab):
    link, config, one = lingering(lab)
    write(one, "")
    assert one.birdc("configure timeout 3")[-1] == (4, "Reconfiguration in progress")
    write(one, config)
    assert one.birdc("configure")[-1][0] == 5
    assert one.birdc("configure undo")[-1] == (17, "Queued configuration dropped")
    assert any(code == 22 for code, _ in one.birdc("configure status"))
    wait_until(lambda: "not confirmed in time" in one.log(), 5, one.log)
    one.wait_session(link.b.ip4, "Up", limit=6)


def test_more_configurations_while_one_is_being_applied(lab):
    link, config, one = lingering(lab)
    write(one, "")
    assert one.birdc("configure")[-1] == (4, "Reconfiguration in progress")
    assert one.birdc("show status")[-1] == (13, "Reconfiguration in progress")
    assert one.birdc("configure status")[0][0] == 4
    write(one, config)
    queued = (5, "Reconfiguration already in progress, queueing new config")
    assert one.birdc("configure")[-1] == queued
    assert one.birdc("configure")[-1] == queued
    assert one.birdc("configure status")[0] == (5, "Reconfiguration in progress, next one enqueued")
    assert one.birdc("configure undo")[-1] == (17, "Queued configuration dropped")
    assert one.birdc("configure")[-1] == queued
    one.wait_session(link.b.ip4, "Up", limit=6)


def test_down_while_a_configuration_is_being_applied(lab):
    _, _, one = lingering(lab)
    write(one, "")
    one.birdc("configure")
    one.stop(limit=4)


def test_disable_and_enable_while_saying_goodbye(lab):
    link, _, one = lingering(lab)
    for command in ("disable", "enable", "restart", "disable", "enable"):
        assert one.birdc(f"{command} bfd1")[0][0] in (8, 9, 10, 11, 12)
    one.wait_session(link.b.ip4, "Up", limit=6)
