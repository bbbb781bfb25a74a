"""Channels: preference, policies, filtered routes, limits, counters, reload, restart."""

import re

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, best, count, kernel_proto, many, nets, shown, state, static, wait_count,
                    wait_equal, wait_nets, wait_ours, wait_state)

NET = "10.1.0.0/16"
TEN = many(10, "blackhole")


@pytest.fixture
def ns(lab):
    return lab.ns("a")


def details(daemon, name):
    """Lines of `show protocols all NAME` by label; of the first channel."""
    rows = {}
    for code, text in daemon.birdc(f"show protocols all {name}"):
        if code == 1006 and ":" in text:
            label, value = text.split(":", 1)
            rows.setdefault(label.strip(), value.strip())
    return rows


def test_preference_decides(ns):
    protocols = [static(f"{NET} {kind}", name=f"s{p}", channel=f"preference {p};")
                 for p, kind in ((0, "blackhole"), (65535, "prohibit"), (200, "unreachable"))]
    for order in (protocols, protocols[::-1]):
        one = Peregrine(ns, "".join(order))
        wait_count(one, "", 3)
        assert [(r.proto, r.best, r.info) for r in shown(one)] == [
            ("s65535", True, "(65535)"), ("s200", False, "(200)"), ("s0", False, "(0)")]
        one.birdc("disable s65535")
        wait_equal(lambda one=one: best(one, NET).proto, "s200")
        one.birdc("enable s65535")
        wait_equal(lambda one=one: best(one, NET).proto, "s65535")
        one.stop()


def test_equals_stay_in_the_order_they_came(ns):
    one = Peregrine(ns, static(f"{NET} blackhole", name="first") + static(f"{NET} unreachable", name="second"))
    wait_count(one, "", 2)
    assert best(one, NET).proto == "first"
    one.birdc("disable first")
    wait_equal(lambda: best(one, NET).proto, "second")
    one.birdc("enable first")
    wait_count(one, "", 2)
    assert best(one, NET).proto == "second"  # nothing moves without a reason


def test_import_none(ns):
    one = Peregrine(ns, static(*TEN, channel="import none;"))
    wait_equal(lambda: details(one, "static1").get("Import updates"),
               "         10          0         10          0          0".strip())
    assert not shown(one) and not shown(one, "filtered")
    assert details(one, "static1")["Routes"] == "0 imported, 0 exported, 0 preferred"
    assert details(one, "static1")["Input filter"] == "REJECT"


def test_import_keep_filtered(ns):
    config = static(*TEN, channel="%s import keep filtered;")
    one = Peregrine(ns, config % "import none;" + kernel_proto())
    wait_equal(lambda: len(shown(one, "filtered")), 10)
    assert not shown(one)
    assert details(one, "static1")["Routes"] == "0 imported, 10 filtered, 0 exported, 0 preferred"
    assert {r.best for r in shown(one, "filtered")} == {False}
    one.reload(config % "import all;" + kernel_proto())
    wait_count(one, "", 10)
    assert not shown(one, "filtered")
    wait_equal(lambda: details(one, "kernel1")["Routes"], "0 imported, 10 exported, 0 preferred")
    one.reload(config % "import none;" + kernel_proto())
    wait_equal(lambda: len(shown(one, "filtered")), 10)
    wait_ours(ns, {})
    one.reload(static(*TEN, channel="import none;") + kernel_proto())
    wait_equal(lambda: len(shown(one, "filtered")), 0)
    one.reload(static(*TEN) + kernel_proto())
    wait_count(one, "", 10)


def test_a_filtered_route_is_never_best(ns):
    one = Peregrine(ns, static(f"{NET} blackhole", name="good", channel="preference 1;")
                    + static(f"{NET} prohibit", name="bad", channel="import none; import keep filtered;"))
    wait_equal(lambda: (nets(one, proto="good"), nets(one, "filtered", proto="bad")), ({NET}, {NET}))
    assert best(one, NET).proto == "good"
    one.birdc("disable good")
    wait_equal(lambda: nets(one), set())
    assert one.birdc(f"show route for {NET}")[-1][0] == 8001


@pytest.mark.parametrize("kind,filtering", [("import", "import all;"), ("receive", "import all;"),
                                            ("receive", "import none; import keep filtered;")])
