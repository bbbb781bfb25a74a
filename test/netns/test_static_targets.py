"""Static routes: every kind of target, weights, the same network twice, many routes on one next hop."""

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, best, count, kernel_proto, many, nets, ours, shown, state, static, vias,
                    wait_count, wait_nets, wait_ours, wait_vias)


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def test_every_kind_of_target(link):
    one = Peregrine(link.a.ns, static(
        "10.1.0.0/24 via 10.77.1.2", '10.1.1.0/24 via "v1"', "10.1.2.0/24 blackhole", "10.1.3.0/24 drop",
        "10.1.4.0/24 unreachable", "10.1.5.0/24 reject", "10.1.6.0/24 prohibit",
        "10.1.7.0/24 recursive 10.1.0.9",
        "10.1.8.0/24 via 10.77.1.2 weight 3 via 10.77.1.3", "10.1.9.0/24 via 10.77.1.2%v1",
        "10.1.10.0/24 via 10.99.0.1%v1 onlink", "10.1.11.0/24 via 10.77.1.2 bfd", "10.1.12.0/24 via fd77:1::2",
        "10.1.13.0/24 via 192.0.2.1", '10.1.14.0/24 via 10.77.1.2 dev "v1"', "0.0.0.0/0 via 10.77.1.2"))
    v1 = (None, "v1", None, False)
    two, three = ("10.77.1.2", "v1", None, False), ("10.77.1.3", "v1", None, False)
    wanted = {
        "10.1.0.0/24": ("unicast", [two]), "10.1.1.0/24": ("unicast", [v1]), "10.1.2.0/24": ("blackhole", []),
        "10.1.3.0/24": ("blackhole", []), "10.1.4.0/24": ("unreachable", []),
        "10.1.5.0/24": ("unreachable", []),
        "10.1.6.0/24": ("prohibited", []), "10.1.7.0/24": ("unicast", [two]),
        "10.1.8.0/24": ("unicast", [two[:2] + (3, False), three[:2] + (1, False)]),
        "10.1.9.0/24": ("unicast", [two]), "10.1.10.0/24": ("unicast", [("10.99.0.1", "v1", None, True)]),
        "10.1.12.0/24": ("unicast", [("fd77:1::2", "v1", None, False)]), "10.1.14.0/24": ("unicast", [two]),
        "0.0.0.0/0": ("unicast", [two])}
    wait_count(one, "", len(wanted))
    got = {r.net: (r.dest, r.hops) for r in shown(one)}
    assert got == wanted
    assert {(r.proto, r.info, r.best) for r in shown(one)} == {("static1", "(200)", True)}


def test_show_static(link):
    one = Peregrine(link.a.ns, static(
        "172.16.1.0/24 via 10.77.1.2", "172.16.2.0/24 via 10.77.1.2 bfd", "172.16.3.0/24 blackhole",
        "172.16.5.0/24 prohibit", "172.16.6.0/24 via 10.77.1.3 weight 5 via 192.0.2.1",
        '172.16.7.0/24 via "v1"',
        "172.16.8.0/24 recursive 192.168.2.9") + static("2001:db8::/32 via fe80::9%v1", name="six", v6=True))
    wait_count(one, "", 6)
    assert one.birdc("show static static1") == [(1009, text) for text in (
        "172.16.1.0/24", "\tvia 10.77.1.2", "172.16.2.0/24", "\tvia 10.77.1.2 (bfd) (dormant)",
        "172.16.3.0/24\tblackhole", "172.16.5.0/24\tprohibited", "172.16.6.0/24", "\tvia 10.77.1.3",
        "\tvia 192.0.2.1 (dormant)", "172.16.7.0/24", "\tdev v1", "172.16.8.0/24\trecursive 192.168.2.9")] + [(0, "")]
    both = one.birdc("show static")
    assert both[:-4] == one.birdc("show static static1")[:-1]
    assert both[-4:] == [(1009, ""), (1009, "2001:db8::/32"), (1009, "\tvia fe80::9%v1"), (0, "")]
    assert one.birdc("show static device1")[0][0] == 9001
    one.birdc("disable static1")
    wait_until(lambda: state(one, "static1") == "down", 2, "down")
    assert one.birdc("show static static1") == [(1009, "static1: is not up"), (0, "")]
    one.birdc("disable six")
    wait_until(lambda: state(one, "six") == "down", 2, "down")
    assert one.birdc("show static") == [(9001, "There is no Static protocol running")]


def test_show_static_of_a_protocol_with_the_longest_name(lab):
    name = "x" * 64
    one = Peregrine(lab.ns("a"), static(*many(100, "blackhole"), name=name) + static("10.1.0.0/16 blackhole"))
    wait_count(one, "", 101)
    assert len(one.birdc("show static")) == 103


