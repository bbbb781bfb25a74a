"""Pipes between tables: both directions, policies, loops, limits, life."""

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, best, count, cpu_below, kernel_proto, many, nets, pipe, shown, state, static,
                    wait_count, wait_equal, wait_nets, wait_ours, wait_state, wait_vias)

TABLES = "ipv4 table left;\nipv4 table right;\n"
LEFT = static("10.1.0.0/16 blackhole", "10.2.0.0/16 unreachable", name="sl", channel="table left;")
RIGHT = static("10.8.0.0/16 blackhole", "10.2.0.0/16 prohibit", name="sr", channel="table right;")
BOTH = {("10.1.0.0/16", "sl"), ("10.2.0.0/16", "sl"), ("10.2.0.0/16", "sr"), ("10.8.0.0/16", "sr")}


@pytest.fixture
def ns(lab):
    return lab.ns("a")


def owned(daemon, table):
    return {(r.net, r.proto) for r in shown(daemon, f"table {table}")}


def wait_owned(daemon, table, wanted):
    wait_equal(lambda: owned(daemon, table), wanted, what=table)


def test_both_directions_and_the_origin(ns):
    one = Peregrine(ns, TABLES + LEFT + RIGHT + pipe("left", "right"))
    wait_owned(one, "left", BOTH)
    wait_owned(one, "right", BOTH)
    assert best(one, "10.1.0.0/16", "right").info == "(200)"
    assert nets(one, "protocol sl table right") == {"10.1.0.0/16", "10.2.0.0/16"}
    assert {r.attrs["Type"] for r in shown(one, "table right all")} == {"static univ"}
    one.birdc("disable sl")
    wait_owned(one, "left", {("10.2.0.0/16", "sr"), ("10.8.0.0/16", "sr")})
    wait_owned(one, "right", {("10.2.0.0/16", "sr"), ("10.8.0.0/16", "sr")})
    one.birdc("enable sl")
    wait_owned(one, "right", BOTH)


def test_own_routes_are_better_than_those_through_a_pipe(ns):
    one = Peregrine(ns, TABLES + LEFT + RIGHT + pipe("left", "right"))
    wait_owned(one, "left", BOTH)
    wait_owned(one, "right", BOTH)
    assert best(one, "10.2.0.0/16", "left").proto == "sl" and best(one, "10.2.0.0/16", "right").proto == "sr"


@pytest.mark.parametrize("policies,left,right", [
    ("import none; export all;", False, True), ("import all; export none;", True, False),
    ("import none; export none;", False, False), ("export all; import all;", True, True)])
def test_policies(ns, policies, left, right):
    """Export is from the table to the peer table."""
    one = Peregrine(ns, TABLES + LEFT + RIGHT + pipe("left", "right", options=policies))
    wait_owned(one, "left", BOTH if left else {("10.1.0.0/16", "sl"), ("10.2.0.0/16", "sl")})
    wait_owned(one, "right", BOTH if right else {("10.8.0.0/16", "sr"), ("10.2.0.0/16", "sr")})


def test_policies_change_while_it_runs(ns):
    config = TABLES + LEFT + RIGHT
    one = Peregrine(ns, config + pipe("left", "right"))
    wait_owned(one, "left", BOTH)
    since = {r.net: r.since for r in shown(one, "table right protocol sl")}
    one.reload(config + pipe("left", "right", options="import none; export all;"))
    wait_owned(one, "left", {("10.1.0.0/16", "sl"), ("10.2.0.0/16", "sl")})
    wait_owned(one, "right", BOTH)
    assert {r.net: r.since for r in shown(one, "table right protocol sl")} == since
    one.reload(config + pipe("left", "right", options="import all; export none;"))
    wait_owned(one, "left", BOTH)
    wait_owned(one, "right", {("10.8.0.0/16", "sr"), ("10.2.0.0/16", "sr")})
    one.reload(config + pipe("right", "left", options="import all; export none;"))
    wait_owned(one, "right", BOTH)
    wait_owned(one, "left", {("10.1.0.0/16", "sl"), ("10.2.0.0/16", "sl")})


@pytest.mark.xfail(strict=True, reason="channels are matched by their tables, and keep their places")
def test_the_info_column_follows_swapped_tables(ns):
    one = Peregrine(ns, TABLES + pipe("left", "right"))
    one.reload(TABLES + pipe("right", "left"))
    wait_state(one, "pipe1", "up")
    reply = one.birdc("show protocols all pipe1")
    assert reply[1][1].endswith("right <=> left"), reply
    assert (1006, "    Table:          right") in reply and (1006, "    Peer table:     left") in reply


