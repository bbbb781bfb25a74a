"""The network lab: namespaces, links between them, and everything a test starts in them.

    with Lab() as lab:                       # or the pytest fixture `lab`
        a, b = lab.ns("a"), lab.ns("b")
        link = lab.link(a, b)                # interface v1 in both, 10.77.1.1 and .2, fd77:1::1 and ::2
        one = Peregrine(a, config)
        one.wait_session(link.b.ip4, "Up")
        cut_at = silent_cut(link)

Whatever is made inside is undone at the end, failed or not. Needs root, iproute2, nftables and
util-linux's setpriv.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import Optional

from capture import Capture, Seen
from daemons import Bird2, ControlClient, Daemon, DaemonFailure, FrrBfdd, Peregrine, same_address
from nslib import NETNS_DIR, TEMP_DIR, Missing, Namespace, WaitTimeout, require_program, run, wait_until

sys.setswitchinterval(0.0005)  # peers and captures are threads: let them run soon

__all__ = ["Bird2", "Capture", "ControlClient", "Daemon", "DaemonFailure", "End", "FrrBfdd", "Lab", "Link",
           "Missing", "Namespace", "Peregrine", "Seen", "WaitTimeout", "heal", "missing_tools",
           "require_program", "same_address", "silent_cut", "wait_until"]

CUT_TABLE = "pg-cut"


def missing_tools():
    """What keeps any lab from working on this machine; empty when all is well."""
    missing = [] if os.geteuid() == 0 else ["root"]
    return missing + [tool for tool in ("ip", "nft", "setpriv") if not shutil.which(tool)]


@dataclass
class End:
    """One end of a link. `ll` is the link-local address; `port` the bridge's side of it, if there is one."""

    ns: Namespace
    ifname: str
    mac: str
    ip4: str
    ip6: str
    ll: str
    port: Optional[str] = None


@dataclass
class Link:
    """Ends that reach each other: a veth pair, or any number of ends on a bridge."""

    number: int
    ends: list
    bridge: Optional[Namespace] = None
    cut_ends: list = field(default_factory=list)  # the ends that hear nothing now

    @property
    def a(self):
        return self.ends[0]

    @property
    def b(self):
        return self.ends[1]

    def end_in(self, ns):
        return next(e for e in self.ends if e.ns is ns)


def silent_cut(link, toward=None):
    """Lose every packet on the link, ARP and ND included, with carrier and senders none the wiser.

    With a bridge the packets are lost there; without one on arrival (netdev ingress hook), which
    native XDP comes before: test XDP receivers over a bridge. `toward` one end loses only what
    goes to it. Returns the monotonic time right after the cut took effect; the last packet that
    got through left before that.
    """
    if link.cut_ends:
        raise ValueError("this link is cut already")
    deaf = [toward] if toward else link.ends
    if link.bridge:
        drop = f'oifname "{toward.port}" drop' if toward else "drop"
        link.bridge.nft(f"table bridge {CUT_TABLE} {{\n chain c {{\n"
                        f" type filter hook forward priority 0; policy accept;\n {drop}\n }}\n}}\n")
    else:
        for end in deaf:
            end.ns.nft(f"table netdev {CUT_TABLE}-{end.ifname} {{\n chain c {{\n"
                       f' type filter hook ingress device "{end.ifname}" priority -500; policy drop;\n'
                       " }\n}\n")
    link.cut_ends = list(deaf)
    return time.monotonic()


def heal(link):
    """Undo silent_cut(); returns the monotonic time right after packets pass again."""
    if not link.cut_ends:
        raise ValueError("this link is not cut")
    if link.bridge:
        link.bridge.nft(f"delete table bridge {CUT_TABLE}")
    else:
        for end in link.cut_ends:
            end.ns.nft(f"delete table netdev {CUT_TABLE}-{end.ifname}")
    link.cut_ends = []
    return time.monotonic()


