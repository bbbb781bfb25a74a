"""cli "PATH": more control sockets, some of them read only, following the configuration."""

import os
import subprocess

import pytest

from daemons import ControlClient
from lab import Peregrine, wait_until
from scenario import bfd

BODY = bfd("10.0.0.1")


def config(*sockets):
    return BODY + "".join(f'cli "{s}";\n' if isinstance(s, str) else f'cli "{s[0]}" {{ restrict; }};\n'
                          for s in sockets)


@pytest.fixture
def one(lab):
    return Peregrine(lab.ns("a"), config("more.ctl", ("readonly.ctl",)))  # relative to where it was started


def path(daemon, name):
    return os.path.join(daemon.dir, name)


def test_they_serve_beside_the_first_one(one):
    with ControlClient(path(one, "more.ctl")) as client:
        assert client.greeting == [(1, "BIRD 2.19.0 ready.")]
        assert client.command("restart bfd1")[0][0] == 12
    assert os.stat(path(one, "more.ctl")).st_mode & 0o777 == 0o660


def test_restricted_from_the_beginning(one):
    with ControlClient(path(one, "readonly.ctl")) as client:
        assert client.command("restart bfd1") == [(8007, "Access denied")]
        assert client.command("show status")[-1][0] == 13


def test_they_come_and_go_with_the_configuration(one):
    with ControlClient(path(one, "more.ctl")) as client:
        # By the socket that goes: its sessions stay, and get their reply.
        one.config = config(("more.ctl",), "another.ctl")
        one._write_config()  # pylint: disable=protected-access
        assert client.command("configure")[-1] == (3, "Reconfigured")
        assert client.command("restart bfd1")[0][0] == 12
    assert not os.path.exists(path(one, "readonly.ctl"))
    with ControlClient(path(one, "another.ctl")) as client:
        assert client.command("configure undo")[0][0] == 21
    with ControlClient(path(one, "more.ctl")) as client:
        assert client.command("restart bfd1")[0][0] == 12  # not restricted any more
    assert not os.path.exists(path(one, "another.ctl"))
    one.stop()
    assert [f for f in os.listdir(one.dir) if f.endswith(".ctl")] == []


def test_a_socket_that_cannot_be_opened_is_logged(one):
    assert one.reload(config("nowhere/at/all.ctl"))[-1] == (3, "Reconfigured")
    text = "<ERR> Cannot open control socket nowhere/at/all.ctl: No such file or directory"
    wait_until(lambda: text in one.log(), 3, text)
    assert one.reload(config("bird.ctl"))[-1] == (3, "Reconfigured")  # that of the command line
    text = "Cannot open control socket bird.ctl: Address already in use"
    wait_until(lambda: text in one.log(), 3, text)
    assert one.birdc("show status")[-1][0] == 13


def test_at_the_start_it_is_an_error(one, tmp_path):
    conf = tmp_path / "bird.conf"
    conf.write_text('cli "nowhere/at/all.ctl";\nprotocol device { }\n')
    run = subprocess.run([one.binary("bird"), "-f", "-c", conf, "-s", tmp_path / "bird.ctl"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=10, check=False)
    assert run.returncode == 1
    assert "bird: Cannot open control socket nowhere/at/all.ctl: No such file or directory" in run.stderr
