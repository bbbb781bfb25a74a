"""Replies against recorded ones of BIRD: codes, framing, titles, columns, and which lines there are.

The recordings are test/transcripts/*.txt; README.md there has their format. What varies from run to run is
made equal on both sides by NORMAL, and listings without order are put into one by ORDERLESS; all else has
to be as recorded, or marked in the recording with the reason.
"""

import ast
import difflib
import glob
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from lab import Peregrine, wait_until

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "transcripts")
FILES = sorted(glob.glob(os.path.join(HERE, "*.txt")))
SETTLE = 8.0  # seconds for a listing to become what it should be
PRINTED = " " * 5  # in the place of the code, before what programs print
TIME = r"\d\d:\d\d:\d\d\.\d{3}"


def blank_out(name):
    """A replacement as wide as what is replaced, so that columns are still compared."""
    return lambda m: name.rjust(len(m[0]))


# What depends on time, chance or the machine: in which lines, what, and what is put in its place. Codes are
# written out, "1001-text", as in all of this file.
NORMAL = [(re.compile(which), re.compile(what), by) for which, what, by in (
    ("", r"\bBIRD \d+\.\d+\.\d+", "BIRD VERSION"),
    ("", r"\d{4}-\d\d-\d\d " + TIME, "YYYY-MM-DD HH:MM:SS.mmm"),
    ("", TIME, "HH:MM:SS.mmm"),
    ("1011-", r"(?<=Hostname is )(?!labA).+", "HOST"),
    ("0022-", r"undo in \d+\.\d{3} s", "undo in N s"),
    ("1001-", r"index=\d+", "index=N"),
    ("1006-    Routes: ", r"\d+ (?=imported|filtered|exported|preferred)", "N "),
    (r"1006- +(Import|Export) (updates|withdraws):", r" \d+", blank_out("N")),
    ("1018-", r" +[\d.]+ [ kM]B", blank_out("SIZE")),
    (r"1020-  (Local|Remote) discriminator: ", r"[1-9]\d*$", "N"),
    (r"1020-    [RT]X CSN: ", r"\d+$", "N"),
    (r"1020-  (Transmit|Detect) timer: ", r"\d+\.\d{3} /", "N /"))]

# Listings in no particular order: the command, the first line of what may move, the lines that go with it.
ORDERLESS = [(re.compile(command), re.compile(first), re.compile(more)) for command, first, more in (
    ("show route", r"1007-\S+ .*\[", r"\d+-(\t| {20})"),
    ("show bfd sessions .*all", "1020-  Address: ", "1020-(  |$)"),
    ("show bfd sessions", r"1020-[\d:a-f.]+ +\S+ +(Up|Init|Down) ", "(?!)"),
    ("show symbols", "1010-", "(?!)"))]


@dataclass
class Step:
    """Something done, and the lines that answer it, each with its mark."""

    where: int  # line of the file
    kind: str
    text: str
    lines: list = field(default_factory=list)

    def side(self, marks):
        return [line for mark, line in self.lines if mark in marks]


class Recording:
    """A file of test/transcripts."""

    LINE = re.compile(r"(>>|[><+*$!-])(?: (.*))?|(open|eof)|(config|world|args|why|differs): (.*)|#.*|$")

    def __init__(self, path):
        self.steps, self.head = [], {}
        reason = None
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f.read().split("\n"), start=1):
                found = self.LINE.fullmatch(line)
                assert found, f"{path}:{number}: {line!r}"
                mark, rest, alone, key, value = found.groups()
                if key in ("why", "differs"):
                    reason = value
                elif key:
                    self.head[key] = value
                elif alone or mark in (">", ">>", "$", "!"):
                    self.steps.append(Step(number, alone or mark, rest))
                elif mark:
                    assert mark == "<" or reason, f"{path}:{number}: no reason for a difference"
                    self.steps[-1].lines.append((mark, rest or ""))
                if mark == "<" or alone:
                    reason = None


def expand(lines):
    """The lines of replies with their codes written out; "1007-text", the last one "0000 text"."""
    code, out = None, []
    for line in lines:
        if line.startswith(" "):
            assert code, f"a continuation of nothing: {lines}"
            out.append(f"{code}-{line[1:]}")
        else:
            assert re.match(r"\d{4}[- ]", line), f"malformed {line!r}"
            code = line[:4] if line[4] == "-" else None
            out.append(line)
    return out