def test_disable_enable_restart_reload(ns):
    one = Peregrine(ns, TABLES + LEFT + RIGHT + pipe("left", "right"))
    alone = {("10.1.0.0/16", "sl"), ("10.2.0.0/16", "sl")}
    for _ in range(2):
        wait_owned(one, "left", BOTH)
        one.birdc("disable pipe1")
        wait_owned(one, "left", alone)
        wait_owned(one, "right", {("10.8.0.0/16", "sr"), ("10.2.0.0/16", "sr")})
        one.birdc("enable pipe1")
    for command in ("restart", "reload", "reload in", "reload out"):
        wait_until(lambda: " up " in one.birdc("show protocols pipe1")[1][1], 3, "the pipe to be up")
        assert one.birdc(f"{command} pipe1")[0] == (12 if command == "restart" else 15, one_line(command))
        wait_owned(one, "left", BOTH)
        wait_owned(one, "right", BOTH)
    one.reload(TABLES + LEFT + RIGHT)
    wait_owned(one, "left", alone)


def one_line(command):
    return "pipe1: restarted" if command == "restart" else "pipe1: reloading"


def test_all_routes_pass_not_only_the_best(ns):
    two = static("10.1.0.0/16 blackhole", "10.1.0.0/16 unreachable", name="s2",
                 channel="table left; preference 100;")
    one = Peregrine(ns, TABLES + LEFT + two + pipe("left", "right"))
    wait_count(one, "10.1.0.0/16 table right", 3)
    assert [r.best for r in shown(one, "10.1.0.0/16 table right")] == [True, False, False]
    assert best(one, "10.1.0.0/16", "right").proto == "sl"
    one.birdc("disable sl")
    wait_count(one, "10.1.0.0/16 table right", 2)
    assert best(one, "10.1.0.0/16", "right").proto == "s2"


RING = ("ipv4 table t1;\nipv4 table t2;\nipv4 table t3;\n" + pipe("t1", "t2") + pipe("t2", "t3", name="pipe2")
        + pipe("t3", "t1", name="pipe3"))


def test_a_ring_of_pipes_comes_to_rest(ns):
    source = static(*many(200, "blackhole"), name="origin", channel="table t1;")
    one = Peregrine(ns, RING + source + static("10.99.0.0/16 blackhole", name="marker", channel="table t3;"))
    for table in ("t1", "t2", "t3"):
        wait_until(lambda t=table: len(nets(one, f"table {t}")) == 201, 5, f"{table} to fill")
    for _ in range(3):
        one.birdc("disable origin")
        for table in ("t1", "t2", "t3"):
            wait_nets(one, f"table {table}", {"10.99.0.0/16"})
        one.birdc("enable origin")
        for table in ("t1", "t2", "t3"):
            wait_until(lambda t=table: len(nets(one, f"table {t}")) == 201, 5, f"{table} to fill")
    assert {r.proto for r in shown(one, "table t2") if r.net != "10.99.0.0/16"} == {"origin"}
    settled = [count(one, f"table t{i}") for i in (1, 2, 3)]
    with cpu_below(one, 0.2, 0.5):
        one.birdc("reload all")
        wait_equal(lambda: [count(one, f"table t{i}") for i in (1, 2, 3)], settled)


def test_a_ring_while_the_source_flaps(ns):
    one = Peregrine(ns, RING + static(*many(50, "blackhole"), name="origin", channel="table t1;"))
    wait_count(one, "table t2 primary", 50)
    with one.connect() as raw:
        raw.sendall(b"disable origin\nenable origin\nrestart pipe2\nreload pipe1\n" * 25 + b"disable origin\n")
        wait_state(one, "origin", "down")
    for table in ("t1", "t2", "t3"):
        wait_nets(one, f"table {table}", set())


def test_two_pipes_side_by_side(ns):
    one = Peregrine(ns, TABLES + LEFT + pipe("left", "right") + pipe("left", "right", name="pipe2"))
    wait_equal(lambda: nets(one, "table right"), {"10.1.0.0/16", "10.2.0.0/16"})
    one.birdc("disable pipe1")
    wait_state(one, "pipe1", "down")
    wait_count(one, "table right", 2)
    one.birdc("disable sl")
    wait_nets(one, "table right", set())
    wait_nets(one, "table left", set())


def test_the_kernel_behind_it(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, TABLES + static("10.1.0.0/16 via 10.77.1.2", name="sl", channel="table left;")
                    + DIRECT
                    + pipe("left", "right") + kernel_proto(channel="table right; export all;"))
    wait_ours(link.a.ns, {"10.1.0.0/16": ["10.77.1.2"]})
    link.a.ns.ip("link set v1 down")
    wait_ours(link.a.ns, {})
    link.a.ns.ip("link set v1 up")
    wait_ours(link.a.ns, {"10.1.0.0/16": ["10.77.1.2"]})
    one.reload(one.config.replace("via 10.77.1.2", "via 10.77.1.3"))
    wait_ours(link.a.ns, {"10.1.0.0/16": ["10.77.1.3"]})


