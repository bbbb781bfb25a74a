"""Configurations that change while routes are in place: what is not touched stays, here and in the kernel."""

import os
import signal

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, Monitor, best, count_ours, kernel, kernel_proto, many, nets, ours, pipe, shown,
                    state, static, vias, wait_count, wait_equal, wait_nets, wait_ours, wait_state, wait_vias)
from scenario import HONEST, bfd, direct

NET, OTHER = "10.1.0.0/16", "10.2.0.0/16"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


class Watched:
    """A daemon with routes to the kernel, and what happened to them since."""

    def __init__(self, ns, config):
        self.ns = ns
        self.daemon = Peregrine(ns, "protocol device { }\n" + config)
        wait_until(lambda: shown(self.daemon) and len(ours(ns)) == len(nets(self.daemon, "table master4")), 5,
                   "settled")
        self.monitor = Monitor(ns)
        self.since = {(r.net, r.proto): r.since for r in shown(self.daemon)}

    def reload(self, config):
        self.daemon.reload("protocol device { }\n" + config)

    def untouched(self, *keys):
        """These routes, (network, protocol), are as they were."""
        now = {(r.net, r.proto): r.since for r in shown(self.daemon)}
        for key in keys:
            assert now.get(key) == self.since[key], (key, now)

    def events(self):
        """{network: kinds of events} in the kernel, of ours."""
        result = {}
        for line in self.monitor.events():
            if "proto 12 " in line:
                words = line.split()
                kind = words[0] if words[0] in ("Deleted", "Replaced") else "new"
                words = words[1:] if kind != "new" else words
                result.setdefault(words[1] if words[0].isdigit() else words[0], []).append(kind)
        return result


@pytest.fixture
def watched(link):
    return Watched(link.a.ns, static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3") + kernel_proto())


S1 = (NET, "static1")


def test_route_added_and_removed(watched):
    watched.reload(static(f"{NET} via 10.77.1.2", "10.3.0.0/16 blackhole") + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.2"], "10.3.0.0/16": "blackhole"})
    watched.untouched(S1)
    assert set(watched.events()) == {OTHER, "10.3.0.0/16"}


def test_next_hop_changed(watched):
    watched.reload(static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.2 via 10.77.1.4") + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.2", "10.77.1.4"]})
    watched.untouched(S1)
    assert best(watched.daemon, OTHER).since >= watched.since[OTHER, "static1"]
    events = watched.events()
    assert set(events) == {OTHER} and "Deleted" not in events[OTHER]


def test_lines_in_another_order_and_the_same_again(watched):
    watched.reload(static(f"{OTHER} via 10.77.1.3", f"{NET} via 10.77.1.2") + kernel_proto())
    watched.reload(static(f"{OTHER} via 10.77.1.3", f"{NET} via 10.77.1.2") + kernel_proto())
    wait_count(watched.daemon, "", 2)
    watched.untouched(S1, (OTHER, "static1"))
    assert not watched.events()


def test_a_duplicate_appears_and_goes(watched):
    watched.reload(static(f"{NET} via 10.77.1.2", f"{NET} via 10.77.1.4", f"{OTHER} via 10.77.1.3")
                   + kernel_proto())
    wait_count(watched.daemon, "", 3)
    assert best(watched.daemon, NET).vias == ["10.77.1.2"]
    watched.reload(static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3") + kernel_proto())
    wait_count(watched.daemon, "", 2)
    watched.untouched(S1, (OTHER, "static1"))
    assert not watched.events()


def test_preference_changed(watched):
    """The routes stay in the kernel; nothing that matters there has changed."""
    watched.reload(static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3", channel="preference 99;")
                   + kernel_proto())
    wait_equal(lambda: {r.info for r in shown(watched.daemon)}, {"(99)"})
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]})
    assert "Deleted" not in sum(watched.events().values(), [])


