"""Sessions whose packets go around the IP stack: what does not change is counted, what does is obeyed at once."""

import socket
import time
from dataclasses import replace

import pytest

from bfdpkt import ADMIN_DOWN, DIAG_ADMIN_DOWN, DIAG_NEIGHBOR_DOWN, DIAG_PATH_DOWN, DOWN, PORT_DIRECT, UP
from lab import wait_until
from offloads import NOW, Scene, wait_offloaded
from scenario import FAMILIES, FAST, refused, wait_detail

AT_ONCE = 0.1
BOTH = pytest.mark.parametrize("kind", ["ring", "absorb"])


@pytest.mark.parametrize("kind,family", [*(("ring", f) for f in FAMILIES), *(("absorb", f) for f in FAMILIES), ("auto", "v4")])
def test_up_counted_dead_and_back(lab, kind, family):
    scene = Scene(lab, kind, family)
    before = scene.detail()
    scene.wait_taken(10)
    after = scene.detail()
    assert before["Offload"] == f"{kind}, now {NOW[kind]} by XDP" and after["Offload/Sent to"] == "link-layer address"
    more = [int(after[name]) - int(before[name]) for name in ("Offload/Packets", "Counters/Packets received")]
    assert more[0] == more[1]
    assert int(after["Counters/Packets received"]) <= len(scene.peer.sent)
    print(f"{kind} {family}: {scene.dies() * 1000:+.2f} ms from the detection time")
    scene.revives()
    assert (scene.detail()["Counters/Went up"], scene.detail()["Counters/Went down"]) == ("2", "1")


@BOTH
def test_the_record_of_arrivals_goes_on(lab, kind):
    scene = Scene(lab, kind)
    scene.wait_taken(20)
    gaps = [float(x) for x in scene.detail()["Arrivals/Last gaps"].split()]
    assert len(gaps) == 16 and sum(0.03 < x < 0.06 for x in gaps) > 12
    largest, count = scene.detail()["Arrivals/Largest gap"].split(" of ")
    assert float(largest) < 0.15 and int(count) > 20


def said_since(scene, since, where):
    return scene.peer.wait_packet(where, AT_ONCE + 0.2, since=since, what="what follows from it")


@BOTH
def test_what_the_peer_says_is_obeyed_at_once(lab, kind):
    scene = Scene(lab, kind)
    peer = scene.peer

    at = time.monotonic()
    peer.send_raw(peer.packet(state=DOWN, diag=DIAG_PATH_DOWN).encode())
    assert said_since(scene, at, lambda p: p.state == DOWN).diag == DIAG_NEIGHBOR_DOWN
    scene.wait()

    at = time.monotonic()
    peer.admin_down()
    assert said_since(scene, at, lambda p: p.state == DOWN).diag == DIAG_NEIGHBOR_DOWN
    assert (scene.detail()["Remote state"], scene.detail()["Remote diagnostic"]) == ("AdminDown", "Administratively down")
    peer.admin_up()
    scene.wait()

    at, old = time.monotonic(), peer.local_disc
    peer.restart()
    assert said_since(scene, at, lambda p: p.state != UP)
    scene.wait()
    assert scene.detail()["Remote discriminator"] == str(peer.local_disc) != str(old)


@BOTH
def test_what_the_peer_changes_is_followed_without_a_flap(lab, kind):
    scene = Scene(lab, kind)
    peer = scene.peer

    at = time.monotonic()
    peer.set(desired_min_tx=100_000)
    said_since(scene, at, lambda p: p.final)
    wait_until(lambda: not peer.polling, AT_ONCE, "the end of the Poll Sequence")
    scene.wait_timeout(0.3)
    scene.wait_offloaded()
    peer.set(desired_min_tx=50_000)
    scene.wait_timeout(0.15)
    scene.wait_offloaded()

    peer.set(detect_mult=5)
    scene.wait_timeout(0.25)
    peer.set(detect_mult=3)
    scene.wait_timeout(0.15)
    scene.wait_offloaded()

    for lie in (True, False):
        peer.lie(cpi=lie)
        scene.wait_offloaded()
        scene.wait_taken()  # with that bit as without

    at = time.monotonic()
    peer.send_raw(peer.packet(poll=True).encode())
    assert said_since(scene, at, lambda p: p.final).state == UP
    scene.wait_offloaded()

    peer.lie(demand=True)
    wait_offloaded(scene.one, scene.b, "off", wanted=kind)
    wait_detail(scene.one, lambda d: d["Remote parameters/Demand mode"] == "Yes")
    peer.truth()
    scene.wait_offloaded()

    peer.set(required_min_rx=200_000)
    wait_detail(scene.one, lambda d: d["Remote parameters/Min RX interval"] == "0.200")
    scene.wait_offloaded()
    assert scene.detail()["Counters/Went down"] == "0"


