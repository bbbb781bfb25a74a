"""`show route` in all forms that need no filters: lines, codes, columns, errors, clients that do not read."""

import re
import select
import time

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, count, kernel_proto, many, nets, parse_routes, pipe, shown, static, wait_count,
                    wait_equal, wait_nets)

SINCE = r"\d\d:\d\d:\d\d\.\d{3}"
CONFIG = ("ipv4 table aux4;\nroa4 table r4;\n" + DIRECT
          + static("172.16.1.0/24 via 10.77.1.2", "172.16.3.0/24 blackhole", "172.16.4.0/24 unreachable",
                   "172.16.5.0/24 prohibit", "172.16.6.0/24 via 10.77.1.3 weight 5 via 10.77.1.2 weight 2",
                   '172.16.7.0/24 via "v1"', "172.16.9.0/24 via 10.9.9.9", "10.77.1.0/24 via 10.77.1.2", name="static4")
          + static("2001:db8:1::/48 via fd77:1::2", "2001:db8:2::/48 via fe80::1%v1", name="static6", v6=True)
          + "protocol static roas { roa4; route 192.168.2.0/24 max 24 as 65002; }\n"
          + static("172.16.100.0/24 blackhole", name="hidden", channel="import none; import keep filtered;")
          + pipe("master4", "aux4", options="export all; import none;")
          + kernel_proto(name="kernel4") + kernel_proto(name="kernel6", v6=True, channel="export none;"))
MASTER4 = {f"172.16.{i}.0/24" for i in (1, 3, 4, 5, 6, 7)} | {"10.77.1.0/24"}
MASTER6 = {"2001:db8:1::/48", "2001:db8:2::/48", "fd77:1::/64"}


