"""A local address that is not there at the start, or not yet known to be ours alone: the session says so, and waits."""

import pytest

from bfdpkt import UP
from lab import Capture, Peregrine, wait_until
from peer import BfdPeer
from scenario import addr, bfd, direct, multihop, wait_detail, wait_fast


class Late:
    """A link whose near end has no address of the family yet; the peer at the far end is ready."""

    def __init__(self, lab, kind):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.near, self.family, hops = self.link.a, kind.split()[-1], "multihop" in kind
        self.a, self.b = addr(self.near, self.family), addr(self.link.b, self.family)
        self.near.ns.ip(f"addr del {self.with_length()} dev {self.near.ifname}")
        line = multihop(self.b, self.a) if hops else f"{direct(self.b, self.near)} local {self.a}"
        self.capture = Capture(self.link.b.ns, self.link.b.ifname)
        self.config = bfd(line)
        self.peer = BfdPeer(self.link.b.ns, self.b, self.a, dev=self.link.b.ifname, multihop=hops, passive=True,
                            desired_min_tx=50_000, required_min_rx=50_000)

    def with_length(self):
        return self.a + ("/24" if self.family == "v4" else "/64")

    def add(self, *flags):
        self.near.ns.ip(" ".join(("addr add", self.with_length(), "dev", self.near.ifname, *flags)))

    def detect_duplicates(self, seconds):
        self.near.ns.sysctl(f"net.ipv6.conf.{self.near.ifname}.accept_dad", 1)
        self.near.ns.sysctl(f"net.ipv6.conf.{self.near.ifname}.dad_transmits", 1)
        self.near.ns.sysctl(f"net.ipv6.neigh.{self.near.ifname}.retrans_time_ms", int(seconds * 1000))

    def tentative(self):
        return f"{self.with_length()} scope" in self.near.ns.ip(f"addr show dev {self.near.ifname} tentative")

    def waits(self, daemon):
        block = wait_detail(daemon, lambda d: d["Address"] == self.b)
        assert block["Waiting for"] == "local address" and not daemon.session(self.b), block["Waiting for"]

    def comes_up(self, daemon):
        wait_fast(daemon, self.b)
        assert wait_detail(daemon, lambda d: d["Address"] == self.b)["Local address"] == self.a
        assert {p.src for p in self.capture.packets(lambda p: p.dst == self.b)} == {self.a}
        assert "Cannot" not in daemon.log()


@pytest.mark.parametrize("kind,strict", [("v4", ""), ("ll", "strict bind;"), ("multihop v6", "strict bind;")])
def test_absent_at_the_start(lab, kind, strict):
    late = Late(lab, kind)
    one = Peregrine(late.near.ns, late.config.replace("{", "{ " + strict, 1))
    late.waits(one)
    late.add(*(["nodad"] if late.family != "v4" else []))
    late.comes_up(one)


@pytest.mark.parametrize("kind", ["ll", "multihop v6"])
def test_tentative_at_the_start(lab, kind):
    late = Late(lab, kind)
    late.detect_duplicates(0.8)
    late.add()
    one = Peregrine(late.near.ns, late.config)
    late.waits(one)
    assert late.tentative() and not late.capture.packets(lambda p: p.dst == late.b)
    late.comes_up(one)
    assert not late.tentative()


def test_somebody_else_has_it(lab):
    """Duplicate address detection fails; the session waits until the address is really ours."""
    late = Late(lab, "v6")
    late.link.b.ns.ip(f"addr add {late.with_length()} dev {late.link.b.ifname} nodad")
    late.detect_duplicates(1)
    late.add()
    one = Peregrine(late.near.ns, late.config)
    wait_until(lambda: "dadfailed" in late.near.ns.ip(f"addr show dev {late.near.ifname}"), 3, "the kernel to notice")
    late.waits(one)
    late.link.b.ns.ip(f"addr del {late.with_length()} dev {late.link.b.ifname}")
    late.near.ns.ip(f"addr del {late.with_length()} dev {late.near.ifname}")
    late.add("nodad")
    late.comes_up(one)
    late.peer.wait_state(UP)
