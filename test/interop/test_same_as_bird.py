"""The same configuration under the installed bird2 and under ours, in two equal namespaces: the same routes in
the kernel, the same listings, the same reply codes."""

import re

import pytest

from lab import Bird2, Peregrine, wait_until
from routes import kernel, kernel_hops, kernel_proto, parse_routes, pipe, static, wait_equal

CONFIG = """router id 10.255.0.1;
ipv4 table aux4;
roa4 table r4;
protocol device device1 { }
protocol direct direct1 { ipv4; ipv6; interface "v*"; }
protocol kernel kernel4 { ipv4 { export all; }; kernel table 100; learn; }
protocol kernel kernel6 { ipv6 { export all; }; kernel table 100; metric 40; }
protocol kernel kernelaux { ipv4 { table aux4; export all; }; kernel table 200; metric 0; }
protocol static static4 {
  ipv4;
  route 172.16.1.0/24 via 10.50.0.2;
  route 172.16.2.0/24 via 10.50.0.2 bfd;
  route 172.16.3.0/24 blackhole;
  route 172.16.4.0/24 unreachable;
  route 172.16.5.0/24 prohibit;
  route 172.16.6.0/24 via 10.50.0.2 weight 2 via 10.60.0.2 weight 5;
  route 172.16.7.0/24 via "v2";
  route 172.16.8.0/24 recursive 172.16.1.9;
  route 172.16.9.0/24 via 10.9.9.9;
  route 172.16.10.0/24 via 10.99.0.1%v1 onlink;
  route 172.16.11.0/24 via 10.50.0.2%v1;
  route 172.16.12.0/24 via fd50::2;
  route 172.16.13.0/24 recursive 192.0.2.1;
  route 172.16.14.0/24 via 10.50.0.2 via 10.9.9.9;
  route 172.16.15.0/24 via 10.50.0.2 weight 7;
  route 0.0.0.0/0 via 10.60.0.2;
}
protocol static static6 {
  ipv6;
  route 2001:db8:1::/48 via fd50::2;
  route 2001:db8:2::/48 via fe80::9%v1;
  route 2001:db8:3::/48 via fd50::2 via fd60::2;
  route 2001:db8:4::/48 blackhole;
  route 2001:db8:5::/48 via "v1";
}
protocol static second { ipv4 { preference 150; }; route 172.16.1.0/24 via 10.60.0.2; route 172.16.3.0/24 via 10.60.0.3; }
protocol static noimport { ipv4 { import none; import keep filtered; }; route 172.20.0.0/16 blackhole; }
protocol static idle1 { disabled; ipv4; route 172.21.0.0/16 blackhole; }
protocol static roas { roa4; route 192.168.2.0/24 max 24 as 65002; }
protocol pipe pipe1 { table master4; peer table aux4; export all; import none; }
"""


def equal_namespace(lab, name):
    """Two interfaces with carrier, and addresses that are the same in each namespace."""
    ns = lab.ns(name)
    for i, net in ((1, 50), (2, 60)):
        ns.ip(f"link add v{i} type veth peer name p{i}", f"addr add 10.{net}.0.1/24 dev v{i}",
              f"addr add fd{net}::1/64 dev v{i} nodad", f"addr add fe80::{i}/64 dev v{i} nodad",
              f"link set p{i} up", f"link set v{i} up")
    for i in (1, 2):
        wait_until(lambda i=i: ns.link_ready(f"v{i}"), 2, "the link")
    ns.ip("route add 10.200.0.0/16 via 10.50.0.9 proto static table 100")
    return ns


class Twins:
    """Both daemons with the same configuration."""

    def __init__(self, lab, config=CONFIG):
        self.lab = lab
        self.bird = Bird2(equal_namespace(lab, "b"), config)
        self.ours = Peregrine(equal_namespace(lab, "a"), config)

    @property
    def both(self):
        return self.bird, self.ours

    def same(self, ask, what, limit=3):
        """Wait until `ask(daemon)` gives the same for both; both settle in their own time."""
        last = []

        def equal():
            last[:] = [ask(d) for d in self.both]
            return last[0] == last[1]

        wait_until(equal, limit, lambda: f"{what}\nbird: {difference(*last)}\nours: {difference(*last[::-1])}")
        return last[0]

    def do(self, command):
        return [d.birdc(command) for d in self.both]


