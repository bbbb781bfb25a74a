#!/usr/bin/python3
"""Many static routes, beside bird2 in the same run: loading, memory, counting, reloading; with and without the kernel.

static_routes.py [-n ROUTES] [-c PERCENT] [-r ROUNDS] [--only NAME] [--no-kernel]

Rounds alternate between the daemons; medians and ratios are printed. CPU is that of the process, of threads that have
ended too. A daemon counts as idle once it used next to nothing for half a second; wall time ends where that begins, so
it is good to some 50 ms. A million routes take some minutes a round, and about 1 GB for each daemon.
"""

import argparse
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "netns"))

from lab import Bird2, ControlClient, Lab, Peregrine  # noqa: E402

LIMIT = 1800  # seconds, for anything
NEXT_HOPS = 4  # a few targets, as in real life
SAMPLE, QUIET, BUSY = 0.05, 0.5, 0.05  # idle: for QUIET seconds less than BUSY of a CPU in every SAMPLE
MEASURES = (("load cpu s", 3), ("load wall s", 2), ("rss bytes/route", 0), ("count ms", 2), ("reload cpu s", 3),
            ("reload wall s", 2), ("rss bytes/route after", 0))


def process_cpu(pid):
    """Seconds of CPU of a process since its start, ended threads included: see clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def prefix(i):
    """The i-th /28 from 16.0.0.0 on; there is room for 14 million below 224.0.0.0."""
    a = (16 << 24) + 16 * i
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/28"


def config(opts, link, kernel, changed=False):
    """Of every 100 routes `opts.change` have another next hop in the changed one."""
    hops = [f"10.77.{link.number}.{2 + k}" for k in range(NEXT_HOPS)]
    lines = ["router id 10.0.0.1;", "protocol device { }"]
    if kernel:
        lines.append("protocol kernel { ipv4 { export all; }; }")
    lines += ["protocol static {", "  ipv4;"]
    for i in range(opts.routes):
        hop = hops[(i + (changed and i % 100 < opts.change)) % NEXT_HOPS]
        lines.append(f"  route {prefix(i)} via {hop};")
    return "\n".join(lines + ["}", ""])


def wait_idle(pid, since):
    """Wait until the process has gone quiet; seconds from @since to the end of its last activity."""
    last, before = time.monotonic(), process_cpu(pid)
    while time.monotonic() - last < QUIET:
        time.sleep(SAMPLE)
        used = process_cpu(pid)
        if used - before > BUSY * SAMPLE:
            last = time.monotonic()
        before = used
        if last - since > LIMIT:
            raise SystemExit("the daemon did not come to rest")
    return last - since


def ask(daemon, command):
    with ControlClient(daemon.socket_path, limit=LIMIT) as client:
        begin = time.monotonic()
        reply = client.command(command)
        return time.monotonic() - begin, reply


def check_count(daemon, opts):
    reply = ask(daemon, "show route table master4 count")[1]
    if f"{opts.routes} of {opts.routes} routes" not in reply[0][1]:
        raise SystemExit(f"{daemon.name}: {reply}")


def check_kernel(ns, opts):
    """Routes in the kernel by its own statistics: those of the link are a few more."""
    with ns.inside(), open("/proc/thread-self/net/fib_triestat", encoding="ascii") as f:
        known = max(int(line.split()[1]) for line in f if line.strip().startswith("Prefixes:"))
    if known < opts.routes:
        raise SystemExit(f"only {known} routes are in the kernel")


def run_empty(kind):
    """Resident bytes without any route."""
    with Lab() as lab:
        daemon = kind(lab.ns("a"), "protocol device { }")
        wait_idle(daemon.pid, time.monotonic())
        return 1024 * daemon.usage()[1]


def run_once(kind, opts, kernel, empty):
    result = {}
    with Lab() as lab:
        link = lab.link(lab.ns("a"), lab.ns("b"))
        first, second = (config(opts, link, kernel, changed) for changed in (False, True))
        begin = time.monotonic()
        daemon = kind(link.a.ns, first, limit=LIMIT)
        result["load wall s"] = wait_idle(daemon.pid, begin)
        result["load cpu s"] = process_cpu(daemon.pid)
        result["rss bytes/route"] = (1024 * daemon.usage()[1] - empty) / opts.routes
        check_count(daemon, opts)
        if kernel:
            check_kernel(link.a.ns, opts)
        result["count ms"] = 1000 * statistics.median(ask(daemon, "show route count")[0] for _ in range(5))

        daemon.config = second
        daemon._write_config()  # pylint: disable=protected-access
        begin, cpu = time.monotonic(), process_cpu(daemon.pid)
        code = ask(daemon, "configure")[1][-1][0]
        if code not in (3, 4):
            raise SystemExit(f"{daemon.name}: configure answered {code}")
        result["reload wall s"] = wait_idle(daemon.pid, begin)
        result["reload cpu s"] = process_cpu(daemon.pid) - cpu
        result["rss bytes/route after"] = (1024 * daemon.usage()[1] - empty) / opts.routes
        check_count(daemon, opts)
        daemon.check()
        daemon.kill()  # an orderly end would remove the routes one by one
    return result


def report(title, results):
    print(f"\n{title}")
    for measure, digits in MEASURES:
        medians = {name: statistics.median(r[measure] for r in rounds) for name, rounds in results.items()}
        line = f"  {measure:22}" + "".join(f" {name} {value:12.{digits}f}" for name, value in medians.items())
        if len(medians) == 2 and medians["peregrine"]:
            line += f"   bird2 / peregrine {medians['bird2'] / medians['peregrine']:.2f}"
        print(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", "--routes", type=int, default=1000000)
    parser.add_argument("-c", "--change", type=int, default=1, help="percent of the routes that a reload changes")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["peregrine", "bird2"])
    parser.add_argument("--no-kernel", action="store_true")
    opts = parser.parse_args()
    kinds = {"peregrine": Peregrine, "bird2": Bird2}
    if opts.only:
        kinds = {opts.only: kinds[opts.only]}
    empty = {name: run_empty(kind) for name, kind in kinds.items()}
    for kernel in (False,) if opts.no_kernel else (False, True):
        where = "with export to the kernel" if kernel else "without the kernel"
        results = {name: [] for name in kinds}
        for number in range(opts.rounds):
            for name, kind in kinds.items():
                result = run_once(kind, opts, kernel, empty[name])
                results[name].append(result)
                print(f"round {number + 1} {name:10} {where}:", {k: round(v, 3) for k, v in result.items()}, flush=True)
        report(f"medians of {opts.rounds}, {opts.routes} routes, {opts.change} % changed by the reload, {where}", results)


if __name__ == "__main__":
    main()
