"""What the tests of `offload` share: one of ours, offloaded, and a peer that does as it is told."""

import ctypes
import json
import platform
import re
import socket
import struct
import time

from bfdpkt import DIAG_TIMEOUT, DOWN, UP
from lab import Peregrine, wait_until
from nslib import require_program, run
from peer import BfdPeer
from scenario import DETECTION, FAST, NOISE, addr, bfd, detail, direct, wait_detail, wait_fast

SYS_BPF = {"x86_64": 321}.get(platform.machine(), 280)
BPF_PROG_QUERY, TCX_INGRESS = 16, 46
NOW = {"off": "off", "ring": "ring", "absorb": "absorb", "auto": "absorb"}  # what comes of it


class PatientPeer(BfdPeer):
    """One that does not mind when we are silent."""

    def _detection_expired(self):
        pass


def offload(kind, base=FAST):
    return f"{base} offload {kind};"


def wait_offloaded(daemon, remote, how, hook="XDP", wanted=None, limit=5):
    """Wait until the packets of the session are received `how`; returns its block."""
    end = f"now {how} by {hook}"
    return wait_detail(daemon, lambda d: d["Address"] == str(remote) and d.get("Offload", "off").endswith(end)
                       and (not wanted or d["Offload"].startswith(f"{wanted},")), limit, f"{remote} {end}")


def taken(daemon, remote):
    """How many packets came around the IP stack."""
    return int(detail(daemon, remote)["Offload/Packets"])


def wait_taken(daemon, remote, count, limit=3):
    """Wait for so many more."""
    start = taken(daemon, remote)
    wait_until(lambda: taken(daemon, remote) >= start + count, limit, lambda: f"{count} packets\n{daemon.show()}")


def downs(daemon):
    return {d["Counters/Went down"] for d in daemon.session_details()}


def unharmed(daemon):
    """All sessions are Up and have not been Down."""
    return {(d["Session state"], d["Counters/Went down"]) for d in daemon.session_details()} == {("Up", "0")}


def xdp_program(ns, ifname):
    """Number of the program the interface has for XDP, and its name; or (0, "")."""
    with ns.inside():
        link, = json.loads(run("ip", "-j", "-d", "link", "show", ifname))
    program = link.get("xdp", {}).get("prog", {})
    return program.get("id", 0), program.get("name", "")


def tcx_programs(ns, ifname):
    """How many programs the interface has for TCX, ingress."""
    attr = ctypes.create_string_buffer(struct.pack("IIII", ns.ifindex(ifname), TCX_INGRESS, 0, 0), 64)
    with ns.inside():
        if ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, BPF_PROG_QUERY, attr, 64):
            raise OSError(ctypes.get_errno(), f"programs of {ifname}")
    return struct.unpack_from("I", attr, 24)[0]


def programs(ns):
    """Where ours is attached in a namespace: {(interface, "XDP" or "TCX")}."""
    found = set()
    with ns.inside():
        names = [name for _, name in socket.if_nameindex()]
    for name in names:
        if xdp_program(ns, name)[1] == "offload_xdp":
            found.add((name, "XDP"))
        if tcx_programs(ns, name):
            found.add((name, "TCX"))
    return found


def wait_programs(ns, *wanted, limit=5):
    wait_until(lambda: programs(ns) == set(wanted), limit, lambda: f"{wanted} attached, not {programs(ns)}")


def forced_off(ns, ifname):
    """Take its XDP program from an interface, as an administrator may."""
    bpftool, (program, _) = require_program("/usr/sbin/bpftool"), xdp_program(ns, ifname)
    for link in json.loads(run(bpftool, "-j", "link", "show")):
        if link["prog_id"] == program:
            run(bpftool, "link", "detach", "id", str(link["id"]))


class Scene:
    """One of ours at the end a of a link, offloaded, and a peer at the end b."""

    def __init__(self, lab, kind, family="v4", link=None, hook="XDP", base=FAST, peer=BfdPeer, **kwargs):
        self.kind, self.hook, self.base = kind, hook, base
        self.link = link or lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b = addr(self.link.a, family), addr(self.link.b, family)
        self.one = Peregrine(self.link.a.ns, self.config(), **kwargs)
        self.peer = peer(self.link.b.ns, self.b, self.a, dev=self.link.b.ifname if family == "ll" else None,
                         desired_min_tx=50_000, required_min_rx=50_000)
        self.wait()

    def config(self, kind=None, base=None, body=""):
        return bfd(direct(self.b, self.link.a), options=offload(kind or self.kind, base or self.base), body=body)

    def wait(self, **kwargs):
        self.peer.wait_state(UP)
        wait_fast(self.one, self.b, **kwargs)
        return self.wait_offloaded()

    def wait_offloaded(self):
        if self.kind == "off":
            return self.detail()
        return wait_offloaded(self.one, self.b, NOW[self.kind], self.hook, self.kind)

    def wait_taken(self, count=5):
        wait_taken(self.one, self.b, count)

    def detail(self):
        return detail(self.one, self.b)

    def reload(self, kind):
        """The other kind."""
        self.one.reload(self.config(kind))
        self.kind = kind

    def wait_timeout(self, seconds):
        wait_detail(self.one, lambda d: d["Detect timer"].endswith(f"/ {seconds:.3f}"), what=f"{seconds} s")

    def dies(self, meanwhile=lambda: None, limit=NOISE):
        """The peer falls silent; that is noticed in time, whatever is done meanwhile. Returns how late, in seconds."""
        frozen = self.peer.freeze()
        last = [t for t, _ in self.peer.sent if t <= frozen][-1]

        def found():
            meanwhile()
            return next((p for p in list(self.peer.received) if p.time >= frozen and p.state == DOWN), None)

        said = wait_until(found, DETECTION + limit + 1, "our Down packet")
        late = said.time - last - DETECTION
        assert said.diag == DIAG_TIMEOUT and -0.002 < late < limit
        return late

    def revives(self):
        self.peer.thaw()
        self.wait()

    def cycle(self):
        self.dies()
        self.revives()


def counted(daemon, what):
    """How often a line of the log matches."""
    return len(re.findall(what, daemon.log(tail=None)))


def wait_log(daemon, what, count=1, limit=5):
    wait_until(lambda: counted(daemon, what) >= count, limit, lambda: f"{count} times {what!r} in\n{daemon.log()}")


def later(seconds):
    """Wait that long, where that nothing happens is the point."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 1, "time to pass")
