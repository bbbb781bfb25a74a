"""Ours and the installed bird2: up, a silent cut, recovery, new intervals without a flap, passive roles."""

import pytest

from bfdpkt import UP
from lab import Bird2, Capture, Peregrine, heal, silent_cut, wait_until
from scenario import (FAMILIES, FAST, INTERVAL_MS, addr, assert_prompt, bfd, cut_and_measure, direct, multihop,
                      wait_fast)

KINDS = FAMILIES + ["multihop v4", "multihop v6"]
SLOWER = FAST.replace(f"{INTERVAL_MS} ms", "90 ms", 1)


def seconds(since):
    hours, minutes, rest = since.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


class Pair:
    """Ours at a, bird2 at b."""

    def __init__(self, lab, kind, options=FAST, bird2_options=FAST):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        family = kind.split()[-1]
        self.a, self.b = addr(self.link.a, family), addr(self.link.b, family)
        hops = "multihop" in kind
        self.line = multihop(self.b, self.a) if hops else direct(self.b, self.link.a)
        self.bird2_line = multihop(self.a, self.b) if hops else direct(self.a, self.link.b)
        self.capture = Capture(self.link.b.ns, self.link.b.ifname)
        self.near_capture = Capture(self.link.a.ns, self.link.a.ifname)
        self.bird2 = Bird2(self.link.b.ns, bfd(self.bird2_line, options=bird2_options))
        self.ours = Peregrine(self.link.a.ns, bfd(self.line, options=options))

    def wait_both(self):
        wait_fast(self.ours, self.b)
        self.wait_bird2(0.15)

    def wait_bird2(self, timeout):
        self.bird2.wait_session(self.a, "Up")
        return wait_until(lambda: (s := self.bird2.session(self.a))["timeout"] == timeout and s, 3,
                          lambda: f"bird2 to expect us within {timeout}: {self.bird2.session(self.a)}")


@pytest.mark.parametrize("kind", KINDS)
def test_goes_up_notices_a_cut_and_recovers(lab, kind):
    pair = Pair(lab, kind)
    late = cut_and_measure(pair.link, [(pair.near_capture, pair.a, pair.b)], rounds=2, ready=pair.wait_both)
    assert_prompt(late, f"bird2 {kind}")
    silent_cut(pair.link, toward=pair.link.b)
    pair.bird2.wait_session(pair.a, "Down", limit=1)
    pair.ours.wait_session(pair.b, "Down", limit=1)  # told by bird2, whom we still hear
    heal(pair.link)
    pair.wait_both()


@pytest.mark.parametrize("kind", KINDS)
def test_new_intervals_do_not_flap(lab, kind):
    pair = Pair(lab, kind)
    pair.wait_both()
    since = seconds(pair.bird2.session(pair.a)["since"])
    began = pair.capture.seen[-1].time
    pair.ours.reload(bfd(pair.line, options=SLOWER))
    pair.wait_bird2(0.27)
    pair.ours.reload(bfd(pair.line))
    pair.wait_bird2(0.15)
    pair.bird2.reload(bfd(pair.bird2_line, options=SLOWER))
    wait_fast(pair.ours, pair.b, timeout=0.27)
    pair.bird2.reload(bfd(pair.bird2_line))
    wait_fast(pair.ours, pair.b)
    assert abs(seconds(pair.bird2.session(pair.a)["since"]) - since) < 0.01  # bird2 rounds it anew each time
    assert {p.state for p in pair.capture.packets(lambda p: p.src == pair.a, since=began)} == {UP}


@pytest.mark.parametrize("passive", ["ours", "bird2"])
@pytest.mark.parametrize("kind", ["v4", "multihop v6"])
def test_either_side_may_be_passive(lab, kind, passive):
    quiet = FAST + " passive;"
    pair = Pair(lab, kind, *((quiet, FAST) if passive == "ours" else (FAST, quiet)))
    pair.wait_both()
    own, other = (pair.a, pair.b) if passive == "ours" else (pair.b, pair.a)
    packets = pair.near_capture.packets()
    first = {src: next(p.time for p in packets if p.src == src) for src in (own, other)}
    assert first[other] < first[own]
    silent_cut(pair.link)
    pair.ours.wait_session(pair.b, "Down", limit=1)
    heal(pair.link)
    pair.wait_both()
