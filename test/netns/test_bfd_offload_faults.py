"""Floods, standstills with many sessions, threads that come and go: offloaded sessions do not notice, or all do."""

import contextlib
import os
import subprocess
import time

import pytest

from bfdpkt import UP
from lab import Bird2, Capture, FrrBfdd, Peregrine, wait_until
from many import Far, in_state, totals, wait_states
from nslib import require_program, run
from offloads import PatientPeer, Scene, offload, unharmed, wait_offloaded, wait_taken
from peer import BfdPeer
from scenario import FAST, bfd, detail, direct, wait_fast

COUNT = 1000
PROMPT = 0.5  # s; for an answer while there is a flood
PATIENT = FAST.replace("multiplier 3", "multiplier 10")  # a sender at full speed may hold up the machine
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flood.c")


@pytest.fixture(name="flood", scope="module")
def fixture_flood(tmp_path_factory):
    """A context that sends as fast as it can meanwhile."""
    program = str(tmp_path_factory.mktemp("flood") / "flood")
    run(require_program("/usr/bin/cc"), "-O2", "-o", program, SOURCE)

    @contextlib.contextmanager
    def flooding(ns, source, destination, payload, *vary):
        with ns.inside():
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", program, source, destination,
                                        payload.hex(), *vary])
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()

    return flooding


def two_peers(lab, kind, base=PATIENT):
    """One of ours with two peers that do not mind silence."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    remotes = [f"10.77.1.{i}" for i in (11, 12)]
    link.b.ns.ip(*(f"addr add {x}/24 dev {link.b.ifname}" for x in remotes))
    one = Peregrine(link.a.ns, bfd(*(direct(x, link.a) for x in remotes), options=offload(kind, base)))
    peers = [PatientPeer(link.b.ns, x, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000, detect_mult=10)
             for x in remotes]
    for peer in peers:
        peer.wait_state(UP)
        wait_offloaded(one, peer.local, kind)
    return link, one, peers


def answers(one, seconds):
    """It does, all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.monotonic()
        one.birdc("show status")
        assert time.monotonic() - asked < PROMPT


@pytest.mark.parametrize("kind,what", [("ring", "what it says"), ("absorb", "what it says"), ("ring", "another payload"),
                                       ("absorb", "unknown discriminators")])
def test_flood(lab, flood, kind, what):
    """Of the last packet again, of what nobody knows, and of what is the session's but not what it said."""
    link, one, peers = two_peers(lab, kind)
    payload = peers[0].packet(poll=False, detect_mult=11 if what == "another payload" else 10)
    vary = ["vary"] if what == "unknown discriminators" else []
    before, cpu = totals(one)["Packets received"], one.usage()[0]
    with flood(link.b.ns, peers[0].local, link.a.ip4, payload.encode(), *vary):
        answers(one, 0.5)
        peers[1].freeze()
        frozen = time.monotonic()
        down = one.wait_session(peers[1].local, "Down", limit=3)["at"] - frozen
    print(f"{kind}, {what}: {(totals(one)['Packets received'] - before) / 1.2:.0f} packets/s, "
          f"{one.usage()[0] - cpu:.2f} s of CPU, down after {down:.2f} s")
    peers[0].thaw()
    wait_taken(one, peers[0].local, 5, limit=15)  # a machine that could not keep up takes a rest of 10 s
    assert detail(one, peers[0].local)["Counters/Went down"] == "0"
    peers[1].thaw()
    wait_offloaded(one, peers[1].local, kind)
    assert len(one.log(tail=None).splitlines()) < 500


def test_signed_flood(lab, flood):
    """Each packet goes through the ring and is looked at; a peer that dies meanwhile is noticed all the same."""
    base = PATIENT + ' authentication meticulous keyed sha1; password "secret";'
    link = lab.link(lab.ns("a"), lab.ns("b"))
    capture = Capture(link.b.ns, link.b.ifname)
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), direct(link.b.ip6, link.a), options=offload("absorb", base)))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), direct(link.a.ip6, link.b), options=base))
    for remote in (link.b.ip4, link.b.ip6):
        wait_offloaded(one, remote, "ring")
        wait_fast(one, remote, timeout=0.5)
    last = capture.packets(lambda p: p.src == link.b.ip4)[-1].raw
    with flood(link.b.ns, link.b.ip4, link.a.ip4, last[:-1] + bytes([last[-1] ^ 1])):
        answers(one, 0.5)
        two.kill()
        killed = time.monotonic()
        for remote in (link.b.ip4, link.b.ip6):
            assert one.wait_session(remote, "Down", limit=3)["at"] - killed < 0.5 + PROMPT


def all_now(one, how, count=COUNT):
    wait_until(lambda: sum(f"now {how} by XDP" in d["Offload"] for d in one.session_details()) == count, 10, one.show)


def fast(far, kind):
    return far.config().replace("idle tx", f"offload {kind}; idle tx")