def difference(a, b):
    """What of `a` is not in `b`, if that can be told."""
    if isinstance(a, tuple):
        return [difference(x, y) for x, y in zip(a, b) if x != y]
    if isinstance(a, (set, list)):
        return [x for x in a if x not in b] or a
    return a


@pytest.fixture
def twins(lab):
    made = Twins(lab)
    made.same(lambda d: len(routes(d)), "number of routes")
    return made


def routes(daemon, words=""):
    """The routes of a listing as a set, without their times, and without regard to the order of next hops."""
    found = parse_routes(daemon.birdc(f"show route {words}")).routes
    for r in found:
        r.hops.sort(key=str)
    return {r.key() + (tuple(sorted(r.attrs.items())),) for r in found}


def kernel_routes(table, v6=False):
    def ask(daemon):
        return {(r["dst"], r["type"], r["protocol"], r.get("metric", 0), r["scope"], tuple(sorted(r["flags"])),
                 tuple(kernel_hops(r)), tuple(sorted(h.get("weight", 0) for h in r.get("nexthops", []))))
                for r in kernel(daemon.ns, table, v6)}

    return ask


def test_the_kernel_has_the_same(twins):
    for table, v6 in ((100, False), (100, True), (200, False), ("main", False), ("main", True)):
        twins.same(kernel_routes(table, v6), f"kernel table {table}")


ROUTES = [
    "table master4", "table master6", "table aux4", "table r4", "table master4 all", "table master6 all",
    "table all",
    "primary", "protocol static4", "protocol direct1", "172.16.1.0/24", "172.16.1.0/24 all", "for 172.16.1.7",
    "for 172.16.99.1", "in 172.16.0.0/21", "in 172.16.8.0/21 all", "export kernel4", "export kernel6",
    "noexport kernel4",
    "preexport kernelaux", "for 2001:db8:3::1", "in ::/0", "table master4 table aux4", "172.16.3.0/24 primary",
    "export kernel4 all", "protocol second table master4", "172.16.2.0/24", "for 172.16.1.0/26", "preexport kernel6 all"]


def test_show_route(twins):
    for words in ROUTES:
        twins.same(lambda d, w=words: routes(d, w), f"show route {words}")


@pytest.mark.xfail(strict=True, reason="bird2 marks a filtered route that is alone as the best one")
def test_show_route_filtered(twins):
    twins.same(lambda d: routes(d, "filtered"), "show route filtered", limit=1)


@pytest.mark.xfail(strict=True, reason="bird2 puts the next hop of the highest weight first")
def test_order_of_next_hops(twins):
    twins.same(lambda d: parse_routes(d.birdc("show route 172.16.6.0/24")).routes[0].hops, "next hops", limit=1)


def test_routes_of_the_like_are_not_learned(twins):
    for daemon in twins.both:
        daemon.ns.ip("route add 10.201.0.0/16 via 10.50.0.9 proto bird metric 77 table 100",
                     "route add 10.202.0.0/16 via 10.50.0.9 proto static metric 77 table 100")

    def ask(daemon):
        daemon.birdc("reload kernel4")
        return {r[1] for r in routes(daemon, "table master4 protocol kernel4")}

    wait_equal(lambda: ask(twins.ours) >= {"10.202.0.0/16"}, True)
    twins.same(ask, "learned", limit=1)


def columns(daemon, words=""):
    return [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", f"{code} {text}")
            for code, text in daemon.birdc(f"show protocols {words}".strip())]


def test_show_protocols(twins):
    for words in ("", "static4", "kernel4", "pipe1", "idle1", '"s*"', '"*4"'):
        twins.same(lambda d, w=words: columns(d, w), f"show protocols {words}")


NUMBERS = re.compile(r"(?<=: ) +[\d-]+( +[\d-]+){4}$")


def details(daemon, name):
    """Without what only ours prints, and with the width of the counters only: how often something happened is
    a matter of time."""
    lines = [line for line in columns(daemon, f"all {name}")
             if not re.search(r"Kernel (table|metric): |Routes (written|repaired): |Scans: ", line)]
    return [NUMBERS.sub(lambda m: f"{len(m[0])} wide", line) for line in lines]


def test_show_protocols_all(twins):
    for name in ("static4", "static6", "noimport", "idle1", "direct1", "device1", "second", "kernel4",
                 "kernel6", "kernelaux",
                 "pipe1"):
        twins.same(lambda d, n=name: details(d, n), f"show protocols all {name}")


