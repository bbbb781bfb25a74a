"""Packets lost at random: sessions fail as often as three losses in a row come, neither more nor less."""

import time

from lab import Peregrine, wait_until
from many import Far, totals, wait_states

COUNT = 300
SLACK = 0.25  # of the expectation: packets of handshakes, answers to polls, losses across the edge of a phase
WIDE = 3.3  # standard deviations: 99.9 %


def lose(link, percent):
    """Of what goes to the end a, on the bridge."""
    rule = f'oifname "{link.a.port}" udp dport 3784 numgen random mod 100 < {percent} drop'
    link.bridge.nft("table bridge loss\ndelete table bridge loss\n"
                    f"table bridge loss {{\n chain c {{\n  type filter hook forward priority 0; {rule}\n }}\n}}\n")


def counted(daemon):
    now = totals(daemon)
    return now["Packets received"], now.get("Sessions went down, Time expired", 0)


def test_as_many_flaps_as_chance_explains(lab):
    """A packet that came is the last one for a detection time if the next three are lost, whatever the jitter."""
    link = lab.link(lab.ns("a"), lab.ns("b"), bridge=True)
    far = Far(link, COUNT, interval=40, mult=3)
    far.start()
    one = Peregrine(link.a.ns, far.config())
    wait_states(one, "Up", COUNT)
    quiet = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > quiet, 2, "the end of the polls")
    assert counted(one)[1] == 0  # without losses there are none
    for percent, seconds in ((10, 4), (20, 2), (30, 2)):
        received, downs = counted(one)
        lose(link, percent)
        end = time.monotonic() + seconds
        wait_until(lambda end=end: time.monotonic() > end, seconds + 1, "the end of the phase")
        received, downs = (after - before for after, before in zip(counted(one), (received, downs)))
        expected = received * (percent / 100) ** 3
        print(f"{percent} % lost: {received} packets came, {downs} flaps, expected {expected:.0f}")
        assert abs(downs - expected) < SLACK * expected + WIDE * expected ** 0.5
    assert totals(one).get("Packets refused, no such session", 0) == 0
