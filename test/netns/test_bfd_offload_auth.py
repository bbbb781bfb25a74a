"""Authenticated sessions go through the ring, where each packet proves itself; absorbed they are never."""

import socket

import pytest

from bfdpkt import PORT_DIRECT
from lab import Capture, Peregrine, wait_until
from offloads import downs, offload, wait_offloaded, wait_taken
from scenario import addr, bfd, detail, direct, refused, wait_fast

TYPES = ["simple", "keyed md5", "meticulous keyed md5", "keyed sha1", "meticulous keyed sha1"]


def secured(kind, how, *passwords):
    return offload(how) + (f" authentication {kind};" if kind else "") + "".join(f" password {p};" for p in passwords)


class Pair:
    """Two of ours, both offloaded; what b sends is captured where it is sent."""

    def __init__(self, lab, kind, how="absorb", family="v4", passwords=('"secret"',)):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.kind, self.how = kind, how
        self.a, self.b = addr(self.link.a, family), addr(self.link.b, family)
        self.capture = Capture(self.link.b.ns, self.link.b.ifname)
        self.one = Peregrine(self.link.a.ns, self.config(self.link.a, self.b, kind, *passwords))
        self.two = Peregrine(self.link.b.ns, self.config(self.link.b, self.a, kind, *passwords))
        self.wait()

    def config(self, end, remote, kind, *passwords):
        return bfd(direct(remote, end), options=secured(kind, self.how, *passwords))

    def wait(self, now="ring"):
        for daemon, remote in ((self.one, self.b), (self.two, self.a)):
            wait_fast(daemon, remote)
            wait_offloaded(daemon, remote, now)
            wait_taken(daemon, remote, 3)

    def reload(self, kind, *passwords):
        """One side, then the other; neither goes Down."""
        for daemon, end, remote in ((self.one, self.link.a, self.b), (self.two, self.link.b, self.a)):
            daemon.reload(self.config(end, remote, kind, *passwords))
            wait_taken(daemon, remote, 2)

    def settled(self):
        return all("Authentication/Changing to" not in d for x in (self.one, self.two) for d in x.session_details())

    def heard(self):
        return self.capture.packets(lambda p: p.src == self.b)


@pytest.mark.parametrize("kind,how,family", list(zip(
    TYPES, ["absorb", "ring", "auto", "absorb", "auto"], ["v4", "ll", "v6", "v6", "v4"])))
def test_each_type_uses_the_ring(lab, kind, how, family):
    pair = Pair(lab, kind, how, family)
    pair.two.pause()
    pair.one.wait_session(pair.b, "Down", limit=1)
    pair.two.resume()
    pair.wait()
    # What we said when we came up anew is the only thing that may be out of order for the other
    assert set(refused(pair.one)) <= {"sequence number out of order", "zero your discriminator", "no such session"}


def test_keys_and_types_change_without_a_flap(lab):
    """With authentication the ring, without it absorbed, and back."""
    pair = Pair(lab, "keyed sha1")
    pair.reload("keyed sha1", '"secret" { id 1; }', '"other" { id 2; }')
    pair.reload("keyed sha1", '"other" { id 2; }')
    pair.reload("meticulous keyed md5", '"third"')
    wait_until(pair.settled, 5, "the change of keys to be over")
    pair.wait()
    pair.reload(None)
    wait_until(pair.settled, 5, "the end of authentication")
    pair.wait("absorb")
    pair.reload("simple", '"fourth"')
    wait_until(pair.settled, 5, "authentication again")
    pair.wait()
    assert downs(pair.one) == downs(pair.two) == {"0"}


def test_a_packet_replayed_does_not_keep_a_dead_peer_alive(lab):
    pair = Pair(lab, "meticulous keyed sha1")
    with pair.link.b.ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    sock.bind((pair.b, 0))
    before = int(detail(pair.one, pair.b)["Offload/Packets"])
    pair.two.pause()
    last = pair.heard()[-1]

    def hammer():
        for _ in range(20):
            sock.sendto(last.raw, (pair.a, PORT_DIRECT))
        return pair.one.session(pair.b)["state"] != "Up"

    wait_until(hammer, 2, "the dead peer to be noticed")
    assert detail(pair.one, pair.b)["Local diagnostic"] == "Time expired"
    assert int(detail(pair.one, pair.b)["Offload/Packets"]) > before + 20  # they did come through the ring
    assert refused(pair.one)["sequence number out of order"] > 20
    pair.two.resume()
    sock.close()