@pytest.fixture
def one(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    daemon = Peregrine(link.a.ns, CONFIG)
    wait_nets(daemon, "table master4", MASTER4)
    wait_nets(daemon, "table master6", MASTER6)
    wait_nets(daemon, "table aux4", MASTER4)
    return daemon


def raw(daemon, command):
    """The lines of a reply as they are on the socket."""
    with daemon.connect() as sock:
        sock.sendall(command.encode() + b"\n")
        data = b""
        while not re.search(rb"^\d{4} [^\n]*\n\Z", data.split(b"\n", 1)[-1], re.M):
            data += sock.recv(65536)
    return data.decode().splitlines()[1:]


def test_plain(one):
    lines = raw(one, "show route")
    assert lines[0] == "1007-Table master4:" and lines[-1] == "0000 "
    assert [t for t in lines if "Table" in t] == ["1007-Table master4:", " Table master6:", " Table r4:"]
    assert lines[lines.index(" Table master6:") - 1] == " " and lines[lines.index(" Table r4:") - 1] == " "
    assert all(line.startswith(" ") for line in lines[1:-1])
    text = "\n".join(line[1:] for line in lines[1:-1])
    for pattern in (r"172\.16\.1\.0/24        unicast \[static4 {s}\] \* \(200\)\n\tvia 10\.77\.1\.2 on v1",
                    r"172\.16\.3\.0/24        blackhole \[static4 {s}\] \* \(200\)",
                    r"172\.16\.4\.0/24        unreachable \[static4 {s}\] \* \(200\)",
                    r"172\.16\.5\.0/24        prohibited \[static4 {s}\] \* \(200\)",
                    r"172\.16\.6\.0/24        unicast \[static4 {s}\] \* \(200\)\n\tvia 10\.77\.1\.2 on v1 weight 2\n"
                    r"\tvia 10\.77\.1\.3 on v1 weight 5",
                    r"172\.16\.7\.0/24        unicast \[static4 {s}\] \* \(200\)\n\tdev v1",
                    r"10\.77\.1\.0/24         unicast \[direct1 {s}\] \* \(240\)\n\tdev v1\n"
                    r"                     unicast \[static4 {s}\] \(200\)\n\tvia 10\.77\.1\.2 on v1",
                    r"2001:db8:2::/48      unicast \[static6 {s}\] \* \(200\)\n\tvia fe80::1 on v1",
                    r"192\.168\.2\.0/24-24 AS65002  \[roas {s}\] \* \(200\)"):
        assert re.search("^" + pattern.format(s=SINCE) + "$", text, re.M), pattern


def test_all(one):
    lines = raw(one, "show route all")
    heads = [line for line in lines if re.match(r"\d{4}[- ]", line)]
    assert heads[0] == "1007-Table master4:" and heads[-1] == "0000 "
    assert {line[:4] for line in heads} == {"1007", "1008", "0000"}
    assert {line for line in heads if line.startswith("1008")} == {"1008-\tType: static univ",
                                                                   "1008-\tType: device univ"}
    assert all(re.match(r"1007-(Table|$|\S+ |  )|1008|0000", line) for line in heads)
    at = next(i for i, line in enumerate(lines) if line.startswith("1007-                     unicast"))
    assert lines[at - 1] == "1008-\tType: device univ"  # the second route of a network begins a block, too
    assert lines[lines.index(" Table master6:") - 1] == "1007-"
    parsed = parse_routes(one.birdc("show route all"))
    assert all(r.attrs["Type"] in ("static univ", "device univ") for r in parsed.routes)


SELECTIONS = [
    ("172.16.6.0/24", ["172.16.6.0/24"]), ("172.16.6.5", ["172.16.6.0/24"]),
    ("for 172.16.6.5", ["172.16.6.0/24"]),
    ("for 172.16.6.0/25", ["172.16.6.0/24"]), ("for 172.16.6.0/24", ["172.16.6.0/24"]),
    ("for 10.77.1.9", ["10.77.1.0/24", "10.77.1.0/24"]), ("for 10.77.1.9 primary", ["10.77.1.0/24"]),
    ("2001:db8:1::/48", ["2001:db8:1::/48"]), ("for 2001:db8:1::9", ["2001:db8:1::/48"]),
    ("in 2001:db8::/32", ["2001:db8:1::/48", "2001:db8:2::/48"]),
    ("in 172.16.4.0/23", ["172.16.4.0/24", "172.16.5.0/24"]), ("in 172.16.4.0/24", ["172.16.4.0/24"]),
    ("in 172.16.4.0/25", []), ("in 0.0.0.0/0 protocol direct1", ["10.77.1.0/24"]),
    ("protocol static6", ["2001:db8:1::/48", "2001:db8:2::/48"]),
    ("protocol roas", ["192.168.2.0/24-24 AS65002"]),
    ("10.77.1.0/24 protocol static4", ["10.77.1.0/24"]), ("protocol kernel4", []),
    ("primary protocol static4 in 10.0.0.0/8", []),
    ("table aux4 10.77.1.0/24", ["10.77.1.0/24", "10.77.1.0/24"]), ("filtered", ["172.16.100.0/24"]),
    ("172.16.100.0/24 filtered", ["172.16.100.0/24"]), ("protocol hidden", []),
    ("filtered protocol static4", []),
    ("export kernel4 in 172.16.4.0/23", ["172.16.4.0/24", "172.16.5.0/24"]), ("noexport kernel4", []),
    ("preexport kernel4 in 172.16.4.0/23", ["172.16.4.0/24", "172.16.5.0/24"]), ("export kernel6", []),
    ("noexport kernel6", sorted(MASTER6)), ("preexport kernel6", sorted(MASTER6)),
    ("noexport kernel6.ipv6", sorted(MASTER6)),
]


def test_which_routes(one):
    wrong = {}
    for words, wanted in SELECTIONS:
        reply = one.birdc(f"show route {words}")
        if reply[-1] != (0, "") or sorted(r.net for r in parse_routes(reply).routes) != sorted(wanted):
            wrong[words] = reply
    assert not wrong


def test_words_in_any_order(one):
    wanted = one.birdc("show route for 10.77.1.1 table master4 all primary protocol direct1")
    for words in ("all primary protocol direct1 table master4 for 10.77.1.1",
                  "protocol direct1 all table master4 for 10.77.1.1 primary",
                  "table master4 all for 10.77.1.1 primary protocol direct1"):
        assert one.birdc(f"show route {words}") == wanted


def test_network_not_found(one):
    for words in ("203.0.113.0/24", "for 203.0.113.1", "for 203.0.113.0/24", "172.16.100.0/24",
                                   "172.16.6.0/25", "2001:db8:1::/49",
                                   "10.77.1.0/24 protocol static6", "172.16.1.0/24 filtered", "for 172.16.100.1"):
        assert one.birdc(f"show route {words}") == [(8001, "Network not found")], words


def test_headings_of_empty_tables(one):
    """Only a table asked for by name has one."""
    one.birdc("disable static6")
    one.birdc("disable direct1")
    wait_equal(lambda: nets(one, "table master6"), set())
    assert raw(one, "show route table master6") == ["1007-Table master6:", "0000 "]
    assert "Table master6" not in "\n".join(raw(one, "show route"))
    assert raw(one, "show route protocol static6") == ["0000 "]
    assert raw(one, "show route table master6 table r4 protocol static4") == ["1007-Table master6:", " ",
                                                                              " Table r4:", "0000 "]


def test_count(one):
    assert raw(one, "show route count") == [
        "1007-8 of 8 routes for 7 networks in table master4", " 3 of 3 routes for 3 networks in table master6",
        " 1 of 1 routes for 1 networks in table r4", "0014 Total: 12 of 12 routes for 11 networks in 3 tables"]
    assert raw(one, "show route table all count") == [
        "1007-8 of 8 routes for 7 networks in table master4", " 3 of 3 routes for 3 networks in table master6",
        " 8 of 8 routes for 7 networks in table aux4", " 1 of 1 routes for 1 networks in table r4",
        "0014 Total: 20 of 20 routes for 18 networks in 4 tables"]
    assert raw(one, "show route table master4 table aux4 count") == [
        "1007-8 of 8 routes for 7 networks in table master4", " 8 of 8 routes for 7 networks in table aux4",
        "0014 Total: 16 of 16 routes for 14 networks in 2 tables"]
    assert raw(one, "show route table master4 count") == ["1007-8 of 8 routes for 7 networks in table master4",
                                                          "0000 "]
    assert raw(one, "show route primary count")[0] == "1007-7 of 7 routes for 7 networks in table master4"
    assert raw(one, "show route protocol direct1 count") == [
        "1007-1 of 8 routes for 7 networks in table master4", " 1 of 3 routes for 3 networks in table master6",
        "0014 Total: 2 of 11 routes for 10 networks in 2 tables"]
    assert raw(one,
               "show route in 172.16.4.0/23 count") == ["1007-2 of 2 routes for 2 networks in table master4",
                                                        "0000 "]
    assert raw(one, "show route export kernel4 count") == ["1007-7 of 8 routes for 7 networks in table master4",
                                                           "0000 "]
    assert raw(one, "show route export kernel4.ipv4 count") == raw(one, "show route export kernel4 count")


def test_more_tables_than_anybody_has(lab):
    one = Peregrine(lab.ns("a"), "".join(
        f"ipv4 table t{i};\n" + static(f"10.0.{i % 256}.0/24 blackhole", name=f"s{i}", channel=f"table t{i};")
        for i in range(300)))
    wait_until(lambda: one.birdc("show route table all count")[-1][1]
               == "Total: 300 of 300 routes for 300 networks in 302 tables",
               5, lambda: one.birdc("show route table all count")[-1])


def test_a_prefix_that_no_named_table_can_hold(lab):
    """BIRD says so; nothing at all looks like an empty table."""
    one = Peregrine(lab.ns("a"), "roa4 table r;\n" + "protocol static { roa4; route 11.0.0.0/8 max 24 as 1; }\n")
    for words in ("11.0.0.0/8", "for 11.0.0.1", "in 11.0.0.0/8", "in 11.0.0.0/8 count"):
        assert "Incompatible type" in raw(one, f"show route {words} table r")[-1], words


def test_stats(one):
    lines = raw(one, "show route stats")
    assert lines[-2:] == [" ", "0014 Total: 12 of 12 routes for 11 networks in 3 tables"]
    assert " 8 of 8 routes for 7 networks in table master4" in lines
    assert lines[lines.index(" Table master6:") - 2:lines.index(" Table master6:")] == [
        " 8 of 8 routes for 7 networks in table master4", " "]
    lines = raw(one, "show route table r4 stats")
    assert lines[0] == "1007-Table r4:" and lines[-2:] == [" 1 of 1 routes for 1 networks in table r4", "0000 "]


ERRORS = [
    "table nosuch", "protocol nosuch", 'protocol "s*"', "export nosuch", "export kernel4.ipv6", "172.16.1.1/24",
    "for 172.16.1.1/24", "in 172.16.1.1/24", "172.16.1.0/33", "2001:db8::/129", "2001:db8::1/64",
    "protocol static4 static6",
    "table", "for", "in 10.0.0.1", "nonsense", "172.16.1.0/24;", "table 7", "count table",
    "import table kernel4.ipv4",
    "export table kernel4.ipv4", "filter nosuch", "in", "export", "10.0.0.0/8 10.0.0.0/-1"]


def test_errors(one):
    replies = {words: one.birdc(f"show route {words}") for words in ERRORS}
    assert not {words: r for words, r in replies.items() if len(r) != 1 or r[0][0] != 9001}


def test_further_prefixes_and_contradictions(one):
    """Whatever the answer, it is an orderly one."""
    for words in ("10.0.0.0/8 172.16.1.0/24", "for 10.0.0.1 in 10.0.0.0/8", "count stats",
                  "export kernel4 noexport kernel4",
                  "export kernel4 export kernel6", "table master4 table master4", "table all table master4",
                  "export kernel4 table aux4", "export pipe1", "export static4",
                  "export kernel4 protocol direct1 filtered all",
                  "table r4 172.16.1.0/24", "count filtered"):
        reply = one.birdc(f"show route {words}")
        assert reply[-1][0] in (0, 14, 8001, 8004, 9001), (words, reply)


def test_the_prefix_syntax(one):
    """Host bits are an error as in a configuration; 0.0.0.0/0 is a network."""
    assert one.birdc("show route 0.0.0.0/0") == [(8001, "Network not found")]
    assert sorted(nets(one, "in 0.0.0.0/0")) == sorted(MASTER4)
    assert nets(one, "in ::/0") == MASTER6


def test_listing_outlives_its_table_and_protocols(one):
    """Tables and protocols go while a slow client is in the middle of a listing."""
    one.reload(CONFIG + static(*many(20000, "blackhole"), name="big", channel="table aux4;"))
    wait_until(lambda: count(one, "table aux4") > 20000, 5, "the routes")
    with one.connect() as slow:
        slow.sendall(b"show route table aux4 all\nshow route protocol big\nshow route count\n")
        wait_until(lambda: select.select([slow], [], [], 0)[0], 2, "the beginning")
        small = CONFIG.replace("ipv4 table aux4;\n", "").replace(pipe("master4", "aux4",
                                                                      options="export all; import none;"), "")
        one.reload(small)
        assert one.birdc("show route table aux4")[0][0] == 9001
        data = b""
        while b" networks in " not in data[-200:] and not re.search(rb"\n0014 [^\n]*\n$", data[-200:]):
            data += slow.recv(1 << 20)
    assert b"Table aux4" in data
    wait_nets(one, "table master4", MASTER4)


TWO_HUNDRED_THOUSAND = 200000


def test_a_client_that_does_not_read(lab):
    """Listings cost no memory, and others are served meanwhile."""
    one = Peregrine(lab.ns("a"), static(*many(TWO_HUNDRED_THOUSAND, "blackhole")), limit=20)
    wait_count(one, "", TWO_HUNDRED_THOUSAND, limit=20)
    before = one.usage()[1]
    sleepers = [one.connect() for _ in range(20)]
    for sock in sleepers:
        sock.sendall(b"show route all\nshow route\nshow static\n")
    for sock in sleepers:
        wait_until(lambda sock=sock: select.select([sock], [], [], 0)[0], 5, "the beginning")
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        one.birdc("show status")
        slowest = max(slowest, time.monotonic() - began)
    cpu = one.usage()[0]
    each = 1024 if one.sanitized() == "tsan" else 512  # its shadow counts as well
    assert one.usage()[1] - before < 20 * each, f"{one.usage()[1] - before} KiB for 20 clients"
    assert slowest < 0.5
    one.birdc("disable static1")
    wait_count(one, "", 0, limit=10)
    for sock in sleepers:
        sock.close()
    wait_until(lambda: one.birdc("show status")[-1][0] == 13, 2, "an answer")
    assert one.usage()[0] - cpu < 5


def test_a_big_listing_is_complete_while_others_ask(lab):
    one = Peregrine(lab.ns("a"), static(*many(100000, "blackhole")), limit=20)
    wait_count(one, "", 100000, limit=20)
    with one.control() as big:
        big.send("show route")
        slowest = 0.0
        for _ in range(10):
            began = time.monotonic()
            one.birdc("show protocols")
            slowest = max(slowest, time.monotonic() - began)
        reply = big.read_reply()
    assert slowest < 0.5
    assert len({text.split()[0] for _, text in reply[1:-1]}) == 100000


def test_routes_change_during_a_listing(lab):
    """What was there all the time is listed exactly once."""
    stable = many(20000, "blackhole")
    base = static(*stable)
    one = Peregrine(lab.ns("a"), base, limit=20)
    wait_count(one, "", 20000, limit=20)
    with one.control() as client:
        client.send("show route")
        for i in range(5):
            one.reload(base + static(*many(20000, "unreachable", start="10.80.0.0"), name=f"extra{i}"))
        listed = [text.split()[0] for code, text in client.read_reply() if code == 1007 and "static1" in text]
    assert sorted(listed) == sorted(r.split()[0] for r in stable)
    assert len(shown(one, "protocol static1")) == 20000
