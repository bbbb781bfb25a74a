"""Ours and FRR's bfdd: up, a silent cut, recovery, new intervals without a flap."""

import json

import pytest

from bfdpkt import UP
from lab import Capture, FrrBfdd, Peregrine, wait_until
from scenario import FAST, INTERVAL_MS, addr, assert_prompt, bfd, cut_and_measure, direct, multihop, wait_fast

SLOWER = FAST.replace(f"{INTERVAL_MS} ms", "90 ms", 1)
TIMERS = "receive-interval {0}\n  transmit-interval {0}\n"


def peer_line(kind, link, a, b):
    if "multihop" in kind:
        return f"peer {a} multihop local-address {b}"
    return f"peer {a} local-address {b} interface {link.b.ifname}"


@pytest.mark.parametrize("kind", ["v4", "v6", "ll", "multihop v4", "multihop v6"])
def test_goes_up_notices_a_cut_recovers_and_follows_new_intervals(lab, kind):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    family = kind.split()[-1]
    a, b = addr(link.a, family), addr(link.b, family)
    line = multihop(b, a) if "multihop" in kind else direct(b, link.a)
    peer = peer_line(kind, link, a, b)
    near, far = Capture(link.a.ns, link.a.ifname), Capture(link.b.ns, link.b.ifname)
    ours = Peregrine(link.a.ns, bfd(line))
    frr = FrrBfdd(link.b.ns, f"bfd\n {peer}\n  {TIMERS.format(INTERVAL_MS)}")

    def ready():
        wait_fast(ours, b)
        frr.wait_session(a, "Up")

    assert_prompt(cut_and_measure(link, [(near, a, b)], rounds=2, ready=ready), f"FRR {kind}")

    def frr_sees(interval):
        wait_until(lambda: frr.session(a)["remote-transmit-interval"] == interval, 2,
                   lambda: f"FRR to know our interval {interval}: {frr.session(a)}")

    def frr_moves():
        counters = json.loads(frr.vtysh(f"show bfd {peer} counters json"))
        return counters["session-up"], counters["session-down"]

    assert frr_moves() == (3, 2)  # FRR noticed both cuts
    began = far.seen[-1].time
    ours.reload(bfd(line, options=SLOWER))
    frr_sees(90)
    ours.reload(bfd(line))
    frr_sees(INTERVAL_MS)
    frr.reload(f"bfd\n {peer}\n  {TIMERS.format(90)}")
    wait_fast(ours, b, timeout=0.27)
    frr.reload(f"bfd\n {peer}\n  {TIMERS.format(INTERVAL_MS)}")
    wait_fast(ours, b)
    assert frr_moves() == (3, 2)
    assert {p.state for p in far.packets(lambda p: p.src == a, since=began)} == {UP}
