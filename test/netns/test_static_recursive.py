"""Recursive next hops: resolved through static and direct routes, changing, going, unreachable, in circles."""

import pytest

from lab import Peregrine
from routes import (DIRECT, best, kernel_proto, many, ours, static, vias, wait_equal, wait_ours, wait_state,
                    wait_vias)

NET = "10.1.0.0/16"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def dest(daemon, net=NET):
    route = best(daemon, net)
    return route and route.dest


def wait_dest(daemon, wanted, net=NET):
    wait_equal(lambda: dest(daemon, net), wanted, what=net)


def test_through_another_static_route(link):
    one = Peregrine(link.a.ns, static(f"{NET} recursive 192.0.2.9")
                    + static("192.0.2.0/24 via 10.77.1.2",
                             "192.0.2.0/28 via 10.77.1.3 weight 2 via 10.77.1.4 weight 7",
                             name="inner") + kernel_proto())
    wait_vias(one, NET, "10.77.1.3", "10.77.1.4")
    assert [h[2] for h in best(one, NET).hops] == [2, 7]
    one.reload(one.config.replace("route 192.0.2.0/28", "route 192.0.2.128/28"))
    wait_vias(one, NET, "10.77.1.2")
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "192.0.2.0/24": ["10.77.1.2"],
                          "192.0.2.128/28": ["10.77.1.3", "10.77.1.4"]})
    one.reload(one.config.replace("route 192.0.2.128/28", "route 192.0.2.8/29"))
    wait_vias(one, NET, "10.77.1.3", "10.77.1.4")
    one.birdc("disable inner")
    wait_dest(one, "unreachable")
    wait_ours(link.a.ns, {NET: "unreachable"})
    one.birdc("enable inner")
    wait_vias(one, NET, "10.77.1.3", "10.77.1.4")
    link.a.ns.ip("link set v1 down")
    wait_dest(one, "unreachable")
    link.a.ns.ip("link set v1 up")
    wait_vias(one, NET, "10.77.1.3", "10.77.1.4")


def test_through_direct(link):
    """A route without next hop address means that the address itself is on that link."""
    one = Peregrine(link.a.ns, static(f"{NET} recursive 10.77.1.2") + DIRECT + kernel_proto())
    wait_vias(one, NET, "10.77.1.2")
    one.birdc("disable direct1")
    wait_dest(one, "unreachable")
    one.birdc("enable direct1")
    wait_vias(one, NET, "10.77.1.2")
    link.a.ns.ip("addr del 10.77.1.1/24 dev v1")
    wait_dest(one, "unreachable")
    link.a.ns.ip("addr add 10.77.1.7/25 dev v1")
    wait_vias(one, NET, "10.77.1.2")
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.77.1.0/25": ["v1"]})


@pytest.mark.parametrize("kind,shown_as", [("blackhole", "blackhole"), ("unreachable", "unreachable"),
                                           ("prohibit", "prohibited")])
def test_through_a_route_that_leads_nowhere(lab, kind, shown_as):
    one = Peregrine(lab.ns("a"), static(f"{NET} recursive 192.0.2.9", f"192.0.2.0/24 {kind}") + kernel_proto())
    wait_dest(one, shown_as)
    wait_ours(one.ns, {NET: kind, "192.0.2.0/24": kind})


def test_a_chain_ends_at_the_second_link(link):
    """A recursive route is resolved by routes of other kinds only."""
    one = Peregrine(link.a.ns, static("10.1.0.0/16 recursive 10.2.0.1", "10.2.0.0/16 recursive 10.3.0.1",
                                      "10.3.0.0/16 via 10.77.1.2") + kernel_proto())
    wait_ours(link.a.ns, {"10.1.0.0/16": "unreachable", "10.2.0.0/16": ["10.77.1.2"], "10.3.0.0/16": ["10.77.1.2"]})
    one.reload(one.config.replace("via 10.77.1.2", "via 10.77.1.3"))
    wait_ours(link.a.ns, {"10.1.0.0/16": "unreachable", "10.2.0.0/16": ["10.77.1.3"], "10.3.0.0/16": ["10.77.1.3"]})
    one.reload(one.config.replace("route 10.3.0.0/16", "route 10.40.0.0/16"))
    wait_ours(link.a.ns, {"10.1.0.0/16": "unreachable", "10.2.0.0/16": "unreachable", "10.40.0.0/16": ["10.77.1.3"]})


