"""Authenticated packets that somebody recorded and sends again change nothing, while the session lives."""

import socket

import pytest

from bfdpkt import ADMIN_DOWN, DOWN, PORT_DIRECT
from lab import Capture, Peregrine, wait_until
from scenario import bfd, detail, direct, refused, wait_fast, FAST

TYPES = ["meticulous keyed md5", "meticulous keyed sha1", "keyed md5", "keyed sha1"]


class Wire:
    """Two of ours with authentication, and what b has sent so far."""

    def __init__(self, lab, kind):
        options = FAST + f' authentication {kind}; password "secret";'
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b = self.link.a.ip4, self.link.b.ip4
        self.capture = Capture(self.link.a.ns, self.link.a.ifname)
        self.one = Peregrine(self.link.a.ns, bfd(direct(self.b, self.link.a), options=options))
        self.two = Peregrine(self.link.b.ns, bfd(direct(self.a, self.link.b), options=options))
        with self.link.b.ns.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        self.sock.bind((self.b, 0))
        wait_fast(self.one, self.b)
        wait_fast(self.two, self.a)

    def heard(self, where=lambda p: True):
        return self.capture.packets(lambda p: p.src == self.b and where(p))

    def replay(self, packet):
        self.sock.sendto(packet.raw, (self.a, PORT_DIRECT))

    def downs(self):
        return int(detail(self.one, self.b)["Counters/Went down"])


@pytest.mark.parametrize("kind", TYPES)
def test_what_was_said_before_is_not_believed_again(lab, kind):
    wire = Wire(lab, kind)
    wire.two.birdc(f"bfd disable {wire.a}")
    wire.one.wait_session(wire.b, "Down")
    wire.two.birdc(f"bfd enable {wire.a}")
    wait_fast(wire.one, wire.b)
    old = wire.heard(lambda p: p.state in (DOWN, ADMIN_DOWN))
    assert {p.state for p in old} == {DOWN, ADMIN_DOWN}
    before = wire.downs()
    wait_until(lambda: len(wire.heard()) > 30, 5, "the window to have moved on")
    count = sum(refused(wire.one).values())
    for packet in old * 3:
        wire.replay(packet)
    wait_until(lambda: sum(refused(wire.one).values()) >= count + 3 * len(old), 3, lambda: refused(wire.one))
    assert set(refused(wire.one)) <= {"sequence number out of order", "zero your discriminator", "wrong password"}
    assert wire.downs() == before and wire.one.session(wire.b)["state"] == "Up"


def test_the_newest_packet_again_does_not_keep_a_dead_peer_alive(lab):
    """Meticulous numbers refuse even the last packet; with the others a replay of it is life, as the RFC has it."""
    wire = Wire(lab, "meticulous keyed sha1")
    wire.two.pause()
    last = wire.heard()[-1]

    def hammer():
        wire.replay(last)
        return wire.one.session(wire.b)["state"] != "Up"

    wait_until(hammer, 2, "the dead peer to be noticed")
    assert detail(wire.one, wire.b)["Local diagnostic"] == "Time expired"
    wire.two.resume()
