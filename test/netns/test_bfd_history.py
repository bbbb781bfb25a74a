"""Why a session went Down: the verdict in the log and its evidence in `show bfd history`."""

import socket
import time

import pytest

from bfdpkt import DIAG_TIMEOUT, DOWN, UP
from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, direct, wait_fast

KEYS = ("Address", "Interface", "Went down", "Had been up for", "Verdict", "Local diagnostic", "Remote state",
        "Remote diagnostic", "Silence", "Longest own stall", "Without processor", "CPU pressure", "Dropped by kernel",
        "Packets refused", "Last gaps", "Largest gap")


def history(daemon, words=""):
    """The records of `show bfd history`, newest first."""
    records = []
    for _, text in daemon.birdc(f"show bfd history {words}"):
        name, _, value = text.strip().partition(":")
        if name == "Address":
            records.append({})
        if records and name in KEYS:
            records[-1][name] = value.strip()
    return records


@pytest.fixture(name="pair")
def fixture_pair(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    wait_fast(one, link.b.ip4)
    return link, one, peer


def verdict(one, peer, count=1):
    """Wait for the newest of `count` records and check that log, counters and history agree; returns the record."""
    records = wait_until(lambda: len(r := history(one)) == count and r, 3, "a record")
    record = records[0]
    assert set(record) >= set(KEYS) - {"Last gaps"} and record["Address"] == peer.local
    wait_until(lambda: record["Verdict"] in one.log(), 2, "the log line")
    name = record["Verdict"].split(":")[0]
    assert any(f"      {name}: " in text for _, text in one.birdc("show bfd sessions all"))
    assert any(f"  Verdict, {name}: " in text for _, text in one.birdc("show bfd sessions all"))
    return record


def test_silent(pair):
    _, one, peer = pair
    time.sleep(0.3)  # some packets to look back at
    peer.freeze()
    record = verdict(one, peer)
    assert record["Verdict"].startswith("peer silent: nothing for 0.1")
    assert record["Silence"].endswith("of 0.150") and record["Remote state"] == "Up"
    assert len(record["Last gaps"].split()) > 3
    time.sleep(0.3)
    peer.thaw()  # it has noticed nothing, but now says Down
    wait_fast(one, peer.local)
    assert history(one)[0]["Verdict"].startswith("peer silent")


def test_late(pair):
    """Its packets wait somewhere and come after all."""
    _, one, peer = pair
    peer.mangle = lambda packet: None
    one.wait_session(peer.local, "Down")
    assert verdict(one, peer)["Verdict"].startswith("peer silent")
    with peer.changing():
        peer.mangle = None
        peer.send_raw(peer.packet(state=UP, your_disc=int(one.session_details()[0]["Local discriminator"])).encode())
    wait_until(lambda: history(one)[0]["Verdict"].startswith("packets late: the next one came "), 2, "the other verdict")
    assert verdict(one, peer)
    assert not any("peer silent" in text for _, text in one.birdc("show bfd sessions all"))


def test_restarted(pair):
    _, one, peer = pair
    peer.restart()
    assert verdict(one, peer)["Verdict"] == "peer said so: it restarted"


def test_the_peer_hears_nothing(pair):
    _, one, peer = pair
    peer.deaf = True
    with peer.changing():
        peer.lie(diag=DIAG_TIMEOUT, state=DOWN)
    record = verdict(one, peer)
    assert record["Verdict"] == "peer said so: Time expired"
    assert record["Remote diagnostic"] == "Time expired"


def test_we_were_stopped(pair):
    """The peer says so, but it was us."""
    _, one, peer = pair
    one.pause()
    peer.wait_state(DOWN)
    one.resume()
    record = verdict(one, peer)
    assert record["Verdict"].startswith("we were stalled: for 0.1") and record["Remote diagnostic"] == "Time expired"
    assert float(record["Longest own stall"]) > 0.075


def test_disabled_there(pair):
    _, one, peer = pair
    peer.admin_down()
    assert verdict(one, peer)["Verdict"] == "administrative: disabled at the peer"


def test_disabled_here(pair):
    _, one, peer = pair
    one.birdc(f"bfd disable {peer.local}")
    assert verdict(one, peer)["Verdict"] == "administrative: disabled here"


def test_link(pair):
    link, one, peer = pair
    link.a.ns.ip(f"link set {link.a.ifname} down")
    assert verdict(one, peer)["Verdict"] == "link lost: interface down, or the local address gone"


def test_refused(pair):
    _, one, peer = pair
    with peer.changing():
        peer.ttl = 254
    record = verdict(one, peer)
    assert record["Verdict"].startswith("peer silent")  # of a packet with that TTL nothing is believed, nor whose it is
    with peer.changing():
        peer.ttl = 255
    wait_fast(one, peer.local)
    peer.lie(auth_present=True, auth=bytes([1, 9, 1]) + b"secret", length=33)
    record = verdict(one, peer, count=2)
    assert record["Verdict"].startswith("packets refused: ")
    assert record["Verdict"].endswith("the last one for: authentication not agreed on")
    assert int(record["Packets refused"]) > 1


def test_dropped(pair):
    """What fills the queue of somebody else in this namespace might have been the peer's."""
    link, one, peer = pair
    with link.a.ns.inside():
        full = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        full.bind((link.a.ip4, 9))
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        time.sleep(1.2)  # a sample of the counters from before
        peer.freeze()
        for _ in range(100):
            sender.sendto(b"x" * 1000, (link.a.ip4, 9))
        sender.close()
    record = verdict(one, peer)
    full.close()
    assert record["Verdict"].startswith("kernel dropped, possibly: 0 packets at our sockets, ")
    assert "elsewhere 0" not in record["Dropped by kernel"]


def test_which(lab):
    """By address, and by interface; the last one first; none at all."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    link.b.ns.ip(f"addr add 10.77.1.9/24 dev {link.b.ifname}")
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), direct("10.77.1.9", link.a)))
    peers = [BfdPeer(link.b.ns, a, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
             for a in (link.b.ip4, "10.77.1.9")]
    for peer in peers:
        wait_fast(one, peer.local)
    assert history(one) == []
    for count, peer in enumerate(peers, 1):
        peer.admin_down()
        verdict(one, peer, count=count)
    assert [r["Address"] for r in history(one)] == ["10.77.1.9", link.b.ip4]
    assert [r["Address"] for r in history(one, link.b.ip4)] == [link.b.ip4]
    assert [r["Address"] for r in history(one, f'10.77.1.9 dev "{link.a.ifname}"')] == ["10.77.1.9"]
    assert history(one, '10.77.1.9 dev "other"') == [] and history(one, "10.77.1.1") == []


def test_a_long_history(lab):
    """It is shown whole, and no more than the last thousand are kept."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    for count in range(1, 81):
        peer.wait_state(UP)
        one.wait_session(peer.local, "Up")
        peer.restart()
        wait_until(lambda count=count: int(one.session_details()[0]["Counters/Went down"]) >= count, 3, "it went down")
    records = history(one)
    assert len(records) == 80 and {r["Verdict"] for r in records} == {"peer said so: it restarted"}


def test_configured_faster_than_the_machine(lab):
    """A detection time below what has been kept is said when it is configured."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    wait_fast(one, link.b.ip4)
    one.pause()
    time.sleep(0.3)
    one.resume()
    wait_until(lambda: "Late ticks: 0" not in "".join(t for _, t in one.birdc("show bfd sessions all")), 2, "a late tick")
    assert "has kept us waiting" not in one.log()
    one.reload(bfd(direct(link.b.ip4, link.a), options="interval 20 ms; multiplier 3; idle tx interval 200 ms;"))
    wait_until(lambda: "Session to 10.77.1.2 is to notice silence in 0.060 s, but this machine has kept us waiting for 0."
               in one.log(), 2, "the warning")
