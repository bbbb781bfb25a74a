"""A thousand sessions at once: their link goes, their peers die again and again, and the history of it all."""

import os
import time

import pytest

from lab import Peregrine, wait_until
from many import Far, in_state, records, totals, wait_states
from scenario import addresses

COUNT = 1000
KEPT = 1000  # records
PROMPT = 1  # s; for an answer while a listing is under way


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@pytest.fixture(name="scene")
def fixture_scene(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT)
    far.start()
    one = Peregrine(link.a.ns, far.config(), limit=10)
    wait_states(one, "Up", COUNT)
    return one, far


def link_lost(one, times):
    """All of them, for that reason and no other; returns how the daemon is off then."""
    wait_until(lambda: totals(one).get("Verdict, link lost", 0) == times * COUNT, 10, lambda: str(totals(one)))
    assert {name for name in totals(one) if name.startswith("Verdict")} == {"Verdict, link lost"}
    assert len(found := records(one)) == KEPT and {v for _, v in found} == {"link lost"}
    assert in_state(one, "Up") == 0


def test_the_interface_goes_and_comes_back(scene):
    """Down and up, then deleted and made anew under another index: all come back, and nothing is left behind."""
    one, far = scene
    a, b = far.link.ends
    files, memory = descriptors(one), []
    for times in range(1, 4):
        if times == 2:
            a.ns.ip(f"link del {a.ifname}")
        else:
            a.ns.ip(f"link set {a.ifname} down")
        link_lost(one, times)
        if times == 2:
            far.kill()
            a.ns.ip(f"link add {a.ifname} address {a.mac} type veth "
                    f"peer name {b.ifname} address {b.mac} netns {b.ns.full}")
            for end in far.link.ends:
                end.ns.ip(*addresses(end))
        else:
            a.ns.ip(f"link set {a.ifname} up")
        far.connect()
        if times == 2:
            far.start()
        wait_states(one, "Up", COUNT)
        assert abs(descriptors(one) - files) < 20
        memory.append(one.usage()[1])
    assert memory[-1] - memory[0] < 4000 or one.sanitized()  # KiB


def test_all_die_together_twice(scene):
    """The last thousand are kept; who lists them slowly holds up nobody."""
    one, far = scene
    for times in (1, 2):
        far.kill()
        wait_states(one, "Down", COUNT)
        wait_until(lambda times=times: totals(one).get("Sessions went down, Time expired") == times * COUNT, 5,
                   lambda: str(totals(one)))
        if times == 1:
            far.start()
            wait_states(one, "Up", COUNT)
    found = records(one)
    assert len(found) == KEPT and {a for a, _ in found} == set(far.addresses)
    slow = one.connect()
    slow.sendall(b"show bfd history\n" * 3)
    for _ in range(20):
        asked = time.monotonic()
        assert one.session(far.addresses[0])["state"] == "Down"
        assert time.monotonic() - asked < PROMPT
    slow.close()
    assert records(one) == found


def test_the_log_tells_of_them_soon_after_they_came_up(scene):
    one, far = scene
    far.kill()
    wait_states(one, "Down", COUNT)
    wait_until(lambda: "went Down" in one.log(tail=None), 2, "a line for one of them")
