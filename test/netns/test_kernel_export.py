"""What the kernel protocol writes: tables, families, kinds of routes, metrics, several next hops."""

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, Monitor, kernel, kernel_hops, kernel_proto, many, ours, pipe, static, vias,
                    wait_count, wait_equal, wait_nets, wait_ours)

NET, NET6 = "10.1.0.0/16", "2001:db8:1::/48"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def test_both_families_into_main(link):
    one = Peregrine(link.a.ns, static(f"{NET} via 10.77.1.2", '10.2.0.0/16 via "v1"', "0.0.0.0/0 via 10.77.1.3")
                    + static(f"{NET6} via fd77:1::2", '2001:db8:2::/48 via "v1"',
                             "2001:db8:3::/48 via fe80::2%v1",
                             "::/0 via fd77:1::3", name="six", v6=True)
                    + kernel_proto() + kernel_proto(name="kernel6", v6=True))
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.2.0.0/16": ["v1"], "default": ["10.77.1.3"]})
    wait_ours(link.a.ns, {NET6: ["fd77:1::2"], "2001:db8:2::/48": ["v1"], "2001:db8:3::/48": ["fe80::2"],
                          "default": ["fd77:1::3"]}, v6=True)
    for v6 in (False, True):
        assert {r["metric"] for r in kernel(link.a.ns, v6=v6, proto=12)} == {32}
    scopes = {r["dst"]: r["scope"] for r in kernel(link.a.ns, proto=12)}
    assert scopes[NET] == "0" and scopes["10.2.0.0/16"] == "253"
    assert one.birdc("show protocols all kernel1")[0][0] == 2002


@pytest.mark.parametrize("table", [100, 100000, 4294967295])
@pytest.mark.parametrize("v6", [False, True])
def test_another_table(link, table, v6):
    net, hop = (NET6, "fd77:1::2") if v6 else (NET, "10.77.1.2")
    one = Peregrine(link.a.ns, static(f"{net} via {hop}", v6=v6)
                    + kernel_proto(f"kernel table {table};", v6=v6))
    wait_ours(link.a.ns, {net: [hop]}, table, v6)
    assert not ours(link.a.ns, v6=v6)
    one.birdc("disable static1")
    wait_ours(link.a.ns, {}, table, v6)


def test_routes_to_nowhere(lab):
    one = Peregrine(lab.ns("a"), static("10.1.0.0/16 blackhole", "10.2.0.0/16 unreachable",
                                        "10.3.0.0/16 prohibit")
                    + static("2001:db8:1::/48 blackhole", "2001:db8:2::/48 unreachable",
                             "2001:db8:3::/48 prohibit",
                             name="six", v6=True) + kernel_proto() + kernel_proto(name="kernel6", v6=True))
    kinds = ["blackhole", "unreachable", "prohibit"]
    wait_ours(one.ns, {f"10.{i}.0.0/16": kind for i, kind in enumerate(kinds, 1)})
    wait_ours(one.ns, {f"2001:db8:{i}::/48": kind for i, kind in enumerate(kinds, 1)}, v6=True)


def test_from_one_kind_to_another_in_place(link):
    """The route is replaced: nobody sees the network without a route."""
    targets = ["via 10.77.1.2", "blackhole", "via 10.77.1.2 via 10.77.1.3", 'via "v1"', "prohibit",
               "via 10.77.1.4"]
    config = static(f"{NET} %s") + kernel_proto()
    one = Peregrine(link.a.ns, config % targets[-1])
    wait_ours(link.a.ns, {NET: ["10.77.1.4"]})
    monitor = Monitor(link.a.ns)
    for target in targets:
        one.reload(config % target)
        hops = sorted(target.replace('"', "").replace("via ", "").split())
        wait_ours(link.a.ns, {NET: hops if "via" in target else target})
    assert not monitor.deleted(of=NET)


def test_from_one_kind_to_another_in_place_six(link):
    targets = ["via fd77:1::2", "blackhole", "via fd77:1::2 via fd77:1::3", "prohibit", 'via "v1"',
               "via fd77:1::4"]
    config = static(f"{NET6} %s", v6=True) + kernel_proto(v6=True)
    one = Peregrine(link.a.ns, config % targets[-1])
    wait_ours(link.a.ns, {NET6: ["fd77:1::4"]}, v6=True)
    for target in targets:
        one.reload(config % target)
        hops = sorted(target.replace('"', "").replace("via ", "").split())
        wait_ours(link.a.ns, {NET6: hops if "via" in target else target}, v6=True)