def framed(lines):
    """The reverse: a code is written where it changes, and with the last line."""
    code, out = None, []
    for line in lines:
        out.append(" " + line[5:] if line[:5] == f"{code}-" else line)
        code = line[:4] if line[4] == "-" else None
    return out


def normal(line):
    for which, what, by in NORMAL:
        if which.match(line):
            line = what.sub(by, line)
    return line


def ordered(command, lines):
    """Put what has no order into one."""
    rule = next((r for r in ORDERLESS if r[0].search(command)), None)
    if not rule:
        return lines
    out, run = [], []
    for line in lines:
        if rule[1].match(line):
            run.append([line])
        elif run and rule[2].match(line):
            run[-1].append(line)
        else:
            out += sum(sorted(run), []) + [line]
            run = []
    return out + sum(sorted(run), [])


PLACE = re.compile(rf"(8002 |{PRINTED}bird: )\S+:\d+:\d+ ")


def same(wanted, got):
    """Errors of syntax may be worded in any way; those of configurations have to name the place."""
    if wanted.startswith("9001 syntax error"):
        return got.startswith("9001 ") and len(got) > 5
    place = PLACE.match(wanted)
    return got.startswith(place[0]) if place else got == wanted


def difference(command, wanted, got):
    """What is not as it should be, as text; nothing if all is well."""
    anything = [line[1:] for line in wanted if line.startswith("*")]
    missing = [f"*{p}" for p in anything if not any(re.match(p, line) for line in got)]
    got = [line for line in got if not any(re.match(p, line) for p in anything)]
    wanted = missing + [line for line in wanted if not line.startswith("*")]
    wanted, got = (ordered(command, [normal(line) for line in lines]) for lines in (wanted, got))
    got = [a if same(a, b) else b for a, b in zip(wanted, got)] + got[len(wanted):]
    return "\n".join(difflib.unified_diff(wanted, got, "recorded", "ours", lineterm="", n=1))


class Session:
    """A connection to the control socket, by lines."""

    def __init__(self, daemon):
        self.sock = daemon.connect()
        self.sock.settimeout(5)
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.data:
            chunk = self.sock.recv(1 << 16)
            if not chunk:
                raise EOFError
            self.data += chunk
        line, _, self.data = self.data.partition(b"\n")
        return line.decode()

    def replies(self, count):
        """The lines of so many replies, or those that came."""
        lines = []
        try:
            while count:
                line = self.line()
                if not line.startswith("+"):  # the log, see echo
                    lines.append(line)
                    count -= bool(re.match(r"\d{4} ", line))
        except (EOFError, socket.timeout) as e:
            lines.append(f"9999 ({type(e).__name__})")
        return lines

    def at_end(self):
        try:
            while True:
                self.line()
        except EOFError:
            return True


