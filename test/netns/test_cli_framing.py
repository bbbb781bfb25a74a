"""The control socket byte by byte: codes, continuation lines, and whatever a client may throw at it."""

import socket

import pytest

from lab import Peregrine, wait_until
from scenario import bfd


@pytest.fixture
def one(lab):
    return Peregrine(lab.ns("a"), bfd("10.0.0.1", 'fe80::1 dev "v1"'))


def read_until(sock, end, limit=1 << 26):
    data = b""
    while not end(data) and len(data) < limit:
        chunk = sock.recv(1 << 16)
        if not chunk:
            break
        data += chunk
    return data


def lines_of(sock, count):
    """`count` replies that are one line each; the last bytes read end there."""
    data = read_until(sock, lambda d: d.count(b"\n") >= count)
    return data.decode(errors="replace").splitlines()


@pytest.fixture
def raw(one):
    with one.connect() as sock:
        assert lines_of(sock, 1) == ["0001 BIRD 2.19.0 ready."]
        yield sock


def healthy(one):
    assert one.birdc("show status")[-1] == (13, "Daemon is up and running")


def test_codes_and_continuation(raw):
    raw.sendall(b"show status\n")
    lines = read_until(raw, lambda d: b"\n0013 " in d and d.endswith(b"\n")).decode().splitlines()
    assert lines[0] == "1000-BIRD 2.19.0"
    assert lines[1].startswith("1011-Router ID is 10.255.0.1")
    assert all(line.startswith(" ") for line in lines[2:-1])  # the code only where it changes
    assert lines[-1] == "0013 Daemon is up and running"
    for word in ("Current server time is ", "Last reboot on ", "Last reconfiguration on ", "Hostname is "):
        assert [line for line in lines if line[1:].startswith(word)]
    raw.sendall(b"show protocols\n")
    lines = read_until(raw, lambda d: b"\n0000 \n" in d).decode().splitlines()
    assert lines[0].startswith("2002-Name       Proto      Table      State  Since         Info")
    assert lines[1].startswith("1002-bfd1       BFD        ---        up     ")
    assert lines[2].startswith(" device1    Device     ---        up     ") and lines[-1] == "0000 "


@pytest.mark.parametrize("line,code", [
    (b"\n", "9001"), (b"   \t \n", "9001"), (b"\r\n", "9001"), (b"frobnicate\n", "9001"), (b"show\n", "9001"),
    (b"show status;\n", "9001"), (b"SHOW STATUS\n", "9001"), (b"sho status\n", "9001"),
    (b"show status all\n", "9001"),
    (b"\xff\xfe\x80\n", "9001"), (b"show \xc3\xa4\n", "9001"), (b"show protocols \"unterminated\n", "9001"),
    (b"show protocols nosuch\n", "9001"), (b"show bfd sessions nosuch\n", "9001"), (b"?\n", "9001"),
    (b"\x1b[A\n", "9001"),
    (b"show protocols \"no*\"\n", "8003"), (b"disable \"no*\"\n", "8003"), (b"include \"/etc/passwd\"\n", "9001"),
    (b"show\0status\n", "9001"), (b"/* unterminated\n", "9001"), (b"configure confirm\n", "0019"),
    (b"restrict # now\n", "0016"), (b"  \tconfigure /* please */ confirm\r\n", "0019"),
])
def test_one_line_one_reply(one, raw, line, code):
    raw.sendall(line)
    replies = lines_of(raw, 1)
    assert len(replies) == 1 and replies[0][:5] == code + " ", replies
    raw.sendall(b"configure confirm\n")  # the session goes on
    assert lines_of(raw, 1)[0][:4] in ("0019", "8007")
    healthy(one)


def test_binary_garbage(one, raw):
    noise = bytes(range(256)) * 64
    raw.sendall(noise.replace(b"\n", b"") + b"\nconfigure confirm\n")
    replies = lines_of(raw, 2)
    assert replies[0][:4] == "9001" and replies[1] == "0019 Nothing to do"
    healthy(one)


def test_a_megabyte_without_a_newline(one, raw):
    raw.sendall(b"x" * (1 << 20))
    assert lines_of(raw, 1) == ["9000 Command too long"]
    raw.sendall(b"yyy\nconfigure confirm\n")
    assert lines_of(raw, 1) == ["0019 Nothing to do"]
    assert one.usage()[1] < 100_000
    healthy(one)


def test_a_long_line_is_no_problem(raw):
    raw.sendall(b"configure" + b" " * 60_000 + b"confirm\n")
    assert lines_of(raw, 1) == ["0019 Nothing to do"]


def test_ten_thousand_pipelined_commands(one, raw):
    count = 10_000
    sock = raw.dup()
    pending = memoryview(b"configure confirm\n" * count)
    replies = b""
    sock.setblocking(False)
    while replies.count(b"\n") < count:
        try:
            pending = pending[sock.send(pending):] if pending else pending
        except BlockingIOError:
            pass
        try:
            replies += sock.recv(1 << 16)
        except BlockingIOError:
            wait_until(lambda: bool(pending) or readable(sock), 5, "replies")
    sock.close()
    assert set(replies.splitlines()) == {b"0019 Nothing to do"}
    healthy(one)


def readable(sock):
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.mark.parametrize("sent", [b"show status\n", b"show status"])
def test_half_close_gets_its_reply(one, raw, sent):
    raw.sendall(sent)
    raw.shutdown(socket.SHUT_WR)
    data = read_until(raw, lambda d: False)
    assert data.endswith(b"0013 Daemon is up and running\n")
    healthy(one)


def test_a_command_in_pieces(raw):
    for piece in b"configure confirm\n":
        raw.sendall(bytes([piece]))
    assert lines_of(raw, 1) == ["0019 Nothing to do"]
