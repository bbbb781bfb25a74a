"""Routes, ours and the kernel's: parsing, waiting, watching, and configurations by the line."""

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass, field

from lab import wait_until

LIMIT = 5.0  # for what takes milliseconds, on a busy machine
BIRD = 12  # the kernel's number for routes of our kind of daemon

ROUTE_LINE = re.compile(r"(?P<net>\S+(?: AS\d+)?)? +(?:(?P<dest>unicast|blackhole|unreachable|prohibited) )?"
                        r"\[(?P<proto>\S+) (?P<since>[^]]+?)(?: from (?P<origin>\S+))?\](?P<best> \*)? "
                        r"(?P<info>\(.*)$")
HOP_LINE = re.compile(r"\t(via (?P<via>\S+) on |dev )(?P<dev>\S+)(?P<onlink> onlink)?"
                      r"(?: weight (?P<weight>\d+))?$")


@dataclass
class Route:
    """One route of `show route`."""

    table: str
    net: str
    dest: str
    proto: str
    since: str
    best: bool
    info: str
    hops: list = field(default_factory=list)  # (via or None, interface, weight or None, onlink)
    attrs: dict = field(default_factory=dict)

    def key(self):
        """All but the time."""
        return (self.table, self.net, self.dest, self.proto, self.best, self.info, tuple(self.hops))

    @property
    def vias(self):
        return [h[0] or h[1] for h in self.hops]


class RouteParser:
    """Of the lines of `show route`, which have to be as the transcripts have them."""

    def __init__(self):
        self.routes, self.counts, self.tables = [], [], []
        self.table = self.net = None

    def line(self, code, text):
        if code == 1007:
            self.body(text)
        elif code in (1008, 1012):
            label, value = re.fullmatch(r"\t([^:]+): (.*)", text).groups()
            assert (code == 1008) == (label == "Type"), (code, text)
            self.routes[-1].attrs[label] = value
        else:
            assert code in (0, 14, 8001), (code, text)

    def body(self, text):
        heading = re.fullmatch(r"Table (\S+):", text)
        if heading:
            self.table = heading[1]
            self.tables.append(self.table)
        elif re.match(r"\d+ of \d+ routes for ", text):
            self.counts.append(text)
        elif text.startswith("\t"):
            hop = HOP_LINE.fullmatch(text)
            assert hop, text
            self.routes[-1].hops.append((hop["via"], hop["dev"], hop["weight"] and int(hop["weight"]),
                                         bool(hop["onlink"])))
        elif text:
            self.route(text)

    def route(self, text):
        row = ROUTE_LINE.fullmatch(text)
        assert row, text
        self.net = row["net"] or self.net
        column = f"{row['net'] or '':<20} "
        assert text.startswith(column), f"columns of {text!r}"
        self.routes.append(Route(self.table, self.net, row["dest"] or "", row["proto"], row["since"],
                                 bool(row["best"]), row["info"]))


def parse_routes(reply):
    parser = RouteParser()
    for code, text in reply:
        parser.line(code, text)
    return parser


def shown(daemon, words=""):
    """The routes of `show route WORDS`."""
    return parse_routes(daemon.birdc(f"show route {words}".strip())).routes


def nets(daemon, words="", **fields):
    """The networks it lists, those only whose routes have these fields."""
    return {r.net for r in shown(daemon, words) if all(getattr(r, k) == v for k, v in fields.items())}


def best(daemon, net, table=None):
    """The best route for exactly `net`, or None."""
    routes = shown(daemon, f"{net} primary" + (f" table {table}" if table else ""))
    return routes[0] if routes else None


def vias(daemon, net):
    """Next hops of the best route; None when there is no route."""
    route = best(daemon, net)
    return route and route.vias


def wait_equal(ask, wanted, limit=LIMIT, what=""):
    """Wait until `ask()` is `wanted`; what it was last goes into the error."""
    last = None

    def equal():
        nonlocal last
        last = ask()
        return last == wanted

    wait_until(equal, limit, lambda: f"{what} {wanted}, last seen {last}")


def wait_vias(daemon, net, *wanted, limit=LIMIT):
    """Wait for these next hops of the best route; without any, for no route."""
    wait_equal(lambda: vias(daemon, net), list(wanted) or None, limit, f"{net} via")


def wait_nets(daemon, words, wanted, limit=LIMIT):
    wait_equal(lambda: nets(daemon, words), set(wanted), limit, f"show route {words}")


def count(daemon, words=""):
    """Routes shown by `show route WORDS count`, of the first table."""
    return int(daemon.birdc(f"show route {words} count")[0][1].split()[0])


def wait_count(daemon, words, wanted, limit=LIMIT):
    wait_equal(lambda: count(daemon, words), wanted, limit, f"show route {words} count")


def state(daemon, name):
    """The State column of `show protocols`; None when there is no such instance."""
    rows = [text.split() for _, text in daemon.birdc("show protocols")]
    return next((row[3] for row in rows if row and row[0] == name), None)


def wait_state(daemon, name, wanted, limit=LIMIT):
    wait_equal(lambda: state(daemon, name), wanted, limit, f"protocol {name}")


# -- the kernel


def kernel(ns, table="main", v6=False, proto=None):
    """Routes of a kernel's table as dicts of `ip -j route`, those of one protocol number if given."""
    words = f"-j {'-6' if v6 else '-4'} -N -details route show table {table}"
    try:
        rows = json.loads(ns.ip(words) or "[]")
    except RuntimeError as e:
        if "FIB table does not exist" not in str(e):
            raise
        rows = []
    return [r for r in rows if proto is None or int(r["protocol"]) == proto]