class Subject(Peregrine):
    """Our daemon where the recorded one was: in a directory with all configurations, `config` being the name
    of one of them."""

    @property
    def config_path(self):
        return os.path.join(self.dir, self.config)

    def _launch(self):
        for path in glob.glob(os.path.join(HERE, "*", "*.conf")):
            copy = os.path.join(self.dir, os.path.relpath(path, HERE))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            with open(path, encoding="utf-8") as f, open(copy, "w", encoding="utf-8") as to:
                to.write(f.read().replace('"/lab/', f'"{self.dir}/'))
        self._spawn(self.binary("bird"), "-f", "-c", self.config, "-s", self.socket_path,
                    "-P", os.path.join(self.dir, "bird.pid"), *self.args)

    def program(self, text):
        """What a program of ours prints, and how it ends."""
        name, *words = text.split()
        if name != "bird":
            words[:0] = ["-s", self.socket_path]
        done = subprocess.run([self.binary(name), *words], cwd=self.dir, text=True, check=False, timeout=5,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.splitlines() + [f"rc={done.returncode}"]


class World:
    """The recorded daemon's surroundings, and a peer if there is one."""

    def __init__(self, lab, peer=""):
        self.ns = lab.ns("a")
        self.peer_ns = lab.ns("b") if peer else None
        self.build()
        self.peer = Peregrine(self.peer_ns, peer) if peer else None

    def build(self):
        pass

    def act(self, text):
        """Do `ip WORDS`, or let the peer die, return, or do a command."""
        who, what = text.split(maxsplit=1)
        if who == "ip":
            self.ns.ip(what)
        elif what in ("kill", "start"):
            getattr(self.peer, what)()
        else:
            self.peer.birdc(what)

    def ready(self, name, peer_name):
        for ns, ifname in ((self.ns, name), (self.peer_ns, peer_name)):
            wait_until(lambda ns=ns, ifname=ifname: ns.link_ready(ifname), 2, "the link")


class Router(World):
    """The router of most recordings: cpa0 and cpa1 lead to a peer that answers BFD on both."""

    LL = ("fe80::5066:50ff:fe39:25cb", "fe80::f882:c8ff:fe98:7e3e")

    def __init__(self, lab):
        super().__init__(lab, """protocol bfd bfd1 {
          interface "cpb*" { interval 200 ms; multiplier 5; idle tx interval 100 ms; };
          neighbor 10.0.0.1; neighbor 10.0.1.1; }""")

    def build(self):
        self.ns.ip("addr add 192.168.1.1/24 dev lo")
        for i, (prefix, ll) in enumerate(zip(("fd00::", "fd00:0:0:1::"), self.LL)):
            self.ns.ip(f"link add cpa{i} type veth peer name cpb{i} netns {self.peer_ns.full}")
            self.ns.ip(f"addr add 10.0.{i}.1/24 dev cpa{i}", f"addr add {prefix}1/64 dev cpa{i} nodad",
                       f"addr add {ll}/64 dev cpa{i} nodad", f"link set cpa{i} up")
            self.peer_ns.ip(f"addr add 10.0.{i}.2/24 dev cpb{i}", f"link set cpb{i} up")
            self.ready(f"cpa{i}", f"cpb{i}")


class Sessions(World):
    """Two direct neighbours on one link, and one that is two hops away as far as anybody can tell."""

    def __init__(self, lab):
        secure = 'authentication meticulous keyed sha1; password "a shared secret";'
        super().__init__(lab, f"""protocol bfd {{ interface "vb" {{ interval 50 ms; multiplier 3; {secure} }};
          multihop {{ interval 100 ms; multiplier 5; }};
          neighbor 10.66.0.1; neighbor 2001:db8:66::1; neighbor 192.0.2.1 local 192.0.2.2 multihop; }}""")

    def build(self):
        self.ns.ip(f"link add va type veth peer name vb netns {self.peer_ns.full}")
        for ns, dev, i in ((self.ns, "va", 1), (self.peer_ns, "vb", 2)):
            ns.ip(f"addr add 10.66.0.{i}/24 dev {dev}", f"addr add 2001:db8:66::{i}/64 dev {dev} nodad",
                  f"addr add 192.0.2.{i}/32 dev lo", f"link set {dev} up",
                  f"route add 192.0.2.{3 - i} via 10.66.0.{3 - i}")
        self.ready("va", "vb")


class OneWay(World):
    """A peer that does not hear the daemon's BFD packets."""

    def __init__(self, lab):
        super().__init__(lab, 'protocol bfd { interface "cpy0" { multiplier 3; }; neighbor 10.5.0.2; }')

    def build(self):
        self.ns.ip(f"link add cpz0 type veth peer name cpy0 netns {self.peer_ns.full}")
        for ns, dev, i in ((self.ns, "cpz0", 2), (self.peer_ns, "cpy0", 1)):
            ns.ip(f"addr add 10.5.0.{i}/24 dev {dev}", f"link set {dev} up")
        self.peer_ns.nft("table ip deaf { chain c {\n type filter hook input priority 0;\n"
                         " udp dport 3784 drop;\n}; }")
        self.ready("cpz0", "cpy0")


class Learner(World):
    """A route of another program."""

    def build(self):
        self.ns.ip("link add cpc0 type veth peer name cpc1", "link set cpc1 up",
                   "addr add 10.0.2.2/24 dev cpc0", "link set cpc0 up",
                   "route add 192.168.1.0/24 via 10.0.2.1 proto boot")


WORLDS = {"router": Router, "alone": World, "sessions": Sessions, "learner": Learner, "one-way": OneWay}


class Player:
    """Does the steps of a recording and collects what differs."""

    def __init__(self, lab, head):
        self.world = WORLDS[head["world"]](lab)
        self.daemon = Subject(self.world.ns, head["config"], args=head.get("args", "").split())
        self.session = None
        self.limit = SETTLE

    def end(self):
        """At once, if there is a peer: telling it takes seconds, and other tests look at that."""
        if self.world.peer:
            self.daemon.check()
            self.world.peer.check()
            self.daemon.kill()
            self.world.peer.kill()

    def answer(self, step, count):
        if step.kind == "$":
            return [PRINTED + line for line in self.daemon.program(step.text)]
        if step.kind == "open":
            self.session = Session(self.daemon)
        elif step.kind == ">":
            self.session.send((step.text or "").encode() + b"\n")
        elif step.kind == ">>":
            self.session.send(ast.literal_eval(step.text).encode("latin-1"))
        raw = self.session.replies(count)
        lines = expand(raw)
        if framed(lines) != raw:
            lines.append(f"9999 (not framed as it should be: {raw})")
        return [line.replace(self.daemon.dir + "/", "/lab/") for line in lines]

    def play(self, step):
        """What is wrong with the answer to the step. Listings get some time to become as they should be."""
        if step.kind == "!":
            self.world.act(step.text)
            return ""
        if step.kind == "eof":
            self.daemon._stopping = True  # pylint: disable=protected-access
            return "" if self.session.at_end() else "no end"
        wanted = expand_marked(step)
        count = sum(bool(re.match(r"\d{4} ", line)) for line in wanted)
        end = time.monotonic() + self.limit
        while True:
            wrong = difference(step.text or "", wanted, self.answer(step, count))
            patient = re.match(r"show |configure status|birdcl? .*show ", step.text or "")
            if not wrong or not patient or time.monotonic() > end:
                break
            time.sleep(0.02)
        if wrong:
            self.limit = 0.5  # the test has failed, be quick to tell the rest
        return wrong


def expand_marked(step):
    """What our daemon should answer: the recorded lines with their codes, and the marked changes."""
    out, code = [], None
    for mark, line in step.lines:
        if mark == "*":
            out.append("*" + (PRINTED if step.kind == "$" else "") + line)
            continue
        if step.kind == "$":
            full = PRINTED + line
        else:
            full = f"{code}-{line[1:]}" if line.startswith(" ") else line
            code = full[:4]
        if mark != "-":
            out.append(full)
    return out


def name_of(path):
    return os.path.basename(path)[:-4]


SAMPLE = ["2002-Name       Proto      Table      State  Since         Info",
          "1002-device1    Device     ---        up     18:32:14.277  ", "1006-",
          "1002-st         Static     master4    up     18:32:14.277  ", "1006-  Channel ipv4",
          "1006-      Export updates:             15          0          0        ---          1", "0000 "]


@pytest.mark.parametrize("old,new,equal", [
    ("18:32:14.277", "07:00:00.123", True), (" 15 ", "  7 ", True), (" 15 ", " 7 ", False),
    ("Name  ", "Names ", False), ("Since", " Since", False), ("14.277  ", "14.277", False),
    ("1002-d", "1003-d", False), ("  Channel", " Channel", False), ("18:32:14.277", "18:32:14", False),
    ("---", "master6", False), ("0000 ", "8003 ", False)])
def test_what_is_a_difference(old, new, equal):
    changed = [line.replace(old, new) for line in SAMPLE]
    assert changed != SAMPLE
    assert (difference("show protocols", SAMPLE, changed) == "") == equal
    assert difference("show protocols", SAMPLE, SAMPLE[:2] + SAMPLE[3:])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_recordings_are_well_formed(path):
    """Framing is also that of the recorded daemon."""
    for step in Recording(path).steps:
        if step.kind not in "$!":
            recorded = step.side("<-")
            assert framed(expand(recorded)) == recorded, f"{path}:{step.where}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_replies_are_as_recorded(lab, path):
    recording = Recording(path)
    player = Player(lab, recording.head)
    wrong = []
    for step in recording.steps:
        what = player.play(step)
        if what:
            wrong.append(f"{os.path.basename(path)}:{step.where}: {step.kind} {step.text}\n{what}")
    assert not wrong, "\n" + "\n".join(wrong)
    player.end()