def test_the_same_network_twice(link):
    one = Peregrine(link.a.ns, static("10.1.0.0/16 via 10.77.1.3", "10.1.0.0/16 via 10.77.1.2",
                                      "10.1.0.0/16 blackhole", "10.1.0.0/16 via 10.77.1.2"))
    wait_count(one, "", 4)
    routes = shown(one)
    assert {r.net for r in routes} == {"10.1.0.0/16"} and [r.best for r in routes].count(True) == 1
    assert sorted(r.dest for r in routes) == ["blackhole", "unicast", "unicast", "unicast"]
    link.a.ns.ip("link set v1 down")
    wait_count(one, "", 1)
    assert best(one, "10.1.0.0/16").dest == "blackhole"
    link.a.ns.ip("link set v1 up")
    wait_count(one, "", 4)


def test_weights_and_a_leg_that_dies(lab):
    a = lab.ns("a")
    lab.link(a, lab.ns("b"))
    lab.link(a, lab.ns("c"))
    one = Peregrine(a, static("10.1.0.0/16 via 10.77.1.2 weight 2 via 10.77.2.2 weight 256") + kernel_proto())
    wait_ours(a, {"10.1.0.0/16": ["10.77.1.2", "10.77.2.2"]})
    assert [h[:3] for h in best(one, "10.1.0.0/16").hops] == [("10.77.1.2", "v1", 2), ("10.77.2.2", "v2", 256)]
    a.ip("link set v1 down")
    wait_vias(one, "10.1.0.0/16", "10.77.2.2")
    assert best(one, "10.1.0.0/16").hops[0][2] is None
    wait_ours(a, {"10.1.0.0/16": ["10.77.2.2"]})
    a.ip("link set v2 down")
    wait_vias(one, "10.1.0.0/16")
    wait_ours(a, {})
    a.ip("link set v1 up", "link set v2 up")
    wait_vias(one, "10.1.0.0/16", "10.77.1.2", "10.77.2.2")
    wait_ours(a, {"10.1.0.0/16": ["10.77.1.2", "10.77.2.2"]})


def test_two_thousand_routes_on_one_next_hop(link):
    one = Peregrine(link.a.ns, static(*many(2000, "via 10.77.1.2")) + kernel_proto())
    wait_count(one, "", 2000)
    wait_until(lambda: len(ours(link.a.ns)) == 2000, 5, "the kernel to have them")
    for _ in range(2):
        link.a.ns.ip("link set v1 down")
        wait_count(one, "", 0, limit=2)
        link.a.ns.ip("link set v1 up")
        wait_count(one, "", 2000, limit=2)
    wait_until(lambda: len(ours(link.a.ns)) == 2000, 5, "the kernel to have them again")


def test_a_next_hop_of_our_own_is_none(link):
    one = Peregrine(link.a.ns, static("10.1.0.0/16 via 10.77.1.1", "10.2.0.0/16 via 10.77.1.2",
                                      "10.3.0.0/16 via 127.0.0.1"))
    wait_nets(one, "", {"10.2.0.0/16"})
    link.a.ns.ip("addr add 10.77.1.2/24 dev v1")
    wait_nets(one, "", set())
    link.a.ns.ip("addr del 10.77.1.2/24 dev v1")
    wait_nets(one, "", {"10.2.0.0/16"})


def test_constants_and_templates(link):
    one = Peregrine(link.a.ns, "define HOP = 10.77.1.2;\ndefine NET = 10.1.0.0/16;\n"
                    "template static common { ipv4 { preference 150; }; route 10.9.0.0/16 blackhole; }\n"
                    "protocol static one from common { route NET via HOP; }\n"
                    "protocol static two from common { ipv4 { preference 160; }; }\n" + DIRECT)
    wait_vias(one, "10.1.0.0/16", "10.77.1.2")
    wait_count(one, "10.9.0.0/16", 2)
    assert [(r.proto, r.info, r.best) for r in shown(one, "10.9.0.0/16")] == [("two", "(160)", True),
                                                                              ("one", "(150)", False)]
    assert nets(one, "protocol direct1") == {"10.77.1.0/24", "fd77:1::/64"}
    assert count(one, "protocol one") == 2 and vias(one, "10.77.1.0/24") == ["v1"]


def test_a_network_has_a_bounded_number_of_routes(lab):
    one = Peregrine(lab.ns("a"), static(*["10.1.0.0/16 blackhole"] * 256))
    wait_count(one, "", 256)
    reply = one.reload(static(*["10.1.0.0/16 blackhole"] * 257), check=False)
    assert "Too many routes for 10.1.0.0/16 in static1, at most 256" in reply[-1][1]
