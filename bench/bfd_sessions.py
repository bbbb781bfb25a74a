#!/usr/bin/python3
"""Many BFD sessions against a simulator of peers: CPU, memory and false Downs, beside bird2 in the same run.

bfd_sessions.py [-n SESSIONS] [-i INTERVAL_MS] [-t SECONDS] [-r ROUNDS] [--only NAME]

The daemon and the simulator live in two namespaces joined by a veth pair; the daemon is bound to one CPU, the
simulator to the other. CPU is the time of the daemon's threads on their CPU, per packet sent or received; on veth that
includes the far end's way through the kernel for what is sent. Rounds alternate between the daemons; medians and
ratios are printed.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from lab import Bird2, Lab, Peregrine  # noqa: E402

BUILD = os.environ.get("PEREGRINE_BUILD", ".")
DAEMON_CPU, SIMULATOR_CPU = 0, 1


def addresses(count):
    """Contiguous, in the lower half of 10.200.0.0/16; the two hosts' own are in the upper half."""
    return [f"10.200.{1 + i // 256}.{i % 256}" for i in range(count)]


def config(opts, ifname):
    lines = ["router id 10.0.0.1;", "protocol device { }", "protocol bfd {",
             f'  interface "{ifname}" {{ interval {opts.interval} ms; multiplier 3; }};']
    lines += [f'  neighbor {a} dev "{ifname}";' for a in addresses(opts.sessions)]
    return "\n".join(lines + ["}", ""])


def prepare(link, opts):
    """An address for the daemon, and neighbour entries that need no cache space."""
    link.a.ns.ip(f"addr add 10.200.255.254/16 dev {link.a.ifname}",
                 *(f"neigh replace {a} lladdr 02:50:47:00:ff:ff nud permanent dev {link.a.ifname}"
                   for a in addresses(opts.sessions)))


def process_cpu(pid):
    """Seconds on a CPU, all threads, from the scheduler: tick sampling would alias with ticks of the daemon's own."""
    return sum(int(open(f"/proc/{pid}/task/{tid}/schedstat").read().split()[0])
               for tid in os.listdir(f"/proc/{pid}/task")) / 1e9


def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def bind(pid, cpu):
    """Every thread of @pid to one CPU."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(tid), {cpu})


def run_once(kind, opts):
    with Lab() as lab:
        link = lab.link(lab.ns("daemon"), lab.ns("many"))
        prepare(link, opts)
        daemon = kind(link.a.ns, config(opts, link.a.ifname))
        bind(daemon.pid, DAEMON_CPU)
        simulator = subprocess.Popen(
            ["ip", "netns", "exec", link.b.ns.full, "taskset", "-c", str(SIMULATOR_CPU),
             os.path.join(BUILD, "bench", "simulator"), "-b", addresses(1)[0], "-n", str(opts.sessions),
             "-i", str(opts.interval * 1000), "-m", "3", "-d", link.b.ifname],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            limit = time.monotonic() + 60
            while sum(s["state"] == "Up" for s in daemon.sessions()) < opts.sessions:
                if time.monotonic() > limit:
                    raise SystemExit(f"{kind.__name__}: not all sessions came up")
                time.sleep(0.5)
            time.sleep(1)
            before = process_cpu(daemon.pid), packets(link)
            time.sleep(opts.seconds)
            after = process_cpu(daemon.pid), packets(link)
            up = sum(s["state"] == "Up" for s in daemon.sessions())
            memory = rss_kb(daemon.pid)
        finally:
            simulator.send_signal(signal.SIGINT)
            report = simulator.communicate(timeout=20)[0]
        count = after[1] - before[1]
        return {
            "packets/s": count / opts.seconds,
            "us/packet": 1e6 * (after[0] - before[0]) / count,
            "rss kB": memory,
            "not up at end": opts.sessions - up,
            "report": report.strip().splitlines()[-1] if report.strip() else "",
        }


def packets(link):
    """Packets sent and received by the daemon's interface."""
    base = f"/sys/class/net/{link.a.ifname}/statistics/"
    out = subprocess.run(["ip", "netns", "exec", link.a.ns.full, "cat", base + "rx_packets", base + "tx_packets"],
                         capture_output=True, text=True, check=True).stdout
    return sum(map(int, out.split()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", "--sessions", type=int, default=1000)
    parser.add_argument("-i", "--interval", type=int, default=50, help="ms")
    parser.add_argument("-t", "--seconds", type=int, default=15)
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["peregrine", "bird2"])
    opts = parser.parse_args()
    kinds = {"peregrine": Peregrine, "bird2": Bird2}
    if opts.only:
        kinds = {opts.only: kinds[opts.only]}
    results = {name: [] for name in kinds}
    for number in range(opts.rounds):
        for name, kind in kinds.items():
            result = run_once(kind, opts)
            results[name].append(result)
            print(f"round {number + 1} {name:10}", {k: round(v, 2) if isinstance(v, float) else v
                                                    for k, v in result.items()}, flush=True)
    print(f"\nmedians of {opts.rounds}, {opts.sessions} sessions at {opts.interval} ms x 3, {opts.seconds} s")
    for measure in ("packets/s", "us/packet", "rss kB", "not up at end"):
        medians = {name: statistics.median(r[measure] for r in rounds) for name, rounds in results.items()}
        ratio = ""
        if len(medians) == 2 and medians["peregrine"]:
            ratio = f"bird2 / peregrine {medians['bird2'] / medians['peregrine']:.2f}"
        print(f"  {measure:18}", *(f"{name} {value:10.2f}" for name, value in medians.items()), ratio)


if __name__ == "__main__":
    main()
