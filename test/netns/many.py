"""Many sessions over one link: the simulator of bench/ is the far end of all of them, in one process."""

import contextlib
import os
import re

from lab import wait_until
from scenario import bfd, direct
from simulator import Simulator, meet

LIMIT = 15.0  # for all of them to come up or go down, on a busy machine


class Far:
    """`count` neighbours behind the end b of a link, at 10.200.1.1 and the following.

    Dead until start(). `interval` in ms, as the sessions of the daemon should have it.
    """

    def __init__(self, link, count, interval=200, mult=5):
        self.link, self.count, self.interval, self.mult = link, count, interval, mult
        self.simulator = None
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
        """An address for the daemon, and link-layer addresses of all: both are lost when an interface goes."""
        meet(self.link.a, self.addresses)

    def start(self, priority=40):
        """In real time where that is permitted, so that the neighbours are not silent when the machine is busy."""
        self.simulator = Simulator(self.link.b, "10.200.1.0", 2 * self.count, self.interval * 1000, self.mult, "-r")
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(self.simulator.process.pid, os.SCHED_FIFO, os.sched_param(priority))

    def kill(self):
        if self.simulator:
            self.simulator.close()
        self.simulator = None

    stop = kill

    def trouble(self):
        return "the simulator died" if self.simulator and self.simulator.process.poll() is not None else None

    def describe(self):
        return f"--- {self.count} neighbours of one simulator"


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