def test_multipath(link):
    one = Peregrine(link.a.ns, static(f"{NET} via 10.77.1.2 weight 3 via 10.77.1.3 weight 256 via 10.77.1.4")
                    + static(f"{NET6} via fd77:1::2 weight 9 via fd77:1::3", name="six", v6=True)
                    + kernel_proto() + kernel_proto(name="kernel6", v6=True))
    wait_ours(link.a.ns, {NET: ["10.77.1.2", "10.77.1.3", "10.77.1.4"]})
    wait_ours(link.a.ns, {NET6: ["fd77:1::2", "fd77:1::3"]}, v6=True)
    route = kernel(link.a.ns, proto=12)[0]
    assert {h["gateway"]: h["weight"] for h in route["nexthops"]} == {"10.77.1.2": 3, "10.77.1.3": 256,
                                                                      "10.77.1.4": 1}
    route = kernel(link.a.ns, proto=12, v6=True)[0]
    assert {h["gateway"]: h["weight"] for h in route["nexthops"]} == {"fd77:1::2": 9, "fd77:1::3": 1}
    repairs, before = written(one), scans(one)
    one.birdc("reload in kernel1")
    wait_until(lambda: scans(one) > before, 3, "a scan")
    assert written(one) == repairs  # as it is what we wrote, nothing is repaired


def written(daemon, name="kernel1"):
    return next(text for _, text in daemon.birdc(f"show protocols all {name}") if "Routes written" in text)


def scans(daemon, name="kernel1"):
    text = next(text for _, text in daemon.birdc(f"show protocols all {name}") if "Scans:" in text)
    return int(text.split()[1].rstrip(","))


def test_multipath_of_a_gateway_and_an_interface(link):
    Peregrine(link.a.ns, static(f'{NET} via 10.77.1.2 via "v1"') + kernel_proto())
    wait_equal(lambda: sorted(ours(link.a.ns).get(NET, [])), ["10.77.1.2", "v1"])


@pytest.mark.parametrize("v6", [False, True])
def test_metrics(link, v6):
    net, hop = (NET6, "fd77:1::2") if v6 else (NET, "10.77.1.2")
    config = static(f"{net} via {hop}", v6=v6) + kernel_proto("metric %d;", v6=v6)
    one = Peregrine(link.a.ns, config % 0)
    for metric in (0, 1, 4294967295, 32, 0):
        one.reload(config % metric)
        wait_equal(lambda: [r.get("metric", 0) for r in kernel(link.a.ns, v6=v6, proto=12)],
                   [metric or (1024 if v6 else 0)])
    one.stop()
    assert not ours(link.a.ns, v6=v6)


def test_onlink_and_a_gateway_of_the_other_family(link):
    Peregrine(link.a.ns, static("10.1.0.0/16 via 10.99.0.1%v1 onlink", "10.2.0.0/16 via fd77:1::2",
                                "10.3.0.0/16 via fe80::2%v1", "10.4.0.0/16 via 10.77.1.2 via fd77:1::3") + kernel_proto())
    wait_ours(link.a.ns, {"10.1.0.0/16": ["10.99.0.1"], "10.2.0.0/16": ["fd77:1::2"],
                          "10.3.0.0/16": ["fe80::2"],
                          "10.4.0.0/16": ["10.77.1.2", "fd77:1::3"]})
    route = next(r for r in kernel(link.a.ns, proto=12) if r["dst"] == "10.1.0.0/16")
    assert "onlink" in route["flags"] and kernel_hops(route) == [("10.99.0.1", "v1")]


def test_two_kernel_protocols_on_two_tables(link):
    one = Peregrine(link.a.ns, "ipv4 table other;\n" + static(f"{NET} via 10.77.1.2")
                    + static(f"{NET} via 10.77.1.3", "10.2.0.0/16 blackhole", name="static2",
                             channel="table other;")
                    + kernel_proto("kernel table 100;")
                    + kernel_proto("kernel table 200;", name="kernel2", channel="table other; export all;"))
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]}, 100)
    wait_ours(link.a.ns, {NET: ["10.77.1.3"], "10.2.0.0/16": "blackhole"}, 200)
    one.birdc("disable kernel2")
    wait_ours(link.a.ns, {}, 200)
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]}, 100)
    one.birdc("enable kernel2")
    wait_ours(link.a.ns, {NET: ["10.77.1.3"], "10.2.0.0/16": "blackhole"}, 200)


def test_two_kernel_protocols_share_a_table_with_two_metrics(link):
    config = ("ipv4 table other;\n" + static(f"{NET} via 10.77.1.2")
              + static(f"{NET} via 10.77.1.3", name="static2",
                       channel="table other;") + kernel_proto("metric 10;")
              + kernel_proto("metric 20;", name="kernel2", channel="table other; export all;"))
    one = Peregrine(link.a.ns, config)

    def metrics():
        return sorted((r["metric"], r["gateway"]) for r in kernel(link.a.ns, proto=12))

    wait_equal(metrics, [(10, "10.77.1.2"), (20, "10.77.1.3")])
    one.birdc("disable kernel1")
    wait_equal(metrics, [(20, "10.77.1.3")])
    one.birdc("enable kernel1")
    wait_equal(metrics, [(10, "10.77.1.2"), (20, "10.77.1.3")])
    one.birdc("restart kernel2")
    wait_equal(metrics, [(10, "10.77.1.2"), (20, "10.77.1.3")])


