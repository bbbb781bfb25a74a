"""A direct session goes up, notices a silent cut within the detection time, and recovers."""

import pytest

from lab import Capture, Peregrine
from scenario import FAMILIES, addr, assert_prompt, bfd, cut_and_measure, direct, wait_fast


@pytest.mark.parametrize("family", FAMILIES)
def test_direct_session_flaps(lab, family):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = addr(link.a, family), addr(link.b, family)
    ends = [(Capture(link.a.ns, link.a.ifname), a, b), (Capture(link.b.ns, link.b.ifname), b, a)]
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))

    def ready():
        assert wait_fast(one, b)["interface"] == link.a.ifname
        assert wait_fast(two, a)["interface"] == link.b.ifname

    late = cut_and_measure(link, ends, rounds=2, ready=ready)
    assert_prompt(late, f"direct {family}")
    block, = one.session_details()
    assert (block["Session type"], block["Counters/Went up"], block["Counters/Went down"]) == ("Direct", "3", "2")
    assert block["Local diagnostic"] == "None"


def test_both_families_of_a_link_are_sessions_of_their_own(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(*(direct(addr(link.b, f), link.a) for f in FAMILIES)))
    two = Peregrine(link.b.ns, bfd(*(direct(addr(link.a, f), link.b) for f in FAMILIES)))
    for family in FAMILIES:
        wait_fast(one, addr(link.b, family))
        wait_fast(two, addr(link.a, family))
    assert len({d["Local discriminator"] for d in one.session_details()}) == 3
