"""Several requests for one peer are one session; the fastest sets the pace, in whatever order they came."""

import itertools

import pytest

from lab import Peregrine, wait_until
from scenario import FAST, bfd, detail, direct, wait_fast

IDLE = "idle tx interval 200 ms;"
SLOW, QUICK = "{ interval 100 ms; multiplier 5; }", "{ interval 40 ms; multiplier 3; }"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


@pytest.mark.parametrize("order", [0, 1])
def test_with_and_without_interface_is_one_session(link, order):
    b = link.b.ip4
    lines = [f"{direct(b, link.a)} {SLOW}", f"{b} {QUICK}"]
    one = Peregrine(link.a.ns, bfd(*(lines[::-1] if order else lines), options=IDLE))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options="interval 20 ms;" + IDLE))
    wait_fast(one, b, timeout=0.2)
    row, = one.sessions()
    assert row["interface"] == link.a.ifname
    block, = one.session_details()
    assert block["Local parameters/Multiplier"] == "3" and block["Local parameters/Min RX interval"] == "0.040"
    assert len([t for _, t in one.birdc("show bfd sessions all") if t.startswith("  Requested by:")]) == 2
    disc = detail(one, b)["Local discriminator"]
    one.reload(bfd(lines[0], options=IDLE))  # the fast one goes
    wait_fast(one, b, timeout=0.5)
    wait_fast(two, link.a.ip4, timeout=0.5)
    block, = one.session_details()
    assert (block["Local discriminator"], block["Counters/Went down"]) == (disc, "0")
    one.reload(bfd(*lines, options=IDLE))  # and comes back
    wait_fast(one, b, timeout=0.2)
    assert detail(one, b)["Counters/Went down"] == "0"
    one.reload(bfd(options=IDLE))
    two.wait_session(link.a.ip4, "Down", limit=1)


def test_passive_only_if_all_are(link):
    b = link.b.ip4
    one = Peregrine(link.a.ns, bfd(f"{direct(b, link.a)} {{ passive; }}", b))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options=FAST + " passive;"))
    wait_fast(two, link.a.ip4)
    wait_fast(one, b)


def test_the_interface_of_a_neighbour_without_one_is_found(lab):
    a, b = lab.ns("a"), lab.ns("b")
    first, second = lab.link(a, b), lab.link(a, b)
    one = Peregrine(a, bfd(first.b.ip4, second.b.ip6, second.b.ip4))
    Peregrine(b, bfd(first.a.ip4, second.a.ip6, second.a.ip4))
    for addr, ifname in ((first.b.ip4, "v1"), (second.b.ip6, "v2"), (second.b.ip4, "v2")):
        assert wait_fast(one, addr)["interface"] == ifname
    stranger = bfd(first.b.ip4, "192.0.2.1")
    one.reload(stranger)
    wait_until(lambda: any(d["Address"] == "192.0.2.1" and d.get("Waiting for") for d in one.session_details()), 1,
               one.show)
    assert not one.session("192.0.2.1")


def test_direct_and_multihop_to_one_address_are_two_sessions(link):
    b, a = link.b.ip4, link.a.ip4
    one = Peregrine(link.a.ns, bfd(direct(b, link.a), f"{b} local {a} multihop"))
    Peregrine(link.b.ns, bfd(direct(a, link.b), f"{a} local {b} multihop"))
    for ifname in (link.a.ifname, "---"):
        one.wait_session(b, "Up", interface=ifname)
    assert len({d["Local discriminator"] for d in one.session_details()}) == 2


def test_multihop_sessions_differ_by_local_address(link):
    b = link.b.ip4
    link.a.ns.ip(f"addr add 10.77.1.50/24 dev {link.a.ifname}")
    locals_ = (link.a.ip4, "10.77.1.50")
    one = Peregrine(link.a.ns, bfd(*(f"{b} local {own} multihop" for own in locals_)))
    Peregrine(link.b.ns, bfd(*(f"{own} local {b} multihop" for own in locals_)))
    wait_until(lambda: [s["state"] for s in one.sessions()] == ["Up", "Up"], 3, one.show)
    assert {d["Local address"] for d in one.session_details()} == set(locals_)
    discs = [d["Local discriminator"] for d in one.session_details()]
    assert all(x != y for x, y in itertools.combinations(discs, 2))