def merging(limit=""):
    return kernel_proto(f"merge paths on {limit};")


def test_merge_paths(lab):
    a = lab.ns("a")
    for name in "bcd":
        lab.link(a, lab.ns(name))
    statics = "".join(static(f"{NET} via 10.77.{i}.2", name=f"static{i}") for i in (1, 2, 3))
    one = Peregrine(a, statics + merging())
    wait_ours(a, {NET: ["10.77.1.2", "10.77.2.2", "10.77.3.2"]})
    a.ip("link set v2 down")
    wait_ours(a, {NET: ["10.77.1.2", "10.77.3.2"]})
    a.ip("link set v2 up")
    wait_ours(a, {NET: ["10.77.1.2", "10.77.2.2", "10.77.3.2"]})
    one.birdc("disable static1")
    wait_ours(a, {NET: ["10.77.2.2", "10.77.3.2"]})
    one.birdc("enable static1")
    one.reload(statics.replace("ipv4 {  }", "ipv4 { preference 210; }", 1) + merging())
    wait_ours(a, {NET: ["10.77.1.2"]})
    one.reload(statics + merging("limit 2"))
    wait_equal(lambda: len(ours(a).get(NET, [])), 2)
    one.reload(statics + kernel_proto())
    wait_equal(lambda: len(ours(a).get(NET, [])), 1)
    one.reload(statics + merging())
    wait_ours(a, {NET: ["10.77.1.2", "10.77.2.2", "10.77.3.2"]})


def test_merge_paths_of_the_same_and_of_other_kinds(lab):
    a = lab.ns("a")
    lab.link(a, lab.ns("b"))
    one = Peregrine(a, static(f"{NET} via 10.77.1.2") + static(f"{NET} via 10.77.1.2", name="static2")
                    + static(f"{NET} via 10.77.1.3 weight 4 via 10.77.1.4", name="static3")
                    + static(f"{NET} blackhole", name="static4", channel="preference 100;") + merging())
    wait_ours(a, {NET: ["10.77.1.2", "10.77.1.3", "10.77.1.4"]})
    one.birdc("disable static3")
    wait_ours(a, {NET: ["10.77.1.2"]})
    one.birdc("disable static1")
    wait_ours(a, {NET: ["10.77.1.2"]})
    one.birdc("disable static2")
    wait_ours(a, {NET: "blackhole"})


def test_the_far_table_of_a_pipe(link):
    one = Peregrine(link.a.ns, "ipv4 table far;\n" + static(f"{NET} via 10.77.1.2") + DIRECT
                    + pipe("master4", "far")
                    + kernel_proto("kernel table 100;", channel="table far; export all;"))
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.77.1.0/24": ["v1"]}, 100)
    one.birdc("disable direct1")
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]}, 100)
    one.birdc("disable pipe1")
    wait_ours(link.a.ns, {}, 100)
    one.birdc("enable pipe1")
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]}, 100)


def test_what_the_kernel_refuses(link):
    """IPv6 wants a gateway in each of several next hops; the rest goes its way, and a good route follows."""
    config = static(f'{NET6} via fd77:1::2 via "v1"', "2001:db8:9::/48 via fd77:1::2",
                    v6=True) + kernel_proto(v6=True)
    one = Peregrine(link.a.ns, config)
    wait_ours(link.a.ns, {"2001:db8:9::/48": ["fd77:1::2"]}, v6=True)
    wait_until(lambda: f"The kernel refused to take a route for {NET6}" in one.log(), 3,
               "the refusal in the log")
    assert vias(one, NET6) == ["v1", "fd77:1::2"]
    one.reload(config.replace(' via "v1"', ""))
    wait_ours(link.a.ns, {NET6: ["fd77:1::2"], "2001:db8:9::/48": ["fd77:1::2"]}, v6=True)
    one.reload(config)  # refused now, and what was there before is not what is wanted
    wait_ours(link.a.ns, {"2001:db8:9::/48": ["fd77:1::2"]}, v6=True)
    before = one.usage()[0]
    for _ in range(3):
        one.birdc("reload kernel1")
    wait_nets(one, "", {NET6, "2001:db8:9::/48"})
    assert one.usage()[0] - before < 0.2


def test_policies_and_limits_toward_the_kernel(lab):
    routes = static(*many(20, "blackhole"))
    one = Peregrine(lab.ns("a"), routes + kernel_proto(channel="export none;"))
    wait_count(one, "", 20)
    assert not ours(one.ns)
    one.reload(routes + kernel_proto())
    wait_equal(lambda: len(ours(one.ns)), 20)
    one.reload(routes + kernel_proto(channel="export all; export limit 5 action block;"))
    one.birdc("restart kernel1")
    wait_equal(lambda: len(ours(one.ns)), 5)
    one.reload(routes + kernel_proto(channel="export none;"))
    wait_equal(lambda: len(ours(one.ns)), 0)
