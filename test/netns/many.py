"""Many sessions over one link: bench/reflector is the far end of all of them, in one process."""

import contextlib
import os
import re
import signal
import subprocess

from lab import require_program, wait_until
from scenario import bfd, direct

BUILD = os.path.abspath(os.environ.get("PEREGRINE_BUILD", "."))
LIMIT = 15.0  # for all of them to come up or go down, on a busy machine


class Far:
    """`count` neighbours behind the end b of a link, at 10.200.1.1 and the following.

    Dead until start(). `interval` in ms, as the sessions of the daemon should have it.
    """

    def __init__(self, link, count, interval=200, mult=5):
        self.link, self.count, self.interval, self.mult = link, count, interval, mult
        self.proc = None
        link.b.ns.ip("route add local 10.200.0.0/17 dev lo")
        self.connect()
        link.a.ns.lab.adopt(self)

    @property
    def addresses(self):
        return [f"10.200.{1 + i // 250}.{i % 250 + 1}" for i in range(self.count)]

    @property
    def options(self):
        return f"interval {self.interval} ms; multiplier {self.mult}; idle tx interval 200 ms;"

    def config(self, **kwargs):
        """A BFD protocol with all of them as neighbours."""
        return bfd(*(direct(x, self.link.a) for x in self.addresses), options=self.options, **kwargs)

    def connect(self):
        """Addresses for both ends, and link-layer addresses without asking: those are lost when an interface goes."""
        a, b = self.link.a, self.link.b
        a.ns.ip(f"addr replace 10.200.255.1/16 dev {a.ifname}",
                *(f"neigh replace {x} lladdr {b.mac} nud permanent dev {a.ifname}" for x in self.addresses))
        b.ns.ip(f"addr replace 10.200.255.2/16 dev {b.ifname}",
                f"neigh replace 10.200.255.1 lladdr {a.mac} nud permanent dev {b.ifname}")

    def start(self, priority=40):
        """In real time where that is permitted, so that the neighbours are not silent when the machine is busy."""
        program = require_program(os.path.join(BUILD, "bench", "reflector"))
        with self.link.b.ns.inside():  # twice as many numbers, since addresses are 250 to a net
            self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", program, "-b", "10.200.1.0", "-n",
                                          str(2 * self.count), "-i", str(self.interval * 1000), "-m", str(self.mult),
                                          "-d", self.link.b.ifname], stdout=subprocess.DEVNULL)
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(self.proc.pid, os.SCHED_FIFO, os.sched_param(priority))

    def kill(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGKILL)
            self.proc.wait()

    stop = kill

    def trouble(self):
        return "the reflector died" if self.proc and self.proc.poll() not in (None, -signal.SIGKILL) else None

    def describe(self):
        return f"--- {self.count} neighbours of one reflector"


def in_state(daemon, state):
    return sum(s["state"] == state for s in daemon.sessions())


def wait_states(daemon, state, count, limit=LIMIT):
    wait_until(lambda: in_state(daemon, state) == count, limit,
               lambda: f"{count} sessions {state}, there are {in_state(daemon, state)}")


def totals(daemon):
    """The sums at the end of `show bfd sessions all`, by their names: counters of the engine."""
    found = {}
    for _, text in daemon.birdc("show bfd sessions all"):
        single = re.fullmatch(r"  ((?:Sessions went|Verdict|Packets refused)[^:]*): (\d+)", text)
        if single:
            found[single[1]] = int(single[2])
        elif text.startswith(("  Packets received: ", "  Late ticks: ")):
            found.update((name.strip(), int(value)) for name, value in re.findall(r"([A-Za-z][a-z ]+): (\d+)", text))
    return found


def records(daemon):
    """Of `show bfd history`, newest first: (address, verdict without its reason)."""
    found, address = [], None
    for _, text in daemon.birdc("show bfd history"):
        name, _, value = text.strip().partition(": ")
        if name == "Address":
            address = value.strip()
        elif name == "Verdict":
            found.append((address, value.split(":")[0].strip()))
    return found
