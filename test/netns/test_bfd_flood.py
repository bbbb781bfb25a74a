"""Floods of packets for nobody do no harm to the sessions that are there."""

import random
import socket
import time

import pytest

from bfdpkt import DOWN, UP, Control
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import addr, bfd, direct, refused, wait_fast

# A sender at full speed on a machine of two cores may hold up the daemon for longer than 150 ms.
PATIENT = "interval 50 ms; multiplier 10; idle tx interval 200 ms;"


@pytest.mark.parametrize("kind,family", [("unknown discriminators", "v4"), ("unknown discriminators", "v6"),
                                         ("zero discriminators", "v4"), ("zero discriminators", "v6"), ("garbage", "v4")])
def test_flood(lab, kind, family):
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    lan = lab.lan(a, b, c)
    near, far, evil = lan.ends
    one = Peregrine(a, bfd(direct(far.ip4, near), direct(far.ip6, near), options=PATIENT))
    two = Peregrine(b, bfd(direct(near.ip4, far), direct(near.ip6, far), options=PATIENT))
    for remote in (far.ip4, far.ip6):
        wait_fast(one, remote, timeout=0.5)
    flood = BfdPeer(c, addr(evil, family), addr(near, family), passive=True)
    rng, sent = random.Random(1), 0

    def packet():
        if kind == "garbage":
            return rng.randbytes(rng.randrange(0, 60))
        return Control(state=DOWN if kind.startswith("zero") else UP, my_disc=rng.randrange(1, 1 << 32),
                       your_disc=0 if kind.startswith("zero") else rng.randrange(1, 1 << 32)).encode()

    # As many as the queues of the kernel hold while a busy machine keeps the daemon waiting: what is lost before
    # the daemon sees it proves nothing about it.
    packets = [packet() for _ in range(300)]
    with c.inside():
        sock = socket.socket(socket.AF_INET if family == "v4" else socket.AF_INET6, socket.SOCK_DGRAM)
    if family == "v4":
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for data in packets:
            sock.sendto(data, (addr(near, family), 3784))
        sent += len(packets)
        time.sleep(0.01)
    sock.close()
    print(f"{kind}: {sent / 2:.0f} packets/s, the daemon used {one.usage()[0]:.2f} s of CPU")
    for daemon in (one, two):
        wait_until(lambda daemon=daemon: len(daemon.session_details()) == 2, 1, "details")
        for block in daemon.session_details():
            assert block["Session state"] == "Up" and block["Counters/Went down"] == "0"
    assert sum(refused(one).values()) > 0.9 * sent  # each that was read is counted
    assert one.usage()[1] < 60_000
    assert len(one.log(tail=None).splitlines()) < 500  # no line for each of them
    assert not flood.received  # nor an answer


def test_many_strangers(lab):
    """Well-formed packets of a hundred neighbours nobody knows, ten times as many as the sessions send."""
    near, far, evil = lab.lan(lab.ns("a"), lab.ns("b"), lab.ns("c")).ends
    strangers = [f"10.77.1.{100 + i}" for i in range(100)]
    evil.ns.ip(*(f"addr add {x}/24 dev {evil.ifname}" for x in strangers))
    one = Peregrine(near.ns, bfd(direct(far.ip4, near), direct(far.ip6, near), options=PATIENT))
    two = Peregrine(far.ns, bfd(direct(near.ip4, far), direct(near.ip6, far), options=PATIENT))
    for remote in (far.ip4, far.ip6):
        wait_fast(one, remote, timeout=0.5)
    socks = []
    for x in strangers:
        with evil.ns.inside():
            socks.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        socks[-1].setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        socks[-1].bind((x, 0))
    rng, sent, rounds = random.Random(2), 0, 0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for sock in socks[rounds % 4::4]:  # 25 in 50 ms, where the two sessions expect two
            first = sent % 2
            sock.sendto(Control(state=DOWN if first else UP, my_disc=rng.randrange(1, 1 << 32),
                                your_disc=0 if first else rng.randrange(1, 1 << 32)).encode(), (near.ip4, 3784))
            sent += 1
        rounds += 1
        time.sleep(0.05)
    for sock in socks:
        sock.close()
    wait_until(lambda: refused(one) == {"no such session": sent}, 2, lambda: f"{sent} refused, not {refused(one)}")
    for daemon in (one, two):
        assert {(b["Session state"], b["Counters/Went down"]) for b in daemon.session_details()} == {("Up", "0")}
    assert "refused" not in one.log(tail=None)  # neighbours that look for a session are no error
