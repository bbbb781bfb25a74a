"""Reloads that leave a session as it was do not disturb it; neither do commands that concern something else."""

import contextlib

import pytest

from lab import Peregrine, wait_until
from scenario import FAST, bfd, detail, direct, multihop, wait_fast


@contextlib.contextmanager
def undisturbed(lab):
    """Ours with three sessions that are Up, and their lines. At the end they are the same and never were Down."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = link.a, link.b
    lines = [direct(b.ip4, a), direct(b.ll, a), multihop(b.ip6, a.ip6)]
    one = Peregrine(a.ns, bfd(*lines))
    two = Peregrine(b.ns, bfd(direct(a.ip4, b), direct(a.ll, b), multihop(a.ip6, b.ip6)))
    remotes = (b.ip4, b.ll, b.ip6)

    def identities():
        return [detail(one, r)["Local discriminator"] for r in remotes]

    for remote in remotes:
        wait_fast(one, remote)
    for remote in (a.ip4, a.ll, a.ip6):
        wait_fast(two, remote)
    before = identities()
    yield one, lines
    for remote in remotes:
        wait_fast(one, remote)
    assert identities() == before
    assert {d["Counters/Went down"] for d in (*one.session_details(), *two.session_details())
            if d["Counters/Went up"] != "0"} == {"0"}


def wait_packets(one):
    """Let a detection time pass, counted in packets."""
    def received():
        return [int(d["Counters/Packets received"]) for d in one.session_details() if d["Session state"] == "Up"]

    start = received()
    wait_until(lambda: all(now >= then + 6 for now, then in zip(received(), start)), 2, "six packets each")


def test_the_same_again(lab):
    with undisturbed(lab) as (one, lines):
        for _ in range(3):
            one.reload(bfd(*lines))
        wait_packets(one)


def test_another_order_and_other_neighbours(lab):
    with undisturbed(lab) as (one, lines):
        one.reload(bfd(*lines[::-1], "10.77.1.77", 'fe80::77 dev "v1"'))
        wait_packets(one)
        one.reload(bfd(*lines))
        wait_packets(one)


def test_global_options_and_the_device_protocol(lab):
    with undisturbed(lab) as (one, lines):
        one.reload('router id 10.9.9.9;\nhostname "other";\nlog stderr { info, error };\n'
                   "protocol device devices { scan time 5; }\n"
                   + bfd(*lines, body='description "x"; debug all;'))
        wait_packets(one)


def test_the_same_parameters_from_another_place(lab):
    with undisturbed(lab) as (one, lines):
        one.reload(bfd(*(f"{line} {{ {FAST} }}" for line in lines), options=""))
        wait_packets(one)


def test_the_instance_moves_in_the_file(lab):
    with undisturbed(lab) as (one, lines):
        one.reload("protocol bfd first { disabled; }\n" + bfd(*lines)
                   + "protocol bfd last { accept ipv4 multihop; disabled; }\n")
        wait_packets(one)


@pytest.mark.parametrize("command", ["restart device1", "disable device1"])
def test_the_device_protocol_stops(lab, command):
    with undisturbed(lab) as (one, _):
        assert one.birdc(command)[-1] == (0, "")
        wait_packets(one)
        one.birdc("enable device1")
        wait_packets(one)


def test_debug_and_listings(lab):
    with undisturbed(lab) as (one, _):
        one.birdc("debug all all")
        for _ in range(100):
            for command in ("show bfd sessions all", "show interfaces", "show protocols all", "configure check"):
                assert one.birdc(command)
        wait_packets(one)
