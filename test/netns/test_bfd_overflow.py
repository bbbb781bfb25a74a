"""More rubbish than the receive queue holds, beside a session: it stays, and what was read is accounted for."""

import random
import socket
import time

import pytest

from bfdpkt import UP, Control
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, refused, wait_fast

PATIENT = "interval 100 ms; multiplier 10; idle tx interval 200 ms;"
DETECTION = 1.0


def queue(ns):
    """Of the socket of port 3784: bytes that wait, datagrams that found it full."""
    with ns.inside(), open("/proc/thread-self/net/udp", encoding="ascii") as f:
        fields = next(line.split() for line in f if ":0EC8 00000000:0000" in line)
    return int(fields[4].split(":")[1], 16), int(fields[-1])


def rubbish(rng, peer):
    """A datagram, and why it is refused."""
    good = peer.packet(my_disc=rng.randrange(1, 1 << 32))
    return rng.choice([
        (rng.randbytes(rng.randrange(24)), "truncated"),
        (Control(version=3, my_disc=1).encode(), "unknown version"),
        (Control(my_disc=1, detect_mult=0).encode(), "zero detect mult"),
        (Control(state=UP, my_disc=good.my_disc, your_disc=good.your_disc ^ 5).encode(), "no such session"),
    ])


@pytest.fixture
def scene(lab):
    a, b, c = lab.ns("a"), lab.ns("b"), lab.ns("c")
    near, far, evil = lab.lan(a, b, c).ends
    one = Peregrine(a, bfd(direct(far.ip4, near), options=PATIENT))
    peer = BfdPeer(b, far.ip4, near.ip4, desired_min_tx=100_000, required_min_rx=100_000, detect_mult=10)
    peer.wait_state(UP)
    wait_fast(one, far.ip4, timeout=DETECTION)
    with c.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    sock.connect((near.ip4, 3784))
    yield one, peer, sock
    sock.close()


def test_overflow(scene):
    one, peer, sock = scene
    rng = random.Random(5)
    packets = [rubbish(rng, peer) for _ in range(500)]
    for _ in range(3):
        lost = queue(one.ns)[1]
        one.pause()  # not to let it be faster than we are
        limit = time.monotonic() + 5
        while queue(one.ns)[1] < lost + 200 and time.monotonic() < limit:
            for data, _ in packets:
                sock.send(data)
        one.resume()
        assert queue(one.ns)[1] >= lost + 200
        wait_until(lambda: not queue(one.ns)[0], 3, "the queue to be read")
        peer.send_raw(peer.packet(poll=True).encode())
        peer.wait_packet(lambda p: p.final, 3, what="an answer behind all that")
        with peer.changing():
            peer.received.clear()
    row = one.session(peer.local)
    block, = one.session_details()
    assert (row["state"], block["Counters/Went down"]) == ("Up", "0")
    reasons = refused(one)
    assert set(reasons) == {reason for _, reason in packets} and sum(reasons.values()) > 1000
    total = next(t for _, t in one.birdc("show bfd sessions all") if t.startswith("  Packets received: "))
    received = int(total.split()[2].rstrip(","))
    accepted = int(one.session_details()[0]["Counters/Packets received"])
    assert abs(received - sum(reasons.values()) - accepted) < 20  # it goes on while we ask
    assert int(total.split()[-1]) >= 600  # those the kernel dropped
    assert len(one.log(tail=None).splitlines()) < 500
