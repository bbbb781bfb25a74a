"""Peers that restart, that die, and that stick to what is no longer true."""

import time

import pytest

import bfdpkt
from bfdpkt import DOWN, INIT, UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import FAST, assert_prompt, bfd, detail, direct, refused, wait_detail, wait_fast


@pytest.fixture
def peered(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    return link, one, peer


def test_restarted_peer_with_a_new_discriminator(peered):
    link, one, peer = peered
    own = int(detail(one, link.b.ip4)["Local discriminator"])
    at = time.monotonic()
    peer.restart(new_port=True)
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=at)
    assert said.diag == bfdpkt.DIAG_NEIGHBOR_DOWN and said.time - at < 0.1  # told, not timed out
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    block = detail(one, link.b.ip4)
    assert (int(block["Local discriminator"]), int(block["Remote discriminator"])) == (own, peer.local_disc)
    assert (block["Counters/Went up"], block["Counters/Went down"]) == ("2", "1")


@pytest.mark.parametrize("new_port", [False, True], ids=["same port", "new port"])
def test_restarted_peer_with_the_same_discriminator(peered, new_port):
    link, one, peer = peered
    own, at = detail(one, link.b.ip4)["Local discriminator"], time.monotonic()
    peer.restart(disc=peer.local_disc, new_port=new_port)
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=at)
    assert said.diag == bfdpkt.DIAG_NEIGHBOR_DOWN and said.time - at < 0.1
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    block = detail(one, link.b.ip4)
    assert (block["Local discriminator"], block["Counters/Went up"], block["Counters/Went down"]) == (own, "2", "1")


def test_restarted_peer_that_takes_up_where_it_was(peered):
    """It has forgotten us, says Up all the same, and never said Down: nothing of that is believed."""
    link, one, peer = peered
    at = time.monotonic()
    with peer.changing():
        peer.restart()
        peer.lie(state=UP, your_disc=0)
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=at)
    assert said.diag == bfdpkt.DIAG_TIMEOUT and refused(one)["zero your discriminator"] > 0
    peer.truth()
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)


@pytest.mark.parametrize("state", [DOWN, UP])
def test_stale_packets_beside_a_living_peer(peered, state):
    """Somebody at the peer's address goes on with a discriminator we never had: counted, and nothing else."""
    link, one, peer = peered
    since, stale = time.monotonic(), {"state": state, "your_disc": peer.remote_disc ^ 0x5a5a, "poll": True}
    for count in range(1, 21):
        peer.send_raw(peer.packet(my_disc=peer.local_disc ^ count % 2, **stale).encode(), sport=50_000)
        wait_until(lambda count=count: refused(one) == {"no such session": count}, 1, lambda: str(refused(one)))
    wait_until(lambda: peer.received[-1].time > since + 0.5, 2, "a while")
    assert {(p.state, p.final) for p in peer.received if p.time > since} == {(UP, False)}
    block = detail(one, link.b.ip4)
    assert (block["Session state"], block["Counters/Went down"]) == ("Up", "0")
    assert int(block["Remote discriminator"]) == peer.local_disc


def test_zero_your_discriminator_keeps_a_session_only_when_down(peered):
    """6.8.6: Your Discriminator 0 is fine in Down and AdminDown only."""
    link, one, peer = peered
    at = time.monotonic()
    peer.lie(your_disc=0)
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=at)
    assert said.diag == bfdpkt.DIAG_TIMEOUT
    peer.truth()
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)


def test_peer_that_keeps_a_stale_discriminator(peered):
    """Packets for a session of a former life are nobody's; the session stays Down until the truth returns."""
    link, one, peer = peered
    peer.pin_your_disc()
    one.kill()
    one.start()
    wait_detail(one, lambda d: d.get("Session state") == "Down", what="the new session")
    quiet = time.monotonic()
    wait_until(lambda: time.monotonic() > quiet + 0.6, 2, "stale packets to be ignored")
    assert one.session(link.b.ip4)["state"] == "Down"
    assert any("no such session" in text for _, text in one.birdc("show bfd sessions all"))
    peer.truth()
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)


def test_dead_peer_is_noticed_in_time(peered):
    link, one, peer = peered
    late = []
    for _ in range(3):
        frozen_at = peer.freeze()
        last = [t for t, _ in peer.sent if t <= frozen_at][-1]
        said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=frozen_at)
        late.append(said.time - last - 0.15)
        peer.thaw()
        peer.wait_state(UP)
        wait_fast(one, link.b.ip4)
    assert_prompt(late, "dead peer")


def test_three_way_handshake_is_needed(lab):
    """A peer that claims Init or Up without knowing us brings nothing up."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, passive=True)
    peer.lie(state=INIT, your_disc=0)
    with peer.changing():
        peer.passive = False
    wait_until(lambda: len(peer.received) >= 4, 3, "some packets of ours")
    assert {p.state for p in peer.received} == {DOWN}
    peer.lie(state=DOWN, your_disc=0)
    wait_until(lambda: one.session(link.b.ip4)["state"] == "Init", 2, "Init")
    peer.truth()
    peer.wait_state(UP)


def test_ours_restarts_without_a_word(peered):
    link, one, peer = peered
    before = peer.remote_disc
    one.kill()
    one.start()
    wait_fast(one, link.b.ip4)
    assert peer.remote_disc != before
    assert [t.new for t in peer.transitions][-1] == UP


def test_a_paused_daemon_does_not_believe_in_a_failure(lab):
    """Drain, then decide: what waits in the socket arrived in time. The peer is patient with us."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    patient = FAST.replace("multiplier 3", "multiplier 50")
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=patient))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, link.b.ip4)
    one.pause()
    at = time.monotonic()
    wait_until(lambda: time.monotonic() > at + 0.5, 2, "a pause longer than the detection time")
    one.resume()
    start = len(peer.received)
    wait_until(lambda: len(peer.received) > start + 5, 2, "packets again")
    assert {p.state for p in peer.received[start:]} == {UP}
    assert detail(one, link.b.ip4)["Counters/Went down"] == "0"