def test_the_better_of_two_changes_by_preference(watched):
    two = static(f"{NET} via 10.77.1.9", name="static2", channel="preference %d;")
    one = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3")
    watched.reload(one + two % 100 + kernel_proto())
    wait_count(watched.daemon, "", 3)
    watched.untouched(S1)
    assert not watched.events()
    watched.reload(one + two % 300 + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.9"], OTHER: ["10.77.1.3"]})
    watched.untouched(S1, (OTHER, "static1"))
    events = watched.events()
    assert set(events) == {NET} and "Deleted" not in events[NET]


def test_import_policy_changed(watched):
    config = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3", channel="%s") + kernel_proto()
    watched.reload(config % "import none;")
    wait_ours(watched.ns, {})
    assert not shown(watched.daemon)
    watched.reload(config % "import all;")
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]})


def test_export_policy_changed(watched):
    config = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3")
    watched.reload(config + kernel_proto(channel="export none;"))
    wait_ours(watched.ns, {})
    watched.reload(config + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]})
    watched.untouched(S1, (OTHER, "static1"))


def test_soft_leaves_filtering_alone(watched):
    """`configure soft` takes new routes but does not filter the old ones anew."""
    one = watched.daemon
    one.config = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3") + kernel_proto(channel="export none;")
    one._write_config()  # pylint: disable=protected-access
    assert one.birdc("configure soft")[-1] == (3, "Reconfigured")
    wait_count(one, "", 2)
    assert ours(watched.ns) == {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]} and not watched.events()
    one.birdc("reload out kernel1")
    wait_ours(watched.ns, {})


def test_table_of_a_channel_changed(watched):
    one = watched.daemon
    watched.reload("ipv4 table aux;\n" + static(f"{NET} via 10.77.1.2", channel="table aux;")
                   + static(f"{OTHER} via 10.77.1.3", name="static2") + kernel_proto())
    wait_nets(one, "", {OTHER})
    wait_nets(one, "table aux", {NET})
    wait_ours(watched.ns, {OTHER: ["10.77.1.3"]})
    watched.reload("ipv4 table aux;\n" + static(f"{NET} via 10.77.1.2", channel="table aux;")
                   + static(f"{OTHER} via 10.77.1.3", name="static2") + kernel_proto(channel="table aux; export all;"))
    wait_ours(watched.ns, {NET: ["10.77.1.2"]})
    watched.reload(static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3") + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]})
    assert one.birdc("show route table aux")[-1][0] == 9001


def test_template_changed(link):
    config = ("template static common { ipv4 { preference %d; }; route 10.3.0.0/16 via 10.77.1.%d; }\n"
              "protocol static one from common { route 10.1.0.0/16 via 10.77.1.2; }\n"
              "protocol static two from common { ipv4 { preference 250; }; }\n" + kernel_proto())
    watched = Watched(link.a.ns, config % (150, 3))
    watched.reload(config % (150, 4))
    wait_ours(watched.ns, {NET: ["10.77.1.2"], "10.3.0.0/16": ["10.77.1.4"]})
    watched.untouched((NET, "one"))
    assert set(watched.events()) == {"10.3.0.0/16"}
    watched.reload(config % (260, 4))
    wait_equal(lambda: best(watched.daemon, "10.3.0.0/16").proto, "one")
    assert best(watched.daemon, NET).info == "(260)"


def test_protocols_come_and_go(watched):
    base = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3")
    for i in range(3):
        watched.reload(base + kernel_proto() + "ipv4 table far;\n" + pipe("master4", "far")
                       + static("10.9.0.0/16 blackhole", name=f"extra{i}"))
        wait_nets(watched.daemon, "table far", {NET, OTHER, "10.9.0.0/16"})
        wait_equal(lambda: len(ours(watched.ns)), 3)
        watched.reload(base + kernel_proto())
        wait_equal(lambda: len(ours(watched.ns)), 2)
    watched.untouched(S1, (OTHER, "static1"))
    assert set(watched.events()) == {"10.9.0.0/16"}


def test_a_name_passes_to_another_kind(link):
    one = Peregrine(link.a.ns, static(f"{NET} via 10.77.1.2", name="thing") + kernel_proto())
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]})
    one.reload("protocol direct thing { ipv4; }\n" + kernel_proto())
    wait_ours(link.a.ns, {"10.77.1.0/24": ["v1"]})
    one.reload("ipv4 table thing2;\n" + static(f"{NET} via 10.77.1.2", name="thing") + kernel_proto())
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]})


