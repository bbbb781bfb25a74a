"""`learn`: routes of others in the kernel's table become routes of ours."""

import pytest

from lab import Peregrine, wait_until
from routes import (Monitor, best, count, count_ours, flood, kernel_proto, many, nets, ours, prefixes, shown,
                    static, wait_count, wait_equal, wait_nets, wait_ours)

LEARN = kernel_proto("learn;", channel="export none;")


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def test_before_and_after_the_start(link):
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2", "route add blackhole 10.2.0.0/16 proto static metric 7",
          "route add 10.3.0.0/16 proto dhcp nexthop via 10.77.1.2 weight 2 nexthop via 10.77.1.3")
    one = Peregrine(ns, LEARN)
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"})
    ns.ip("route add unreachable 10.4.0.0/16 proto static", "route add prohibit 10.5.0.0/16",
          "route add default via 10.77.1.9",
          "route add 10.6.0.0/16 dev v1 scope link src 10.77.1.1 mtu 1400")
    wait_nets(one, "", {f"10.{i}.0.0/16" for i in range(1, 7)} | {"0.0.0.0/0"})
    routes = {r.net: r for r in shown(one, "all")}
    assert {r.dest for r in routes.values()} == {"unicast", "blackhole", "unreachable", "prohibited"}
    assert routes["10.2.0.0/16"].attrs == {"Type": "inherit univ", "Kernel.source": "4", "Kernel.metric": "7"}
    assert [h[:3] for h in routes["10.3.0.0/16"].hops] == [("10.77.1.2", "v1", 2), ("10.77.1.3", "v1", 1)]
    last = routes["10.6.0.0/16"]
    assert last.vias == ["v1"] and last.attrs["Kernel.prefsrc"] == "10.77.1.1" and last.attrs["Kernel.mtu"] == "1400"
    assert last.info == "(10/0)" or last.info == "(10)"
    ns.ip("route del 10.1.0.0/16", "route del default", "route replace 10.4.0.0/16 via 10.77.1.2 proto static")
    wait_nets(one, "", {f"10.{i}.0.0/16" for i in range(2, 7)})
    wait_equal(lambda: best(one, "10.4.0.0/16").vias, ["10.77.1.2"])


def test_not_the_kernels_own_and_not_other_tables(link):
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2", "route add 10.2.0.0/16 via 10.77.1.2 table 100",
          "addr add 10.88.0.1/24 dev v1")
    one = Peregrine(ns, LEARN + kernel_proto("learn;", name="kernel6", v6=True, channel="export none;"))
    wait_nets(one, "table master4", {"10.1.0.0/16"})
    assert not nets(one, "table master6")
    ns.ip("-6 route add 2001:db8::/32 via fd77:1::2 proto static")
    wait_nets(one, "table master6", {"2001:db8::/32"})


def test_the_lowest_metric_wins(link):
    ns = link.a.ns
    one = Peregrine(ns, LEARN)
    ns.ip(*(f"route add 10.1.0.0/16 via 10.77.1.{m} metric {m}" for m in (7, 3, 5)))
    wait_count(one, "10.1.0.0/16", 3)
    assert best(one, "10.1.0.0/16").vias == ["10.77.1.3"]
    ns.ip("route del 10.1.0.0/16 metric 3")
    wait_equal(lambda: best(one, "10.1.0.0/16").vias, ["10.77.1.5"])
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2 metric 2")
    wait_equal(lambda: best(one, "10.1.0.0/16").vias, ["10.77.1.2"])


def test_learned_routes_are_not_written_back(link):
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2")
    one = Peregrine(ns, kernel_proto("learn;") + static("10.2.0.0/16 blackhole"))
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})
    wait_ours(ns, {"10.2.0.0/16": "blackhole"})


def test_a_static_route_hides_a_learned_one_and_back(link):
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2 metric 100")
    one = Peregrine(ns, kernel_proto("learn;") + static("10.1.0.0/16 via 10.77.1.3"))
    wait_count(one, "10.1.0.0/16", 2)
    wait_ours(ns, {"10.1.0.0/16": ["10.77.1.3"]})
    one.birdc("disable static1")
    wait_ours(ns, {})
    assert best(one, "10.1.0.0/16").proto == "kernel1"
    one.birdc("enable static1")
    wait_ours(ns, {"10.1.0.0/16": ["10.77.1.3"]})
    one.birdc("disable kernel1")
    wait_ours(ns, {})
    wait_count(one, "10.1.0.0/16", 1)