def test_limit_block_and_warn(ns, kind, filtering):
    words = "filtered" if "none" in filtering else ""
    one = Peregrine(ns, static(*TEN, channel=f"{filtering} {kind} limit 4 action block;"))
    wait_until(lambda: f"({kind} limit)" in one.log(), 3, "a warning")
    wait_count(one, words, 4)
    assert details(one, "static1")[f"{kind.capitalize()} limit"] == "4 [HIT]"
    assert details(one, "static1")["Action"] == "block" and state(one, "static1") == "up"
    one.reload(static(*TEN, channel=f"{filtering} {kind} limit 4 action warn;"))
    one.birdc("reload in static1")
    wait_count(one, words, 10)
    assert one.log().count(f"({kind} limit)") < 3  # not one for each route


@pytest.mark.parametrize("kind", ["import", "receive"])
def test_limit_disable(ns, kind):
    one = Peregrine(ns, static(*TEN, channel=f"{kind} limit 4;") + static(NET + " blackhole", name="other"))
    wait_state(one, "static1", "down")
    wait_nets(one, "", {NET})
    one.birdc("enable static1")
    wait_state(one, "static1", "down")
    one.reload(static(*TEN[:4], channel=f"{kind} limit 4;") + static(NET + " blackhole", name="other"))
    one.birdc("enable static1")
    wait_count(one, "protocol static1", 4)
    assert state(one, "static1") == "up"


def test_limit_restart_does_not_run_hot(ns):
    one = Peregrine(ns, static(*TEN, channel="import limit 4 action restart;"))
    before = one.usage()[0]
    wait_until(lambda: one.log().count("(import limit)") > 1, 8, "a second time")
    assert one.usage()[0] - before < 0.3
    assert one.log().count("(import limit)") < 10


def test_an_operator_need_not_wait_for_the_pause(ns):
    one = Peregrine(ns, static(*TEN, channel="import limit 4 action restart;"))
    wait_state(one, "static1", "down")
    one.reload(static(*TEN, channel="import limit 40 action restart;"))
    assert one.birdc("restart static1") == [(12, "static1: restarted"), (0, "")]
    wait_count(one, "", 10, limit=2)


def test_a_limit_makes_room_again(ns):
    """What goes makes room for what comes later; what was blocked comes with a reload."""
    config = static(*TEN[:6], channel="import limit 6 action block;")
    one = Peregrine(ns, config)
    wait_count(one, "", 6)
    one.reload(static(*TEN[:3], *TEN[7:10], channel="import limit 6 action block;"))
    one.birdc("reload static1")
    wait_nets(one, "", {r.split()[0] for r in TEN[:3] + TEN[7:10]})


def test_export_limit(ns):
    one = Peregrine(ns, static(*TEN) + kernel_proto(channel="export all; export limit 4 action disable;"))
    wait_state(one, "kernel1", "down")
    wait_ours(ns, {})
    one.reload(static(*TEN) + kernel_proto(channel="export all; export limit 10 action disable;"))
    one.birdc("enable kernel1")
    wait_equal(lambda: details(one, "kernel1").get("Routes"), "0 imported, 10 exported, 0 preferred")


@pytest.mark.parametrize("action", ["disable", "block"])
def test_export_limit_strikes_while_it_runs(ns, action):
    config = kernel_proto(channel=f"export all; export limit 4 action {action};")
    one = Peregrine(ns, config + static(*TEN[:3]))
    wait_equal(lambda: details(one, "kernel1").get("Routes"), "0 imported, 3 exported, 0 preferred")
    one.reload(config + static(*many(300, "blackhole")))
    wait_until(lambda: "(export limit)" in one.log(), 3, "the limit")
    one.reload(config + static(*TEN[:3]))
    one.birdc("enable kernel1")
    wait_equal(lambda: details(one, "kernel1").get("Routes"), "0 imported, 3 exported, 0 preferred")


@pytest.mark.parametrize("kind", ["import", "receive", "export"])
def test_a_lowered_limit_holds_for_what_is_there(ns, kind):
    def config(options, channel=""):
        exporting = kernel_proto(channel=f"export all; {options if kind == 'export' else ''}")
        return static(*TEN, channel=channel or (options if kind != "export" else "")) + exporting

    name = "kernel1" if kind == "export" else "static1"
    one = Peregrine(ns, config(f"{kind} limit 10 action block;"))
    wait_equal(lambda: details(one, "kernel1").get("Routes"), "0 imported, 10 exported, 0 preferred")
    assert details(one, name)[f"{kind.capitalize()} limit"] == "10"
    one.reload(config(f"{kind} limit 4 action block;"))
    assert details(one, name)[f"{kind.capitalize()} limit"] == "4 [HIT]"
    wait_equal(lambda: one.log().count(f"({kind} limit), action: block"), 1)
    assert details(one, "kernel1")["Routes"] == "0 imported, 10 exported, 0 preferred"  # nothing is taken back
    one.reload(config(f"{kind} limit 20 action block;"))
    assert details(one, name)[f"{kind.capitalize()} limit"] == "20"
    one.reload(config(f"{kind} limit 4 action disable;"))
    wait_state(one, name, "down")
    wait_ours(ns, {})


