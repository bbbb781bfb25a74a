#!/usr/bin/python3
"""BFD beside a table that loads: many routes go to the kernel while sessions have to stay Up and one fails.

busy_failover.py [-n ROUTES] [-s SESSIONS] [-r ROUNDS] [--only NAME]

A configuration with ROUTES more static routes is loaded while SESSIONS multihop sessions at 50 ms x 3 are Up, and
until all routes are in the kernel one more neighbour is silently cut off and let back, again and again. Printed are the
sessions that went Down although nothing was cut, and how late after the detection time the route behind the lost
neighbour was moved. All changes to routes of a system wait for one lock, which the kernel holds for long when it
doubles a table; so another program changes a route of its own, in a namespace of its own, all the while, and the
longest it had to wait around the cut is printed beside. What lateness is left when that is small is the daemon's.

The peer's threads are bound to the first CPU: they stand for another machine, which would have kernel time of its own.
"""

import argparse
import os
import re
import socket
import statistics
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from lab import Bird2, Capture, ControlClient, Lab, Peregrine, heal, silent_cut, wait_until  # noqa: E402
from static_routes import prefix  # noqa: E402

LIMIT = 600  # seconds, for anything
DETECTION = 0.15
BIG = 1e12
NET = "198.51.100.0"
BFD = "interval 50 ms; multiplier 3;"
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26


def ask(daemon, command):
    with ControlClient(daemon.socket_path, limit=LIMIT) as client:
        return client.command(command)


def peers(count):
    return [f"10.200.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


def prepare(many, opts):
    many.a.ns.ip(f"addr add 10.200.255.254/16 dev {many.a.ifname}",
                 *(f"neigh replace {p} lladdr {many.b.mac} nud permanent dev {many.a.ifname}"
                   for p in peers(opts.sessions)))
    many.b.ns.ip(*(f"addr add {p}/16 dev {many.b.ifname}" for p in peers(opts.sessions)),
                 f"neigh replace 10.200.255.254 lladdr {many.a.mac} nud permanent dev {many.b.ifname}")


def config(watched, spare, opts, routes):
    lines = ["router id 10.0.0.1;", "log stderr all;", "protocol device { }",
             f'protocol bfd {{ interface "*" {{ {BFD} }}; multihop {{ {BFD} }};']
    lines += [f"  neighbor {p} local 10.200.255.254 multihop;" for p in peers(opts.sessions)]
    lines += ["}", "protocol kernel kernel1 { ipv4 { export all; }; }",
              f"protocol static best {{ ipv4 {{ preference 220; }}; route {NET}/24 via {watched.b.ip4} bfd; }}",
              f"protocol static rest {{ ipv4 {{ preference 180; }}; route {NET}/24 via {spare.b.ip4}; }}",
              "protocol static many {", "  ipv4;"]
    hops = peers(4)
    lines += [f"  route {prefix(i)} via {hops[i % 4]};" for i in range(routes)]
    return "\n".join(lines + ["}", ""])


def peer_config(watched, opts):
    lines = ["router id 10.0.0.2;", "protocol device { }",
             f'protocol bfd {{ interface "*" {{ {BFD} }}; multihop {{ {BFD} }};',
             f'  neighbor {watched.a.ip4} dev "{watched.b.ifname}";']
    lines += [f"  neighbor 10.200.255.254 local {p} multihop;" for p in peers(opts.sessions)]
    return "\n".join(lines + ["}", ""])


class Rtnetlink:
    """One route at a time, asked for and waited for."""

    def __init__(self, ns):
        with ns.inside():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def call(self, kind, flags, rtm, address):
        body = rtm + struct.pack("=HH4s", 8, 1, socket.inet_aton(address))  # RTA_DST
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        return self.sock.recv(65536)

    def gateway(self, address):
        """Where a packet to @address would go: the gateway's address."""
        data = self.call(RTM_GETROUTE, 1, struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 0, 0, 0, 0, 0), address)
        at = 28
        while at + 8 <= len(data):
            length, kind = struct.unpack_from("=HH", data, at)
            if kind == 5:  # RTA_GATEWAY
                return socket.inet_ntoa(data[at + 4:at + 8])
            at += max(4, (length + 3) & ~3)
        return None

    def flip(self, number):
        """Add a blackhole, or remove it again."""
        kind, flags = ((RTM_NEWROUTE, 0x405), (RTM_DELROUTE, 5))[number % 2]
        self.call(kind, flags, struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 4, 0, 6, 0), "192.0.2.1")


class Bystander:
    """Another program with a route of its own: how long the kernel lets it wait."""

    def __init__(self, ns):
        self.routes = Rtnetlink(ns)
        self.waits = []  # (begin, end)
        self.open = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        number = 0
        while self.open:
            begin = time.monotonic()
            self.routes.flip(number)
            self.waits.append((begin, time.monotonic()))
            number += 1
            time.sleep(0.002)

    def longest(self, begin, end):
        return max((e - b for b, e in list(self.waits) if b <= end and e >= begin), default=0)

    def close(self):
        self.open = False
        self.thread.join()


