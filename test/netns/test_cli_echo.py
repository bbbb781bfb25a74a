"""echo: log lines on the control socket, between replies, within their bound."""

import re
import time

import pytest

from lab import Peregrine, wait_until
from scenario import bfd


@pytest.fixture
def one(lab):
    return Peregrine(lab.ns("a"), "debug protocols all;\n" + bfd("10.0.0.1"))


def echoed(client, pattern):
    """Ask until a log line like this has come."""
    wait_until(lambda: client.command("show status") and any(re.search(pattern, e) for e in client.echo), 5,
               lambda: f"{pattern} among {client.echo}")


def test_lines_come_without_date_and_class(one):
    with one.control() as client:
        assert client.command("echo all") == [(0, "")]
        one.birdc("restart bfd1")
        echoed(client, r"^bfd1: ")
        assert not [e for e in client.echo if "<TRACE>" in e or re.match(r"\d{4}-", e)]


def test_only_the_classes_asked_for_and_only_to_who_asks(one):
    with one.control() as errors, one.control() as infos, one.control() as none:
        errors.command("echo { error, fatal }")
        assert infos.command("echo { info } 4096") == [(0, "")]
        one.birdc("restart bfd1")
        one.birdc('configure "/nowhere/at/all.conf"')
        one.birdc("configure")
        echoed(errors, "/nowhere/at/all.conf: No such file or directory")
        echoed(infos, "^Reconfigured$")
        none.command("show status")
        assert len(errors.echo) == 1 and not none.echo
        assert not [e for e in infos.echo if "bfd1" in e]


def test_off(one):
    with one.control() as client:
        client.command("echo all")
        one.birdc("configure")
        echoed(client, "^Reconfigured$")
        assert client.command("echo off") == [(0, "")]
        client.command("show status")
        client.echo.clear()
        one.birdc("configure")
        time.sleep(0.2)  # nothing to wait for: a line that comes late must be given its chance
        client.command("show status")
        assert not client.echo


@pytest.mark.parametrize("size,code", [(64, 9001), (255, 9001), (256, 0), (65536, 0), (65537, 9001)])
def test_sizes(one, size, code):
    with one.control() as client:
        reply = client.command(f"echo all {size}")
        assert reply[-1][0] == code
        assert code == 0 or reply[0][1].startswith("Invalid log buffer size")


def test_what_is_not_read_is_lost_and_counted(one):
    one.reload(one.config + "debug commands 2;\n")
    with one.control() as deaf, one.control() as busy:
        deaf.command("echo all 1024")
        with open(f"/proc/{one.pid}/maps", encoding="utf-8") as f:
            limit = 400_000 if "san.so" in f.read() else 4096  # KiB; a sanitizer keeps what was freed for a while
        _, before = one.usage()
        for _ in range(300):
            for _ in range(100):  # each is a line, and together they are more than any socket holds
                busy.send("configure confirm # " + 40 * "x")
            for _ in range(100):
                busy.read_reply()
        _, after = one.usage()
        assert after - before < limit, f"{after - before} KiB more"
        deaf.send("show status")
        deaf.read_reply()
        echoed(deaf, r"^\(\d+ log lines lost\)$")
        assert one.birdc("show status")[-1] == (13, "Daemon is up and running")


def test_a_restricted_session_may_listen_and_leave(one):
    for _ in range(20):
        with one.control() as client:
            client.command("restrict")
            assert client.command("echo all") == [(0, "")]
            one.birdc("configure")
    one.check()
