"""What a session says on the wire: RFC 5880 sections 6.2 and 6.8.7, RFC 5881 sections 4 and 5."""

import pytest

from bfdpkt import DOWN, INIT, UP
from lab import Capture, Peregrine, wait_until
from nslib import run
from peer import BfdPeer
from scenario import FAMILIES, HONEST, addr, bfd, direct, multihop, wait_fast


def gaps(packets):
    return [b.time - a.time for a, b in zip(packets, packets[1:])]


@pytest.mark.parametrize("family", FAMILIES)
def test_states_in_order_and_what_every_packet_carries(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = addr(link.a, family), addr(link.b, family)
    capture = Capture(link.a.ns, link.a.ifname)
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    wait_fast(one, b)
    wait_fast(two, a)
    for daemon, own, remote in ((one, a, b), (two, b, a)):
        sent = capture.packets(lambda p, own=own: p.src == own)
        states = [p.state for p in sent]
        assert states == sorted(states) and UP in states
        assert {(p.dst, p.dport, p.ttl) for p in sent} == {(remote, 3784, 255)}
        port, = {p.sport for p in sent}
        assert 49152 <= port <= 65535
        for p in sent:
            assert (p.version, p.length, p.detect_mult, len(p.raw)) == (1, 24, 3, 24)
            assert not (p.auth_present or p.demand or p.multipoint or p.cpi) and p.required_min_echo_rx == 0
            assert p.my_disc == int(daemon.session_details()[0]["Local discriminator"])
            assert not (p.poll and p.final)
            assert p.desired_min_tx == (50_000 if p.state == UP else 200_000) and p.required_min_rx == 50_000
    assert {p.state for p in capture.packets()} == {DOWN, INIT, UP}


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_traffic_class_is_cs6(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    b = addr(link.b, family)
    match = "ip dscp cs6" if family == "v4" else "ip6 dscp cs6"
    link.b.ns.nft("table inet t {\n counter marked { }\n counter every { }\n chain c {\n"
                  " type filter hook input priority 0;\n udp dport 3784 counter name every\n"
                  f" udp dport 3784 {match} counter name marked\n }}\n}}\n")
    Peregrine(link.a.ns, bfd(direct(b, link.a)))

    def counted(name):
        with link.b.ns.inside():
            return int(run("nft", "list", "counter", "inet", "t", name).split("packets")[1].split()[0])

    wait_until(lambda: counted("every") >= 3, 3, "three packets")
    assert counted("marked") >= 3 and counted("every") - counted("marked") <= 1  # one may come in between


def test_not_up_means_slow(lab):
    """Both sides of section 6.8.3: at least 1 s, jittered to 75 % at most."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    capture = Capture(link.b.ns, link.b.ifname)
    Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=HONEST))
    wait_until(lambda: len(capture.packets(lambda p: p.src == link.a.ip4)) >= 5, 5, "five packets")
    assert all(0.745 <= gap <= 1.05 for gap in gaps(capture.packets())), gaps(capture.packets())
    assert {p.desired_min_tx for p in capture.seen} == {1_000_000}


@pytest.mark.parametrize("mult,most", [(3, 1.0), (1, 0.9)])
def test_jitter(lab, mult, most):
    """Section 6.8.7: 75 to 100 % of the interval, with a multiplier of 1 at most 90 %."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a),
                                   options=f"interval 20 ms; multiplier {mult}; idle tx interval 200 ms;"))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=20_000, required_min_rx=20_000,
                   detect_mult=50)
    peer.wait_state(UP)
    wait_until(lambda: not peer.polling and one.session(link.b.ip4)["interval"] == 0.02, 2, "the fast interval")

    def window_is_right():
        """120 packets; a busy machine delays some, and then the next ones come sooner."""
        start = len(peer.received)
        wait_until(lambda: len(peer.received) >= start + 120, 5, "120 packets")
        packets = peer.received[start:]
        spaces = sorted(gaps(packets))[8:-10]
        average = (packets[-1].time - packets[0].time) / (len(packets) - 1)
        print(f"multiplier {mult}: {spaces[0] * 1000:.2f} to {spaces[-1] * 1000:.2f} ms, {average * 1000:.2f} on average")
        return (0.0145 <= spaces[0] and spaces[-1] <= 0.02 * most + 0.0015
                and spaces[-1] - spaces[0] > 0.4 * (most - 0.75) * 0.02  # there is jitter at all
                and 0.0148 <= average <= 0.02 * most + 0.001)

    assert any(window_is_right() for _ in range(4))


@pytest.mark.parametrize("kind", ["direct", "multihop"])
def test_a_passive_side_waits_to_be_spoken_to(lab, kind):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = link.a.ip4, link.b.ip4
    capture = Capture(link.a.ns, link.a.ifname)
    line = multihop(b, a) if kind == "multihop" else direct(b, link.a)
    one = Peregrine(link.a.ns, bfd(line, options="interval 50 ms; passive; idle tx interval 100 ms;"))
    row = one.wait_session(b, "Down")
    wait_until(lambda: one.session_details(), 1, "details")
    peer = BfdPeer(link.b.ns, b, a, multihop=kind == "multihop", passive=True)
    began = row["at"]
    wait_until(lambda: one.wait_session(b, "Down")["at"] > began + 0.5, 2, "half a second of silence")
    assert not capture.packets(lambda p: p.src == a)
    with peer.changing():
        peer.passive = False
    peer.wait_state(UP)
    first = {src: next(p.time for p in capture.packets() if p.src == src) for src in (a, b)}
    assert first[b] < first[a]
    one.wait_session(b, "Up")


def test_two_passive_sides_never_speak(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    capture = Capture(link.a.ns, link.a.ifname)
    quiet = "interval 50 ms; passive; idle tx interval 100 ms;"
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=quiet))
    Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options=quiet))
    began = one.wait_session(link.b.ip4, "Down")["at"]
    wait_until(lambda: one.wait_session(link.b.ip4, "Down")["at"] > began + 0.5, 2, "half a second of silence")
    assert not capture.seen
