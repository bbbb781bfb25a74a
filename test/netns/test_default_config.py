"""The configuration that `make install` brings: it runs, finds the interfaces, and changes nothing on the host."""

import os

from lab import Peregrine, wait_until

DEFAULT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "bird.conf")


def test_the_default_configuration_changes_nothing_on_the_host(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    ns = link.a.ns
    ns.ip("route add 203.0.113.0/24 dev v1 proto bird metric 32")  # what another run may have left
    looks = ("route show table all", "-6 route show table all", "rule", "address", "link")
    before = [ns.ip(look) for look in looks]
    with open(DEFAULT, encoding="ascii") as f:
        one = Peregrine(ns, f.read())
    wait_until(lambda: any("10.77.1.1/24" in text for _, text in one.birdc("show interfaces")), 5, "the address")
    wait_until(lambda: all(p == "up" for p in states(one)), 5, "all protocols up")
    one.stop()
    assert [ns.ip(look) for look in looks] == before


def states(daemon):
    return [text.split()[3] for code, text in daemon.birdc("show protocols") if code == 1002]