def bind(daemon, cpu):
    for tid in os.listdir(f"/proc/{daemon.pid}/task"):
        os.sched_setaffinity(int(tid), {cpu})


def exported(daemon):
    text = "\n".join(t for _, t in ask(daemon, "show protocols all kernel1"))
    found = re.search(r"(\d+) exported", text)
    return int(found.group(1)) if found else 0


def load(daemon, text, total, done):
    """In a thread: it takes as long as it takes."""
    daemon.config = text
    daemon._write_config()  # pylint: disable=protected-access
    ask(daemon, "configure")
    while exported(daemon) < total:
        time.sleep(0.2)
    done.set()


def wait_moved(routes, gateway):
    limit = time.monotonic() + LIMIT
    while routes.gateway(NET) != gateway:
        if time.monotonic() > limit:
            raise SystemExit(f"no route via {gateway}")
        time.sleep(0.0003)
    return time.monotonic()


def heard(capture, begin, end):
    return [p.time for p in capture.packets(lambda p: not p.outgoing) if begin < p.time < end]


def one_cut(watched, spare, capture, routes, bystander):
    """(seconds from the end of the detection time to the moved route, longest wait of the bystander meanwhile)

    None if a packet came while the cut was being made: it may have been lost or not."""
    begin = time.monotonic()
    wait_until(lambda: len(heard(capture, max(begin, time.monotonic() - DETECTION), BIG)) >= 3, LIMIT, "full speed")
    begin = time.monotonic()
    cut_at = silent_cut(watched)
    moved = wait_moved(routes, spare.b.ip4)
    last = heard(capture, 0, cut_at)[-1]
    late = moved - last - DETECTION
    busy = bystander.longest(moved - max(late, 0), moved)
    heal(watched)
    wait_moved(routes, watched.b.ip4)
    return (late, busy) if last < begin else None


def unwanted_downs(peer, watched):
    """Sessions that went Down, as the peer saw them; the one that was cut apart."""
    return sum(s["Counters/Went down"] != "0" for s in peer.session_details() if s["Address"] == "10.200.255.254")


def run_once(kind, opts):
    with Lab() as lab:
        left, right = lab.ns("left"), lab.ns("right")
        many, watched, spare = lab.link(left, right), lab.link(left, right), lab.link(left, lab.ns("spare"))
        prepare(many, opts)
        peer = Peregrine(right, peer_config(watched, opts))
        bind(peer, min(os.sched_getaffinity(0)))
        daemon = kind(left, config(watched, spare, opts, 0), limit=LIMIT)
        wait_until(lambda: sum(s["state"] == "Up" for s in peer.sessions()) == opts.sessions + 1, 30, "all Up")
        capture, routes, bystander = Capture(left, watched.a.ifname), Rtnetlink(left), Bystander(lab.ns("other"))
        wait_moved(routes, watched.b.ip4)
        done, cuts = threading.Event(), []
        begin = time.monotonic()
        threading.Thread(target=load, args=(daemon, config(watched, spare, opts, opts.routes), opts.routes + 1, done),
                         daemon=True).start()
        while not done.is_set():
            cut = one_cut(watched, spare, capture, routes, bystander)
            cuts += [cut] if cut else []
        seconds = time.monotonic() - begin
        bystander.close()
        slices = [t for _, t in ask(daemon, "show status") if "lice" in t]
        result = {"seconds": seconds, "downs": unwanted_downs(peer, watched), "cuts": cuts}
        daemon.check()
        daemon.kill()
    print(f"{kind.__name__:10} {opts.routes} routes loaded and exported in {seconds:.1f} s,"
          f" {result['downs']} of {opts.sessions} sessions went Down; cuts (late, kernel busy) ms:",
          ", ".join(f"{1000 * late:.1f} ({1000 * busy:.1f})" for late, busy in cuts), *slices, sep="\n    ", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", "--routes", type=int, default=1000000)
    parser.add_argument("-s", "--sessions", type=int, default=200)
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["peregrine", "bird2"])
    opts = parser.parse_args()
    kinds = {"peregrine": Peregrine, "bird2": Bird2}
    if opts.only:
        kinds = {opts.only: kinds[opts.only]}
    results = {name: [] for name in kinds}
    for _ in range(opts.rounds):
        for name, kind in kinds.items():
            results[name].append(run_once(kind, opts))
    print()
    for name, rounds in results.items():
        cuts = [c for r in rounds for c in r["cuts"]]
        late = [1000 * c[0] for c in cuts]
        own = [1000 * c[0] for c in cuts if c[1] < 0.005] or [0.0]
        print(f"{name:10} {statistics.median(r['seconds'] for r in rounds):.1f} s (median),"
              f" went Down: {[r['downs'] for r in rounds]}, {len(cuts)} cuts: {statistics.median(late):+.1f} ms (median),"
              f" {max(late):+.1f} ms (worst), {max(own):+.1f} ms (worst with the kernel free)")


if __name__ == "__main__":
    main()