def test_recursion_behind_it(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, TABLES + static("192.0.2.0/24 via 10.77.1.2", name="sl", channel="table left;")
                    + static("10.1.0.0/16 recursive 192.0.2.9", channel="table right;") + pipe("left", "right"))
    wait_equal(lambda: best(one, "10.1.0.0/16", "right").vias, ["10.77.1.2"])
    one.birdc("disable pipe1")
    wait_equal(lambda: best(one, "10.1.0.0/16", "right").dest, "unreachable")


SEVEN = static(*many(7, "blackhole"), name="sl", channel="table left;")


@pytest.mark.parametrize("direction,table", [("export", "right"), ("import", "left")])
def test_limits(ns, direction, table):
    source = SEVEN if direction == "export" else SEVEN.replace("table left", "table right")

    def with_limit(text):
        return TABLES + source + pipe("left", "right",
                                      options=f"import all; export all; {direction} limit {text};")

    one = Peregrine(ns, with_limit("5 action block"))
    wait_count(one, f"table {table}", 5)
    assert state(one, "pipe1") == "up"
    one.reload(with_limit("5 action warn"))
    one.birdc("restart pipe1")
    wait_count(one, f"table {table}", 7)
    one.reload(with_limit("5 action disable"))
    one.birdc("restart pipe1")
    wait_state(one, "pipe1", "down")
    wait_count(one, f"table {table}", 0)
    one.reload(with_limit("7 action disable"))
    one.birdc("enable pipe1")
    wait_state(one, "pipe1", "up")
    wait_count(one, f"table {table}", 7)


@pytest.mark.parametrize("direction", ["import", "export"])
def test_limits_are_shown(ns, direction):
    source = SEVEN if direction == "export" else SEVEN.replace("table left", "table right")
    one = Peregrine(ns, TABLES + source + pipe("left", "right",
                                               options=f"export all; import all; {direction} limit 5 action block;"))
    wait_count(one, "table right" if direction == "export" else "table left", 5)
    assert (1006, f"    {direction.capitalize()} limit:   5 [HIT]") in one.birdc("show protocols all pipe1")


@pytest.mark.parametrize("action", ["disable", "restart"])
def test_a_limit_strikes_while_it_runs(ns, action):
    config = TABLES + pipe("left", "right", options=f"export all; import none; export limit 5 action {action};")
    one = Peregrine(ns, config + static(*many(3, "blackhole"), channel="table left;"))
    wait_count(one, "table right", 3)
    one.reload(config + static(*many(300, "blackhole"), channel="table left;"))
    wait_until(lambda: "export limit" in one.log() or "import limit" in one.log(), 3, "the limit")
    one.reload(config + static(*many(3, "blackhole"), channel="table left;"))
    one.birdc("enable pipe1")
    wait_count(one, "table right", 3, limit=10)  # a restart takes its time, or it would run hot
    wait_count(one, "table left", 3)


def swap(ns, action):
    """In one go one protocol gives up a network and another one announces it: never more than one route."""
    one = Peregrine(ns, TABLES + static("10.1.0.0/16 blackhole", name="sl", channel="table left;")
                    + static("10.1.0.0/16 unreachable", name="s2", channel="table left;", body="disabled;")
                    + pipe("left", "right", options=f"export all; import none; export limit 1 action {action};"))
    wait_count(one, "table right", 1)
    with one.connect() as raw:
        raw.sendall(b"disable sl\nenable s2\n")
        wait_state(one, "s2", "up")
    return one


@pytest.mark.parametrize("action", ["block", "disable", "restart", "warn"])
def test_one_route_takes_the_place_of_another_at_the_limit(ns, action):
    one = swap(ns, action)
    wait_equal(lambda: owned(one, "right"), {("10.1.0.0/16", "s2")})
    assert state(one, "pipe1") == "up"


def test_counters_and_columns(ns):
    one = Peregrine(ns, TABLES + LEFT + pipe("left", "right"))
    wait_count(one, "table right", 2)
    reply = one.birdc("show protocols all pipe1")
    assert reply[1][1].split()[:4] == ["pipe1", "Pipe", "---", "up"] and reply[1][1].endswith("left <=> right")
    text = [line for _, line in reply[2:]]
    for line in ("  Channel main", "    Table:          left", "    Peer table:     right",
                 "    Import state:   up",
                 "    Export state:   up", "    Import filter:  ACCEPT", "    Export filter:  ACCEPT",
                 "  Routes:         0 imported, 2 exported"):
        assert line in text, line
    row = next(line for line in text if "Export updates:" in line)
    assert row.split()[2:] == ["2", "0", "0", "0", "2"], row


def test_hundred_thousand_routes_through(ns):
    one = Peregrine(ns, TABLES + static(*many(100000, "blackhole"), name="sl", channel="table left;")
                    + pipe("left", "right"), limit=15)
    wait_count(one, "table right", 100000, limit=15)
    one.birdc("disable sl")
    wait_count(one, "table right", 0, limit=10)
    wait_vias(one, "10.64.0.1/32")