def traces(daemon, name):
    return re.findall(rf"<TRACE> {name}\.ipv4(?::)? (.*)", daemon.log(tail=None))


def test_traces_tell_what_became_of_each_route(ns):
    one = Peregrine(ns, "debug channels all;\n" + static("10.1.0.0/16 blackhole", "10.2.0.0/16 prohibit",
                                                         channel="import limit 1 action block;")
                    + kernel_proto() + static("10.3.0.0/16 unreachable", name="closed", channel="import none;"))
    wait_equal(lambda: details(one, "kernel1").get("Routes"), "0 imported, 1 exported, 0 preferred")
    wait_until(lambda: len(traces(one, "static1")) >= 3, 3, one.log)
    assert traces(one, "static1") == ["State changed to UP", "> added 10.1.0.0/16 blackhole",
                                      "> refused by limit 10.2.0.0/16 prohibited"]
    wait_equal(lambda: traces(one, "kernel1"), ["State changed to UP", "< added 10.1.0.0/16 blackhole", "Feed complete"])
    wait_equal(lambda: traces(one, "closed"), ["State changed to UP", "> filtered out 10.3.0.0/16 unreachable"])
    one.birdc("disable static1")
    wait_until(lambda: traces(one, "static1")[-1] == "State changed to DOWN", 3, one.log)
    assert traces(one, "static1")[3:] == ["State changed to FLUSHING", "> removed 10.1.0.0/16 blackhole",
                                          "State changed to DOWN"]
    wait_equal(lambda: traces(one, "kernel1")[-1], "< removed 10.1.0.0/16 blackhole")


def test_debug_of_a_single_channel(ns):
    one = Peregrine(ns, static(*TEN[:2]) + kernel_proto())
    wait_count(one, "", 2)
    assert one.birdc('debug "static*".ipv4 { routes }') == [(0, "")]
    assert one.birdc("debug kernel1.ipv6 all") == [(0, "")]  # it has none
    assert one.birdc("debug nosuch.ipv4 all") == [(9001, "There is no protocol 'nosuch'")]
    assert one.birdc("reload static1")[-1] == (0, "")
    one.birdc("reload kernel1")
    wait_until(lambda: len(traces(one, "static1")) == 2, 3, one.log)
    assert all(t.startswith("> ignored ") for t in traces(one, "static1"))
    one.reload(static(*TEN[:2]) + kernel_proto() + "# from now on it is off again\n")
    one.birdc("reload static1")
    one.birdc("disable kernel1")
    wait_state(one, "kernel1", "down")
    assert len(traces(one, "static1")) == 2 and not traces(one, "kernel1")


def test_export_counters(ns):
    one = Peregrine(ns, static(*TEN) + kernel_proto())
    wait_equal(lambda: details(one, "kernel1")["Routes"], "0 imported, 10 exported, 0 preferred")
    assert details(one, "kernel1")["Export updates"].split() == ["10", "0", "0", "---", "10"]
    assert details(one, "static1")["Routes"] == "10 imported, 0 exported, 10 preferred"
    one.birdc("disable static1")
    wait_equal(lambda: details(one, "kernel1")["Routes"], "0 imported, 0 exported, 0 preferred")
    assert details(one, "kernel1")["Export withdraws"].split() == ["10", "---", "---", "---", "10"]
    one.birdc("enable static1")
    wait_equal(lambda: details(one, "kernel1")["Export updates"].split(), ["20", "0", "0", "---", "20"])


def test_export_none_counts_what_it_rejects(ns):
    one = Peregrine(ns, static(*TEN) + kernel_proto(channel="export none;"))
    wait_equal(lambda: details(one, "kernel1")["Export updates"].split(), ["10", "0", "10", "---", "0"])
    assert details(one, "kernel1")["Output filter"] == "REJECT"


