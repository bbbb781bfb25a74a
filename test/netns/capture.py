"""What went over an interface, as decoded BFD control packets with kernel timestamps."""

import os
import select
import socket
import struct
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Optional

import bfdpkt
from nslib import arrival, enable_timestamps, wait_until

ETH_P_ALL = 3
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
PACKET_OUTGOING = 4
UDP = 17


@dataclass
class Seen:
    """One received (or captured) datagram. Fields of the BFD packet can be read directly: seen.state."""

    time: float  # CLOCK_MONOTONIC, seconds
    src: str
    dst: str
    sport: int
    dport: int
    ttl: int  # hop limit for IPv6
    ifindex: int
    outgoing: bool
    raw: bytes  # UDP payload
    bfd: Optional[bfdpkt.Control]  # None when raw is shorter than a BFD header

    def __str__(self):
        return (f"{self.time:.4f} {self.src}:{self.sport} > {self.dst}:{self.dport} ttl {self.ttl} "
                f"{'out' if self.outgoing else 'in'} {self.bfd or self.raw}")

    def __getattr__(self, name):
        """Only called for names that are not fields of Seen."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.bfd, name)


def decode_or_none(data):
    try:
        return bfdpkt.decode(data)
    except ValueError:
        return None


class Capture:
    """Sniffer thread on `ifname` in `ns`, both directions, for UDP packets to the given ports.

    AF_PACKET taps see incoming packets after native XDP and before nftables, so a packet that a cut
    drops on arrival is still seen here, and one that XDP consumed is not. To know what a daemon
    really sent, capture at the far end of the link.
    """

    def __init__(self, ns, ifname, ports=(bfdpkt.PORT_DIRECT, bfdpkt.PORT_MULTIHOP)):
        self.ns = ns
        self.ports = frozenset(ports)
        self._seen = []  # appended to by the thread only, under the lock
        self._lock = threading.Lock()
        self.name = f"capture {ns.name}/{ifname}"
        self._crash = None
        with ns.inside():
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            enable_timestamps(self._sock)
            self._sock.bind((ifname, ETH_P_ALL))
            self.ifindex = socket.if_nametoindex(ifname)
        self._quit = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        ns.lab.adopt(self)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    @property
    def seen(self):
        """All packets up to now: the thread may be a little behind on a busy machine."""
        limit = time.monotonic() + 0.5
        while select.select([self._sock], [], [], 0)[0] and time.monotonic() < limit:
            time.sleep(0.001)
        with self._lock:
            return self._seen

    def packets(self, where=None, since=0.0):
        """What was seen from `since` on (monotonic time) and satisfies `where`, in order of arrival."""
        return [p for p in list(self.seen) if p.time >= since and (where is None or where(p))]

    def wait(self, where, limit, what="a packet", since=0.0):
        """The first packet, seen already or still to come, that satisfies `where`."""
        position = 0

        def search():
            nonlocal position
            while position < len(self._seen):
                p = self._seen[position]
                position += 1
                if p.time >= since and where(p):
                    return p
            return None

        return wait_until(search, limit, what)

    def stop(self):
        if self._sock.fileno() >= 0:
            os.eventfd_write(self._quit, 1)
            self._thread.join()
            self._sock.close()
            os.close(self._quit)

    def trouble(self):
        return f"{self.name} crashed: {self._crash}" if self._crash else None

    def describe(self):
        return "\n".join([f"--- {self.name}: {len(self._seen)} packets, the last of them"]
                         + [f"    {p}" for p in self._seen[-10:]])

    def _run(self):
        try:
            self._sniff()
        except Exception:  # pylint: disable=broad-except
            self._crash = traceback.format_exc()

    def _sniff(self):
        while True:
            ready, _, _ = select.select([self._sock, self._quit], [], [])
            if self._quit in ready:
                return
            with self._lock:
                self._take()

    def _take(self):
        try:
            frame, cmsgs, _, addr = self._sock.recvmsg(4096, 256, socket.MSG_DONTWAIT)
        except OSError:  # nothing after all, or the interface went down
            return
        fields = parse_frame(frame, addr[1])
        if fields and fields[3] in self.ports:
            src, dst, sport, dport, ttl, raw = fields
            self._seen.append(Seen(arrival(cmsgs), src, dst, sport, dport, ttl, self.ifindex,
                                   addr[2] == PACKET_OUTGOING, raw, decode_or_none(raw)))


def parse_frame(frame, proto):
    """(src, dst, sport, dport, ttl, payload) of an unfragmented UDP packet over Ethernet, else None."""
    if proto == ETH_P_IP and len(frame) >= 34:
        header = 14 + 4 * (frame[14] & 15)
        if frame[23] != UDP or struct.unpack_from("!H", frame, 20)[0] & 0x3FFF:
            return None
        family, ttl, src, dst = socket.AF_INET, frame[22], frame[26:30], frame[30:34]
    elif proto == ETH_P_IPV6 and len(frame) >= 54:
        header = 54
        if frame[20] != UDP:
            return None
        family, ttl, src, dst = socket.AF_INET6, frame[21], frame[22:38], frame[38:54]
    else:
        return None
    if len(frame) < header + 8:
        return None
    sport, dport, length = struct.unpack_from("!HHH", frame, header)
    payload = frame[header + 8:header + length]  # without Ethernet padding
    return socket.inet_ntop(family, src), socket.inet_ntop(family, dst), sport, dport, ttl, payload