def test_a_thousand_die_at_once_and_come_back(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT, interval=50, mult=3)
    far.start()
    one = Peregrine(link.a.ns, fast(far, "absorb"), limit=10)
    wait_states(one, "Up", COUNT)
    all_now(one, "absorb")
    before = totals(one).get("Sessions went down, Time expired", 0)
    cpu, at = one.usage()[0], time.monotonic()
    wait_until(lambda: time.monotonic() > at + 1, 2, "a second")
    print(f"{one.usage()[0] - cpu:.2f} s of CPU in a second")
    far.kill()
    killed = time.monotonic()
    wait_states(one, "Down", COUNT)
    print(f"all Down after {time.monotonic() - killed:.2f} s; {before} before")
    far.start()
    wait_states(one, "Up", COUNT)
    all_now(one, "absorb")


def test_the_ring_is_full(lab):
    """It holds some 13 000 packets; what comes then goes to the sockets, or is lost, and nobody is found dead for it."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT, interval=20, mult=5)
    far.start()
    one = Peregrine(link.a.ns, fast(far, "ring").replace("multiplier 5", "multiplier 100"), limit=10)  # they are patient
    wait_states(one, "Up", COUNT)
    all_now(one, "ring")

    def passed():
        """How many packets were left to the sockets, whether they had room or not."""
        around = sum(int(d["Offload/Packets"]) for d in one.session_details())
        return totals(one)["Packets received"] - around + totals(one)["dropped by the kernel"]

    before = passed()
    for seconds in (0.05, 0.7):
        one.pause()
        time.sleep(seconds)
        one.resume()
        count = totals(one)["Packets received"]
        wait_until(lambda count=count: totals(one)["Packets received"] > count + 5 * COUNT, 5, lambda: str(totals(one)))
    assert passed() - before > 5 * COUNT
    assert in_state(one, "Up") == COUNT and not any(name.startswith("Sessions went down") for name in totals(one))
    all_now(one, "ring")


def threads(daemon):
    return {d.get("Thread", "1") for d in daemon.session_details()}


def rings(daemon):
    """Maps of rings; each thread has one."""
    found = 0
    for fd in os.listdir(f"/proc/{daemon.pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{daemon.pid}/fdinfo/{fd}", encoding="ascii") as f:
            found += "map_type:\t27\n" in f.read()
    return found


@pytest.mark.parametrize("kind", ["ring", "absorb"])
def test_the_number_of_threads_changes_without_a_flap(lab, kind):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, 400, interval=50, mult=5)
    far.start()

    def config(count):
        return fast(far, kind).replace("idle tx", "idle tx", 1).replace("{\n", f"{{\n threads {count};\n", 1)

    one = Peregrine(link.a.ns, config(1), limit=10)
    wait_states(one, "Up", 400)
    for count in (3, 2, 1):
        all_now(one, kind, 400)
        one.reload(config(count))
        wait_until(lambda count=count: len(threads(one)) == count, 5, lambda: str(threads(one)))
    all_now(one, kind, 400)
    wait_until(lambda: rings(one) == 1, 5, lambda: f"{rings(one)} rings")
    assert far.simulator.stats()["downs"] == {} and not any("went down" in name for name in totals(one))
    far.kill()
    wait_states(one, "Down", 400)


def test_threads_that_end_before_they_have_a_ring(lab):
    """Making one takes longer than changing their number."""
    scene = Scene(lab, "ring")
    for _ in range(12):
        for count in (4, 1):
            scene.one.reload(scene.config(body=f"threads {count};"))
    wait_until(lambda: rings(scene.one) == 1, 5, lambda: f"{rings(scene.one)} rings for one thread")
    scene.wait_taken()
    assert unharmed(scene.one)


@pytest.mark.parametrize("kind", ["ring", "absorb"])
def test_bird2(lab, kind):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    bird2 = Bird2(link.b.ns, bfd(*(direct(x, link.b) for x in (link.a.ip4, link.a.ll)), options=FAST))
    one = Peregrine(link.a.ns, bfd(*(direct(x, link.a) for x in (link.b.ip4, link.b.ll)), options=offload(kind)))
    interop(one, bird2, link, kind, (link.b.ip4, link.b.ll))


@pytest.mark.parametrize("kind", ["ring", "absorb"])
def test_frr(lab, kind):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    timers = "receive-interval 50\n  transmit-interval 50\n"
    frr = FrrBfdd(link.b.ns, "bfd\n" + "".join(
        f" peer {remote} local-address {local} interface {link.b.ifname}\n  {timers}"
        for remote, local in ((link.a.ip4, link.b.ip4), (link.a.ll, link.b.ll))))
    one = Peregrine(link.a.ns, bfd(*(direct(x, link.a) for x in (link.b.ip4, link.b.ll)), options=offload(kind)))
    interop(one, frr, link, kind, (link.b.ip4, link.b.ll))


def interop(one, other, link, kind, remotes):
    for remote in remotes:
        wait_fast(one, remote)
        wait_offloaded(one, remote, kind)
        wait_taken(one, remote, 10)
    for remote in (link.a.ip4, link.a.ll):
        other.wait_session(remote, "Up")
    assert unharmed(one)
    other.pause()
    for remote in remotes:
        one.wait_session(remote, "Down", limit=1)
    other.resume()
    for remote in remotes:
        wait_fast(one, remote)
        wait_offloaded(one, remote, kind)
