"""show bfd advice: what was seen of a session, and how it would have done with other timers."""

import re
import time

from lab import Peregrine, heal, silent_cut, wait_until
from peer import BfdPeer
from scenario import bfd, direct, wait_fast


def advice(daemon, words=""):
    """The blocks of `show bfd advice`: fields by name, with the settings under their names such as "0.050 x 3"."""
    blocks = []
    for code, text in daemon.birdc(f"show bfd advice {words}"):
        assert code in (0, 1020), text
        name, _, value = text.strip().partition(":")
        if name == "Address":
            blocks.append({})
        if blocks and name:
            blocks[-1][name] = value.strip()
    return blocks


def start(lab, packets=30):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    wait_fast(one, link.b.ip4)
    wait_until(lambda: seen(one) >= packets, 10, "some packets")
    return link, one, peer


def seen(daemon):
    count = re.match(r"(\d+) gaps in about ", advice(daemon)[0]["Seen"])
    return int(count[1]) if count else 0


def test_a_session_that_does_well(lab):
    _, one, peer = start(lab)
    block = advice(one)[0]
    assert block["Address"] == peer.local and block["Interface"] == "v1" and block["Session state"] == "Up"
    assert re.fullmatch(r"only \d+ packets in \d+\.\d+ s: this says little", block["Beware"])
    assert block["Detection time"].startswith("0.150 (0.050 x 3), of which the worst gap left 0.")
    assert float(block["Worst gap"].split(",")[0]) > 0.03
    assert block["0.050 x 3"].endswith(" (present)") and "0.300 x 3" in block
    assert re.match(r"0\.\d+ x [345], silence is noticed in 0\.", block["Shortest safe"])


def test_what_is_asked_is_judged(lab):
    _, one, peer = start(lab)
    assert advice(one, "interval 250 ms multiplier 4")[0]["0.250 x 4"].endswith(" (given)")
    assert advice(one, f"{peer.local} multiplier 7")[0]["0.050 x 7"] == "none (given)"
    assert advice(one, f'{peer.local} dev "v1" interval 2 s')[0]["2.000 x 3"].endswith(" (given)")
    assert "(given)" not in "".join(advice(one)[0].values())
    assert advice(one, '192.0.2.1') == [] and advice(one, f'{peer.local} dev "other"') == []
    for words in ("interval 999 us", "multiplier 0", "multiplier 256", "interval 50"):
        assert one.birdc(f"show bfd advice {words}")[-1][0] == 9001, words


def test_a_late_packet_counts_against_short_timers(lab):
    """A pause: 50 ms x 3 holds, and 10 ms x 3 would not have."""
    _, one, peer = start(lab)
    peer.freeze()
    time.sleep(0.07)
    peer.thaw()
    wait_until(lambda: float(advice(one)[0]["Worst gap"].split(",")[0]) >= 0.07, 2, "the gap")
    block = advice(one)[0]
    assert block["Session state"] == "Up" and block["0.050 x 3"] == "none (present)", block
    assert re.match(r"\d+$|at least [1-9]\d*, at most \d+$", block["0.010 x 3"]), block
    assert not block["Shortest safe"].startswith("0.010 x 3"), block


def test_after_it_went_down_the_record_is_still_there(lab):
    link, one, peer = start(lab)
    wait_until(lambda: seen(one) >= 60, 5, "so many that as many do not come again soon")
    silent_cut(link)
    one.wait_session(peer.local, "Down")
    block = advice(one)[0]
    assert block["Session state"] == "Down" and block["Detection expired"] == "1 times"
    assert block["Detection time"].startswith("0.150 (0.050 x 3)") and seen(one) >= 60
    heal(link)
    wait_fast(one, peer.local)
    assert seen(one) < 60  # a new record


def test_what_has_never_been_up(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a)))
    one.wait_session(link.b.ip4, "Down")
    assert advice(one)[0]["Seen"] == "nothing yet, for that it has to be Up"
    one.birdc("disable bfd1")
    assert one.birdc("show bfd advice")[-1] == (9001, "There is no BFD protocol running")


def test_more_sessions_than_a_slice(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(*(direct(f"10.77.1.{i}", link.a) for i in range(100, 200))))
    wait_until(lambda: len(advice(one)) == 100, 3, "all of them")