def test_show_static(twins):
    for words in ("", "static4", "static6", "roas", "noimport", "second"):
        twins.same(lambda d, w=words: d.birdc(f"show static {w}".strip()), f"show static {words}")


@pytest.mark.xfail(strict=True, reason="bird2 lists those that are down, too")
def test_show_static_of_one_that_is_down(twins):
    twins.same(lambda d: d.birdc("show static idle1"), "show static idle1", limit=1)


def test_show_route_count(twins):
    for words in ("count", "table all count", "table master4 count", "protocol static4 count", "primary count",
                  "in 172.16.0.0/21 count", "filtered count", "export kernel4 count",
                  "table master4 table aux4 count",
                  "noexport kernel6 count", "table r4 count", "protocol idle1 count"):
        twins.same(lambda d, w=words: d.birdc(f"show route {w}"), f"show route {words}")


@pytest.mark.xfail(strict=True, reason="bird2 does not count a single network")
@pytest.mark.parametrize("words", ["for 172.16.1.1 count", "203.0.113.0/24 count"])
def test_show_route_count_of_one_network(twins, words):
    twins.same(lambda d: d.birdc(f"show route {words}"), f"show route {words}", limit=1)


COMMANDS = [
    "show route 203.0.113.0/24", "show route for 203.0.113.1", "show route table nosuch",
    "show route protocol nosuch",
    "show route 172.16.1.1/24", "show route in 172.16.1.1/24", "show route table r4 172.16.1.0/24",
    "show route protocol idle1",
    "show route export nosuch", "show route export kernel4.ipv6", "show route export pipe1",
    "show route table master6 for 10.0.0.1",
    "show route table", "show route nonsense", "show route filtered 172.20.0.0/16",
    "show route noexport static4",
    "show static nosuch", "show static direct1", "show static idle1", "show protocols nosuch",
    'show protocols "nosuch*"',
    "show protocols all static4", "show static static4 static6", "show route import table static4.ipv4",
    "reload static4", "reload in static4", "reload out kernel4", "reload direct1", "reload pipe1",
    "reload idle1", "reload nosuch",
    'reload "x*"', "restart second", "restart idle1", "disable second", "disable second", "enable second",
    "enable second",
    "disable nosuch", 'disable "x*"', "enable idle1", "disable idle1", "reload all", "configure check",
    "configure", "configure soft",
    "configure undo", "configure undo", "configure confirm", 'configure "/nonexistent.conf"',
    "configure status", "show route count stats",
    "show route table master4 table master4 count", "show route for 10.50.0.0/25", "show route in 10.0.0.0",
    "show route for", "show route table r4 172.16.1.0/24", "show route table master6 for 10.0.0.1",
    "show route table all 172.16.1.0/24", "show route count table r4", "restart all", "disable all",
    "show route", "show static",
    "show route count", "enable all", "show status", "show memory", "show interfaces", "show interfaces summary"]


KNOWN = {  # ours differs, see the reasons of test_known_differences
    "show route noexport static4": "a protocol that exports nothing has no tables to show",
    "reload direct1": "direct cannot reload in bird2", "reload all": "direct cannot reload in bird2"}


def codes(reply):
    """Codes in their order, each run of the same one once."""
    result = []
    for code, _ in reply:
        if not result or result[-1] != code:
            result.append(code)
    return result


def test_reply_codes(twins):
    different = {}
    for command in COMMANDS:
        replies = twins.do(command)
        if codes(replies[0]) != codes(replies[1]) and command not in KNOWN:
            different[command] = [codes(r) for r in replies]
        if command.split()[0] in ("restart", "disable", "enable", "configure", "reload"):
            wait_equal(lambda: [settled(d) for d in twins.both], [True, True])
    assert not different


@pytest.mark.parametrize("command", [pytest.param(c, marks=pytest.mark.xfail(strict=True, reason=why))
                                     for c, why in KNOWN.items()])
def test_known_differences(twins, command):
    assert len({tuple(codes(reply)) for reply in twins.do(command)}) == 1


def settled(daemon):
    states = [text.split()[3] for code, text in daemon.birdc("show protocols") if code == 1002]
    return all(s in ("up", "down") for s in states)