def kernel_hops(route):
    """[(via or None, interface)] of a dict of kernel()."""
    def via(hop):
        return hop.get("gateway") or hop.get("via", {}).get("host")

    return sorted((via(h) or "", h["dev"]) for h in route.get("nexthops", [route]) if "dev" in h)


def summary(route):
    """What one would read of a route: next hops, or what becomes of packets."""
    kind = {"1": "unicast", "6": "blackhole", "7": "unreachable", "8": "prohibit"}[route["type"]]
    if kind != "unicast":
        return kind
    return [via or dev for via, dev in kernel_hops(route)]


def ours(ns, table="main", v6=False):
    """{network: next hops, or blackhole etc.} of the routes a daemon like ours has put there."""
    return {r["dst"]: summary(r) for r in kernel(ns, table, v6, BIRD)}


def wait_ours(ns, wanted, table="main", v6=False, limit=LIMIT):
    wait_equal(lambda: ours(ns, table, v6), wanted, limit, "routes of ours in the kernel")


def count_ours(ns, table="main", v6=False):
    """The number of ours, without a parse for each."""
    text = ns.ip(f"{'-6' if v6 else '-4'} -o -N route show table {table} proto {BIRD}")
    return text.count("\n")


class Monitor:
    """`ip monitor route` in a namespace: what happened to which network."""

    FIRST, LAST = "10.254.254.1", "10.254.254.2"  # marks: changes of our own, not reported

    def __init__(self, ns):
        self.ns = ns
        self.text = ""
        with ns.inside():
            self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "ip", "-N", "-o", "monitor",
                                          "route"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ns.lab.adopt(self)
        os.set_blocking(self.proc.stdout.fileno(), False)
        wait_until(lambda: self._mark(self.FIRST) or self._seen(self.FIRST), LIMIT, "ip monitor to start")
        self.events()

    def _mark(self, address):
        self.ns.ip(f"route add blackhole {address} table 9999", f"route del blackhole {address} table 9999")

    def _seen(self, address):
        """Whether the end of a mark has been read."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.proc.stdout.fileno(), 1 << 20):
                self.text += data.decode()
        return any(line.startswith("Deleted") and address in line for line in self.text.splitlines())

    def events(self):
        """All lines since the last call."""
        self._mark(self.LAST)
        wait_until(lambda: self._seen(self.LAST), LIMIT, "the mark in ip monitor")
        lines = [line for line in self.text.splitlines() if "10.254.254." not in line]
        self.text = ""
        return lines

    def deleted(self, of=f"proto {BIRD} "):
        """Networks of which a route was deleted since the last call of this or events(), by count."""
        return Counter(destination(line.split()[1:]) for line in self.events()
                       if line.startswith("Deleted") and of in line)

    def trouble(self):
        return None

    def describe(self):
        return f"--- ip monitor\n{self.text[-2000:]}"

    def stop(self):
        self.proc.kill()
        self.proc.wait()


def destination(words):
    """Of a line of `ip -N route`: the type comes first unless it is unicast, as a number or not."""
    return words[1] if words[0] in ("blackhole", "unreachable", "prohibit", "6", "7", "8") else words[0]


RTM_NEWROUTE, RTM_DELROUTE, NLM_F_REQUEST, NLM_F_CREATE = 24, 25, 1, 0x400
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY = 1, 4, 5, 6


def flood(ns, networks, via, ifname, add=True, proto=4, metric=0):
    """Add or delete IPv4 routes as fast as the kernel takes them: some 100 messages at a time, without answers."""
    kind, flags = (RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE) if add else (RTM_DELROUTE, NLM_F_REQUEST)
    rest = struct.pack("=HHI", 8, RTA_OIF, ns.ifindex(ifname)) + struct.pack("=HHI", 8, RTA_PRIORITY, metric)
    rest += struct.pack("=HH", 8, RTA_GATEWAY) + socket.inet_aton(via)
    messages = []
    for net in networks:
        address, length = net.split("/")
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, int(length), 0, 0, 254, proto, 0, 1, 0)
        body += struct.pack("=HH", 8, RTA_DST) + socket.inet_aton(address) + rest
        messages.append(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body)
    with ns.inside(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        for i in range(0, len(messages), 100):
            sock.send(b"".join(messages[i:i + 100]))


# -- configurations


def static(*routes, name="static1", v6=False, channel="", body=""):
    """A static protocol with these `route` lines (without the word and the semicolon)."""
    lines = "".join(f"  route {r};\n" for r in routes)
    return f"protocol static {name} {{\n  {'ipv6' if v6 else 'ipv4'} {{ {channel} }};\n  {body}\n{lines}}}\n"


def kernel_proto(options="", name="kernel1", v6=False, channel="export all;"):
    return f"protocol kernel {name} {{ {'ipv6' if v6 else 'ipv4'} {{ {channel} }}; {options} }}\n"


def pipe(a, b, name="pipe1", options="export all; import all;"):
    return f"protocol pipe {name} {{ table {a}; peer table {b}; {options} }}\n"


DIRECT = "protocol direct direct1 { ipv4; ipv6; }\n"


def prefixes(number, start="10.64.0.0", length=32):
    """So many networks of this length, one after the other."""
    a, b, c, d = map(int, start.split("."))
    first, step = a << 24 | b << 16 | c << 8 | d, 1 << 32 - length
    for i in range(number):
        n = first + i * step
        yield f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/{length}"


def many(number, target, start="10.64.0.0", length=32):
    """`route` lines for that many networks."""
    return [f"{p} {target}" for p in prefixes(number, start, length)]


@contextlib.contextmanager
def cpu_below(daemon, share, wall):
    """What happens inside takes `wall` seconds and must not use more than this share of a CPU on top."""
    before = daemon.usage()[0]
    yield
    used = daemon.usage()[0] - before
    assert used <= share * wall, f"{used:.2f} s of CPU in {wall:.2f} s"