@pytest.mark.parametrize("option", ["metric 77;", "kernel table 100;", "merge paths on;",
                                    "netlink rx buffer 65536;"])
def test_kernel_options_changed(watched, option):
    routes = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3")
    both = {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]}
    watched.reload(routes + kernel_proto(option))
    table = 100 if "table" in option else "main"
    wait_ours(watched.ns, both, table)
    if "table" in option:
        assert not ours(watched.ns)
    wait_equal(lambda: {r["metric"] for r in kernel(watched.ns, table, proto=12)},
               {77 if "metric" in option else 32})
    watched.untouched(S1, (OTHER, "static1"))
    watched.reload(routes + kernel_proto())
    wait_ours(watched.ns, both)
    wait_equal(lambda: {r["metric"] for r in kernel(watched.ns, proto=12)}, {32})


@pytest.mark.parametrize("option", ["persist;", "scan time 5;", "graceful restart;"])
def test_kernel_options_that_touch_nothing(watched, option):
    watched.reload(static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.3") + kernel_proto(option))
    wait_state(watched.daemon, "kernel1", "up")
    assert not watched.events()
    watched.untouched(S1, (OTHER, "static1"))


def test_undo_and_timeout(watched):
    one = watched.daemon
    both = {NET: ["10.77.1.2"], OTHER: ["10.77.1.3"]}
    watched.reload(static(f"{NET} via 10.77.1.4") + kernel_proto())
    wait_ours(watched.ns, {NET: ["10.77.1.4"]})
    assert one.birdc("configure undo")[-1][0] == 3
    wait_ours(watched.ns, both)
    assert one.birdc("configure timeout 1")[1] == (22, "Undo scheduled in 1 s")
    wait_ours(watched.ns, {NET: ["10.77.1.4"]})
    wait_ours(watched.ns, both, limit=3)
    events = watched.events()
    assert events[NET] and "Deleted" not in events[NET]


def test_a_broken_file_loses_nothing(watched):
    one = watched.daemon
    for text in ("protocol static { ipv4; route 10.1.0.0/16 via; }\n",
                 "protocol pipe { table master4; peer table nosuch; }\n",
                 static("2001:db8::/32 blackhole"), kernel_proto() + kernel_proto(name="kernel2"), "", "/*",
                 static(f"{NET} via fe80::1"), "ipv4 table master4;\nipv6 table master4;\n",
                 static(f"{NET}/17 blackhole"),
                 static("10.1.0.0/8 blackhole")):
        with open(one.config_path, "w", encoding="utf-8") as f:
            f.write(text)
        reply = one.birdc("configure")
        assert reply[-1][0] == 8002, (text, reply)
        one.proc.send_signal(signal.SIGHUP)
    wait_count(one, "", 2)
    watched.untouched(S1, (OTHER, "static1"))
    assert not watched.events()
    os.unlink(one.config_path)
    assert one.birdc("configure")[-1][0] == 8002
    assert vias(one, NET) == ["10.77.1.2"]


def test_sighup_twice_quickly(watched):
    one = watched.daemon
    for i in range(10):
        one.config = static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.{10 + i}") + kernel_proto()
        one._write_config()  # pylint: disable=protected-access
        one.proc.send_signal(signal.SIGHUP)
        one.proc.send_signal(signal.SIGHUP)
    wait_vias(one, OTHER, "10.77.1.19")
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.19"]})
    watched.untouched(S1)
    assert set(watched.events()) <= {OTHER}


def test_reload_while_the_interface_flaps(watched):
    configs = [static(f"{NET} via 10.77.1.2", f"{OTHER} via 10.77.1.{3 + i}") + DIRECT
               + kernel_proto() for i in range(4)]
    for i, config in enumerate(configs * 2):
        watched.ns.ip("link set v1 down" if i % 2 == 0 else "link set v1 up")
        watched.reload(config)
    wait_ours(watched.ns, {NET: ["10.77.1.2"], OTHER: ["10.77.1.6"], "10.77.1.0/24": ["v1"]})


def flood_config(number, hop):
    return static(*many(number, f"via {hop}"), name="flood")


def test_a_flood_of_routes_does_not_flap_bfd(lab):
    """100 000 routes are loaded, changed and removed beside a session."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    fast = "interval 50 ms; multiplier 3;"
    base = (bfd(direct(link.b.ip4, link.a), options=fast) + static(f"{NET} via {link.b.ip4} bfd")
            + kernel_proto())
    one = Peregrine(link.a.ns, base)
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options=fast))
    for tid in os.listdir(f"/proc/{two.pid}/task"):  # as if on another machine: not behind what the kernel does for one
        os.sched_setaffinity(int(tid), {min(os.sched_getaffinity(0))})
    wait_ours(link.a.ns, {NET: [link.b.ip4]})
    since = [d.sessions()[0]["since"] for d in (one, two)]
    age = best(one, NET).since
    for config, wanted in ((flood_config(100000, "10.77.1.3"), 100001),
                           (flood_config(100000, "10.77.1.4"), 100001), ("", 1)):
        one.reload(base + config)
        wait_until(lambda wanted=wanted: count_ours(link.a.ns) == wanted, 30,
                   lambda: f"{count_ours(link.a.ns)} in the kernel")
    assert [d.sessions()[0]["since"] for d in (one, two)] == since
    assert best(one, NET).since == age
    assert state(one, "flood") is None


def test_channels_of_direct_come_and_go_alone(lab):
    """What stays is not touched: neither the connected networks nor the routes that stand on them."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    rest = "debug channels { states };\nipv4 table t4;\n" + static("10.1.0.0/16 recursive 10.77.1.2") + kernel_proto()
    one = Peregrine(link.a.ns, rest + "protocol direct direct1 { ipv4; }\n")
    wait_ours(link.a.ns, {"10.1.0.0/16": ["10.77.1.2"], "10.77.1.0/24": ["v1"]})
    age, monitor = best(one, "10.77.1.0/24").since, Monitor(link.a.ns)
    one.reload(rest + "protocol direct direct1 { ipv6; ipv4; }\n")
    wait_nets(one, "table master6 protocol direct1", {"fd77:1::/64"})
    assert best(one, "10.77.1.0/24").since == age
    one.reload(rest + "protocol direct direct1 { ipv4; ipv6 { import none; }; }\n")
    wait_nets(one, "table master6 protocol direct1", set())
    one.reload(rest + "protocol direct direct1 { ipv4; }\n")
    assert best(one, "10.77.1.0/24").since == age and not monitor.deleted()
    wait_until(lambda: "direct1.ipv6: State changed to DOWN" in one.log(), 3, one.log)
    assert "direct1: State changed" not in one.log() and "direct1.ipv4: State changed to FLUSHING" not in one.log()
    one.reload(rest + "protocol direct direct1 { ipv4 { table t4; }; }\n")  # another channel, of the same type
    wait_nets(one, "table t4 protocol direct1", {"10.77.1.0/24"})
    wait_nets(one, "table master4 protocol direct1", set())
    wait_ours(link.a.ns, {"10.1.0.0/16": "unreachable"})
    one.birdc("disable direct1")
    wait_nets(one, "table t4", set())
    one.stop()
