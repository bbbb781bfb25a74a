"""Several engine threads for one instance while things go wrong, most of them in the middle of a change of their number."""

import contextlib
import itertools
import os
import random
import socket
import threading
import time

import pytest

from bfdpkt import DOWN, Control
from lab import Peregrine, wait_until
from many import Far, totals, wait_states
from peer import BfdPeer
from scenario import FAST, addresses, bfd, detail, direct, multihop
from test_bfd_threads import flaps, running, tasks, threads
from tun import TunLink

COUNT = 300
PAIRS = 40
PATIENT = "interval 50 ms; multiplier 10; idle tx interval 200 ms;"
AUTH = ' authentication meticulous keyed sha1; password "%s" { id %d; };'


def wait_count(daemon, count, limit=5):
    """It has that many threads, and sessions in each."""
    wait_until(lambda: len(threads(daemon)) == count and running(daemon) == count, limit,
               lambda: f"{count} threads: sessions {threads(daemon)}, {running(daemon)} of them run")


@contextlib.contextmanager
def begun(daemon, config):
    """A reload that has been asked for and goes on; its answer is read at the end."""
    daemon.config = config
    daemon._write_config()  # pylint: disable=protected-access
    with daemon.control() as client:
        client.send("configure")
        yield
        assert client.read_reply()[-1][0] in (3, 4, 5, 14)


@pytest.fixture(name="far")
def fixture_far(lab):
    far = Far(lab.link(lab.ns("a"), lab.ns("b")), COUNT, interval=50, mult=5)
    far.start()
    return far


class Pairs:
    """Two daemons with sessions of both hop types between many addresses."""

    def __init__(self, lab, count=PAIRS, options=PATIENT, extra="", hops=True):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.options, self.extra, self.hops = options, extra, hops
        self.addresses = [(f"10.66.0.{i}", f"10.66.1.{i}") for i in range(1, count + 1)]
        for side, end in enumerate(self.link.ends):
            end.ns.ip(*(f"addr add {pair[side]}/16 dev {end.ifname}" for pair in self.addresses))

    def config(self, side, count, options=None, body=""):
        end, lines = self.link.ends[side], []
        for i, pair in enumerate(self.addresses):
            local, remote = pair[side], pair[1 - side]
            lines.append(multihop(remote, local) if self.hops and i % 2 else f"{direct(remote, end)} local {local}")
        return bfd(*lines, options=options or self.options, body=f"threads {count}; {self.extra} {body}")

    def start(self, count, other):
        self.one = Peregrine(self.link.a.ns, self.config(0, count), limit=10)
        self.two = Peregrine(self.link.b.ns, self.config(1, other), limit=10)
        self.wait_up()

    def wait_up(self):
        for daemon in (self.one, self.two):
            wait_states(daemon, "Up", len(self.addresses))

    def flaps(self):
        return {**flaps(self.one), **flaps(self.two)}


# What is lost


