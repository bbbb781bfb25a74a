"""bfd(1): a session in the foreground, against a peer that can be made to fail, our daemon, bird2 and FRR."""

import json
import os
import signal
import time

import pytest

from bfdpkt import ADMIN_DOWN, UP
from lab import Bird2, FrrBfdd, Peregrine, heal, silent_cut, wait_until
from peer import BfdPeer
from program import Program
from scenario import bfd, direct, multihop

BUILD = os.path.abspath(os.environ.get("PEREGRINE_BUILD", "."))
FAST = ("--interval", "50", "--detect-mult", "3")


class World:
    """A link with nobody on our side."""

    def __init__(self, lab):
        self.lab = lab
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.ns, self.local, self.remote = self.link.a.ns, self.link.a.ip4, self.link.b.ip4

    def peer(self, **how):
        return BfdPeer(self.link.b.ns, self.remote, self.local, desired_min_tx=50_000, required_min_rx=50_000, **how)

    def run(self, *args, local=None, remote=None, **how):
        return Program(self.ns, os.path.join(BUILD, "bfd"), *args, local or self.local, remote or self.remote, **how)


@pytest.fixture(name="world")
def fixture_world(lab):
    return World(lab)


def test_up_down_and_a_summary(world):
    peer = world.peer()
    with world.run(*FAST) as program:
        program.wait_line("10.77.1.2: Up, remote")
        silent_cut(world.link)
        program.wait_line("Down", "Time expired; peer silent")
        heal(world.link)
        wait_until(lambda: sum(": Up," in x for x in program.lines()) == 2, 5, program.lines)
        peer.wait_state(UP)
        program.signal(signal.SIGINT)
        assert program.wait() == 0
        peer.wait_packet(lambda s: s.state == ADMIN_DOWN)
        program.wait_line("--- 10.77.1.2, Up: up 2 times, down 1 times;")
        program.wait_line("Gaps between packets")
        program.wait_line("  peer silent: 1")


def test_json(world):
    with world.peer(), world.run(*FAST, "--json", "--duration", "2s") as program:
        assert program.wait() == 0
        events = [json.loads(line) for line in program.lines()]
        assert [e["state"] for e in events if e["event"] == "state"][-1] == "Up"
        summary = events[-1]
        assert summary["event"] == "summary" and summary["ups"] == 1 and summary["rx"] > 10 and summary["gaps_us"]


def test_until_up_and_timeout(world):
    with world.run("--timeout", "300", "--until-up", "--quiet") as program:
        assert program.wait() == 1
        assert program.lines()[0].startswith("--- 10.77.1.2, Down: up 0 times")
    with world.peer(), world.run("--timeout", "5s", "--until-up") as program:
        assert program.wait() == 0


def test_commands_follow_the_session(world):
    with world.peer(), world.run(*FAST, "--on-up", "echo $BFD_EVENT $BFD_REMOTE $BFD_INTERFACE",
                                 "--on-down", "echo $BFD_EVENT $BFD_VERDICT") as program:
        wait_until(lambda: f"up 10.77.1.2 {world.link.a.ifname}" in program.lines(), 5, program.lines)
        silent_cut(world.link)
        wait_until(lambda: "down peer silent" in program.lines(), 3, program.lines)
        heal(world.link)
        wait_until(lambda: sum(x.startswith("up ") for x in program.lines()) == 2, 5, program.lines)
        program.stop()
        wait_until(lambda: "down" in program.lines(), 3, program.lines)


def test_signals(world):
    peer = world.peer()
    with world.run(*FAST) as program:
        program.wait_line(": Up,")
        peer.wait_packet(lambda s: s.state == UP and not s.poll)  # the Poll Sequence that comes with Up is over
        asked = time.monotonic()

        def polled():
            program.signal(signal.SIGUSR1)  # again and again: one that is running is not begun anew
            return any(p.poll and p.time > asked for p in list(peer.received))
        wait_until(polled, 3, "a Poll Sequence")
        program.signal(signal.SIGUSR2)
        program.wait_line(": AdminDown,")
        peer.wait_packet(lambda s: s.state == ADMIN_DOWN)
        program.signal(signal.SIGUSR2)
        wait_until(lambda: sum(": Up," in x for x in program.lines()) == 2, 5, program.lines)


def test_packets_are_shown(world):
    with world.peer(), world.run(*FAST, "--verbose") as program:
        program.wait_line("Packet to 10.77.1.2: Up")
        program.wait_line("Packet from 10.77.1.2: Up")


@pytest.mark.parametrize("family", ["ip4", "ip6", "ll"])
def test_against_our_daemon(world, family):
    remote, local = getattr(world.link.b, family), getattr(world.link.a, family)
    other = Peregrine(world.link.b.ns, bfd(direct(local, world.link.b)))
    dev = f"%{world.link.a.ifname}" if family == "ll" else ""
    with world.run(*FAST, local=local + dev, remote=remote + dev) as program:
        program.wait_line(": Up,")
        other.wait_session(local, "Up")
        assert program.stop() == 0
        wait_until(lambda: other.session(local)["state"] == "Down", 2, other.show)


