"""A BFD peer that behaves until told to lie.

BfdPeer runs RFC 5880's state machine in a thread of its own inside a namespace. What it does wrong
is chosen by the test:

    peer.freeze() / peer.thaw()         send nothing meanwhile; receiving goes on
    peer.deaf = True                    receive and record, but act as if nothing came
    peer.answer_polls = False           ignore the P bit
    peer.lie(state=DOWN, demand=True)   overwrite fields of every packet sent; peer.truth() ends it
    peer.mangle = f                     f(Control) -> Control, bytes, or None to suppress it
    peer.ttl, peer.dport, peer.sport    metadata of every packet sent
    peer.copies = 2, peer.delay = 0.05  duplicate, or send late (seconds)
    peer.send_raw(data, ttl=..., ...)   any bytes, now
    peer.admin_down() / admin_up()      honestly AdminDown and back
    peer.set(required_min_rx=0)         own parameters, announced with a Poll Sequence when Up
    peer.restart()                      forget everything; new discriminator, optionally new port
    peer.pin_your_disc()                go on sending the neighbour's present discriminator

Times of methods and records are seconds of CLOCK_MONOTONIC, intervals in packets microseconds.
"""

import contextlib
import heapq
import ipaddress
import os
import random
import select
import socket
import struct
import threading
import time
import traceback
from dataclasses import dataclass, replace

from bfdpkt import (ADMIN_DOWN, DIAG_ADMIN_DOWN, DIAG_NEIGHBOR_DOWN, DIAG_NONE, DIAG_TIMEOUT, DOWN, INIT,
                    PORT_DIRECT, PORT_MULTIHOP, STATE_NAMES, UP, Control, reject_reason)
from capture import Seen, decode_or_none
from nslib import arrival, enable_timestamps, wait_until

SLOW_TX = 1_000_000  # RFC 5880 6.8.3: the least desired min TX interval while not Up
NEVER = float("inf")
IP_PKTINFO, IP_RECVTTL = 8, 12  # Linux; Python's socket module has no names for them
_ANCILLARY = 512


@dataclass
class Transition:
    time: float
    old: int
    new: int
    diag: int


