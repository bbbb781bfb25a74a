"""A reload in the middle of something: a handshake, a Poll Sequence, a Down, a farewell."""

import random
import time

import pytest

from bfdpkt import ADMIN_DOWN, DIAG_TIMEOUT, DOWN, INIT, UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import FAST, bfd, detail, direct, wait_detail, wait_fast


class Pair:
    """Ours and a simulated peer that expects a packet every 20 ms and sends one every 50."""

    def __init__(self, lab):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.b = self.link.b.ip4
        self.one = Peregrine(self.link.a.ns, self.config(50))
        self.peer = BfdPeer(self.link.b.ns, self.b, self.link.a.ip4, desired_min_tx=50_000, required_min_rx=20_000,
                            passive=True)

    def config(self, ms, mult=3, there=True):
        options = FAST.replace("50 ms", f"{ms} ms", 1).replace("multiplier 3", f"multiplier {mult}")
        return bfd(*([direct(self.b, self.link.a)] if there else []), options=options)

    def reload(self, *args, **kwargs):
        self.one.reload(self.config(*args, **kwargs))

    def wait_up(self, ms):
        """Up at both ends, and agreed on one packet every `ms` from us."""
        self.peer.wait_state(UP)
        wait_fast(self.one, self.b, timeout=3 * max(ms, 50) / 1000)
        wait_until(lambda: self.peer.last.desired_min_tx == ms * 1000 and not self.peer.last.poll, 1,
                   lambda: f"{ms} ms announced: {self.peer.last}")
        assert abs(self.one.session(self.b)["interval"] - max(ms, 20) / 1000) < 0.0015

    def disc(self):
        return detail(self.one, self.b)["Local discriminator"]

    def said(self, since):
        """The states we sent."""
        return {p.state for p in self.peer.received if p.time >= since}


@pytest.fixture
def pair(lab):
    return Pair(lab)


def test_in_init(pair):
    pair.peer.lie(state=DOWN)
    pair.one.wait_session(pair.b, "Init")
    disc, since = pair.disc(), time.monotonic()
    for ms, mult in ((100, 3), (100, 3), (20, 9), (200, 5)):
        pair.reload(ms, mult)
        pair.peer.wait_packet(lambda p, ms=ms, mult=mult: (p.state, p.required_min_rx, p.detect_mult)
                              == (INIT, ms * 1000, mult), 2, since)
    assert pair.said(since) == {INIT} and pair.disc() == disc
    pair.peer.truth()
    pair.wait_up(200)
    assert pair.disc() == disc and detail(pair.one, pair.b)["Counters/Went up"] == "1"


def test_removed_in_init_and_added_again(pair):
    pair.peer.lie(state=DOWN)
    pair.one.wait_session(pair.b, "Init")
    since = time.monotonic()
    pair.reload(50, there=False)
    pair.peer.wait_packet(lambda p: p.state == ADMIN_DOWN, 1, since)
    pair.one.wait_session(pair.b, None, limit=1)
    pair.reload(100)
    pair.one.wait_session(pair.b, "Init")
    pair.peer.truth()
    pair.wait_up(100)


@pytest.fixture
def polling(pair):
    """Ours asks for 200 ms, and the peer does not answer."""
    pair.wait_up(50)
    pair.peer.answer_polls, pair.since = False, time.monotonic()
    pair.reload(200)
    pair.peer.wait_packet(lambda p: p.poll and p.desired_min_tx == 200_000)
    return pair


def test_a_poll_that_is_taken_back(polling):
    polling.reload(50)
    polling.reload(200)
    polling.reload(50)
    polling.peer.answer_polls = True
    polling.wait_up(50)
    assert polling.said(polling.since) == {UP}


def test_removed_during_a_poll_and_added_again(polling):
    polling.reload(50, there=False)
    polling.peer.wait_packet(lambda p: p.state == ADMIN_DOWN, 1, polling.since)
    polling.peer.answer_polls = True
    polling.reload(100)
    polling.wait_up(100)


def test_down_during_a_poll(polling):
    """The Poll Sequence ends with the session; the next one is about what is wanted then."""
    polling.peer.freeze()
    polling.one.wait_session(polling.b, "Down", limit=1.5)
    polling.reload(100)
    wait_detail(polling.one, lambda d: "Poll sequence" not in d)
    polling.peer.answer_polls = True
    polling.peer.thaw()
    polling.wait_up(100)
    assert detail(polling.one, polling.b)["Counters/Went down"] == "1"


def test_in_down(pair):
    pair.wait_up(50)
    disc, since = pair.disc(), time.monotonic()
    pair.peer.freeze()
    pair.peer.wait_packet(lambda p: (p.state, p.diag) == (DOWN, DIAG_TIMEOUT), 1, since)
    since = time.monotonic()
    for ms, mult in ((100, 3), (20, 9), (200, 3)):
        pair.reload(ms, mult)
        told = pair.peer.wait_packet(lambda p, ms=ms: p.required_min_rx == ms * 1000, 2, since)
        assert (told.state, told.diag, told.detect_mult) == (DOWN, DIAG_TIMEOUT, mult) and not told.poll
    assert pair.said(since) == {DOWN}
    pair.peer.thaw()
    pair.wait_up(200)
    assert pair.disc() == disc and detail(pair.one, pair.b)["Counters/Went down"] == "1"


def test_at_any_moment_of_a_handshake(pair):
    """Reloads at random moments after the peer has restarted; each time it ends well."""
    rng = random.Random(14)
    pair.wait_up(50)
    pair.peer.passive = False
    for turn in range(6):
        ms = (50, 100)[turn % 2]
        pair.peer.restart()
        at = time.monotonic() + rng.uniform(0, 0.06)
        wait_until(lambda at=at: time.monotonic() > at, 1, "the moment")
        pair.reload(100 if ms == 50 else 50, rng.choice((3, 7)))
        pair.reload(ms)
        pair.wait_up(ms)
    assert detail(pair.one, pair.b)["Counters/Went down"] == "6"