def test_the_silent_are_judged_while_the_number_changes(far):
    """On one processor, where a thread may do all it has to do before the main loop tells the next one."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 1;"), limit=10)
    wait_states(one, "Up", COUNT)
    for task in os.listdir(f"/proc/{one.pid}/task"):
        os.sched_setaffinity(int(task), {0})
    for _ in range(8):
        far.kill()
        time.sleep(0.18)  # of 0.25
        begin = time.monotonic()
        for count in itertools.cycle((3, 1, 4, 2, 6, 1)):  # each takes some milliseconds
            one.reload(far.config(body=f"threads {count};"))
            if time.monotonic() - begin > 0.15:
                break
        wait_states(one, "Down", COUNT)
        far.start()
        wait_states(one, "Up", COUNT)


def test_every_packet_finds_its_session_when_threads_come(lab):
    pairs = Pairs(lab, count=240, extra="strict bind yes;", options=PATIENT.replace("50 ms", "20 ms", 1))
    pairs.start(1, 1)
    for count in (4, 2, 8, 3):
        pairs.one.reload(pairs.config(0, count))
        wait_count(pairs.one, count)
    assert pairs.flaps() == {}
    assert "Packets refused, no such session" not in totals(pairs.one)


@pytest.mark.parametrize("count", [2, 4])
def test_a_pause_of_the_process_is_no_silence(far, count):
    """Twice as long as a detection time; the peers are patient."""
    far.simulator.ask("patient on")
    one = Peregrine(far.link.a.ns, far.config(body=f"threads {count};"), limit=10)
    wait_states(one, "Up", COUNT)
    for _ in range(2):
        one.pause()
        time.sleep(0.5)
        one.resume()
        before = totals(one)["Packets received"]
        wait_until(lambda before=before: totals(one)["Packets received"] > before + 5000, 5, lambda: str(totals(one)))
    assert flaps(one) == {}


def test_a_pause_in_the_middle_of_a_change_is_no_silence(far):
    far.simulator.ask("patient on")
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    wait_states(one, "Up", COUNT)
    rng = random.Random(1)
    for count in (4, 1, 3, 2, 5, 1):
        with begun(one, far.config(body=f"threads {count};")):
            time.sleep(rng.random() * 0.008)
            one.pause()
            time.sleep(0.4)
            one.resume()
        wait_count(one, count)
    assert flaps(one) == {}


# Links and peers


def test_the_interface_goes_in_the_middle_of_a_change(far):
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    a, b = far.link.ends
    for times, (count, deleted) in enumerate(((4, False), (1, True), (3, False), (2, True)), start=1):
        wait_states(one, "Up", COUNT)
        with begun(one, far.config(body=f"threads {count};")):
            a.ns.ip(f"link del {a.ifname}" if deleted else f"link set {a.ifname} down")
        wait_until(lambda times=times: totals(one).get("Verdict, link lost", 0) == times * COUNT, 5,
                   lambda: str(totals(one)))
        if deleted:
            far.kill()
            a.ns.ip(f"link add {a.ifname} address {a.mac} type veth peer name {b.ifname} address {b.mac} netns {b.ns.full}")
            for end in far.link.ends:
                end.ns.ip(*addresses(end))
        else:
            a.ns.ip(f"link set {a.ifname} up")
        far.connect()
        if deleted:
            far.start()
        wait_count(one, count)
    wait_states(one, "Up", COUNT)
    assert {name for name in totals(one) if name.startswith("Verdict")} == {"Verdict, link lost"}


def test_peers_restart_in_the_middle_of_a_change(far):
    """With other discriminators than before, and all of them with a first packet that names none."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    for count in (4, 1, 3):
        wait_states(one, "Up", COUNT)
        with begun(one, far.config(body=f"threads {count};")):
            far.kill()
            far.start()
        wait_states(one, "Up", COUNT)
        wait_count(one, count)


@pytest.mark.parametrize("count", [1, 4])
def test_first_packets_of_all_at_once(lab, count):
    """They know no discriminator, and nobody is told one before: the sessions are passive."""
    pairs = Pairs(lab, count=120, hops=False)
    pairs.one = Peregrine(pairs.link.a.ns, pairs.config(0, count, options=PATIENT + " passive yes;"), limit=10)
    wait_states(pairs.one, "Down", 120)
    pairs.two = Peregrine(pairs.link.b.ns, pairs.config(1, 1), limit=10)
    pairs.wait_up()


def test_a_flood_without_discriminators(far):
    """It goes round in small numbers, and costs no session anything."""
    far.mult = 10
    one = Peregrine(far.link.a.ns, far.config(body="threads 3;"), limit=10)
    wait_states(one, "Up", COUNT)
    with far.link.b.ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    sent, end, rng = 0, time.monotonic() + 1.5, random.Random(1)
    while time.monotonic() < end:
        for _ in range(200):
            packet = Control(state=DOWN, my_disc=rng.randrange(1, 1 << 32)).encode()
            sock.sendto(packet, (far.link.a.ip4, 3784))
        sent += 200
        time.sleep(0.005)
    sock.close()
    wait_until(lambda: totals(one)["Packets refused, no such session"] == sent, 5, lambda: f"{sent}: {totals(one)}")
    assert flaps(one) == {} and far.simulator.stats()["downs"] == {}
    assert len(one.log(tail=None).splitlines()) < 2 * COUNT


def test_with_two_sessions_on_a_link_the_address_decides(lab):
    a, b = lab.ns("a"), lab.ns("b")
    TunLink(a, b)
    peers = [f"10.201.0.{i}" for i in range(1, 9)]
    a.ip("addr add 10.200.0.1 peer 10.201.0.1 dev tun1", "route add 10.201.0.0/24 dev tun1")
    b.ip("addr add 10.201.0.1 peer 10.200.0.1 dev tun1", *(f"addr add {x} dev tun1" for x in peers[1:]))
    one = Peregrine(a, bfd(*(f'{x} dev "tun1"' for x in peers), body="threads 2;"))
    wait_until(lambda: len(one.sessions()) == len(peers), 5, one.show)
    thread = {x: detail(one, x)["Thread"] for x in peers}
    first, second = (next(x for x in peers if thread[x] == n) for n in "12")
    one.reload(bfd(*(f'{x} dev "tun1"' for x in (first, second)), body="threads 2;"))
    wait_until(lambda: len(one.sessions()) == 2, 5, one.show)
    stranger = BfdPeer(b, second, "10.200.0.1", passive=True)
    stranger.deaf = True
    stranger.send_raw(Control(state=DOWN, my_disc=77, detect_mult=50).encode())
    wait_until(lambda: "Init" in {s["state"] for s in one.sessions()}, 2, one.show)
    assert one.session(first)["state"] == "Down"
    assert detail(one, second)["Remote discriminator"] == "77"


