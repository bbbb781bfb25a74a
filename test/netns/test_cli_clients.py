"""Many clients, slow clients, restricted clients; the socket's own life."""

import os
import socket
import stat
import time

import pytest

from lab import DaemonFailure, Peregrine, wait_until
from scenario import bfd


def neighbors(count):
    return [f'10.1.{i // 250}.{i % 250 + 1} dev "v{i}"' for i in range(count)]


def test_a_client_that_never_reads(lab):
    one = Peregrine(lab.ns("a"), bfd(*neighbors(300)))
    assert len("".join(text for _, text in one.birdc("show bfd sessions all"))) > 300 * 50
    before = one.usage()[1]
    with open(f"/proc/{one.pid}/maps", encoding="utf-8") as f:
        limit = 400_000 if "libasan" in f.read() else 20_000  # KiB; a sanitizer keeps what was freed for a while
    with one.connect() as raw:
        raw.sendall(b"show bfd sessions all\n" * 2000)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert one.birdc("show status")[-1][0] == 13  # others are served meanwhile
            assert one.usage()[1] - before < limit
    assert one.birdc("show status")[-1][0] == 13


def test_a_hundred_clients_at_once(lab):
    one = Peregrine(lab.ns("a"), bfd(*neighbors(3)))
    clients = [one.control() for _ in range(100)]
    for command in ("show status", "show protocols all", "show bfd sessions all", "nonsense"):
        for client in clients:
            client.send(command)
        replies = [client.read_reply() for client in reversed(clients)]
        assert len({reply[-1] for reply in replies}) == 1
    for client in clients:
        client.close()
    wait_until(lambda: len(os.listdir(f"/proc/{one.pid}/fd")) < 60, 2, "the sockets to be closed")


def test_clients_that_hang_up_in_the_middle(lab):
    one = Peregrine(lab.ns("a"), bfd(*neighbors(300)))
    for _ in range(50):
        with one.connect() as raw:
            raw.sendall(b"show bfd sessions all\nconfigure\nshow protocols all\n")
    assert one.birdc("show status")[0][0] == 1000
    wait_until(lambda: one.birdc("show status")[-1] == (13, "Daemon is up and running"), 5,
               "the end of the last reconfiguration")


def test_restricted_session(lab):
    one = Peregrine(lab.ns("a"), bfd())
    with one.control() as client:
        assert client.command("restrict") == [(16, "Access restricted")]
        assert client.command("restrict") == [(16, "Access restricted")]
        for command in ("configure", "configure check", "configure confirm", "configure undo",
                        "configure timeout 5",
                        "down", "disable all", "enable bfd1", 'restart "b*"', "debug all all"):
            assert client.command(command) == [(8007, "Access denied")], command
        assert client.command("configure nonsense")[-1][0] == 9001  # a syntax error is still one
        assert client.command("show status")[-1][0] == 13
        for command in ("show protocols", "show interfaces", "show bfd sessions"):
            assert client.command(command)[-1][0] == 0
    assert one.birdc("configure confirm") == [(19, "Nothing to do")]  # others are not restricted
    assert one.client("-r", "down").returncode == 1
    assert one.running()


def test_mode_of_the_socket_and_its_end(lab):
    one = Peregrine(lab.ns("a"), bfd())
    assert stat.filemode(os.stat(one.socket_path).st_mode) == "srw-rw----"
    one.stop()
    assert not os.path.exists(one.socket_path) and not os.path.exists(os.path.join(one.dir, "bird.pid"))


def test_a_live_daemon_keeps_its_socket(lab):
    one = Peregrine(lab.ns("a"), bfd())
    with pytest.raises(DaemonFailure, match="in use by a running daemon"), type(lab)() as other:
        Peregrine(other.ns("b"), bfd(), args=["-s", one.socket_path])
    assert one.birdc("show status")[-1][0] == 13


def test_a_dead_daemon_leaves_nothing_in_the_way(lab):
    one = Peregrine(lab.ns("a"), bfd())
    one.kill()
    assert os.path.exists(one.socket_path)
    one.start()
    assert one.birdc("show status")[-1][0] == 13


def test_what_is_no_socket_is_left_alone(lab):
    precious = Peregrine(lab.ns("a"), bfd()).config_path
    with pytest.raises(DaemonFailure, match="(?i)cannot open control socket"), type(lab)() as other:
        Peregrine(other.ns("b"), bfd(), args=["-s", precious])
    assert os.path.exists(precious)


def test_down_closes_all_sessions(lab):
    one = Peregrine(lab.ns("a"), bfd())
    with one.connect() as bystander, one.control() as client:
        assert client.command("down") == [(7, "Shutdown requested")]
        one._stopping = True  # pylint: disable=protected-access
        wait_until(lambda: not one.running(), 3, "the end")
        assert bystander.recv(100).startswith(b"0001 ")
        assert bystander.recv(100) == b""
    assert one.proc.returncode == 0
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(FileNotFoundError):
        sock.connect(one.socket_path)


def test_a_client_that_reads_late_gets_every_reply(lab):
    one = Peregrine(lab.ns("a"), "protocol device { }\n")
    with one.connect() as raw:
        raw.settimeout(5)
        raw.sendall(b"show status\n" * 2000)
        time.sleep(0.5)  # more than the room for output is waiting by now
        received = b""
        while received.count(b"\n0013 ") < 2000:
            chunk = raw.recv(1 << 16)
            assert chunk
            received += chunk