class Lab:
    """Owner of all a test makes. Names on the system start with pg-<pid>-."""

    _made = 0

    def __init__(self):
        missing = missing_tools()
        if missing:
            raise Missing("the network lab needs " + ", ".join(missing))
        Lab._made += 1
        self._prefix = f"pg-{os.getpid()}-{Lab._made}-"
        self.namespaces = {}
        self.links = []
        self._things = []  # daemons, captures, peers, in order of creation
        remove_leftovers()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()

    def ns(self, name):
        """A new namespace."""
        if name in self.namespaces:
            raise ValueError(f"namespace {name} exists")
        self.namespaces[name] = made = Namespace(self, name, self._prefix + name)
        return made

    def adopt(self, thing):
        """Take over something with describe(), trouble(), and destroy() or stop()."""
        self._things.append(thing)

    @property
    def daemons(self):
        return [t for t in self._things if isinstance(t, Daemon)]

    def link(self, a, b, bridge=False, ifnames=None):
        """Connect two namespaces, directly by veth or through a bridge in a namespace of its own.

        Link number N: interface vN at both ends unless `ifnames`, 10.77.N.i/24, fd77:N::i/64 (N in
        hex), MAC 02:50:47:00:N:i, so link-local fe80::50:47ff:fe00:Ni; i is 1 for a, 2 for b.
        """
        return self._connect([a, b], bridge, ifnames)

    def lan(self, *namespaces, ifnames=None):
        """Connect any number of namespaces by a bridge; addresses as in link()."""
        return self._connect(namespaces, True, ifnames)

    def _connect(self, namespaces, bridge, ifnames):
        number = len(self.links) + 1
        ifnames = ifnames or [f"v{number}"] * len(namespaces)
        ends = [make_end(ns, ifname, number, i)
                for i, (ns, ifname) in enumerate(zip(namespaces, ifnames), start=1)]
        link = Link(number, ends)
        if bridge:
            link.bridge = self.ns(f"br{number}")
            link.bridge.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                           "link set br0 up")
            for i, end in enumerate(ends):
                end.port = f"p{i + 1}"
                add_veth(end, link.bridge, end.port)
                link.bridge.ip(f"link set {end.port} master br0", f"link set {end.port} up")
        else:
            add_veth(link.a, link.b.ns, link.b.ifname, link.b.mac)
        for end in ends:
            end.ns.ip(f"addr add {end.ip4}/24 dev {end.ifname}",
                      f"addr add {end.ip6}/64 dev {end.ifname} nodad",
                      f"addr add {end.ll}/64 dev {end.ifname} nodad", f"link set {end.ifname} up")
        ports = [(link.bridge, end.port) for end in ends if bridge]
        for ns, ifname in [(end.ns, end.ifname) for end in ends] + ports:
            wait_until(lambda ns=ns, ifname=ifname: ns.link_ready(ifname), 2, f"{ifname} in {ns} to be ready")
        self.links.append(link)
        return link

    def troubles(self):
        """What is wrong now with daemons, captures and peers."""
        return [t for t in (thing.trouble() for thing in self._things) if t]

    def finish(self):
        """The end of a good test: stop the daemons in an orderly way and insist that they were healthy."""
        troubles = self.troubles()
        if troubles:
            raise DaemonFailure("\n".join(troubles) + "\n" + self.describe())
        for daemon in self.daemons:
            daemon.stop()

    def describe(self):
        """Logs and session tables of all daemons, and what the peers went through."""
        return "\n".join(t.describe() for t in self._things)

    def close(self):
        """Remove everything. Never skips a step because another failed; raises the first error at the end."""
        errors = []
        undo = [getattr(t, "destroy", None) or t.stop for t in reversed(self._things)]
        for step in undo + [ns.delete for ns in self.namespaces.values()]:
            try:
                step()
            except Exception as e:  # pylint: disable=broad-except
                errors.append(e)
        self._things, self.namespaces = [], {}
        if errors:
            raise errors[0]


def make_end(ns, ifname, number, i):
    mac = f"02:50:47:00:{number:02x}:{i:02x}"
    return End(ns, ifname, mac, f"10.77.{number}.{i}", f"fd77:{number:x}::{i:x}", link_local(mac))


def link_local(mac):
    """The EUI-64 link-local address the kernel gives an interface with this MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    eui = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + eui))


def add_veth(end, other_ns, other_name, other_mac=None):
    run("ip", "link", "add", end.ifname, "netns", end.ns.full, "address", end.mac, "type", "veth",
        "peer", "name", other_name, "netns", other_ns.full, *(["address", other_mac] if other_mac else []))


def remove_leftovers():
    """Delete namespaces and directories of killed test runs. Processes are reported, not touched."""
    for name in dead_runs(NETNS_DIR):
        pids = run("ip", "netns", "pids", name).split()
        if pids:
            print(f"namespace {name} of a dead test run still has processes: {' '.join(pids)}",
                  file=sys.stderr)
            continue
        with contextlib.suppress(RuntimeError):  # another run may be faster
            run("ip", "netns", "del", name)
    for name in dead_runs(TEMP_DIR):
        shutil.rmtree(os.path.join(TEMP_DIR, name), ignore_errors=True)


def dead_runs(directory):
    """Names pg-<pid>-... in `directory` whose process is gone."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    owners = ((name, re.match(r"pg-(\d+)-", name)) for name in names)
    return [name for name, owner in owners if owner and not os.path.exists(f"/proc/{owner[1]}")]
