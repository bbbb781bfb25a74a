#!/usr/bin/python3
"""From a silent cut to the moved kernel route: static routes with BFD, beside bird2 in the same run.

static_failover.py [-c CUTS] [-r ROUNDS]

Rounds alternate between the daemons. Lateness counts from the end of the detection time after the last BFD packet
heard; what reads the kernel's news is a thread of Python, so some tenths of a millisecond are its own.
"""

import argparse
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from failover import RouteWatch, config, one_cut, peer_config  # noqa: E402
from lab import Bird2, Capture, Lab, Peregrine  # noqa: E402


def measure(kind, cuts):
    late = {"IPv4": [], "IPv6": []}
    with Lab() as lab:
        left, right, spare_ns = lab.ns("left"), lab.ns("right"), lab.ns("spare")
        link, spare = lab.link(left, right), lab.link(left, spare_ns)
        capture = Capture(left, link.a.ifname)
        watch = RouteWatch(left)
        Peregrine(right, peer_config(link))
        kind(left, config(link, spare))
        for gateway in (link.b.ip4, link.b.ip6):
            watch.wait_gateway(gateway, 0, 15)
        for _ in range(cuts):
            for family, seconds in zip(late, one_cut(link, spare, capture, watch)):
                late[family].append(seconds)
        watch.close()
    return late


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--cuts", type=int, default=25)
    parser.add_argument("-r", "--rounds", type=int, default=2)
    opts = parser.parse_args()
    sums = {Peregrine: {}, Bird2: {}}
    for _ in range(opts.rounds):
        for kind, sum_ in sums.items():
            for family, values in measure(kind, opts.cuts).items():
                sum_.setdefault(family, []).extend(values)
    for kind, sum_ in sums.items():
        for family, values in sum_.items():
            print(f"{kind.__name__:10} {family}: {len(values)} cuts, moved {statistics.median(values) * 1000:+.2f} ms "
                  f"(median), {max(values) * 1000:+.2f} ms (worst) after the detection time")


if __name__ == "__main__":
    main()
