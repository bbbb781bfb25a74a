"""What a measurement stands on: a daemon in one namespace, simulated peers in another, and figures of both.

The daemon and its helpers are bound to one CPU, the simulator to the other. On veth the daemon's CPU also carries what it
sends to the far end, and the simulator's what that sends, up to the daemon's socket.
"""

import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from lab import Bird2, FrrBfdd, Lab, Peregrine, WaitTimeout  # noqa: E402
from simulator import Simulator, meet  # noqa: E402

BUILD = os.path.abspath(os.environ.get("PEREGRINE_BUILD", "."))
DAEMON_CPU, SIMULATOR_CPU = 0, 1
MULTIPLIER = 3
START_LIMIT = 30
FRR_MOST = 300  # from a thousand on, 15 s after its start it had not answered yet
FRR_FASTEST = 50000
BFD_PORT = ":0EC8"


class NotHeld(Exception):
    """The daemon does not get into the state that was to be measured."""


def addresses(count):
    """Contiguous, in the lower part of 10.200.0.0/16; the daemon's own is at its end."""
    return [f"10.200.{1 + i // 256}.{i % 256}" for i in range(count)]


def bird_config(count, interval, ifname, extra=""):
    lines = ["router id 10.0.0.1;", "protocol device { }", f"protocol bfd {{ {extra}",
             f'  interface "{ifname}" {{ interval {interval} us; multiplier {MULTIPLIER}; }};']
    lines += [f'  neighbor {a} dev "{ifname}";' for a in addresses(count)]
    return "\n".join(lines + ["}", ""])


def frr_config(count, interval, ifname):
    lines = ["bfd"]
    for a in addresses(count):
        lines += [f" peer {a} interface {ifname}", f"  detect-multiplier {MULTIPLIER}",
                  f"  receive-interval {interval // 1000}", f"  transmit-interval {interval // 1000}", " exit"]
    return "\n".join(lines + ["exit", ""])


class Bound:
    """Mixed into a daemon: it starts on its CPU."""

    wrapper = ("taskset", "-c", str(DAEMON_CPU))

    def _spawn(self, *argv):
        return super()._spawn(*self.wrapper, *argv)


class BoundPeregrine(Bound, Peregrine):
    config_text = staticmethod(bird_config)


class OffloadPeregrine(BoundPeregrine):
    """Packets around the IP stack."""

    @staticmethod
    def config_text(*args):
        return bird_config(*args, extra="offload absorb;")


class RingPeregrine(BoundPeregrine):
    @staticmethod
    def config_text(*args):
        return bird_config(*args, extra="offload ring;")


class PlainPeregrine(BoundPeregrine):
    """Without the right to real-time priority."""

    wrapper = (*Bound.wrapper, "setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")


class BoundBird2(Bound, Bird2):
    config_text = staticmethod(bird_config)


class BoundFrr(Bound, FrrBfdd):
    config_text = staticmethod(frr_config)


KINDS = {"peregrine": BoundPeregrine, "offload": OffloadPeregrine, "ring": RingPeregrine, "bird2": BoundBird2,
         "frr": BoundFrr}


def takes_part(kind, scene):
    if issubclass(kind, FrrBfdd) and (scene.count > FRR_MOST or scene.interval < FRR_FASTEST):
        return False
    return scene.offload if issubclass(kind, (OffloadPeregrine, RingPeregrine)) else scene.plain


class Rig:
    """One daemon with `count` sessions at `interval` microseconds, in a with statement."""

    def __init__(self, kind, count, interval):
        self.kind, self.count, self.interval = kind, count, interval
        self.detection = MULTIPLIER * interval / 1e6
        self.lab = Lab()
        self.simulator = self.daemon = None

    def __enter__(self):
        try:
            self._start()
        except WaitTimeout as e:
            self._stop()
            raise NotHeld(f"no answer {START_LIMIT} s after the start") from e
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exc):
        self._stop()

    def _start(self):
        link = self.lab.link(self.lab.ns("daemon"), self.lab.ns("peers"))
        self.ifname = link.a.ifname
        meet(link.a, addresses(self.count))
        self.simulator = Simulator(link.b, addresses(1)[0], self.count, self.interval, MULTIPLIER, "-r",
                                   wrapper=("taskset", "-c", str(SIMULATOR_CPU)))
        self.daemon = self.kind(link.a.ns, self.config(self.interval), limit=START_LIMIT)

    def _stop(self):
        if self.simulator:
            self.simulator.close()
        self.lab.close()

    def config(self, interval):
        return self.kind.config_text(self.count, interval, self.ifname)

    def ask(self, command):
        return self.simulator.ask(command)

    def stats(self):
        return self.simulator.stats()

    def wait(self, reached, limit, what):
        """Ask the simulator until `reached(stats)`; returns these."""
        end = time.monotonic() + limit
        while True:
            self.daemon.check()
            stats = self.stats()
            if reached(stats):
                return stats
            if time.monotonic() > end:
                raise NotHeld(f"{what}: not within {limit:.0f} s ({stats['up']} of {self.count} Up)")
            time.sleep(0.02)

    def wait_up(self, limit=15):
        """All Up, at the interval that is configured, and no Poll Sequence left."""
        return self.wait(lambda s: s["up"] == self.count and not s["polling"] and s["min_tx_us"] == [self.interval] * 2,
                         limit, "all Up")

    def cpu(self):
        return process_cpu(self.daemon.pid)

    def rss(self):
        """Bytes."""
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.daemon.pid}/status")).group(1))

    def drops(self):
        """Packets the kernel had for the daemon's BFD sockets and no room for."""
        rows = [line.split() for family in ("udp", "udp6")
                for line in read(f"/proc/{self.daemon.pid}/net/{family}").splitlines()[1:]]
        return sum(int(row[-1]) for row in rows if row[1].endswith(BFD_PORT))


def read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def process_cpu(pid):
    """Seconds on a CPU, all threads, from the scheduler: tick sampling would alias with ticks of the daemon's own."""
    tasks = f"/proc/{pid}/task"
    return sum(int(read(f"{tasks}/{tid}/schedstat").split()[0]) for tid in os.listdir(tasks)) / 1e9


def sessions_lost(downs, expired):
    """Diagnostic 3 is the daemon's answer when the simulator has missed it, and that is counted there."""
    return sum(number for diagnostic, number in downs.items() if diagnostic != "3") + expired


def false_downs(stats):
    """Sessions that left Up though the simulator spoke, and was on time."""
    return sessions_lost(stats["downs"], stats["expired"])


def stalled_downs(stats):
    """The same in moments when the simulator was not on time."""
    return sessions_lost(stats["downs_in_stall"], stats["expired_in_stall"])