class BfdPeer:
    """See the module's text. `local` must be an address of `ns` (give `dev` for link-local ones).

    One peer per local address and port: the receive socket is bound to it.
    """

    def __init__(self, ns, local, remote, *, dev=None, multihop=False, desired_min_tx=100_000,
                 required_min_rx=100_000, detect_mult=3, passive=False, disc=None, sport=None, ttl=None,
                 seed=None):
        self.ns, self.dev, self.multihop, self.passive = ns, dev, multihop, passive
        self.local, self.remote = (str(ipaddress.ip_address(a)) for a in (local, remote))
        self.random = random.Random(seed)

        # What the neighbour is told, and may be changed at any time (use set() for a Poll Sequence)
        self.desired_min_tx, self.required_min_rx = desired_min_tx, required_min_rx
        self.detect_mult = detect_mult
        self.demand = False
        self.local_disc = disc or self.random.randrange(1, 1 << 32)

        # Lies
        self.ttl = ttl or (64 if multihop else 255)
        self.dport = PORT_MULTIHOP if multihop else PORT_DIRECT
        self.sport = sport or self.random.randrange(49152, 65536)
        self.answer_polls = True
        self.deaf = False
        self.copies = 1
        self.delay = 0.0
        self.mangle = None
        self._lies = {}
        self._frozen = False

        # Records
        self.received = []  # Seen, everything that reached the socket
        self.sent = []  # (time, bytes)
        self.transitions = []

        self._crash = None
        self._lock = threading.RLock()
        self._wake, self._quit = os.eventfd(0), False
        self._later = []  # heap of (time, serial, bytes, metadata), for delay
        self._serial = 0
        self._senders = {}
        self._reset_session()
        self._open()
        self._thread = threading.Thread(target=self._run, name=f"peer {ns.name}/{local}", daemon=True)
        self._thread.start()
        ns.lab.adopt(self)

    def _reset_session(self):
        """Session variables of RFC 5880 6.8.1 at start."""
        self.state, self.diag = DOWN, DIAG_NONE
        self.last = None  # the latest accepted packet
        self.remote_disc, self.remote_min_rx = 0, 1
        self.polling = False
        self._tx_in_use, self._rx_in_use = self.desired_min_tx, self.required_min_rx
        self._next_tx, self._detect_at = time.monotonic(), NEVER

    # -- what tests call

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    @contextlib.contextmanager
    def changing(self):
        """Hold the peer still while several attributes change; it acts on them afterwards."""
        with self._lock:
            yield self
        os.eventfd_write(self._wake, 1)

    def freeze(self):
        """Stop sending. Returns the monotonic time after which nothing was sent."""
        with self.changing():
            self._frozen = True
            self._later.clear()
            return time.monotonic()

    def thaw(self):
        with self.changing():
            self._frozen = False
            self._next_tx = time.monotonic()

    def lie(self, **fields):
        """Overwrite these fields of Control in every packet sent from now on; the first goes at once."""
        with self.changing():
            self._lies.update(fields)
            self._next_tx = time.monotonic()

    def truth(self):
        with self.changing():
            self._lies.clear()
            self._next_tx = time.monotonic()

    def pin_your_disc(self):
        """Keep sending the neighbour's present discriminator, whatever it uses later."""
        self.lie(your_disc=self.remote_disc)

    def set(self, **params):
        """Change desired_min_tx, required_min_rx, detect_mult, demand; by Poll Sequence when Up."""
        with self.changing():
            for name, value in params.items():
                if name not in ("desired_min_tx", "required_min_rx", "detect_mult", "demand"):
                    raise TypeError(name)
                setattr(self, name, value)
            # RFC 5880 6.8.3: slower sending and a shorter detection time only when the poll is answered
            self._tx_in_use = min(self._tx_in_use, self.desired_min_tx)
            self._rx_in_use = max(self._rx_in_use, self.required_min_rx)
            self._start_poll()

    def admin_down(self):
        with self.changing():
            self._go(ADMIN_DOWN, DIAG_ADMIN_DOWN)

    def admin_up(self):
        with self.changing():
            self._go(DOWN, DIAG_NONE)

    def restart(self, disc=None, new_port=False):
        """Forget the session without a word, as a restarted process would; lies stay in force."""
        with self.changing():
            old = self.state
            self.local_disc = disc or self.random.randrange(1, 1 << 32)
            if new_port:
                self.sport = self.random.randrange(49152, 65536)
            self._reset_session()
            self.transitions.append(Transition(time.monotonic(), old, DOWN, DIAG_NONE))

    def send_raw(self, data, *, ttl=None, sport=None, dport=None, dst=None, src=None):
        """Send any payload now; `src` must be an address of the namespace."""
        with self._lock:
            self._emit(data, {"ttl": ttl or self.ttl, "sport": sport or self.sport,
                              "dport": dport or self.dport, "dst": dst or self.remote,
                              "src": src or self.local})

    def packet(self, **fields):
        """The packet the peer would send now, as Control; for send_raw(peer.packet(...).encode())."""
        with self._lock:
            return replace(self._compose(), **fields)

    def wait_state(self, state, limit=5.0):
        wait_until(lambda: self.state == state, limit,
                   lambda: f"peer {self.local} to be {STATE_NAMES[state]}, is {STATE_NAMES[self.state]}")

    def wait_packet(self, where, limit=5.0, since=0.0, what="a packet from the daemon"):
        """The first packet received since `since` that satisfies `where`."""
        def search():
            return next((p for p in list(self.received) if p.time >= since and where(p)), None)

        return wait_until(search, limit, what)

    def describe(self):
        moves = ", ".join(f"{t.time:.3f} {STATE_NAMES[t.old]}->{STATE_NAMES[t.new]} ({t.diag})"
                          for t in self.transitions)
        last = self.received[-1] if self.received else None
        return (f"--- peer {self.local}@{self.ns.name}: {STATE_NAMES[self.state]}, "
                f"received {len(self.received)}, sent {len(self.sent)}\n    {moves}\n"
                f"    last received: {last}")

    def trouble(self):
        return f"peer {self.local}@{self.ns.name} crashed: {self._crash}" if self._crash else None

    def stop(self):
        if self._rx.fileno() >= 0:
            with self.changing():
                self._quit = True
            self._thread.join()
            for sock in [self._rx, *self._senders.values()]:
                sock.close()
            os.close(self._wake)

    # -- sockets

    def _open(self):
        self._v6 = ":" in self.local
        with self.ns.inside():
            self._scope = socket.if_nametoindex(self.dev) if self.dev else 0
            self._rx = self._bound(self.local, self.dport)
        enable_timestamps(self._rx)
        if self._v6:
            self._rx.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            self._rx.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self._rx.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            self._rx.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def _bound(self, addr, port):
        sock = socket.socket(socket.AF_INET6 if self._v6 else socket.AF_INET, socket.SOCK_DGRAM)
        if self.dev:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.dev.encode())
        sock.bind(self._sockaddr(addr, port))
        sock.setblocking(False)
        return sock

    def _sockaddr(self, addr, port):
        if not self._v6:
            return addr, port
        return addr, port, 0, self._scope if ipaddress.ip_address(addr).is_link_local else 0

    def _emit(self, data, meta):
        key = meta["src"], meta["sport"]
        if key not in self._senders:
            with self.ns.inside():
                self._senders[key] = self._bound(*key)
        sock = self._senders[key]
        if self._v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, meta["ttl"])
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, meta["ttl"])
        self.sent.append((time.monotonic(), data))
        with contextlib.suppress(OSError):  # link down, no neighbour entry: lost like any other packet
            sock.sendto(data, self._sockaddr(meta["dst"], meta["dport"]))

    # -- the thread

    def _run(self):
        try:
            self._loop()
        except Exception:  # pylint: disable=broad-except
            self._crash = traceback.format_exc()

    def _loop(self):
        while True:
            with self._lock:
                if self._quit:
                    return
                pause = self._do_timers()
            ready, _, _ = select.select([self._rx, self._wake], [], [], pause)
            with self._lock:
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                if self._rx in ready:
                    self._drain()

    def _do_timers(self):
        """Carry out what is due; returns the seconds until the next is, or None."""
        now = time.monotonic()
        if now >= self._detect_at:
            self._detection_expired()
        while self._later and self._later[0][0] <= now:
            _, _, data, meta = heapq.heappop(self._later)
            self._emit(data, meta)
        if now >= self._next_tx:
            if self._may_send():
                self._send()
            self._schedule(now)
        due = min(self._next_tx, self._detect_at, self._later[0][0] if self._later else NEVER)
        return None if due == NEVER else max(0.0, due - time.monotonic())

    def _drain(self):
        while True:
            try:
                data, cmsgs, _, addr = self._rx.recvmsg(4096, _ANCILLARY)
            except OSError:
                return
            seen = self._describe_datagram(data, cmsgs, addr)
            self.received.append(seen)
            if not self.deaf:
                self._receive(seen)

    def _describe_datagram(self, data, cmsgs, addr):
        v4, v6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
        ttl, dst, ifindex = 0, self.local, 0
        for level, kind, value in cmsgs:
            if (level, kind) in ((v4, socket.IP_TTL), (v6, socket.IPV6_HOPLIMIT)):
                ttl = struct.unpack("i", value[:4])[0]
            elif (level, kind) == (v4, IP_PKTINFO):
                ifindex, dst = struct.unpack("i", value[:4])[0], socket.inet_ntoa(value[8:12])
            elif (level, kind) == (v6, socket.IPV6_PKTINFO):
                ifindex = struct.unpack("I", value[16:20])[0]
                dst = socket.inet_ntop(socket.AF_INET6, value[:16])
        return Seen(time=arrival(cmsgs), src=addr[0].split("%")[0], dst=dst, sport=addr[1], dport=self.dport,
                    ttl=ttl, ifindex=ifindex, outgoing=False, raw=data, bfd=decode_or_none(data))

    # -- RFC 5880

    def _receive(self, seen):
        """6.8.6: accept, learn, move. Sessions to other remotes are none of ours."""
        p = seen.bfd
        if p is None or reject_reason(p, len(seen.raw)) or seen.src != self.remote:
            return
        if (not self.multihop and seen.ttl != 255) or p.your_disc not in (0, self.local_disc):
            return
        self.last = p
        self.remote_disc = p.my_disc
        rate_changed = self.remote_min_rx != p.required_min_rx
        self.remote_min_rx = p.required_min_rx
        if p.final and self.polling:
            self.polling = False
            self._tx_in_use, self._rx_in_use = self.desired_min_tx, self.required_min_rx
            rate_changed = True
        if self.state == ADMIN_DOWN:
            return
        self._step(p)
        self._detect_at = seen.time + self._detection_time()
        if rate_changed:
            self._schedule(time.monotonic())
        if p.poll and self.answer_polls:
            self._send(final=True)

    def _step(self, p):
        if p.state == ADMIN_DOWN:
            if self.state != DOWN:
                self._go(DOWN, DIAG_NEIGHBOR_DOWN)
        elif self.state == DOWN:
            if p.state == DOWN:
                self._go(INIT, self.diag)
            elif p.state == INIT:
                self._go(UP, DIAG_NONE)
        elif self.state == INIT:
            if p.state in (INIT, UP):
                self._go(UP, DIAG_NONE)
        elif p.state == DOWN:
            self._go(DOWN, DIAG_NEIGHBOR_DOWN)

    def _go(self, state, diag):
        old, self.state, self.diag = self.state, state, diag
        if state == old:
            return
        now = time.monotonic()
        self.transitions.append(Transition(now, old, state, diag))
        if state == UP:
            self._start_poll()
        elif old == UP:
            self.polling = False
        if state == ADMIN_DOWN:
            self._detect_at = NEVER
        self._next_tx = now  # tell the neighbour at once

    def _start_poll(self):
        """6.5: only Up has rates to negotiate; otherwise the new values simply hold."""
        self.polling = self.state == UP
        if not self.polling:
            self._tx_in_use, self._rx_in_use = self.desired_min_tx, self.required_min_rx
        self._next_tx = time.monotonic()

    def _detection_expired(self):
        self._detect_at = NEVER
        self.remote_disc, self.remote_min_rx = 0, 1
        if self.state in (INIT, UP):
            self._go(DOWN, DIAG_TIMEOUT)

    def _detection_time(self):
        """6.8.4, asynchronous mode, in seconds. No expectation when we told it to send nothing."""
        if not self._rx_in_use or (self.demand and self.state == UP):
            return NEVER
        return self.last.detect_mult * max(self._rx_in_use, self.last.desired_min_tx) / 1e6

    def _may_send(self):
        """6.8.7."""
        if self._frozen or self.remote_min_rx == 0 or (self.passive and not self.remote_disc):
            return False
        quiet = self.last is not None and self.last.demand and self.state == UP and self.last.state == UP
        return self.polling or not quiet

    def _schedule(self, now):
        own = self._tx_in_use if self.state == UP else max(self._tx_in_use, SLOW_TX)
        interval = max(own, self.remote_min_rx) / 1e6
        self._next_tx = now + interval * self.random.uniform(0.75, 0.90 if self.detect_mult == 1 else 1.0)

    def _compose(self, final=False):
        up = self.state == UP
        truth = Control(
            diag=self.diag, state=self.state, poll=self.polling and not final, final=final,
            detect_mult=self.detect_mult,
            demand=self.demand and up and self.last is not None and self.last.state == UP,
            my_disc=self.local_disc, your_disc=self.remote_disc,
            desired_min_tx=self.desired_min_tx if up else max(self.desired_min_tx, SLOW_TX),
            required_min_rx=self.required_min_rx)
        return replace(truth, **self._lies)

    def _send(self, final=False):
        if self._frozen:
            return
        packet = self._compose(final)
        if self.mangle:
            packet = self.mangle(packet)
        if packet is None:
            return
        data = packet if isinstance(packet, bytes) else packet.encode()
        meta = {"ttl": self.ttl, "sport": self.sport, "dport": self.dport, "dst": self.remote,
                "src": self.local}
        for _ in range(self.copies):
            if self.delay:
                self._serial += 1
                heapq.heappush(self._later, (time.monotonic() + self.delay, self._serial, data, meta))
            else:
                self._emit(data, meta)