def test_import_counters_of_a_plain_start(ns):
    """Each route is announced once, and nothing is withdrawn that never was."""
    one = Peregrine(ns, static(*TEN, "10.9.0.0/16 via 192.0.2.1"))
    wait_count(one, "", 10)
    assert details(one, "static1")["Import updates"].split() == ["10", "0", "0", "0", "10"]
    assert details(one, "static1")["Import withdraws"].split()[4] == "0"


@pytest.mark.parametrize("command", ["reload", "reload in", "reload out"])
def test_reload_changes_nothing(ns, command):
    one = Peregrine(ns, static(*TEN) + kernel_proto())
    wait_equal(lambda: details(one, "kernel1")["Routes"], "0 imported, 10 exported, 0 preferred")
    before = {r.net: r.since for r in shown(one)}
    for name in ("static1", "kernel1"):
        assert one.birdc(f"{command} {name}") == [(15, f"{name}: reloading"), (0, "")]
    wait_equal(lambda: {r.net: r.since for r in shown(one)}, before)
    assert details(one, "static1")["Import updates"].split()[4] == "10"
    if command != "reload out":
        wait_equal(lambda: details(one, "static1")["Import updates"].split()[3], "10")  # ignored


def test_reload_all(lab):
    """Replies as in the transcript of BIRD, in the order of the configuration."""
    one = Peregrine(lab.ns("a"), DIRECT + static(*TEN) + kernel_proto()
                    + static(NET + " blackhole", name="spare", body="disabled;"))
    wait_count(one, "", 10)
    reply = one.birdc("reload all")
    assert [text for _, text in reply[:-1]][1:] == [
        "static1: reloading", "kernel1: reloading", "spare: already disabled", "device1: reloading"]
    assert [code for code, _ in reply[1:]] == [15, 15, 8, 15, 0]
    assert one.birdc("reload spare") == [(8, "spare: already disabled"), (0, "")]
    assert one.birdc('reload "x*"') == [(8003, "No protocols match")]


@pytest.mark.parametrize("command", ["restart", "disable"])
@pytest.mark.parametrize("name", ["static1", "direct1", "kernel1"])
def test_restart_and_disable_of_each(lab, command, name):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, static("10.1.0.0/16 via 10.77.1.2") + DIRECT + kernel_proto())
    every = {"10.1.0.0/16": ["10.77.1.2"], "10.77.1.0/24": ["v1"]}
    wait_ours(link.a.ns, every)
    one.birdc(f"{command} {name}")
    if command == "disable":
        wait_state(one, name, "down")
        gone = {"static1": {"10.1.0.0/16"}, "direct1": {"10.77.1.0/24"}, "kernel1": set(every)}[name]
        wait_ours(link.a.ns, {n: v for n, v in every.items() if n not in gone})
        one.birdc(f"enable {name}")
    wait_state(one, name, "up")
    wait_ours(link.a.ns, every)
    assert count(one, "table master4") == 2


def test_a_channel_in_another_table(ns):
    one = Peregrine(ns, "ipv4 table aux;\n" + static(*TEN, channel="table aux;")
                    + static(NET + " blackhole", name="two"))
    wait_nets(one, "", {NET})
    wait_count(one, "table aux", 10)
    assert [t for _, t in one.birdc("show protocols") if t.startswith("static1")][0].split()[2] == "aux"


def test_roa_tables(ns):
    one = Peregrine(ns,
                    "roa4 table r4;\nroa6 table r6;\nprotocol static roas { roa4; route 192.168.2.0/24 max 24 as 65002;"
                    " route 192.168.2.0/24 max 28 as 65002; route 192.168.2.0/24 max 24 as 65003; }\n"
                    "protocol static roas6 { roa6; route 2001:db8::/32 max 48 as 65002; }\n")
    wait_count(one, "table r4", 3)
    assert nets(one, "table r4") == {"192.168.2.0/24-24 AS65002", "192.168.2.0/24-28 AS65002",
                                     "192.168.2.0/24-24 AS65003"}
    assert nets(one, "table r6") == {"2001:db8::/32-48 AS65002"}
    assert one.birdc("show static roas6") == [(1009, "2001:db8::/32-48 AS65002\t"), (0, "")]
    line = next(t for _, t in one.birdc("show route table r6") if "AS" in t)
    assert line.startswith("2001:db8::/32-48 AS65002  [roas6 ") and line.endswith("] * (200)")
