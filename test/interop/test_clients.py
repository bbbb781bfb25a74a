"""BIRD's clients on our socket, and ours on bird2's."""

import re
import subprocess

import pytest

from lab import Bird2, Peregrine, require_program, wait_until
from scenario import bfd

COMMANDS = ["show status", "show interfaces", "show interfaces summary", "show protocols", "show protocols all",
            "show protocols all bfd1", "show bfd sessions", "configure check", "configure", "disable bfd1",
            "enable bfd1", "restart bfd1", "debug bfd1 all", "debug all off"]


def ask(program, daemon, *words, text=None):
    stdin = {"input": text} if text else {"stdin": subprocess.DEVNULL}
    return subprocess.run([require_program(program), "-s", daemon.socket_path, *words], capture_output=True,
                          text=True, timeout=5, check=False, **stdin)


def shown(client, daemon, command):
    done = ask(client, daemon, *command.split())
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[0].startswith("BIRD 2.") and done.stdout.splitlines()[0].endswith(" ready.")
    return done.stdout.splitlines()[1:]


@pytest.mark.parametrize("client", ["birdcl", "birdc"])
def test_clients_of_bird_on_our_socket(lab, client):
    one = Peregrine(lab.ns("a"), bfd('10.0.0.1 dev "v1"'))
    wait_until(lambda: len(one.birdc("show interfaces")) > 3, 2, "lo and its addresses")
    for command in COMMANDS:
        reply = shown(f"/usr/sbin/{client}", one, command)
        assert bool(reply) != command.startswith("debug"), command
        if command in ("show interfaces", "show protocols", "configure check"):
            assert reply == [text for _, text in one.birdc(command)][:len(reply)]
    assert ask(f"/usr/sbin/{client}", one, "show", "protocols", "nosuch").returncode == 1
    assert ask(f"/usr/sbin/{client}", one, "-r", "disable", "bfd1").returncode == 1
    verbose = ask(f"/usr/sbin/{client}", one, "-v", "show", "status").stdout.splitlines()
    assert verbose[0] == "0001 BIRD 2.19.0 ready." and verbose[1] == "1000-BIRD 2.19.0"
    assert "Shutdown requested" in ask(f"/usr/sbin/{client}", one, "down").stdout
    one._stopping = True  # pylint: disable=protected-access
    wait_until(lambda: not one.running(), 3, "the end")


@pytest.mark.parametrize("client", ["birdcl", "birdc"])
def test_our_clients_on_the_socket_of_bird2(lab, client):
    two = Bird2(lab.ns("a"), bfd('10.0.0.1 dev "v1"'))
    ours = Peregrine(lab.ns("b"), bfd()).binary(client)
    for command in COMMANDS:
        mine = shown(ours, two, command)
        if command in ("disable bfd1", "enable bfd1"):  # again, for BIRD's own client
            two.birdc(("enable" if command.startswith("d") else "disable") + " bfd1")
        assert timeless(mine) == timeless(shown("/usr/sbin/birdcl", two, command)), command
    assert ask(ours, two, "show", "protocols", "nosuch").returncode == 1
    assert ask(ours, two, "-r", "disable", "bfd1").returncode == 1
    assert "Shutdown requested" in ask(ours, two, "down").stdout
    two._stopping = True  # pylint: disable=protected-access
    wait_until(lambda: not two.running(), 3, "the end")


def timeless(lines):
    return [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", line) for line in lines]


@pytest.mark.parametrize("client", ["birdcl", "birdc"])
def test_commands_from_standard_input(lab, client):
    one = Peregrine(lab.ns("a"), bfd())
    for program in (one.binary(client), f"/usr/sbin/{client}"):
        done = ask(program, one, text="show status\nshow protocols\nquit\n")
        assert done.returncode == 0, done
        assert "Daemon is up and running" in done.stdout and "bfd1" in done.stdout


@pytest.mark.parametrize("client", ["birdcl", "birdc"])
def test_ours_says_what_birds_says(lab, client):
    """The same words in, the same out: abbreviations, errors, verbose output, a missing socket."""
    one = Peregrine(lab.ns("a"), bfd())
    for words in (["s", "p"], ["show", "prot"], ["-v", "show", "protocols"], ["-r", "down"], ["nonsense"],
                  ["show", "nonsense"], ["configure", "ch"], ["-s", "/nonexistent", "show", "status"]):
        mine, theirs = (ask(program, one, *words) for program in (one.binary(client), f"/usr/sbin/{client}"))
        assert (mine.returncode, mine.stdout) == (theirs.returncode, theirs.stdout), words
