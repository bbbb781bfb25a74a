"""Routes in the kernel over the life of a daemon: its orderly end, `disable`, a violent death, `persist`."""

import pytest

from lab import Peregrine, wait_until
from routes import (Monitor, count_ours, kernel, kernel_proto, many, ours, pipe, static, wait_equal,
                    wait_ours, wait_state)

NET = "10.1.0.0/16"
FOREIGN = "10.200.0.0/16"


@pytest.fixture
def link(lab):
    made = lab.link(lab.ns("a"), lab.ns("b"))
    made.a.ns.ip(f"route add {FOREIGN} via 10.77.1.9 proto static",
                 f"route add {NET} via 10.77.1.9 metric 500 proto boot")
    return made


def config(*routes, options=""):
    return ("protocol device { }\n" + static(*(routes or (f"{NET} via 10.77.1.2", "10.2.0.0/16 blackhole")))
            + kernel_proto(options))


def foreign_are_there(ns):
    rows = {(r["dst"], r["gateway"], r.get("metric", 0)) for r in kernel(ns) if r["protocol"] in ("3", "4")}
    return rows == {(FOREIGN, "10.77.1.9", 0), (NET, "10.77.1.9", 500)}


@pytest.mark.parametrize("end", ["stop", "disable kernel1", "disable all", "gone from the file"])
def test_nothing_of_ours_stays(link, end):
    one = Peregrine(link.a.ns, config())
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.2.0.0/16": "blackhole"})
    if end == "stop":
        one.stop()
    elif end == "gone from the file":
        one.reload(config().split("protocol kernel")[0])
    else:
        one.birdc(end)
    wait_ours(link.a.ns, {}, limit=0.5 if end == "stop" else 5)
    assert foreign_are_there(link.a.ns)


@pytest.mark.parametrize("end", ["stop", "disable kernel1", "gone from the file"])
@pytest.mark.parametrize("through", ["up", "starting"])
def test_nothing_stays_of_an_earlier_run_either(link, end, through):
    """Spared at the start, they go with the protocol that would have taken them over."""
    earlier = Peregrine(link.a.ns, config(*many(300, "blackhole", start="10.64.0.0")))
    wait_until(lambda: count_ours(link.a.ns) == 300, 5, "the routes")
    earlier.kill()
    one = Peregrine(link.a.ns, config())
    if through == "up":
        wait_until(lambda: count_ours(link.a.ns) == 302, 3, "both")
    if end == "stop":
        one.stop()
    elif end == "gone from the file":
        one.reload(config().split("protocol kernel")[0])
    else:
        one.birdc(end)
        wait_state(one, "kernel1", "down", limit=3)
    wait_ours(link.a.ns, {}, limit=0.5 if end == "stop" else 3)
    assert foreign_are_there(link.a.ns)


@pytest.mark.parametrize("end", ["stop", "disable kernel1"])
def test_persist(link, end):
    one = Peregrine(link.a.ns, config(options="persist;"))
    both = {NET: ["10.77.1.2"], "10.2.0.0/16": "blackhole"}
    wait_ours(link.a.ns, both)
    monitor = Monitor(link.a.ns)
    if end == "stop":
        one.stop()
        assert ours(link.a.ns) == both and not monitor.deleted()
        one.start()
    else:
        one.birdc(end)
        wait_state(one, "kernel1", "down")
        assert ours(link.a.ns) == both
        one.birdc("enable kernel1")
    wait_state(one, "kernel1", "up")
    assert ours(link.a.ns) == both and not monitor.deleted()
    one.reload(config(f"{NET} via 10.77.1.2", options="persist;"))
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]})
    one.birdc("disable static1")  # withdrawn while it runs
    wait_ours(link.a.ns, {})


class Again:
    """A daemon that ends, killed or with `persist`, and is started with another configuration."""

    def __init__(self, lab, number, kind):
        self.ns = lab.link(lab.ns(f"a{number}"), lab.ns(f"b{number}")).a.ns
        self.kind, self.hop = kind, f"10.77.{number}"
        self.ns.ip(f"route add {FOREIGN} via {self.hop}.9 proto static")
        self.one = Peregrine(self.ns, self.config(f"{NET} via {self.hop}.2", "10.2.0.0/16 blackhole",
                                                  f"10.3.0.0/16 via {self.hop}.2",
                                                  f"10.4.0.0/16 via {self.hop}.2 via {self.hop}.3"))
        wait_equal(lambda: len(ours(self.ns)), 4)

    def config(self, *routes):
        """The device protocol stands before or behind those that need interfaces."""
        text = static(*routes) + kernel_proto("persist;" if self.kind == "persist" else "")
        return "protocol device { }\n" + text if self.kind == "device first" else text + "protocol device { }\n"

    def again(self):
        if self.kind == "persist":
            self.one.stop()
        else:
            self.one.kill()
        assert len(ours(self.ns)) == 4
        self.monitor = Monitor(self.ns)
        self.one.config = self.config(f"{NET} via {self.hop}.2", f"10.2.0.0/16 via {self.hop}.3",
                                      f"10.4.0.0/16 via {self.hop}.2 via {self.hop}.3", "10.5.0.0/16 unreachable")
        self.one.start()

    def check(self):
        wait_ours(self.ns, {NET: [f"{self.hop}.2"], "10.2.0.0/16": [f"{self.hop}.3"],
                            "10.4.0.0/16": [f"{self.hop}.2", f"{self.hop}.3"], "10.5.0.0/16": "unreachable"}, limit=10)
        assert set(self.monitor.deleted()) == {"10.3.0.0/16"}, self.kind
        assert [r["dst"] for r in kernel(self.ns, proto=4)] == [FOREIGN]


