"""AdminDown is spoken: by disable, by removal of the neighbour, by shutdown; RFC 5880 section 6.8.16."""

import time

import pytest

import bfdpkt
from bfdpkt import ADMIN_DOWN, DOWN, UP
from lab import Capture, Peregrine, heal, silent_cut, wait_until
from peer import BfdPeer
from scenario import bfd, detail, direct, wait_detail, wait_fast


class Pair:
    def __init__(self, lab):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b = self.link.a.ip4, self.link.b.ip4
        self.line = direct(self.b, self.link.a)
        self.one = Peregrine(self.link.a.ns, bfd(self.line))
        self.two = Peregrine(self.link.b.ns, bfd(direct(self.a, self.link.b)))
        self.capture = Capture(self.link.b.ns, self.link.b.ifname)
        self.wait_up()

    def wait_up(self):
        wait_fast(self.one, self.b)
        wait_fast(self.two, self.a)

    def farewells(self, since):
        return self.capture.packets(lambda p: p.src == self.a and p.state == ADMIN_DOWN, since)


WAYS = {
    "disable": lambda pair: pair.one.birdc("disable bfd1"),
    "removal": lambda pair: pair.one.reload(bfd()),
    "down": lambda pair: pair.one.stop(),
}


@pytest.mark.parametrize("way", WAYS)
def test_admin_down_is_spoken_and_believed(lab, way):
    pair = Pair(lab)
    since = pair.capture.seen[-1].time
    WAYS[way](pair)
    block = wait_detail(pair.two, lambda d: d["Session state"] == "Down", what="Down at the peer")
    assert block["Local diagnostic"] == "Neighbor signaled down"
    assert block["Remote diagnostic"] == "Administratively down"
    assert block["Remote state"] == "AdminDown"
    wait_until(lambda: len(pair.farewells(since)) == 3, 2.5, lambda: f"3 farewells, have {pair.farewells(since)}")
    said = pair.capture.packets(lambda p: p.src == pair.a, since=pair.farewells(since)[0].time)
    assert {(p.state, p.diag) for p in said} == {(ADMIN_DOWN, bfdpkt.DIAG_ADMIN_DOWN)}
    assert said[-1].time - said[0].time < 2.1
    wait_until(lambda: way == "down" or not pair.one.session(pair.b), 3, "the row to go")

    if way == "disable":
        assert pair.one.birdc("enable bfd1")[0] == (11, "bfd1: enabled")
    elif way == "removal":
        pair.one.reload(bfd(pair.line))
    else:
        pair.one.start()
    pair.wait_up()


def test_a_neighbour_added_again_within_the_linger_is_revived(lab):
    pair = Pair(lab)
    before = detail(pair.one, pair.b)["Local discriminator"]
    since = pair.capture.seen[-1].time
    pair.one.reload(bfd())
    wait_until(lambda: pair.farewells(since), 1, "the first farewell")
    pair.one.reload(bfd(pair.line))
    pair.wait_up()
    assert detail(pair.one, pair.b)["Local discriminator"] == before
    assert {p.my_disc for p in pair.capture.packets(lambda p: p.src == pair.a)} == {int(before)}


def test_a_disabled_instance_does_not_answer(lab):
    pair = Pair(lab)
    pair.one.birdc("disable bfd1")
    wait_until(lambda: pair.one.birdc("show protocols bfd1")[1][1].split()[3] == "down", 3, "bfd1 down")
    since = pair.capture.seen[-1].time
    heard = len(pair.capture.packets(lambda p: p.src == pair.b, since))
    wait_until(lambda: len(pair.capture.packets(lambda p: p.src == pair.b, since)) >= heard + 5, 3,
               "the other side to go on")
    assert not pair.capture.packets(lambda p: p.src == pair.a and p.time > since)
    assert pair.two.session(pair.a)["state"] == "Down"


def test_admin_down_of_the_peer_is_no_timeout(lab):
    """6.8.16: the session waits in Down while the peer says AdminDown, however long."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    at = time.monotonic()
    peer.admin_down()
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=at)
    assert said.diag == bfdpkt.DIAG_NEIGHBOR_DOWN and said.time - at < 0.1
    wait_detail(one, lambda d: (d["Remote diagnostic"], d["Remote state"]) == ("Administratively down", "AdminDown"))
    start = len(peer.received)
    wait_until(lambda: len(peer.received) >= start + 4, 2, "packets meanwhile")
    assert {p.state for p in peer.received[start:]} == {DOWN}
    peer.admin_up()
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)


@pytest.mark.parametrize("way", ["disable", "down"])
def test_the_end_is_not_held_up_by_a_peer_that_is_gone(lab, way):
    pair = Pair(lab)
    at = silent_cut(pair.link)
    WAYS[way](pair)
    if way == "disable":
        wait_until(lambda: pair.one.birdc("show protocols bfd1")[1][1].split()[3] == "down", 3, "bfd1 down")
    assert time.monotonic() - at < 2.5
    if way == "disable":
        heal(pair.link)
        pair.one.birdc("enable bfd1")
        pair.wait_up()
