"""The harness checks itself: with the installed bird2 and FRR only, ours is not needed."""

import os
import time

import pytest

import bfdpkt
from bfdpkt import DOWN, INIT, UP
from daemons import parse_session_details, parse_sessions
from forwarder import Forwarder
from lab import Bird2, Capture, DaemonFailure, FrrBfdd, Lab, WaitTimeout, heal, silent_cut, wait_until
from nslib import NETNS_DIR
from peer import BfdPeer

INTERVAL_MS, MULT = 50, 3
DETECTION = MULT * INTERVAL_MS / 1000
NOISE = 0.1  # this much later a detection may be seen on a busy machine


def bfd_config(*neighbors, mult=MULT):
    lines = "\n".join(f"  neighbor {n};" for n in neighbors)
    block = f"{{ interval {INTERVAL_MS} ms; idle tx interval 200 ms; multiplier {mult}; }}"
    return f"protocol bfd bfd1 {{\n  interface \"v*\" {block};\n  multihop {block};\n{lines}\n}}\n"


def bird_toward(end, *others):
    """A bird2 at `end` with direct sessions to these addresses."""
    return Bird2(end.ns, bfd_config(*(f'{o} dev "{end.ifname}"' for o in others)))


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def test_packets_survive_encoding_and_decoding():
    p = bfdpkt.Control(diag=5, state=UP, poll=True, demand=True, detect_mult=7, my_disc=0x01020304,
                       your_disc=9, desired_min_tx=50_000, required_min_rx=0, required_min_echo_rx=3,
                       auth=b"\x01\x03\x00")
    data = p.encode()
    assert data[:8] == bytes([0x25, 0xE2, 7, 27, 1, 2, 3, 4])
    assert bfdpkt.decode(data).encode() == data
    with pytest.raises(ValueError):
        bfdpkt.decode(data[:23])
    assert bfdpkt.reject_reason(bfdpkt.decode(data), 27) is None
    assert bfdpkt.reject_reason(bfdpkt.decode(data), 26) == "length"


def test_session_tables_of_old_and_new_bird_are_read():
    rows = parse_sessions([(1020, "bfd1:"), (1020, "IP address  Interface  State  Since  Interval  Timeout"),
                           (1020, "192.0.2.2    ---   Up         20:38:03.441    0.100    0.500"),
                           (1020, "fe80::1      va    AdminDown  2026-11-21 20:38:03    1.000    0.000"),
                           (0, "")])
    assert [(r["protocol"], r["address"], r["interface"], r["state"], r["timeout"]) for r in rows] == [
        ("bfd1", "192.0.2.2", "---", "Up", 0.5), ("bfd1", "fe80::1", "va", "AdminDown", 0.0)]
    block, = parse_session_details([
        (1020, "bfd1:"), (1020, "  Address:              10.66.0.2"), (1020, "  Session state:        Up"),
        (1020, "  Local parameters:"), (1020, "    Multiplier:         3"), (1020, ""), (0, "")])
    assert block == {"Protocol": "bfd1", "Address": "10.66.0.2", "Session state": "Up", "Local parameters/Multiplier": "3"}


def test_bird2_pair_comes_up_notices_a_silent_cut_and_heals(link):
    one = bird_toward(link.a, link.b.ip4, link.b.ip6)
    bird_toward(link.b, link.a.ip4, link.a.ip6)
    with Capture(link.b.ns, link.b.ifname) as capture:
        for addr in (link.b.ip4, link.b.ip6):
            assert one.wait_session(addr, "Up")["interface"] == link.a.ifname
            wait_until(lambda addr=addr: one.session(addr)["timeout"] == DETECTION, 1, "the fast intervals")

        cut_at = silent_cut(link)
        for addr in (link.b.ip4, link.b.ip6):
            down = one.wait_session(addr, "Down", limit=1)
            assert DETECTION * 0.6 <= down["at"] - cut_at <= DETECTION + 2 * NOISE
        for addr in (link.a.ip4, link.a.ip6):
            said = capture.wait(lambda p, addr=addr: p.src == addr and p.state == DOWN, 2, since=cut_at)
            assert said.diag == bfdpkt.DIAG_TIMEOUT and not said.outgoing
            assert said.time - cut_at <= DETECTION + NOISE

        heal(link)
        for addr in (link.b.ip4, link.b.ip6):
            one.wait_session(addr, "Up")


