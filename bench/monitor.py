#!/usr/bin/python3
"""From a session's change of state to the event in the hands of a program, with 1 client of the monitor and with many.

monitor.py [-c CLIENTS ...] [-n SESSIONS] [-e EVENTS]

Sessions at 50 ms to the simulator, of which one at a time is disabled and enabled. All clients subscribe to everything and
are one process, which reads one after the other: with many of them its own time is part of what is measured.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from bfd_rig import addresses, bird_config  # noqa: E402
from lab import Lab, Peregrine, wait_until  # noqa: E402
from simulator import Simulator, meet  # noqa: E402

INTERVAL = 50000


def flap(one, peers, readers):
    """One session after the other goes down and up again, until the readers have had enough."""
    with one.control() as control:
        for peer in itertools.cycle(peers):
            if readers.poll() is not None:
                return
            control.command(f"bfd disable {peer}")
            control.command(f"bfd enable {peer}")
            wait_until(lambda peer=peer: one.session(peer)["state"] == "Up", 5, f"{peer} Up again")


def measure(program, clients, sessions, events):
    """Median, p99 and longest, in microseconds."""
    with Lab() as lab:
        link = lab.link(lab.ns("left"), lab.ns("right"))
        peers = addresses(sessions)
        meet(link.a, peers)
        simulator = Simulator(link.b, peers[0], sessions, INTERVAL, 3)
        one = Peregrine(link.a.ns, 'protocol monitor { socket "monitor.sock"; }\n'
                        + bird_config(sessions, INTERVAL, link.a.ifname))
        wait_until(lambda: sum(s["state"] == "Up" for s in one.sessions()) == sessions, 15, "all Up")
        with link.a.ns.inside(), subprocess.Popen([program, os.path.join(one.dir, "monitor.sock"), str(clients), str(events)],
                                                  stdout=subprocess.PIPE, text=True) as readers:
            try:
                flap(one, peers, readers)
                figures = [int(x) for x in readers.stdout.read().split()]
            finally:
                readers.kill()
        simulator.close()
        return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--clients", type=int, nargs="*", default=[1, 200])
    parser.add_argument("-n", "--sessions", type=int, default=100)
    parser.add_argument("-e", "--events", type=int, default=400)
    opts = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "clients")
        subprocess.run(["cc", "-O2", "-o", program, os.path.join(HERE, "clients", "monitor.c")], check=True)
        for clients in opts.clients:
            p50, p99, worst = measure(program, clients, opts.sessions, opts.events)
            print(f"{clients:4} clients: median {p50 / 1000:.3f} ms, p99 {p99 / 1000:.3f} ms, longest {worst / 1000:.3f} ms")


if __name__ == "__main__":
    main()