@pytest.mark.parametrize("change", [
    ("link set v1 down",),
    ("link set v1 down", "link set v1 up", "addr add fd50::1/64 dev v1 nodad",
     "addr add fe80::1/64 dev v1 nodad"),
    pytest.param(("addr del fe80::1/64 dev v1",), marks=pytest.mark.xfail(
        strict=True, reason="bird2 wants a link-local address on the interface of a link-local next hop")),
    pytest.param(("route add 10.203.0.0/16 via 10.60.0.9 proto dhcp metric 78 table 100",),
                 marks=pytest.mark.xfail(strict=True, reason="with `metric 0` bird2 takes the metric from the route")),
    ("addr del 10.50.0.1/24 dev v1",), ("link del v2",),
    ("link set p1 down",), ("addr add 10.50.0.5/28 dev v2",), ("route del 172.16.1.0/24 table 100 metric 32",),
    ("link set v1 down", "link set v1 name w1", "link set w1 up"),
    ("route add 10.202.0.0/16 via 10.60.0.9 table 100", "route add blackhole 10.203.0.0/16 proto dhcp table 100")])
def test_after_a_change(twins, change):
    """BIRD looks at the kernel's routes when it scans; so it is told to."""
    for daemon in twins.both:
        daemon.ns.ip(*change)

    def ask(daemon):
        daemon.birdc('reload "kernel*"')
        return ({r[:7] for r in routes(daemon, "table all")},
                [kernel_routes(table, v6)(daemon) for table, v6 in ((100, False), (100, True), (200, False))])

    twins.same(ask, f"after {change}", limit=2)


@pytest.mark.parametrize("change", [("via 10.50.0.2;", "via 10.50.0.3;"), ("preference 150", "preference 250"),
                                    ("import none; import keep", "import all; import keep"),
                                    ("export all; }; kernel table 100; l",
                                     "export none; }; kernel table 100; l"),
                                    ("route 172.16.8.0/24", "route 172.16.80.0/24"), ("disabled; ", ""),
                                    ("metric 40", "metric 41"),
                                    ("peer table aux4; export all; import none", "peer table aux4; export none; import all")])
def test_after_a_reload(twins, change):
    for daemon in twins.both:
        assert change[0] in CONFIG
        daemon.reload(CONFIG.replace(*change))
    twins.same(lambda d: {r[:7] for r in routes(d, "table all")}, "routes")
    twins.same(lambda d: {r[:4] for r in routes(d, "filtered")}, "filtered routes")
    for table, v6 in ((100, False), (100, True), (200, False)):
        twins.same(kernel_routes(table, v6), f"kernel table {table}", limit=6)
    twins.same(columns, "show protocols")


def test_a_clean_end(twins):
    for daemon in twins.both:
        daemon.stop()
    for table, v6 in ((100, False), (100, True), (200, False), ("main", False)):
        twins.same(kernel_routes(table, v6), f"kernel table {table}")


def test_recursive_through_recursive(lab):
    twins = Twins(lab, static("10.1.0.0/16 recursive 10.2.0.1", "10.2.0.0/16 recursive 10.3.0.1",
                              "10.3.0.0/16 via 10.50.0.2")
                  + static("10.4.0.0/16 recursive 10.4.0.1", name="itself"))
    twins.same(routes, "routes", limit=2)


def test_merge_paths(lab):
    twins = Twins(lab, static("10.1.0.0/16 via 10.50.0.2") + static("10.1.0.0/16 via 10.60.0.2", name="static2")
                  + static("10.1.0.0/16 via 10.60.0.3 weight 3 via 10.60.0.4", name="static3") + kernel_proto("merge paths on; kernel table 100;"))
    twins.same(kernel_routes(100), "kernel table 100")
    twins.do("disable static1")
    twins.same(kernel_routes(100), "kernel table 100")


def test_a_ring_of_pipes(lab):
    twins = Twins(lab, "ipv4 table t1; ipv4 table t2; ipv4 table t3;\n" + pipe("t1", "t2")
                  + pipe("t2", "t3", name="pipe2")
                  + static("10.1.0.0/16 blackhole", "10.2.0.0/16 blackhole", channel="table t1;"))
    for table in ("t1", "t2", "t3"):
        twins.same(lambda d, t=table: routes(d, f"table {t}"), table)
    twins.do("disable static1")
    for table in ("t1", "t2", "t3"):
        twins.same(lambda d, t=table: routes(d, f"table {t}"), table)