def test_cut_on_a_bridge_and_in_one_direction(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"), bridge=True)
    one, two = bird_toward(link.a, link.b.ip4), bird_toward(link.b, link.a.ip4)
    one.wait_session(link.b.ip4, "Up")
    two.wait_session(link.a.ip4, "Up")
    with Capture(link.b.ns, link.b.ifname) as capture:
        cut_at = silent_cut(link, toward=link.a)
        one.wait_session(link.b.ip4, "Down", limit=1)
        told = capture.wait(lambda p: p.src == link.a.ip4 and p.state == DOWN, 1, since=cut_at)
        assert told.diag == bfdpkt.DIAG_TIMEOUT  # still heard in the other direction
        two.wait_session(link.a.ip4, ("Down", "Init"), limit=1)
        heal(link)
        one.wait_session(link.b.ip4, "Up")


def test_capture_sees_true_fields(link):
    one = bird_toward(link.a, link.b.ip4, link.b.ll)
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=60_000, required_min_rx=40_000,
                   detect_mult=5)
    with Capture(link.b.ns, link.b.ifname) as capture:
        one.wait_session(link.b.ip4, "Up")
        theirs = capture.wait(lambda p: p.src == link.a.ip4 and p.state == UP and not p.poll, 2)
        ours = capture.wait(lambda p: p.src == link.b.ip4 and p.state == UP and not p.poll, 2)
        v6 = capture.wait(lambda p: p.src == link.a.ll, 2)
    assert (theirs.dst, theirs.dport, theirs.ttl, theirs.outgoing) == (link.b.ip4, 3784, 255, False)
    assert theirs.sport >= 1024  # bird2 takes any ephemeral port; RFC 5881 section 4 wants 49152 and up
    assert theirs.ifindex == ours.ifindex == link.b.ns.ifindex(link.b.ifname)
    assert (theirs.version, theirs.length, theirs.detect_mult) == (1, 24, MULT)
    assert theirs.desired_min_tx == theirs.required_min_rx == INTERVAL_MS * 1000
    assert theirs.your_disc == peer.local_disc == ours.my_disc
    assert ours.your_disc == peer.remote_disc == theirs.my_disc
    assert (ours.sport, ours.outgoing, ours.desired_min_tx, ours.detect_mult) == (peer.sport, True, 60_000, 5)
    assert (v6.dst, v6.ttl, v6.state) == (link.b.ll, 255, DOWN)
    twin = next(p for p in peer.received if p.raw == theirs.raw)
    assert (twin.src, twin.dst, twin.sport, twin.ttl, twin.ifindex) == (
        theirs.src, theirs.dst, theirs.sport, theirs.ttl, theirs.ifindex)
    assert abs(theirs.time - time.monotonic()) < 10


def test_bird2_and_frr(link):
    one = bird_toward(link.a, link.b.ip4, link.b.ip6)
    frr = FrrBfdd(link.b.ns, "bfd\n" + "".join(
        f" peer {remote} local-address {local}{dev}\n  receive-interval {INTERVAL_MS}\n"
        f"  transmit-interval {INTERVAL_MS}\n exit\n"
        for remote, local, dev in ((link.a.ip4, link.b.ip4, f" interface {link.b.ifname}"),
                                   (link.a.ip6, link.b.ip6, ""))))
    for local, remote in ((link.a.ip4, link.b.ip4), (link.a.ip6, link.b.ip6)):
        one.wait_session(remote, "Up")
        assert frr.wait_session(local, "Up")["detect-multiplier"] == 3
    assert "Control packet input" in frr.vtysh("show bfd peers counters")
    frr.reload(f"bfd\n peer {link.a.ip4} local-address {link.b.ip4} interface {link.b.ifname}\n  shutdown\n")
    assert frr.wait_session(link.a.ip4, "AdminDown")
    one.wait_session(link.b.ip4, "Down", limit=1)


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "link-local", "multihop"])
def test_peer_handshakes_with_bird2(lab, link, kind):
    mine, theirs = {"ipv4": (link.b.ip4, link.a.ip4), "ipv6": (link.b.ip6, link.a.ip6),
                    "link-local": (link.b.ll, link.a.ll), "multihop": (link.b.ip4, link.a.ip4)}[kind]
    where = f"local {theirs} multihop on" if kind == "multihop" else f'dev "{link.a.ifname}"'
    one = Bird2(link.a.ns, bfd_config(f"{mine} {where}"))
    peer = BfdPeer(link.b.ns, mine, theirs, dev=link.b.ifname if kind == "link-local" else None,
                   multihop=kind == "multihop")
    peer.wait_state(UP)
    one.wait_session(mine, "Up", limit=1)
    # A handshake has one Init on one side or on both; then both poll and are answered.
    assert [t.new for t in peer.transitions] in ([INIT, UP], [UP])
    wait_until(lambda: not peer.polling, 1, "the answer to our poll")
    if kind == "multihop":
        assert peer.received[-1].dport == 4784
    assert lab.troubles() == []