# Keys and offload


def test_keys_and_their_number_change_together(lab):
    pairs = Pairs(lab, options=PATIENT + AUTH % ("first", 1))
    pairs.start(2, 3)
    for i, (count, other) in enumerate(((4, 1), (1, 4), (3, 2)), start=1):
        options = PATIENT + AUTH % (f"secret {i}", i + 1)
        pairs.one.reload(pairs.config(0, count, options=options))
        pairs.two.reload(pairs.config(1, other, options=options))
        wait_count(pairs.one, count)
        wait_count(pairs.two, other)
        wait_until(lambda: not any("Authentication/Changing to" in d for d in pairs.one.session_details()), 5,
                   pairs.one.show)
    pairs.wait_up()
    assert pairs.flaps() == {}


@pytest.mark.parametrize("way", ["ring", "absorb"])
def test_offloaded_sessions_change_hands(lab, way):
    pairs = Pairs(lab, hops=False, extra=f"offload {way};")
    pairs.start(2, 3)

    def offloaded(daemon):
        return sum(d["Offload"].startswith(f"{way}, now {way}") for d in daemon.session_details())

    if "cannot be offloaded" in pairs.one.log(tail=None):
        pytest.skip("no offload here")
    for count, other in ((2, 3), (4, 1), (1, 2), (3, 4), (8, 1), (2, 3)):
        pairs.one.reload(pairs.config(0, count))
        pairs.two.reload(pairs.config(1, other))
        for daemon, threads_of in ((pairs.one, count), (pairs.two, other)):
            wait_count(daemon, threads_of)
            wait_until(lambda daemon=daemon: offloaded(daemon) == PAIRS, 5, daemon.show)
    assert pairs.flaps() == {}
    with begun(pairs.one, pairs.config(0, 4)):
        pairs.two.kill()
    wait_states(pairs.one, "Down", PAIRS)


# Commands


@pytest.mark.parametrize("commands", [("restart bfd1",), ("disable bfd1", "enable bfd1"), ("disable bfd1", "restart bfd1",
                                                                                           "enable bfd1")])
def test_the_instance_is_stopped_in_the_middle_of_a_change(far, commands):
    one = Peregrine(far.link.a.ns, far.config(body="threads 2; exit linger 100 ms;"), limit=10)
    rng = random.Random(1)
    for count in (4, 1, 3):
        wait_states(one, "Up", COUNT)
        with begun(one, far.config(body=f"threads {count}; exit linger 100 ms;")):
            time.sleep(rng.random() * 0.01)
            for command in commands:
                one.birdc(command)
        wait_until(lambda: one.birdc("show bfd sessions")[0][0] == 1020, 5, one.log)
        wait_states(one, "Up", COUNT)
        wait_count(one, count)
    one.birdc("disable bfd1")
    wait_until(lambda: running(one) == 0, 5, lambda: f"{running(one)} threads")
    wait_until(lambda: far.simulator.stats()["up"] == 0, 5, lambda: str(far.simulator.stats()))


def test_the_instance_is_restarted_under_a_flood(far):
    """Packets go round among its threads until the last one ends; what a thread sends to another that has gone, sanitizers see."""
    body = "threads 8; exit linger 100 ms;"
    one = Peregrine(far.link.a.ns, far.config(body=body), limit=10)
    wait_states(one, "Up", COUNT)
    with far.link.b.ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    over = threading.Event()

    def flood():
        packet = Control(state=DOWN, my_disc=77).encode()
        while not over.wait(0.0005):
            for _ in range(20):
                sock.sendto(packet, (far.link.a.ip4, 3784))

    sender = threading.Thread(target=flood)
    sender.start()
    try:
        for _ in range(4):
            one.birdc("restart bfd1")
            wait_states(one, "Up", COUNT)
    finally:
        over.set()
        sender.join()
        sock.close()