def test_from_one_kernel_table_to_another(link):
    ns = link.a.ns
    one = Peregrine(ns, "ipv4 table far;\n" + LEARN.replace("kernel1", "origin")
                    + "protocol pipe pipe1 { table master4; peer table far; export all; import none; }\n"
                    + kernel_proto("kernel table 100;", channel="table far; export all;"))
    ns.ip(*(f"route add 10.{i}.0.0/16 via 10.77.1.2 proto static" for i in range(1, 6)))
    wait_ours(ns, {f"10.{i}.0.0/16": ["10.77.1.2"] for i in range(1, 6)}, 100)
    ns.ip("route replace 10.2.0.0/16 via 10.77.1.3 proto static", "route del 10.3.0.0/16")
    wait_ours(ns, {f"10.{i}.0.0/16": ["10.77.1.3" if i == 2 else "10.77.1.2"] for i in (1, 2, 4, 5)}, 100)
    one.birdc("disable origin")
    wait_ours(ns, {}, 100)


def test_learn_switched_on_and_off(link):
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2")
    config = static("10.2.0.0/16 via 10.77.1.2")
    one = Peregrine(ns, config + kernel_proto())
    wait_ours(ns, {"10.2.0.0/16": ["10.77.1.2"]})
    monitor = Monitor(ns)
    one.reload(config + kernel_proto("learn;"))
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})
    one.reload(config + kernel_proto())
    wait_nets(one, "", {"10.2.0.0/16"})
    assert not monitor.deleted()


def test_routes_lost_without_an_event(link):
    """IPv4 routes of a link that goes down."""
    ns = link.a.ns
    one = Peregrine(ns, LEARN)
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2", "route add blackhole 10.2.0.0/16")
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})
    ns.ip("link set v1 down")
    wait_nets(one, "", {"10.2.0.0/16"}, limit=3)
    ns.ip("link set v1 up", "route add 10.1.0.0/16 via 10.77.1.2")
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})


def test_routes_of_another_daemon_of_our_kind_are_not_learned(link):
    """As BIRD has it: with two daemons, each would feed on what the other has made of its routes."""
    ns = link.a.ns
    ns.ip("route add 10.1.0.0/16 via 10.77.1.2 proto bird metric 77",
          "route add 10.2.0.0/16 via 10.77.1.2 proto static")
    one = Peregrine(ns, LEARN)
    wait_nets(one, "", {"10.2.0.0/16"}, limit=1)
    ns.ip("route add 10.3.0.0/16 via 10.77.1.2 proto bird metric 77", "route add 10.4.0.0/16 via 10.77.1.2")
    wait_nets(one, "", {"10.2.0.0/16", "10.4.0.0/16"})
    assert len(ours(ns)) == 2


@pytest.mark.parametrize("buffer", ["", "netlink rx buffer 4096;"])
def test_twenty_thousand_foreign_routes_at_once(link, buffer):
    """With a small buffer most events are lost, and what is lost is found by scans."""
    ns = link.a.ns
    own = many(100, "via 10.77.1.2", start="10.200.0.0")
    one = Peregrine(ns, static(*own) + kernel_proto(f"learn; {buffer}"))
    wait_equal(lambda: count_ours(ns), 100)
    names = list(prefixes(20000))
    flood(ns, names, "10.77.1.3", "v1")
    wait_count(one, "protocol kernel1", 20000, limit=15)
    flood(ns, names[:19000], "10.77.1.3", "v1", add=False)
    wait_count(one, "protocol kernel1", 1000, limit=15)
    assert count_ours(ns) == 100 and count(one, "protocol static1") == 100
    one.birdc("disable static1")
    wait_equal(lambda: count_ours(ns), 0)
    lost = next(t for _, t in one.birdc("show protocols all kernel1") if "after lost messages" in t)
    if buffer:
        assert not lost.endswith(" 0"), lost
    wait_until(lambda: one.usage()[0] < 20, 1, "reasonable CPU time")


def test_an_interface_appears_with_routes(lab):
    ns = lab.ns("a")
    one = Peregrine(ns, LEARN)
    for _ in range(2):
        ns.ip("link add d1 type veth peer name d1p", "link set d1 up", "link set d1p up",
              "addr add 10.50.0.1/24 dev d1", "route add 10.1.0.0/16 via 10.50.0.2", "route add 10.2.0.0/16 dev d1")
        wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"}, limit=3)
        ns.ip("link del d1")
        wait_nets(one, "", set(), limit=3)
