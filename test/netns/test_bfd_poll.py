"""Poll Sequences (RFC 5880 section 6.5) by reload and from the peer, and what waits for their end (6.8.3)."""

import time

import pytest

from bfdpkt import UP
from lab import Capture, Peregrine, wait_until
from peer import BfdPeer
from scenario import FAMILIES, FAST, addr, bfd, direct, wait_detail, wait_fast


def options(ms, mult=3):
    return FAST.replace("50 ms", f"{ms} ms", 1).replace("multiplier 3", f"multiplier {mult}")


@pytest.mark.parametrize("family", FAMILIES)
def test_reload_changes_intervals_both_ways_without_a_flap(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = addr(link.a, family), addr(link.b, family)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    wait_fast(one, b)
    wait_fast(two, a)
    capture = Capture(link.b.ns, link.b.ifname)
    for ms in (200, 20, 50):
        since = capture.wait(lambda p: True, 1).time if not capture.seen else capture.seen[-1].time
        one.reload(bfd(direct(b, link.a), options=options(ms)))
        wait_fast(two, a, timeout=3 * max(ms, 50) / 1000)
        wait_fast(one, b, timeout=3 * max(ms, 50) / 1000)
        polled = capture.wait(lambda p: p.src == a and p.poll, 2, "a poll", since)
        assert (polled.desired_min_tx, polled.required_min_rx) == (ms * 1000, ms * 1000)
        capture.wait(lambda p: p.src == b and p.final, 2, "its answer", polled.time)
    assert {p.state for p in capture.seen} == {UP}
    assert [d["Counters/Went down"] for d in (*one.session_details(), *two.session_details())] == ["0", "0"]


@pytest.fixture
def peered(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=20_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    return link, one, peer


def times(peer, count, limit=4):
    start = len(peer.received)
    wait_until(lambda: len(peer.received) >= start + count, limit, f"{count} packets")
    got = [p.time for p in peer.received[start:start + count]]
    return (got[-1] - got[0]) / (count - 1)


def test_slowing_down_waits_for_the_final(peered):
    link, one, peer = peered
    peer.answer_polls = False
    one.reload(bfd(direct(link.b.ip4, link.a), options=options(200)))
    wait_detail(one, lambda d: d.get("Poll sequence") == "running")
    peer.wait_packet(lambda p: p.poll and p.desired_min_tx == 200_000)
    assert times(peer, 10) < 0.06  # still at the old rate
    assert all(p.poll for p in peer.received[-5:])
    assert one.session(link.b.ip4)["timeout"] == 0.6  # expecting less is safe at once
    peer.answer_polls = True
    wait_detail(one, lambda d: "Poll sequence" not in d)
    assert times(peer, 5) > 0.14
    assert one.session(link.b.ip4)["state"] == "Up"


def test_speeding_up_sends_at_once_and_expects_after_the_final(peered):
    link, one, peer = peered
    peer.set(desired_min_tx=20_000)
    wait_until(lambda: not peer.polling, 1, "the answer to our poll")
    peer.answer_polls = False
    one.reload(bfd(direct(link.b.ip4, link.a), options=options(20)))
    wait_detail(one, lambda d: d.get("Poll sequence") == "running")
    assert times(peer, 20) < 0.03
    assert one.session(link.b.ip4)["timeout"] == 0.15  # the peer may not have heard of it
    peer.answer_polls = True
    wait_until(lambda: one.session(link.b.ip4)["timeout"] == 0.06, 1, "the new detection time")


def test_a_second_change_waits_for_the_first_poll(peered):
    link, one, peer = peered
    peer.answer_polls, since = False, time.monotonic()
    one.reload(bfd(direct(link.b.ip4, link.a), options=options(100)))
    peer.wait_packet(lambda p: p.poll and p.desired_min_tx == 100_000)
    one.reload(bfd(direct(link.b.ip4, link.a), options=options(150)))
    assert times(peer, 5) < 0.06 and peer.received[-1].desired_min_tx == 100_000
    peer.answer_polls = True
    peer.wait_packet(lambda p: p.poll and p.desired_min_tx == 150_000)
    wait_fast(one, link.b.ip4, timeout=0.45)
    assert {p.state for p in peer.received if p.time > since} == {UP}


def test_multiplier_changes_without_a_poll(peered):
    link, one, peer = peered
    one.reload(bfd(direct(link.b.ip4, link.a), options=options(50, mult=7)))
    told = peer.wait_packet(lambda p: p.detect_mult == 7)
    assert told.state == UP and one.session(link.b.ip4)["state"] == "Up"
    assert one.session(link.b.ip4)["timeout"] == 0.15  # counted with the peer's


def test_polls_of_the_peer_are_answered(peered):
    link, one, peer = peered
    capture = Capture(link.b.ns, link.b.ifname)
    for _ in range(5):
        before = capture.seen[-1].time if capture.seen else 0
        peer.send_raw(peer.packet(poll=True).encode())
        asked = capture.wait(lambda p: p.src == link.b.ip4 and p.poll, 1, since=before)
        answer = capture.wait(lambda p: p.src == link.a.ip4 and p.final, 1, "F", asked.time)
        assert not answer.poll and answer.time - asked.time < 0.05
        wait_until(lambda: capture.seen[-1].time > answer.time, 1, "the next packet")
    assert len(capture.packets(lambda p: p.final)) == 5
    peer.set(desired_min_tx=100_000)
    wait_until(lambda: not peer.polling, 1, "the answer")
    wait_fast(one, link.b.ip4, timeout=0.3)