# With PEREGRINE_FULL in the environment all that can be combined, else each value with each other one once.
OTHERS = [(k, i, f) for k in (Bird2, FrrBfdd) for i in (10, 300) for f in ("ip4", "ip6")
          if os.environ.get("PEREGRINE_FULL") or (k is Bird2) ^ (i == 300) ^ (f == "ip6")]


@pytest.mark.parametrize("kind, interval, family", OTHERS, ids=lambda x: getattr(x, "kind", str(x)))
def test_against_others(world, kind, interval, family):
    remote, local, dev = getattr(world.link.b, family), getattr(world.link.a, family), world.link.b.ifname
    if kind is Bird2:
        kind(world.link.b.ns, bfd(direct(local, world.link.b), options=f"interval {interval} ms; multiplier 3;"))
    else:
        kind(world.link.b.ns, f"bfd\n peer {local} local-address {remote} interface {dev}\n  detect-multiplier 3\n"
             f"  receive-interval {interval}\n  transmit-interval {interval}\n exit\nexit\n")
    with world.run("--interval", str(interval), "--detect-mult", "3", local=local, remote=remote) as program:
        program.wait_line(": Up,", limit=10)
        silent_cut(world.link)
        program.wait_line("Down", limit=5)
        heal(world.link)
        wait_until(lambda: sum(": Up," in x for x in program.lines()) == 2, 12, program.lines)


def test_multihop(world):
    other = Peregrine(world.link.b.ns, bfd(multihop(world.local, world.remote)))
    with world.run(*FAST, "--multihop", "--min-ttl", "64") as program:
        program.wait_line(": Up,")
        other.wait_session(world.local, "Up")


def test_authentication(world, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# of the peer\nauthentication meticulous keyed sha1\nkey 7 a secret with blanks\nkey 8 other\n")
    keys.chmod(0o600)
    config = bfd().replace("  interface", '  neighbor %s { authentication meticulous keyed sha1; password "a secret with blanks" '
                           "{ id 7; }; };\n  interface" % world.local)
    other = Peregrine(world.link.b.ns, config)
    with world.run(*FAST, "--keys", str(keys)) as program:
        program.wait_line(": Up,")
        other.wait_session(world.local, "Up")


@pytest.mark.parametrize("text, mode, error", [
    ("key 1 x\n", 0o600, ":1: The line 'authentication' comes first"),
    ("authentication sha1\n", 0o600, ":1: Authentication is simple"),
    ("authentication simple\n", 0o600, ":1: There is no key"),
    ("authentication simple\nkey 256 x\n", 0o600, ":2: A key is a number"),
    ("authentication keyed md5\nkey 1 12345678901234567\n", 0o600, ":2: The secret is empty, or too long"),
    ("authentication simple\nkey 1 x\n", 0o644, "Others may read it"),
    ("password x\n", 0o600, ":1: Lines begin with"),
])
def test_key_files_that_are_refused(world, tmp_path, text, mode, error):
    keys = tmp_path / "keys"
    keys.write_text(text)
    keys.chmod(mode)
    with world.run("--keys", str(keys)) as program:
        assert program.wait() == 2
        assert error in program.lines()[0]


@pytest.mark.parametrize("args, error", [
    (("10.77.1.9", "10.77.1.2"), "10.77.1.9: is no address of this host"),
    (("10.77.1.1", "fd77:1::2"), "is of another family"),
    (("10.77.1.1",), "Two addresses are needed"),
    (("--interval", "0", "10.77.1.1", "10.77.1.2"), "--interval does not take '0'"),
    (("--detect-mult", "256", "10.77.1.1", "10.77.1.2"), "--detect-mult does not take '256'"),
    (("--min-ttl", "5", "10.77.1.1", "10.77.1.2"), "--min-ttl is for --multihop"),
    (("--interface", "nope", "10.77.1.1", "10.77.1.2"), "10.77.1.1: is no address of that interface"),
    (("10.77.1.1", "no.such.host.invalid"), "no.such.host.invalid: "),
])
def test_a_wrong_command_line_ends_with_2(world, args, error):
    with Program(world.ns, os.path.join(BUILD, "bfd"), *args) as program:
        assert program.wait(15) == 2
        assert error in program.lines()[0]


def test_the_port_of_a_daemon_is_left_alone(world):
    daemon = Peregrine(world.ns, bfd(world.remote))
    with world.peer(), world.run() as program:
        assert program.wait() == 3
        assert f"UDP port 3784: bird (pid {daemon.pid}) has it" in program.lines()[0]
        daemon.wait_session(world.remote, "Up")


def test_without_any_privilege(world):
    with world.peer() as peer, Program(world.ns, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                                       "--inh-caps=-all", os.path.join(BUILD, "bfd"), *FAST, world.local,
                                       world.remote, cwd="/") as program:
        program.wait_line(": Up,")
        peer.wait_packet(lambda s: s.ttl == 255 and s.state == UP)
        assert program.stop() == 0


def test_other_ports(world):
    with world.run(*FAST, "--port", "13784", "--local-port", "23784") as one, \
            Program(world.link.b.ns, os.path.join(BUILD, "bfd"), *FAST, "--port", "23784", "--local-port", "13784",
                    world.remote, world.local) as two:
        one.wait_line(": Up,")
        two.wait_line(": Up,")


def test_our_address_may_be_chosen(world):
    with world.peer(), world.run(*FAST, local="-") as program:
        program.wait_line(": Up,")
