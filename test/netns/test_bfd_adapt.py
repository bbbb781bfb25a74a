"""adapt min: while this machine is late our intervals are longer, agreed on by a Poll Sequence."""

import re
import time

from lab import Peregrine, wait_until
from peer import BfdPeer
from scenario import bfd, detail, direct

QUICK = "interval 20 ms; multiplier 5; idle tx interval 200 ms;"


def config(link, adapt):
    return bfd(direct(link.b.ip4, link.a), options=QUICK + adapt)


def start(lab, adapt):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, config(link, adapt))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=20_000, required_min_rx=20_000, detect_mult=50)
    wait_intervals(one, peer, 20)
    return link, one, peer


def own(block):
    return [float(block[f"Local parameters/Min {way} interval"]) * 1000 for way in ("TX", "RX")]


def wait_intervals(one, peer, ms, limit=5):
    wait_until(lambda: peer.last and peer.last.desired_min_tx == peer.last.required_min_rx == ms * 1000
               and not peer.last.poll, limit, f"intervals of {ms} ms")
    assert own(detail(one, peer.local)) == [ms, ms]


def forecast(one):
    """What the configuration that is in force would make of the only session."""
    fates = [text.split(": ")[1] for code, text in one.birdc("configure check") if code == 1020 and "10.77.1.2 v1" in text]
    assert len(fates) == 1
    return fates[0].split(",")[0]


def be_late(one, seconds=0.045):
    """Less than the detection time of 100 ms, and more than a quarter of it."""
    one.pause()
    time.sleep(seconds)
    one.resume()


def test_raised_by_a_poll_sequence_and_restored(lab):
    _, one, peer = start(lab, "adapt min 200 ms quiet 1 s;")
    assert "Adapted" not in detail(one, peer.local)
    before = time.monotonic()
    be_late(one)
    poll = peer.wait_packet(lambda p: p.bfd and p.bfd.poll and p.bfd.desired_min_tx == 200_000, 3, before, "a Poll")
    assert poll.bfd.required_min_rx == 200_000 and poll.time - before < 0.5
    wait_until(lambda: "Adapted" in detail(one, peer.local), 2, "the line")
    assert re.fullmatch(r"intervals raised to 0\.(200|110) s, this machine was late by 0\.\d+ s",
                        detail(one, peer.local)["Adapted"])
    wait_until(lambda: re.search(r"This machine was late by 0\.\d+ s: longer intervals for 1 sessions", one.log()), 2, "the log")
    wait_until(lambda: "Adapted" not in detail(one, peer.local), 60, "the return")
    wait_intervals(one, peer, 20)
    seen = [p.bfd.desired_min_tx for p in peer.received if p.bfd and p.time > before]
    assert {200_000, 110_000, 65_000, 42_500, 31_250, 20_000} <= set(seen), set(seen)
    assert "configured intervals again for 1 sessions" in one.log()
    assert detail(one, peer.local)["Counters/Went down"] == "0"


def test_without_it_intervals_stay(lab):
    _, one, peer = start(lab, "")
    be_late(one)
    wait_until(lambda: "Late ticks: 0" not in "".join(t for _, t in one.birdc("show bfd sessions all")), 2, "a late tick")
    time.sleep(0.3)
    assert own(detail(one, peer.local)) == [20, 20] and "longer intervals" not in one.log()


def test_reload_in_the_middle(lab):
    link, one, peer = start(lab, "adapt min 200 ms quiet 600 s;")
    be_late(one)
    wait_intervals(one, peer, 200)
    assert forecast(one) == "kept"  # to be raised for a while is not what it was asked to be
    one.reload(config(link, "adapt min 100 ms quiet 600 s;"))
    wait_intervals(one, peer, 100)
    one.reload(config(link, ""))
    wait_intervals(one, peer, 20)
    one.reload(config(link, "adapt min 100 ms quiet 600 s;"))
    wait_intervals(one, peer, 100)
    assert detail(one, peer.local)["Counters/Went down"] == "0"