def from_elsewhere(scene, lab):
    """A socket at the peer's address, on another link to the same host."""
    other = lab.link(scene.link.a.ns, scene.link.b.ns)
    with scene.link.b.ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, other.b.ifname.encode())
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    sock.bind((scene.b, 0))
    scene.link.b.ns.ip(f"neigh replace {scene.a} lladdr {other.a.mac} dev {other.b.ifname}")
    return sock


@pytest.mark.parametrize("kind,wrong,reason", [
    ("absorb", "ttl", "TTL too low"), ("ring", "ttl", "TTL too low"), ("absorb", "discriminator", "no such session"),
    ("absorb", "interface", "wrong interface for this session")])
def test_what_is_refused_keeps_nobody_alive(lab, kind, wrong, reason):
    scene = Scene(lab, kind)
    sock = from_elsewhere(scene, lab) if wrong == "interface" else None
    payload = scene.peer.packet()
    if wrong == "discriminator":
        payload = replace(payload, your_disc=payload.your_disc ^ 0x10000)

    def send():
        if sock:
            sock.sendto(payload.encode(), (scene.a, PORT_DIRECT))
        else:
            scene.peer.send_raw(payload.encode(), ttl=254 if wrong == "ttl" else 255)

    send()
    wait_until(lambda: set(refused(scene.one)) == {reason}, 2, lambda: f"{reason}, not {refused(scene.one)}")
    scene.wait_taken()  # and they do no harm
    assert scene.detail()["Counters/Went down"] == "0"
    scene.dies(meanwhile=send)
    if sock:
        sock.close()


@BOTH
def test_another_source_port_is_as_good(lab, kind):
    scene = Scene(lab, kind)
    start = int(scene.detail()["Offload/Packets"])
    for _ in range(10):
        scene.peer.send_raw(scene.peer.packet().encode(), sport=50_000)
    wait_until(lambda: int(scene.detail()["Offload/Packets"]) >= start + 10, AT_ONCE, "all of them")


@BOTH
def test_new_intervals_by_reload_are_polled_for(lab, kind):
    scene = Scene(lab, kind)
    for ms in (200, 20, 50):
        at = time.monotonic()
        scene.one.reload(scene.config(base=FAST.replace("50 ms", f"{ms} ms", 1)))
        polled = scene.peer.wait_packet(lambda p, ms=ms: p.poll and p.desired_min_tx == 1000 * ms, 2, since=at)
        assert polled.state == UP
        scene.wait_timeout(3 * max(ms, 50) / 1000)
        scene.wait_offloaded()
    assert scene.detail()["Counters/Went down"] == "0"
    assert scene.dies() < 0.2


def test_the_kind_changes_by_reload_without_a_flap(lab):
    scene = Scene(lab, "off")
    for kind in ("absorb", "ring", "auto", "off", "ring", "absorb", "off", "auto"):
        scene.reload(kind)
        if kind == "off":
            wait_detail(scene.one, lambda d: "Offload" not in d)
        else:
            scene.wait_offloaded()
            scene.wait_taken(3)
    assert scene.detail()["Counters/Went down"] == "0"
    scene.dies()


def test_the_kind_changes_in_quick_succession(lab):
    scene = Scene(lab, "off")
    for _ in range(6):
        for kind in ("absorb", "off", "ring", "off", "auto"):
            scene.reload(kind)
    scene.wait_offloaded()
    scene.wait_taken()
    assert scene.detail()["Counters/Went down"] == "0" and all(t.old != UP for t in scene.peer.transitions)
    scene.dies()


@BOTH
def test_the_operator_takes_it_down(lab, kind):
    scene = Scene(lab, kind)
    at = time.monotonic()
    scene.one.birdc(f"bfd disable {scene.b}")
    assert said_since(scene, at, lambda p: p.state == ADMIN_DOWN).diag == DIAG_ADMIN_DOWN
    wait_offloaded(scene.one, scene.b, "off", wanted=kind)
    scene.one.birdc(f"bfd enable {scene.b}")
    scene.wait()
    at = time.monotonic()
    scene.one.reload("protocol bfd bfd1 { }")
    assert said_since(scene, at, lambda p: p.state == ADMIN_DOWN).diag == DIAG_ADMIN_DOWN
    scene.one.wait_session(scene.b, None)
    scene.one.reload(scene.config())
    scene.wait()