def test_circles_from_the_start(lab):
    """A route that covers its own next hop, two that cover each other's."""
    one = Peregrine(lab.ns("a"), static("10.1.0.0/16 recursive 10.1.0.1", "10.2.0.0/16 recursive 10.3.0.1",
                                        "10.3.0.0/16 recursive 10.2.0.1") + kernel_proto())
    wait_ours(one.ns, {f"10.{i}.0.0/16": "unreachable" for i in (1, 2, 3)})
    assert one.usage()[0] < 0.5


def test_a_route_comes_to_cover_its_own_next_hop(link):
    one = Peregrine(link.a.ns, static(f"{NET} recursive 10.1.5.1")
                    + static("10.1.5.0/24 via 10.77.1.2", name="inner"))
    wait_vias(one, NET, "10.77.1.2")
    one.birdc("disable inner")
    wait_equal(lambda: dest(one), "unreachable", limit=1)


def test_a_circle_that_closes(link):
    one = Peregrine(link.a.ns, static("10.2.0.0/16 recursive 10.3.0.1", "10.3.0.0/16 via 10.77.1.2")
                    + kernel_proto())
    wait_vias(one, "10.2.0.0/16", "10.77.1.2")
    one.reload(one.config.replace("10.3.0.0/16 via 10.77.1.2", "10.3.0.0/16 recursive 10.2.0.1"))
    wait_equal(lambda: [dest(one, f"10.{i}.0.0/16") for i in (2, 3)], ["unreachable"] * 2, limit=1)


def test_a_circle_lets_go_of_an_interface_that_is_down(link):
    one = Peregrine(link.a.ns, static("10.2.0.0/16 recursive 10.3.0.1", "10.3.0.0/16 via 10.77.1.2")
                    + kernel_proto())
    wait_vias(one, "10.2.0.0/16", "10.77.1.2")
    one.reload(one.config.replace("10.3.0.0/16 via 10.77.1.2", "10.3.0.0/16 recursive 10.2.0.1"))
    link.a.ns.ip("link set v1 down")
    wait_equal(lambda: [dest(one, f"10.{i}.0.0/16") for i in (2, 3)], ["unreachable"] * 2, limit=1)


def test_in_a_table_of_its_own(link):
    one = Peregrine(link.a.ns, "ipv4 table igp4;\n" + static(f"{NET} recursive 192.0.2.9",
                                                             body="igp table igp4;")
                    + static("192.0.2.0/24 via 10.77.1.2", name="inner", channel="table igp4;")
                    + static("192.0.2.0/24 via 10.77.1.3", name="outer"))
    wait_vias(one, NET, "10.77.1.2")
    one.birdc("disable inner")
    wait_dest(one, "unreachable")
    one.birdc("enable inner")
    wait_vias(one, NET, "10.77.1.2")
    one.reload(one.config.replace("igp table igp4;", ""))
    wait_vias(one, NET, "10.77.1.3")


def test_preference_decides_what_resolves(link):
    one = Peregrine(link.a.ns, static(f"{NET} recursive 192.0.2.9")
                    + static("192.0.2.0/24 via 10.77.1.2", name="better", channel="preference 210;")
                    + static("192.0.2.0/24 via 10.77.1.3", name="worse"))
    wait_vias(one, NET, "10.77.1.2")
    one.birdc("disable better")
    wait_vias(one, NET, "10.77.1.3")
    wait_state(one, "better", "down")
    one.birdc("enable better")
    wait_vias(one, NET, "10.77.1.2")
    one.reload(one.config.replace("preference 210", "preference 190"))
    wait_vias(one, NET, "10.77.1.3")


def test_six(link):
    one = Peregrine(link.a.ns, static("2001:db8:1::/48 recursive 2001:db8:2::9",
                                      "2001:db8:2::/64 via fd77:1::2",
                                      v6=True) + kernel_proto(v6=True))
    wait_vias(one, "2001:db8:1::/48", "fd77:1::2")
    wait_ours(link.a.ns, {"2001:db8:1::/48": ["fd77:1::2"], "2001:db8:2::/64": ["fd77:1::2"]}, v6=True)
    one.reload(one.config.replace("via fd77:1::2", "via fe80::2%v1"))
    wait_vias(one, "2001:db8:1::/48", "fe80::2")


def test_a_thousand_routes_follow_one_next_hop(link):
    config = static(*many(1000, "recursive 192.0.2.9")) + kernel_proto() + static("192.0.2.0/24 via %s",
                                                                                  name="inner")
    one = Peregrine(link.a.ns, config % "10.77.1.2")
    for hop in ("10.77.1.3", "10.77.1.4", "10.77.1.2"):
        one.reload(config % hop)
        wait_equal(lambda: {tuple(v) for v in ours(link.a.ns).values()}, {(hop,)})
        assert vias(one, "10.64.3.1/32") == [hop]
    assert len(ours(link.a.ns)) == 1001
