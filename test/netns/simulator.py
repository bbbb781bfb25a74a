"""Thousands of BFD peers at one end of a link: bench/simulator.c, whose commands and answers are described there."""

import json
import os
import subprocess

from nslib import require_program

NOBODY = "02:50:47:00:ff:ff"  # of no interface: the simulator hears it, and the kernel beside it does not answer


def meet(end, addresses, own="10.200.255.254/16"):
    """Let `end` have the address `own` and send to peers at `addresses`. Entries like these have no limit to their number."""
    end.ns.ip(f"addr replace {own} dev {end.ifname}",
              *(f"neigh replace {a} lladdr {NOBODY} nud permanent dev {end.ifname}" for a in addresses))


class Simulator:
    """Sessions at `count` addresses from `base` on, at `end` of a link. Ready when made; dies with us."""

    def __init__(self, end, base, count, interval, multiplier, *options, wrapper=()):
        program = require_program(os.path.join(os.path.abspath(os.environ.get("PEREGRINE_BUILD", ".")), "bench", "simulator"))
        with end.ns.inside():
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *wrapper, program, "-d", end.ifname, "-b", base, "-n", str(count),
                 "-i", str(interval), "-m", str(multiplier), *options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.stats()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the simulator is gone")
        return json.loads(answer)

    def stats(self):
        return self.ask("stats")

    def close(self):
        self.process.kill()
        self.process.communicate()