def test_ended_and_started_again(lab):
    """What is still wanted is never away, what is not wanted any more goes, foreign routes stay."""
    runs = [Again(lab, i, kind) for i, kind in enumerate(("device first", "device last", "persist"), 1)]
    for run in runs:
        run.again()
    for run in runs:
        run.check()


@pytest.mark.parametrize("through", ["", "a pipe", "a recursive next hop"])
def test_killed_with_many_routes(lab, through):
    """No route is away while the daemon learns and announces them all anew."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    count = 20000
    if through == "a pipe":
        text = ("ipv4 table far;\n" + static(*many(count, "via 10.77.1.2"), channel="table far;")
                + pipe("master4", "far") + kernel_proto())
    elif through:
        text = (static(*many(count, "recursive 10.9.0.1")) + static("10.9.0.0/24 via 10.77.1.2", name="static2")
                + kernel_proto())
    else:
        text = static(*many(count, "via 10.77.1.2")) + kernel_proto()
    one = Peregrine(link.a.ns, text)
    wait_until(lambda: count_ours(link.a.ns) >= count, 20, "all in the kernel")
    before = count_ours(link.a.ns)
    one.kill()
    monitor = Monitor(link.a.ns)
    one.start()
    wait_until(lambda: f"{before} exported" in exported(one), 20, lambda: exported(one))
    one.birdc("reload kernel1")
    wait_until(lambda: scans(one) >= 2, 5, "the scan after the feed")
    deleted = monitor.deleted()
    assert not deleted, f"{len(deleted)} routes were away"
    assert count_ours(link.a.ns) == before
    one.stop(limit=10)
    assert count_ours(link.a.ns) == 0


def exported(daemon):
    return next((text for _, text in daemon.birdc("show protocols all kernel1") if "Routes:" in text), "")


def scans(daemon):
    text = next((text for _, text in daemon.birdc("show protocols all kernel1") if "Scans:" in text),
                "Scans: 0,")
    return int(text.split()[1].rstrip(","))


def test_killed_and_started_with_another_metric(link):
    """Leftovers under the metric of before are ours by their protocol number, and nobody's else to remove."""
    one = Peregrine(link.a.ns, config(f"{NET} via 10.77.1.2", options="metric 40;"))
    wait_ours(link.a.ns, {NET: ["10.77.1.2"]})
    one.kill()
    one.config = config(f"{NET} via 10.77.1.2", options="metric 50;")
    one.start()
    wait_equal(lambda: 50 in [r["metric"] for r in kernel(link.a.ns, proto=12)], True)
    assert foreign_are_there(link.a.ns)


def test_killed_in_the_middle_of_loading(lab):
    one = Peregrine(lab.ns("a"), static(*many(50000, "blackhole")) + kernel_proto())
    wait_until(lambda: count_ours(one.ns) > 100, 10, "the first routes")
    one.kill()
    one.config = static(*many(10, "blackhole")) + kernel_proto()
    one.start()
    wait_until(lambda: count_ours(one.ns) == 10, 10, lambda: count_ours(one.ns))


def test_stopped_in_the_middle_of_loading(lab):
    one = Peregrine(lab.ns("a"), static(*many(50000, "blackhole")) + kernel_proto())
    wait_until(lambda: count_ours(one.ns) > 100, 10, "the first routes")
    one.stop(limit=10)
    assert count_ours(one.ns) == 0


def test_kernel_protocol_flapped_by_hand(link):
    one = Peregrine(link.a.ns, config())
    with one.connect() as raw:
        raw.sendall(b"disable kernel1\nenable kernel1\nrestart kernel1\n" * 20)
        wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.2.0.0/16": "blackhole"})
    wait_state(one, "kernel1", "up")
    wait_ours(link.a.ns, {NET: ["10.77.1.2"], "10.2.0.0/16": "blackhole"})
