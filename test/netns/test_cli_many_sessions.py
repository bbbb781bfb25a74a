"""Listings longer than one snapshot of the engine (256 sessions)."""

import pytest

from lab import Peregrine, wait_until
from scenario import bfd, multihop

COUNT = 1000


@pytest.fixture
def one(lab):
    ns = lab.ns("a")
    ns.ip("addr add 10.50.0.1/32 dev lo", "route add blackhole 10.51.0.0/16")
    daemon = Peregrine(ns, bfd(*(multihop(f"10.51.{i // 250}.{i % 250 + 1}", "10.50.0.1") for i in range(COUNT))))
    wait_until(lambda: len(daemon.sessions()) == COUNT, 5, lambda: f"{len(daemon.sessions())} sessions")
    return daemon


def test_every_session_is_listed_once(one):
    assert len({s["address"] for s in one.sessions()}) == COUNT
    details = one.session_details()
    assert len({d["Address"] for d in details}) == len({d["Local discriminator"] for d in details}) == COUNT
    assert len([t for _, t in one.birdc("show bfd sessions address 10.51.2.0/24")]) == 250 + 3
    with one.control() as first, one.control() as second:
        first.send("show bfd sessions all")
        second.send("show bfd sessions")
        assert len(second.read_reply()) == COUNT + 3
        assert len([t for _, t in first.read_reply() if t.startswith("  Address:")]) == COUNT


def test_listings_end_when_the_instance_does(one):
    clients = [one.control() for _ in range(10)]
    for client in clients:
        client.send("show bfd sessions all")
    assert one.birdc("restart bfd1")[0][0] == 12
    for client in clients:
        assert client.read_reply()[-1][0] in (0, 9001)
        client.close()
    wait_until(lambda: len(one.sessions()) == COUNT, 5, "the sessions to be back")


def test_a_reload_meanwhile(one):
    with one.connect() as raw:
        raw.sendall(b"show bfd sessions all\n" * 5)
        one.reload(bfd(multihop("10.51.0.1", "10.50.0.1")))
        wait_until(lambda: len(one.sessions()) == 1, 5, lambda: f"{len(one.sessions())} sessions")
    assert one.birdc("show status")[-1][0] == 13
