"""A link that loses, repeats, delays and reorders BFD packets as the test says.

    link = lab.link(a, b, bridge=True)
    middle = Forwarder(link)                            # takes the place of the bridge
    middle.fate = lambda packet: [0, 0.03]              # seconds until each copy goes out; []: it is lost

Everything that is not BFD passes. `middle.passed` has what went out, as Seen, with the time of going.
"""

import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import threading
import time
import traceback
from dataclasses import replace

from bfdpkt import PORT_DIRECT, PORT_MULTIHOP
from capture import ETH_P_ALL, PACKET_OUTGOING, Seen, decode_or_none, parse_frame
from nslib import SIOCETHTOOL

ETHTOOL_STXCSUM = 0x17


class Forwarder:
    """See the module's text."""

    def __init__(self, link):
        self.fate = lambda packet: [0]
        self.passed = []
        self.name = f"forwarder {link.bridge.name}"
        self._crash = None
        self._later, self._serial = [], 0  # heap of (time, serial, socket, frame, Seen)
        self._quit = os.eventfd(0)
        link.bridge.ip(*(f"link set {end.port} nomaster" for end in link.ends))
        with link.bridge.inside():
            self._socks = [self._open(end.port) for end in link.ends]
        for end in link.ends:
            with end.ns.inside():
                fill_in_checksums(end.ifname)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        link.bridge.lab.adopt(self)

    @staticmethod
    def _open(ifname):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((ifname, ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def stop(self):
        if self._socks[0].fileno() >= 0:
            os.eventfd_write(self._quit, 1)
            self._thread.join()
            for sock in self._socks:
                sock.close()
            os.close(self._quit)

    def trouble(self):
        return f"{self.name} crashed: {self._crash}" if self._crash else None

    def describe(self):
        return "\n".join([f"--- {self.name}: {len(self.passed)} packets passed, the last of them"]
                         + [f"    {p}" for p in self.passed[-10:]])

    def _run(self):
        try:
            self._forward()
        except Exception:  # pylint: disable=broad-except
            self._crash = traceback.format_exc()

    def _forward(self):
        while True:
            pause = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            ready, _, _ = select.select([*self._socks, self._quit], [], [], pause)
            if self._quit in ready:
                return
            for sock, other in zip(self._socks, reversed(self._socks)):
                if sock in ready:
                    self._take(sock, other)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, sock, frame, seen = heapq.heappop(self._later)
                self._emit(sock, frame, seen)

    def _take(self, sock, other):
        try:
            frame, addr = sock.recvfrom(4096)
        except OSError:  # nothing after all, or the interface went down
            return
        if addr[2] == PACKET_OUTGOING:
            return
        fields = parse_frame(frame, addr[1])
        if not fields or fields[3] not in (PORT_DIRECT, PORT_MULTIHOP):
            self._emit(other, frame, None)
            return
        src, dst, sport, dport, ttl, raw = fields
        now = time.monotonic()
        seen = Seen(now, src, dst, sport, dport, ttl, 0, True, raw, decode_or_none(raw))
        for delay in self.fate(seen):
            self._serial += 1
            heapq.heappush(self._later, (now + delay, self._serial, other, frame, seen))

    def _emit(self, sock, frame, seen):
        if seen:
            self.passed.append(replace(seen, time=time.monotonic()))
        try:
            sock.send(frame)
        except OSError:  # link down: lost
            pass


def fill_in_checksums(ifname):
    """A packet read from a veth has no checksum yet, for the hardware would make it; have the stack do it."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), ctypes.addressof(value)))
