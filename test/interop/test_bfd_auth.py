"""Ours and the installed bird2 with every kind of authentication: up, key rolls, wrong keys."""

import time

import pytest

from lab import Bird2, Peregrine, wait_until
from scenario import FAST, addr, bfd, direct, multihop, wait_fast

TYPES = ["simple", "keyed md5", "meticulous keyed md5", "keyed sha1", "meticulous keyed sha1"]
SHOWN = {"simple": "Simple", "keyed md5": "Keyed MD5", "meticulous keyed md5": "Meticulous keyed MD5",
         "keyed sha1": "Keyed SHA1", "meticulous keyed sha1": "Meticulous keyed SHA1"}


def auth(kind, *passwords):
    return FAST + f" authentication {kind};" + "".join(f" password {p};" for p in passwords)


class Pair:
    """Ours at a, bird2 at b."""

    def __init__(self, lab, ours, bird2, family="v4", hops=False):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b = addr(self.link.a, family), addr(self.link.b, family)
        self.line = multihop(self.b, self.a) if hops else direct(self.b, self.link.a)
        self.bird2_line = multihop(self.a, self.b) if hops else direct(self.a, self.link.b)
        self.bird2 = Bird2(self.link.b.ns, bfd(self.bird2_line, options=bird2))
        self.ours = Peregrine(self.link.a.ns, bfd(self.line, options=ours))

    def wait_both(self):
        wait_fast(self.ours, self.b)
        self.bird2.wait_session(self.a, "Up")

    def reload(self, ours=None, bird2=None):
        if ours:
            self.ours.reload(bfd(self.line, options=ours))
        if bird2:
            self.bird2.reload(bfd(self.bird2_line, options=bird2))

    def details(self):
        return self.ours.session_details()[0]

    def downs(self):
        return int(self.details()["Counters/Went down"])

    def refused(self):
        return int(self.details()["Counters/Packets refused"])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("where", ["direct v4", "direct v6", "multihop v4"])
def test_goes_up_with_every_type(lab, kind, where):
    options = auth(kind, '"a secret" { id 7; }')
    pair = Pair(lab, options, options, family=where.split()[1], hops="multihop" in where)
    pair.wait_both()
    shown = pair.details()
    assert shown["Authentication/Type"] == SHOWN[kind]
    assert ("Authentication/RX CSN" in shown) == (kind != "simple")
    assert pair.refused() == 0


@pytest.mark.parametrize("kind", TYPES)
def test_rolls_keys_while_up(lab, kind):
    """The new key is accepted first on both sides, then signed with, then the old one goes."""
    old, new = '"old" { id 1; %s }', '"new" { id 2; %s }'
    future, past = '"2100-01-01"', '"2001-01-01"'
    steps = [auth(kind, old % "", new % f"generate from {future};"),
             auth(kind, old % f"generate to {past};", new % ""),
             auth(kind, new % "")]
    pair = Pair(lab, auth(kind, old % ""), auth(kind, old % ""))
    pair.wait_both()
    for step in steps:
        pair.reload(ours=step)
        pair.reload(bird2=step)
    wait_until(lambda: "Authentication/Changing to" not in pair.details(), 5, "the last key to be in use")
    assert pair.downs() == 0
    pair.wait_both()


def test_a_change_of_type_waits_for_the_peer(lab):
    """RFC 5880 6.7.1: ours is told first, bird2 changes at once, nobody goes down."""
    pair = Pair(lab, FAST, FAST)
    pair.wait_both()
    before = ""
    for kind in [*TYPES, "none"]:
        options = auth(kind, *(['"secret"'] if kind != "none" else []))
        pair.reload(ours=options)
        wait_until(lambda: "Authentication/Changing to" in pair.details(), 3, f"{kind} to be wanted")
        assert pair.details()["Authentication/Type"] == SHOWN.get(before, "None")
        pair.reload(bird2=options)
        wait_until(lambda: "Authentication/Changing to" not in pair.details(), 3, f"{kind} to be in use")
        before = kind
    assert pair.downs() == 0


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_a_wrong_key_ends_the_session_and_is_counted(lab, kind, wrong):
    good = auth(kind, '"right" { id 1; }')
    bad = auth(kind, '"wrong" { id 1; }' if wrong == "secret" else '"right" { id 2; }')
    pair = Pair(lab, good, good)
    pair.wait_both()
    pair.reload(bird2=bad)
    at = time.monotonic()
    down = pair.ours.wait_session(pair.b, ("Down", "Init"), limit=3)["at"]
    assert down - at < 1
    reason = "wrong password" if wrong == "secret" else "unknown authentication key"
    wait_until(lambda: any(reason in text for _, text in pair.ours.birdc("show bfd sessions all")), 3, reason)
    assert pair.refused() > 0
    assert "Time expired" in pair.details()["Local diagnostic"]
    pair.bird2.wait_session(pair.a, ("Down", "Init"), limit=3)
    wait_until(lambda: "Authentication failed" in pair.bird2.log(), 3, "bird2 to refuse us as well")
    pair.reload(bird2=good)
    pair.wait_both()


@pytest.mark.parametrize("who", ["ours", "bird2"])
@pytest.mark.parametrize("kind", ["meticulous keyed sha1", "keyed md5"])
def test_comes_up_again_after_a_kill(lab, kind, who):
    """Sequence numbers begin anew; the other side forgets the old ones after twice the detection time."""
    options = auth(kind, '"secret"')
    pair = Pair(lab, options, options)
    pair.wait_both()
    daemon = getattr(pair, who)
    for _ in range(2):
        daemon.kill()
        daemon.start()
        pair.wait_both()


@pytest.mark.parametrize("hops", [False, True])
def test_one_neighbour_may_do_without(lab, hops):
    """`authentication none` of a neighbour overrides what holds for its interface."""
    pair = Pair(lab, auth("keyed sha1", '"secret"'), FAST, hops=hops)
    wait_until(lambda: pair.refused() > 0, 5, "packets without authentication to be refused")
    pair.ours.reload(bfd(pair.line + " { authentication none; }", options=auth("keyed sha1", '"secret"')))
    pair.wait_both()
    pair.ours.reload(bfd(pair.line + ' { password "other"; }', options=auth("keyed sha1", '"secret"')))
    pair.bird2.reload(bfd(pair.bird2_line, options=auth("keyed sha1", '"other"')))
    wait_until(lambda: pair.details().get("Authentication/Type") == "Keyed SHA1", 3, "both to have changed")
    pair.wait_both()


def test_secrets_are_nowhere_to_be_read(lab):
    options = auth("keyed sha1", '"topsecretword"')
    pair = Pair(lab, options, auth("keyed sha1", '"anotherword"'))
    wait_until(lambda: pair.refused() > 0, 5, "packets to be refused")
    pair.reload(ours=auth("keyed sha1", '"topsecretwordlonger"'))
    pair.ours.birdc("debug all all")
    listings = "".join(text for command in ("show bfd sessions all", "show symbols", "show status", "dump protocols")
                       for _, text in pair.ours.birdc(command))
    assert "topsecret" not in listings + pair.ours.log(tail=None)