def test_peer_lies(link):
    """Each lie is believed, or punished, as RFC 5880 says."""
    one = bird_toward(link.a, link.b.ip4)
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=INTERVAL_MS * 1000)
    peer.wait_state(UP)

    peer.set(desired_min_tx=INTERVAL_MS * 3000, detect_mult=2)
    wait_until(lambda: not peer.polling, 1, "the answer to our poll")
    wait_until(lambda: one.session(link.b.ip4)["timeout"] == 0.3, 1, "the new detection time")

    at = time.monotonic()
    peer.admin_down()
    peer.wait_packet(lambda p: p.state == DOWN and p.diag == bfdpkt.DIAG_NEIGHBOR_DOWN, 1, since=at)
    peer.admin_up()
    peer.wait_state(UP)

    frozen_at = peer.freeze()
    said = peer.wait_packet(lambda p: p.state == DOWN, 1, since=frozen_at)
    assert said.diag == bfdpkt.DIAG_TIMEOUT and 0.1 < said.time - frozen_at < 0.3 + NOISE
    peer.thaw()
    peer.wait_state(UP)

    at = time.monotonic()
    peer.ttl = 254
    assert peer.wait_packet(lambda p: p.state == DOWN, 1, since=at).diag == bfdpkt.DIAG_TIMEOUT
    peer.ttl = 255
    peer.wait_state(UP)

    at = time.monotonic()
    peer.send_raw(peer.packet(state=DOWN, my_disc=77).encode())
    peer.wait_packet(lambda p: p.state == DOWN and p.your_disc == 77, 1, since=at)
    peer.wait_state(UP)

    old = peer.local_disc
    peer.restart(new_port=True)
    peer.wait_state(UP)
    assert peer.local_disc != old
    assert peer.wait_packet(lambda p: p.state == UP and p.your_disc == peer.local_disc, 1)

    peer.copies, at = 2, time.monotonic()
    wait_until(lambda: len([t for t, _ in list(peer.sent) if t > at]) >= 4, 1, "duplicates")
    assert one.session(link.b.ip4)["state"] == "Up"


