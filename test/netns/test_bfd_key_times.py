"""Passwords that begin and end to be valid while a session runs."""

import time

from lab import Capture, Peregrine, wait_until
from scenario import FAST, bfd, detail, direct, wait_fast


def stamp(at):
    return time.strftime('"%Y-%m-%d %H:%M:%S"', time.localtime(at))


def key_ids(capture, src):
    return [p.raw[26] for p in capture.packets(lambda p: p.src == src) if len(p.raw) > 26]


class Pair:
    def __init__(self, lab, *passwords):
        options = FAST + " authentication meticulous keyed sha1;" + "".join(f" password {p};" for p in passwords)
        link = lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b = link.a.ip4, link.b.ip4
        self.capture = Capture(link.b.ns, link.b.ifname)
        self.one = Peregrine(link.a.ns, bfd(direct(self.b, link.a), options=options))
        self.two = Peregrine(link.b.ns, bfd(direct(self.a, link.b), options=options))
        wait_fast(self.one, self.b)


def test_the_next_key_takes_over_in_time(lab):
    when = int(time.time()) + 4
    pair = Pair(lab, f'"first" {{ generate to {stamp(when)}; accept to {stamp(when + 1)}; }}',
                f'"second" {{ generate from {stamp(when)}; accept from {stamp(when - 1)}; }}')
    assert set(key_ids(pair.capture, pair.a)) == {1}
    wait_until(lambda: time.time() > when + 2, 8, "the first key to be over")
    wait_until(lambda: key_ids(pair.capture, pair.a)[-1] == key_ids(pair.capture, pair.b)[-1] == 2, 1, "the second key")
    ids = key_ids(pair.capture, pair.a)
    assert ids == sorted(ids)
    assert detail(pair.one, pair.b)["Counters/Went down"] == detail(pair.two, pair.a)["Counters/Went down"] == "0"


def test_when_the_last_key_ends_nothing_leaves_unsigned(lab):
    when = int(time.time()) + 3
    pair = Pair(lab, f'"only" {{ to {stamp(when)}; }}')
    pair.one.wait_session(pair.b, ("Down", "Init"), limit=6)
    assert abs(time.time() - when) < 1
    wait_until(lambda: "no password is valid now" in pair.one.log(), 3, "the log to say so")
    packets = pair.capture.packets(lambda p: p.src == pair.a)
    wait_until(lambda: int(detail(pair.one, pair.b)["Counters/Send errors"]) > 3, 3, "attempts to send")
    assert pair.capture.packets(lambda p: p.src == pair.a) == packets and all(len(p.raw) == 52 for p in packets)
