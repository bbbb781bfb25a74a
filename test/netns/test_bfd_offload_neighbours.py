"""What an offloaded session sends goes to the link-layer address of the neighbour: the one it has now."""

import socket
import time

import pytest

from bfdpkt import UP
from lab import Peregrine, wait_until
from nslib import run
from offloads import Scene, offload, unharmed, wait_offloaded
from scenario import FAMILIES, FAST, bfd, detail, direct, refused, wait_detail, wait_fast

OTHER = "02:50:47:00:ee:01"
AT_ONCE = 0.5


class Frames:
    """Where the frames go that arrive at an interface, by their destination addresses."""

    def __init__(self, end):
        with end.ns.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.bind((end.ifname, 0))
        self.sock.setblocking(False)

    def destinations(self):
        """Of BFD packets since the last look."""
        found = []
        while True:
            try:
                frame, addr = self.sock.recvfrom(2048)
            except BlockingIOError:
                return found
            if addr[2] != 4 and frame[12:14] in (b"\x08\x00", b"\x86\xdd") and b"\x0e\xc8" in frame[34:58]:
                found.append(frame[:6].hex(":"))

    def wait(self, mac, limit=AT_ONCE):
        self.destinations()
        wait_until(lambda: mac in self.destinations(), limit, f"a frame to {mac}")


def sent_to(scene, what):
    wait_detail(scene.one, lambda d: d.get("Offload/Sent to") == what, what=f"to be sent to the {what}")


@pytest.fixture(name="scene", params=FAMILIES)
def fixture_scene(lab, request):
    scene = Scene(lab, "absorb", request.param, base=FAST.replace("multiplier 3", "multiplier 10"))
    sent_to(scene, "link-layer address")
    return scene


def test_the_address_changes(scene):
    """By hand, and back; the entry is deleted, and fails."""
    frames, end = Frames(scene.link.b), scene.link.a
    frames.wait(scene.link.b.mac)
    end.ns.ip(f"neigh replace {scene.b} lladdr {OTHER} nud permanent dev {end.ifname}")
    frames.wait(OTHER)
    later = time.monotonic() + 0.15
    wait_until(lambda: time.monotonic() > later, 1, "some packets")
    assert set(frames.destinations()) == {OTHER}
    end.ns.ip(f"neigh replace {scene.b} lladdr {scene.link.b.mac} nud reachable dev {end.ifname}")
    frames.wait(scene.link.b.mac)
    end.ns.ip(f"neigh del {scene.b} dev {end.ifname}")
    frames.wait(scene.link.b.mac)  # found again by the IP stack, which is asked meanwhile
    sent_to(scene, "link-layer address")
    assert unharmed(scene.one) and scene.peer.state == UP


def test_nobody_answers_for_the_address(scene):
    """What fails is left to the IP stack, until there is an answer again."""
    end = scene.link.a
    end.ns.ip(f"neigh replace {scene.b} nud failed dev {end.ifname}")
    sent_to(scene, "link-layer address")  # it finds out that it is not so
    count = len(scene.peer.received)
    wait_until(lambda: len(scene.peer.received) > count + 5, 2, "packets")
    assert unharmed(scene.one) and scene.peer.state == UP


def test_the_peer_gets_another_card(lab):
    """With its address, and says so to all."""
    scene = Scene(lab, "absorb", base=FAST.replace("multiplier 3", "multiplier 10"))
    sent_to(scene, "link-layer address")
    end = scene.link.b
    end.ns.sysctl(f"net.ipv4.conf.{end.ifname}.arp_notify", 1)
    run("ip", "-n", end.ns.full, "link", "set", end.ifname, "address", OTHER)
    Frames(end).wait(OTHER)
    count = len(scene.peer.received)
    wait_until(lambda: len(scene.peer.received) > count + 10, 2, "packets")
    assert unharmed(scene.one) and all(t.old != UP for t in scene.peer.transitions)


def test_our_own_address_changes(lab):
    scene = Scene(lab, "absorb")
    scene.link.a.ns.ip(f"link set {scene.link.a.ifname} address {OTHER}")
    scene.link.b.ns.ip(f"neigh replace {scene.a} lladdr {OTHER} dev {scene.link.b.ifname}")
    count = len(scene.peer.received)
    wait_until(lambda: len(scene.peer.received) > count + 10, 2, "packets")
    assert unharmed(scene.one)


def test_the_neighbour_is_still_looked_after(lab):
    """The IP stack is used often enough to find out what has become of an entry nobody asked about for long."""
    scene = Scene(lab, "absorb")
    sent_to(scene, "link-layer address")
    ns, end = scene.link.a.ns, scene.link.b
    ns.ip(f"neigh replace {scene.b} lladdr {end.mac} nud stale dev {scene.link.a.ifname}")
    wait_until(lambda: ns.ip(f"neigh show {scene.b}").split()[-1] != "STALE", 6, "it to be asked about")
    assert unharmed(scene.one)


def congest(end, remote):
    """Let a queue hold up what the IP stack sends for half a second."""
    run("tc", "-n", end.ns.full, "qdisc", "replace", "dev", end.ifname, "root", "tbf", "rate", "64kbit", "burst", "500",
        "limit", "10000")
    with end.ns.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(12):
            sock.sendto(bytes(350), (remote, 9))


@pytest.mark.parametrize("auth", [False, True], ids=["plain", "signed"])
def test_nothing_is_overtaken(lab, auth):
    """What the IP stack sends waits in a queue: still the peer gets our Final, and believes it."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    base = FAST.replace("multiplier 3", "multiplier 20") + (
        ' authentication meticulous keyed sha1; password "secret";' if auth else "")
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=offload("absorb", base)))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options=base))
    for daemon, remote in ((one, link.b.ip4), (two, link.a.ip4)):
        wait_fast(daemon, remote, timeout=1)
    wait_offloaded(one, link.b.ip4, "ring" if auth else "absorb")
    wait_detail(one, lambda d: d["Offload/Sent to"] == "link-layer address")
    before = refused(two)
    congest(link.a, link.b.ip4)
    two.reload(bfd(direct(link.a.ip4, link.b), options=base.replace("50 ms", "60 ms", 1)))
    wait_detail(two, lambda d: "Poll sequence" in d, limit=1)
    wait_detail(two, lambda d: "Poll sequence" not in d, limit=2, what="our Final to arrive")
    assert refused(two) == before and detail(two, link.a.ip4)["Counters/Went down"] == "0"
