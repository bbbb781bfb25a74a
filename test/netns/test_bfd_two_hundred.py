"""Two hundred addresses on both sides of one link: as many sessions, each by itself."""

import ipaddress

import pytest

from bfdpkt import UP
from lab import Capture, Peregrine, wait_until
from scenario import UP_LIMIT, bfd, direct

COUNT = 200
OPTIONS = "interval 200 ms; multiplier 4; idle tx interval 200 ms;"
FIRST = {"v4": ("10.66.0.1", "10.66.1.1", 16), "v6": ("fd66::1:1", "fd66::2:1", 64)}


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_sessions_do_not_mix(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    first_a, first_b, length = FIRST[family]
    ours = [str(ipaddress.ip_address(first_a) + i) for i in range(COUNT)]
    theirs = [str(ipaddress.ip_address(first_b) + i) for i in range(COUNT)]
    for end, pool in ((link.a, ours), (link.b, theirs)):
        end.ns.ip(*(f"addr add {x}/{length} dev {end.ifname}" + (" nodad" if ":" in x else "") for x in pool))
    pairs = list(zip(ours, theirs))
    one = Peregrine(link.a.ns, bfd(*(f"{direct(b, link.a)} local {a}" for a, b in pairs), options=OPTIONS))
    two = Peregrine(link.b.ns, bfd(*(f"{direct(a, link.b)} local {b}" for a, b in pairs), options=OPTIONS))
    for daemon in (one, two):
        wait_until(lambda daemon=daemon: sum(s["state"] == "Up" for s in daemon.sessions()) == COUNT, UP_LIMIT,
                   lambda daemon=daemon: f"{sum(s['state'] == 'Up' for s in daemon.sessions())} Up")
    here, there = ({d["Address"]: d for d in daemon.session_details()} for daemon in (one, two))
    for a, b in pairs:
        assert (here[b]["Local address"], there[a]["Local address"]) == (a, b)
        assert here[b]["Local discriminator"] == there[a]["Remote discriminator"]
        assert there[a]["Local discriminator"] == here[b]["Remote discriminator"]
    capture = Capture(link.b.ns, link.b.ifname)
    wait_until(lambda: len({p.src for p in capture.seen}) == 2 * COUNT, 3, "a packet of each")
    assert {(p.src, p.dst) for p in capture.seen} == {*pairs, *((b, a) for a, b in pairs)}
    assert len({p.sport for p in capture.seen if p.src in ours}) == COUNT  # RFC 5881 section 4
    assert {p.state for p in capture.seen} == {UP}

    gone = set(ours[1::2])  # and now every other address goes
    link.a.ns.ip(*(f"addr del {x}/{length} dev {link.a.ifname}" for x in sorted(gone)))
    left = {b for a, b in pairs if a not in gone}
    wait_until(lambda: {s["address"] for s in one.sessions()} == left, 3, lambda: f"{len(one.sessions())} sessions")
    wait_until(lambda: {s["address"] for s in two.sessions() if s["state"] == "Down"} == gone, 5, "as many Downs there")
    assert {d["Counters/Went down"] for d in one.session_details() if d["Address"] in left} == {"0"}
