"""Packets lost, repeated and out of order: no Down but where the losses explain it."""

import random
import time

import pytest

from bfdpkt import ADMIN_DOWN, DIAG_NEIGHBOR_DOWN, DIAG_TIMEOUT, DOWN, UP
from forwarder import Forwarder
from lab import Capture, Peregrine, wait_until
from scenario import DETECTION, FAST, addr, bfd, direct, wait_fast

PATIENT = FAST.replace("multiplier 3", "multiplier 6")


class BadLink:
    """Two of ours, both Up, with a forwarder between them that so far behaves."""

    def __init__(self, lab, family, options):
        self.link = lab.link(lab.ns("a"), lab.ns("b"), bridge=True)
        self.middle = Forwarder(self.link)
        self.a, self.b = addr(self.link.a, family), addr(self.link.b, family)
        self.one = Peregrine(self.link.a.ns, bfd(direct(self.b, self.link.a), options=options))
        self.two = Peregrine(self.link.b.ns, bfd(direct(self.a, self.link.b), options=options))
        self.wait_up(6 if options == PATIENT else 3, 50)

    def wait_up(self, mult, ms):
        wait_fast(self.one, self.b, timeout=mult * ms / 1000, limit=10)
        wait_fast(self.two, self.a, timeout=mult * ms / 1000, limit=10)

    def wait_packets(self, count):
        start = len(self.middle.passed)
        wait_until(lambda: len(self.middle.passed) >= start + count, 10, f"{count} packets")

    def downs(self):
        return [d["Counters/Went down"] for d in (*self.one.session_details(), *self.two.session_details())]


def repeated(rng):
    return lambda packet: [0] * rng.randrange(1, 5)


def out_of_order(rng):
    return lambda packet: [rng.uniform(0, 0.11)]


def both(rng):
    return lambda packet: [rng.uniform(0, 0.11) for _ in range(rng.randrange(1, 5))]


def two_of_three_lost(_):
    count = {}

    def fate(packet):
        count[packet.src] = count.get(packet.src, 0) + 1
        return [] if count[packet.src] % 3 else [0]
    return fate


@pytest.mark.parametrize("family,fate", [("v4", repeated), ("v6", out_of_order), ("ll", both), ("v4", two_of_three_lost)],
                         ids=lambda x: getattr(x, "__name__", x))
def test_no_reason_for_a_down(lab, family, fate):
    """At most 180 ms without a packet, of 270; meanwhile intervals change, too."""
    pair = BadLink(lab, family, PATIENT)
    pair.middle.fate = fate(random.Random(6))
    pair.wait_packets(20)
    pair.two.reload(bfd(direct(pair.a, pair.link.b), options=PATIENT.replace("50 ms", "45 ms", 1)))
    pair.wait_packets(20)
    pair.two.reload(bfd(direct(pair.a, pair.link.b), options=PATIENT.replace("50 ms", "60 ms", 1)))
    pair.wait_up(6, 60)
    pair.wait_packets(10)
    assert pair.downs() == ["0", "0"]
    assert not [p for p in pair.middle.passed[-50:] if p.state != UP]


def left_up(packets):
    """The packets by which somebody says that Up is over."""
    return [now for before, now in zip(packets, packets[1:]) if before.state == UP and now.state == DOWN]


def test_each_down_has_a_reason(lab):
    """Two of five packets lost: it happens that four or more are lost in a row."""
    pair = BadLink(lab, "v4", FAST)
    captures = [(Capture(end.ns, end.ifname), own) for end, own in ((pair.link.a, pair.a), (pair.link.b, pair.b))]
    rng, end = random.Random(6), time.monotonic() + 8
    pair.middle.fate = lambda packet: [0] if rng.random() < 0.6 else []

    def ends():
        return [(own, p) for capture, own in captures for p in left_up(capture.packets(lambda p, own=own: p.src == own))]

    wait_until(lambda: len(ends()) >= 8 or time.monotonic() > end, 10, "some Downs")
    pair.middle.fate = lambda packet: [0]
    pair.wait_up(3, 50)
    by_timeout = 0
    for own, said in ends():
        heard = [p for p in pair.middle.passed if p.src != own and p.time < said.time]
        if said.diag == DIAG_TIMEOUT:
            by_timeout += 1
            assert said.time - heard[-1].time > DETECTION - 0.001, f"{said} after {heard[-1]}"
        else:
            assert said.diag == DIAG_NEIGHBOR_DOWN and heard[-1].state in (DOWN, ADMIN_DOWN), f"{said} after {heard[-1]}"
    print(f"{len(ends())} Downs, {by_timeout} of them by timeout")
    assert by_timeout >= 2