def test_peer_hooks_reach_the_wire(link):
    one = bird_toward(link.a, link.b.ip4)
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=30_000, required_min_rx=30_000)
    with Capture(link.a.ns, link.a.ifname, ports=(3784, 3999)) as capture:
        peer.wait_state(UP)
        wait_until(lambda: not peer.polling, 1, "the answer to our poll")

        def sent(where, what):
            """The first packet of the peer since `began` that satisfies `where`, as the other end saw it."""
            return capture.wait(lambda p: p.src == link.b.ip4 and where(p), 1, what, since=began)

        began = time.monotonic()
        peer.lie(demand=True, required_min_rx=7, your_disc=0xBAD)
        assert sent(lambda p: p.your_disc == 0xBAD, "lies").demand
        began = time.monotonic()
        peer.truth()
        assert not sent(lambda p: p.your_disc == peer.remote_disc, "the truth").demand
        peer.mangle = lambda p: p.encode()[:20]
        assert len(sent(lambda p: p.bfd is None, "a truncated packet").raw) == 20
        peer.mangle = None
        peer.send_raw(b"hello", dport=3999, sport=50000, ttl=3)
        hello = sent(lambda p: p.dport == 3999, "a raw packet")
        assert (hello.raw, hello.sport, hello.ttl) == (b"hello", 50000, 3)

        peer.wait_state(UP)
        peer.answer_polls = False
        since = time.monotonic()
        one.reload(bfd_config(f'{link.b.ip4} dev "{link.a.ifname}"').replace("50 ms", "80 ms"))
        wait_until(lambda: len([p for p in peer.received if p.time > since and p.poll]) > 3, 2,
                   "repeated polls")
        peer.answer_polls = True
        peer.wait_packet(lambda p: not p.poll, 1, since=time.monotonic())

        peer.wait_state(UP)
        peer.set(required_min_rx=0)
        wait_until(lambda: not peer.polling, 1, "the answer to our poll")
        since = time.monotonic()
        peer.set(required_min_rx=30_000)
        peer.wait_packet(lambda p: p.final, 1, since=since)

        peer.wait_state(UP)
        since, peer.deaf = time.monotonic(), True
        told = capture.wait(lambda p: p.src == link.b.ip4 and p.state == DOWN, 2, since=since)
        assert told.diag == bfdpkt.DIAG_TIMEOUT and [p for p in peer.received if p.time > since]
        peer.deaf = False
        peer.wait_state(UP)
        with peer.changing():
            peer.delay, peer.copies = 0.06, 2
            began = time.monotonic()
        wait_until(lambda: len(capture.packets(lambda p: p.src == link.b.ip4, began)) > 9, 2, "late packets")
        late = capture.packets(lambda p: p.src == link.b.ip4, began)
        assert late[0].time - began >= peer.delay - 0.001
        assert late[1].time - late[0].time < 0.02  # the copy; the next packet is due after 37 ms or more


def test_control_socket_raw_reload_and_orderly_stop(link):
    one = bird_toward(link.a, link.b.ip4)
    with one.connect() as raw:
        assert raw.recv(100).startswith(b"0001 BIRD 2")
    reply = one.birdc("show status")
    assert reply[0][0] == 1000 and reply[-1] == (13, "Daemon is up and running")
    assert one.birdc("nonsense")[-1][0] == 9001
    assert one.client("show", "status").returncode == 0
    one.reload(bfd_config(f'{link.b.ip6} dev "{link.a.ifname}"'))
    one.wait_session(link.b.ip4, None)
    assert one.session(link.b.ip6)["state"] == "Down"
    one.stop()
    one.start()
    refused = one.reload("protocol bfd {\n  nonsense;\n}", check=False)[-1]
    assert refused[0] == 8002 and refused[1].startswith(f"{one.config_path}:2:")
    one.kill()


def test_a_dead_daemon_a_sanitizer_report_and_a_failed_wait_are_noticed():
    with pytest.raises(WaitTimeout, match="pigs to fly"):
        wait_until(lambda: False, 0.01, "pigs to fly")
    with pytest.raises(DaemonFailure, match="died unexpectedly, signal SIGABRT"), Lab() as lab:
        one = Bird2(lab.ns("a"), bfd_config())
        os.kill(one.pid, 6)
        one.proc.wait()
    with pytest.raises(DaemonFailure, match="sanitizer report"), Lab() as lab:
        one = Bird2(lab.ns("a"), bfd_config())
        with open(one.log_path, "a", encoding="ascii") as f:
            f.write("==1==ERROR: AddressSanitizer: heap-use-after-free\n")
    with pytest.raises(DaemonFailure, match="syntax error"), Lab() as lab:
        Bird2(lab.ns("a"), "protocol nonsense {}")
    assert not [n for n in os.listdir(NETNS_DIR) if n.startswith(f"pg-{os.getpid()}-")]


def test_a_forwarder_loses_repeats_and_delays(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"), bridge=True)
    middle = Forwarder(link)
    a, b = (BfdPeer(end.ns, end.ip4, other.ip4) for end, other in ((link.a, link.b), (link.b, link.a)))
    a.wait_state(UP)
    b.wait_state(UP)
    for delays in ([0, 0, 0], [0.2], []):
        middle.fate = lambda packet, delays=delays: delays if packet.raw == b"x" * 24 else [0]
        since = time.monotonic()
        a.send_raw(b"x" * 24)
        wait_until(lambda: b.received[-1].time > since + 0.3, 2, "other packets")
        got = [p.time - since for p in b.received if p.raw == b"x" * 24 and p.time > since]
        assert len(got) == len(delays) and all(t >= delay - 0.001 for t, delay in zip(got, delays))