def test_a_reload_that_restarts_meets_a_change(far):
    """Strict binding cannot be changed in place: the second reload stops what the first one has begun."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 2; exit linger 100 ms;"), limit=10)
    for count, strict, other in ((4, "yes", "no"), (1, "no", "yes"), (3, "yes", "no")):
        wait_states(one, "Up", COUNT)
        one.reload(far.config(body=f"threads {count + 1}; exit linger 100 ms; strict bind {other};"))
        one.reload(far.config(body=f"threads {count}; exit linger 100 ms; strict bind {strict};"))
        wait_states(one, "Up", COUNT)
        wait_count(one, count)


def test_sessions_that_leave_change_hands(far):
    """They say AdminDown meanwhile, some are asked for again, and nobody is left in the end."""
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;"), limit=10)
    for count in (4, 1, 3):
        wait_states(one, "Up", COUNT)
        one.reload(bfd(*(direct(x, far.link.a) for x in far.addresses[::3]), options=far.options, body="threads 2;"))
        one.reload(bfd(*(direct(x, far.link.a) for x in far.addresses[::3]), options=far.options, body=f"threads {count};"))
        one.reload(far.config(body=f"threads {count};"))
        wait_states(one, "Up", COUNT)
        wait_count(one, count)
        one.reload(far.config(body="threads 2;"))
    assert {d["Counters/Went down"] for d in one.session_details() if d["Address"] in far.addresses[::3]} == {"0"}


def slow_listing(lab, extra=""):
    """The text of `show bfd sessions all` when the second of two threads has begun to answer, and then ends."""
    far = Far(lab.link(lab.ns("a"), lab.ns("b")), 1000, interval=200, mult=5)
    far.start()
    one = Peregrine(far.link.a.ns, far.config(body="threads 2;") + extra, limit=10)
    wait_states(one, "Up", far.count)
    text = b""
    with one.connect() as raw:
        raw.sendall(b"show bfd sessions all\n")
        while f"Thread:{'':15}2".encode() not in text:
            text += raw.recv(2000)
        one.reload(far.config(body="threads 1;") + extra)
        wait_until(lambda: running(one) == 1, 5, lambda: f"{running(one)} threads")
        while b"\n0000 " not in text:
            text += raw.recv(65536)
    return text.decode()


def test_a_slow_listing_ends_when_threads_go(lab):
    assert slow_listing(lab).count("Address:") > 500


def test_a_slow_listing_is_complete_when_threads_go(lab):
    text = slow_listing(lab, bfd("10.78.1.1 local 10.78.1.2 multihop", body="accept multihop;", name="other"))
    assert "  Late ticks: " in text
    assert "other:" in text


def test_instances_with_their_own_numbers(lab):
    """One for each family. They change at a time, and neither loses anything."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    numbers = range(1, 21)
    pairs = [(f"10.66.0.{i}", f"10.66.1.{i}") for i in numbers] + [(f"fd66::1:{i}", f"fd66::2:{i}") for i in numbers]
    for side, end in enumerate(link.ends):
        end.ns.ip(*(f"addr add {p[side]}/{'64' if ':' in p[side] else '16'} dev {end.ifname} nodad" for p in pairs))

    def config(side, four, six):
        end, text = link.ends[side], ""
        for name, count, family in (("four", four, "ipv4"), ("six", six, "ipv6")):
            lines = [f"{direct(p[1 - side], end)} local {p[side]}" for p in pairs if (":" in p[0]) == (name == "six")]
            text += bfd(*lines, options=PATIENT, body=f"accept {family}; threads {count};", name=name)
        return text

    def counts(daemon):
        return tasks(daemon).count("four"), tasks(daemon).count("six")

    one, two = Peregrine(link.a.ns, config(0, 3, 2), limit=10), Peregrine(link.b.ns, config(1, 1, 4), limit=10)
    for four, six in ((3, 2), (1, 4), (4, 1), (2, 2)):
        one.reload(config(0, four, six))
        wait_until(lambda four=four, six=six: counts(one) == (four, six), 5, lambda: str(counts(one)))
        for daemon in (one, two):
            wait_states(daemon, "Up", len(pairs))
    assert {**flaps(one), **flaps(two)} == {}
    one.birdc("disable six")
    wait_until(lambda: counts(one) == (2, 0), 5, lambda: str(counts(one)))
    one.reload(config(0, 3, 3))
    wait_until(lambda: counts(one) == (3, 0), 5, lambda: str(counts(one)))
    one.birdc("enable six")
    wait_states(one, "Up", len(pairs))
    assert counts(one) == (3, 3)
