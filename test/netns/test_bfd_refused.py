"""Packets that RFC 5880 section 6.8.6 and RFC 5881 section 5 refuse change nothing, and are counted."""

import pytest

from bfdpkt import ADMIN_DOWN, DOWN, INIT, UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, multihop, refused, wait_fast

NASTY = {"state": DOWN, "diag": 3, "detect_mult": 1}  # would take the session down if believed


@pytest.fixture(params=["direct v4", "direct v6", "multihop v4", "multihop v6"])
def pair(lab, request):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    hops = "multihop" in request.param
    a, b = (link.a.ip4, link.b.ip4) if "v4" in request.param else (link.a.ip6, link.b.ip6)
    one = Peregrine(link.a.ns, bfd(multihop(b, a) if hops else direct(b, link.a)))
    peer = BfdPeer(link.b.ns, b, a, multihop=hops, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, b)
    return one, peer


def test_refused_packets_change_nothing(pair):
    one, peer = pair
    first = len(peer.received)
    good = {**NASTY, "my_disc": peer.local_disc, "your_disc": peer.remote_disc}

    def lie(**fields):
        return lambda: peer.send_raw(peer.packet(**{**good, **fields}).encode())

    def raw(data, **meta):
        return lambda: peer.send_raw(data, **meta)

    packet = peer.packet(**good).encode()
    cases = {
        "version 0": (lie(version=0), "unknown version"),
        "version 2": (lie(version=2), "unknown version"),
        "version 7": (lie(version=7), "unknown version"),
        "no bytes": (raw(b""), "truncated"), "1 byte": (raw(b"\x20"), "truncated"),
        "23 bytes": (raw(packet[:23]), "truncated"),
        "length 23": (lie(length=23), "bad length"), "length 0": (lie(length=0), "bad length"),
        "length 25 of 24": (lie(length=25), "bad length"), "length 255": (lie(length=255), "bad length"),
        "A with length 24": (lie(auth_present=True), "bad length"),
        "A with length 25": (lie(auth_present=True, auth=b"\x01"), "bad length"),
        "multiplier 0": (lie(detect_mult=0), "zero detect mult"),
        "multipoint": (lie(multipoint=True), "multipoint bit set"),
        "my discriminator 0": (lie(my_disc=0), "zero my discriminator"),
        "unknown your discriminator": (lie(your_disc=peer.remote_disc ^ 1), "no such session"),
        "your discriminator 0 in Init": (lie(your_disc=0, state=INIT), "zero your discriminator"),
        "your discriminator 0 in Up": (lie(your_disc=0, state=UP), "zero your discriminator"),
        "authentication": (lie(auth_present=True, auth=b"\x01\x04\x01x"), "authentication not agreed on"),
        "authentication of an AdminDown": (lie(auth_present=True, auth=b"\x01\x04\x01x", state=ADMIN_DOWN),
                                           "authentication not agreed on"),
    }
    if not peer.multihop:
        for ttl in (254, 1):
            cases[f"TTL {ttl}"] = (raw(packet, ttl=ttl), "TTL too low")
    other = 3784 if peer.multihop else 4784
    cases["the other port"] = (raw(packet, dport=other, ttl=255), "wrong port for this session")
    for name, (send, reason) in cases.items():
        before = refused(one)
        for _ in range(3):
            send()
        wait_until(lambda before=before: sum(refused(one).values()) == sum(before.values()) + 3, 2,
                   lambda name=name, before=before: f"3 refused for {name}; before {before}, now {refused(one)}")
        more = {k: v - before.get(k, 0) for k, v in refused(one).items()}
        assert {k: v for k, v in more.items() if v} == {reason: 3}, name
    since = len(peer.received)
    wait_until(lambda: len(peer.received) > since + 2, 1, "packets of ours")
    row = one.session(peer.local)
    assert row["state"] == "Up" and row["timeout"] == 0.15
    assert DOWN not in {p.state for p in peer.received[first:]}
    block, = one.session_details()
    assert block["Counters/Went down"] == "0"
    assert int(block["Counters/Packets refused"]) >= 6


def test_a_longer_payload_than_the_length_field_is_fine(pair):
    """6.8.6 only refuses a length field larger than the payload."""
    one, peer = pair
    before = sum(refused(one).values())
    peer.send_raw(peer.packet(poll=True).encode() + b"trailing bytes")
    peer.wait_packet(lambda p: p.final, 1)
    assert sum(refused(one).values()) == before


def test_a_packet_on_another_interface_is_not_ours(lab):
    """A direct session belongs to its interface; a known discriminator does not open another door."""
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    good, evil = lab.link(a, b), lab.link(a, c)
    one = Peregrine(a, bfd(direct(good.b.ip4, good.a)))
    peer = BfdPeer(b, good.b.ip4, good.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    peer.wait_state(UP)
    wait_fast(one, good.b.ip4)
    attacker = BfdPeer(c, evil.b.ip4, evil.a.ip4, passive=True)
    for _ in range(5):
        attacker.send_raw(peer.packet(**NASTY).encode())
        attacker.send_raw(peer.packet(state=DOWN, your_disc=0).encode())
    wait_until(lambda: sum(refused(one).values()) >= 10, 2, lambda: str(refused(one)))
    assert refused(one) == {"wrong interface for this session": 5, "no such session": 5}
    assert one.session(good.b.ip4)["state"] == "Up" and not attacker.received
