"""Where the program is attached, beside whom, and that sessions go on without it."""

import contextlib
import os

import pytest

from lab import Peregrine, wait_until
from many import Far, in_state, wait_states
from nslib import require_program, run
from offloads import (Scene, counted, forced_off, offload, programs, unharmed, wait_log, wait_offloaded, wait_programs,
                      wait_taken)
from peer import BfdPeer
from scenario import FAST, addresses, bfd, direct, wait_detail, wait_fast

BOTH = pytest.mark.parametrize("kind", ["ring", "absorb"])


@contextlib.contextmanager
def foreign_program(directory):
    """A program of somebody else, that passes all: the path of its object file."""
    source, made = os.path.join(directory, "pass.c"), os.path.join(directory, "pass.o")
    with open(source, "w", encoding="ascii") as f:
        f.write('__attribute__((section("xdp"), used)) int foreign(void *ctx) { return 2; }\n'
                '__attribute__((section("license"), used)) char terms[] = "GPL";\n')
    run(require_program("/usr/bin/clang"), "-O2", "-target", "bpf", "-c", source, "-o", made)
    yield made


@pytest.mark.parametrize("kind,native", [("ring", True), ("absorb", False)], ids=["native", "generic"])
def test_a_program_of_others_stays_where_it_is(lab, kind, native, tmp_path):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    mode = "xdpdrv" if native else "xdpgeneric"
    with foreign_program(tmp_path) as made:
        link.a.ns.ip(f"link set {link.a.ifname} {mode} obj {made} sec xdp")
        scene = Scene(lab, kind, link=link, hook="TCX")
        assert "foreign" in link.a.ns.ip(f"-d link show {link.a.ifname}")
        scene.wait_taken()
        scene.cycle()
        assert "foreign" in link.a.ns.ip(f"-d link show {link.a.ifname}")
        link.a.ns.ip(f"link set {link.a.ifname} {mode} off")
        scene.wait_taken()
        link.a.ns.ip(f"link set {link.a.ifname} {mode} obj {made} sec xdp")
        scene.wait_taken()
        assert scene.detail()["Counters/Went down"] == "1"


def test_it_comes_and_goes_with_the_sessions(lab):
    a = lab.ns("a")
    links = [lab.link(a, lab.ns(x)) for x in "bc"]
    peers = [BfdPeer(x.b.ns, x.b.ip4, x.a.ip4) for x in links]
    del peers

    def config(*which):
        return bfd(*(direct(links[i].b.ip4, links[i].a) for i in which), options=offload("auto"))

    one = Peregrine(a, bfd())
    assert programs(a) == set()
    for which in ((0,), (0, 1), (1,), (), (0, 1), ()):
        one.reload(config(*which))
        wait_programs(a, *((links[i].a.ifname, "XDP") for i in which))
    one.reload(config(0, 1))
    wait_programs(a, ("v1", "XDP"), ("v2", "XDP"))
    one.birdc("disable bfd1")
    wait_programs(a)
    one.birdc("enable bfd1")
    wait_programs(a, ("v1", "XDP"), ("v2", "XDP"))
    wait_offloaded(one, links[0].b.ip4, "absorb")
    one.stop()
    wait_programs(a)


def test_nothing_is_left_of_one_that_is_killed(lab):
    scene = Scene(lab, "absorb")
    wait_programs(scene.link.a.ns, ("v1", "XDP"))
    scene.one.kill()
    wait_programs(scene.link.a.ns)
    scene.one.start()
    scene.wait()
    wait_programs(scene.link.a.ns, ("v1", "XDP"))


@BOTH
def test_detached_by_force(lab, kind):
    """Sessions go on through sockets."""
    scene = Scene(lab, kind)
    ns = scene.link.a.ns
    forced_off(ns, scene.link.a.ifname)
    wait_programs(ns)
    count = int(scene.detail()["Counters/Packets received"])
    wait_until(lambda: int(scene.detail()["Counters/Packets received"]) >= count + 10, 2, "packets all the same")
    assert unharmed(scene.one)
    scene.dies()


@pytest.mark.parametrize("kind", ["ring", "absorb"])
def test_the_record_goes_on_when_detached_by_force(lab, kind):
    """It is evidence of why a session failed."""
    scene = Scene(lab, kind)
    forced_off(scene.link.a.ns, scene.link.a.ifname)
    wait_programs(scene.link.a.ns)

    def recorded():
        return int(scene.detail()["Arrivals/Largest gap"].split(" of ")[1])

    count = recorded()
    wait_until(lambda: recorded() >= count + 5, 1, "five more")


class Masters:
    """Interfaces on top of the end a of a link."""

    @staticmethod
    def bridge(end):
        end.ns.ip("link add br9 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", f"link set {end.ifname} master br9",
                  f"link set br9 address {end.mac}")
        return "br9"

    @staticmethod
    def macvlan(end):
        end.ns.sysctl("net.ipv4.conf.all.arp_ignore", 1)  # the address is not that of the interface below
        end.ns.ip(f"link add mv9 link {end.ifname} type macvlan mode bridge")
        return "mv9"


@pytest.mark.parametrize("kind,master", [("ring", "bridge"), ("absorb", "macvlan")])
def test_interfaces_without_a_driver_of_their_own(lab, kind, master):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a = link.a
    name = getattr(Masters, master)(a)
    a.ns.ip(f"addr flush dev {a.ifname}")
    a.ifname = name
    a.ns.ip(*addresses(a))
    wait_until(lambda: a.ns.link_ready(name), 3, "the interface")
    scene = Scene(lab, kind, link=link, hook="TCX")
    wait_programs(a.ns, (name, "TCX"))
    scene.wait_taken()
    scene.cycle()


@pytest.mark.parametrize("mtu", [1280, 9000])
def test_large_and_small_packets(lab, mtu):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    for end in link.ends:
        end.ns.ip(f"link set {end.ifname} mtu 9000")
    scene = Scene(lab, "absorb", link=link)
    for size in (1500, 9000, mtu):
        for end in link.ends:
            end.ns.ip(f"link set {end.ifname} mtu {size}")
        scene.wait_taken(3)
    assert unharmed(scene.one)
    scene.cycle()


def test_the_program_stays_while_the_carrier_goes(lab):
    """There are drivers that lose it for a moment when a program is attached or detached."""
    scene = Scene(lab, "absorb")
    end = scene.link.b
    assert counted(scene.one, "are offloaded by XDP") == 1
    for _ in range(2):
        end.ns.ip(f"link set {end.ifname} down")
        wait_detail(scene.one, lambda d: d.get("Waiting for") == "interface to come up")
        end.ns.ip(f"link set {end.ifname} up")
        scene.peer.restart()
        scene.wait()
    assert counted(scene.one, "are offloaded by XDP") == 1


class Limited(Peregrine):
    """Without the capability to load programs."""

    def _spawn(self, *argv):
        return super()._spawn("setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-all", "--", *argv)


def test_without_the_capability_for_it(lab):
    """A line in the log, and sockets."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Limited(link.a.ns, bfd(direct(link.b.ip4, link.a), direct(link.b.ip6, link.a), options=offload("absorb")))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), direct(link.a.ip6, link.b)))
    for remote in (link.b.ip4, link.b.ip6):
        wait_fast(one, remote)
    wait_log(one, "received from sockets, for they cannot be offloaded: it takes CAP_BPF and CAP_NET_ADMIN")
    assert wait_detail(one, lambda d: d["Address"] == link.b.ip4)["Offload"] == "absorb, now off by nothing"
    one.reload(bfd(direct(link.b.ip4, link.a), options=offload("ring")))
    one.reload(bfd(direct(link.b.ip4, link.a), direct(link.b.ip6, link.a), options=offload("ring")))
    wait_fast(one, link.b.ip6)
    assert counted(one, "received from sockets") == 1
    assert wait_detail(one, lambda d: d["Address"] == link.b.ip4)["Counters/Went down"] == "0"
    two.kill()
    one.wait_session(link.b.ip4, "Down", limit=1)


def test_as_another_user(lab):
    """What is kept of the capabilities is enough."""
    scene = Scene(lab, "absorb", args=["-u", "nobody", "-g", "nogroup"])
    scene.wait_taken()
    scene.one.birdc("disable bfd1")
    wait_programs(scene.link.a.ns)
    scene.one.birdc("enable bfd1")
    scene.wait()


class Shifted(Peregrine):
    """Its monotonic clock is not that of the kernel: a container with a time namespace of its own."""

    offset = 0

    def _spawn(self, *argv):
        return super()._spawn("unshare", "--time", f"--monotonic={self.offset}", "--", *argv)


@pytest.mark.parametrize("kind,offset", [("ring", -1000), ("absorb", -1000), ("absorb", 1000)])
def test_in_a_time_namespace(lab, kind, offset):
    """Nobody alive is found dead, and nobody dead alive."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    daemon = type("Shifted", (Shifted,), {"offset": offset})
    one = daemon(link.a.ns, bfd(direct(link.b.ip4, link.a), options=offload(kind)))
    peer = BfdPeer(link.b.ns, link.b.ip4, link.a.ip4, desired_min_tx=50_000, required_min_rx=50_000)
    wait_fast(one, link.b.ip4)
    count = len(peer.sent)
    wait_until(lambda: len(peer.sent) > count + 15, 3, "some packets more")
    assert unharmed(one)
    peer.freeze()
    one.wait_session(link.b.ip4, "Down", limit=1)


def test_two_instances_on_one_interface(lab):
    """The second finds XDP taken, by us."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), body="accept ipv4;", name="one", options=offload("absorb"))
                    + bfd(direct(link.b.ip6, link.a), body="accept ipv6;", name="two", options=offload("ring")))
    peers = [BfdPeer(link.b.ns, x, y, desired_min_tx=50_000, required_min_rx=50_000)
             for x, y in ((link.b.ip4, link.a.ip4), (link.b.ip6, link.a.ip6))]
    hooks = []
    for remote in (link.b.ip4, link.b.ip6):
        wait_taken_by_any(one, remote)
        hooks.append(wait_detail(one, lambda d, remote=remote: d["Address"] == remote)["Offload"].split()[-1])
    assert sorted(hooks) == ["TCX", "XDP"] and len(peers) == 2
    one.birdc("disable one")
    wait_taken(one, link.b.ip6, 5)
    one.birdc("enable one")
    wait_taken_by_any(one, link.b.ip4)
    assert wait_detail(one, lambda d: d["Address"] == link.b.ip6)["Counters/Went down"] == "0"


def wait_taken_by_any(daemon, remote):
    daemon.wait_session(remote, "Up")
    wait_taken(daemon, remote, 5)


COUNT = 100


def test_a_hundred_sessions_and_their_interface(lab):
    """Down and up, deleted and made anew: the program is there again, and they are offloaded."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    far = Far(link, COUNT, interval=50)
    far.start()
    one = Peregrine(link.a.ns, far.config(body="").replace("idle tx", "offload absorb; idle tx"))
    a, b = link.ends

    def all_absorbed():
        wait_states(one, "Up", COUNT)
        wait_until(lambda: sum("now absorb by XDP" in d["Offload"] for d in one.session_details()) == COUNT, 5, one.show)
        wait_programs(a.ns, (a.ifname, "XDP"))

    all_absorbed()
    a.ns.ip(f"link set {a.ifname} down")
    wait_until(lambda: in_state(one, "Up") == 0, 5, "all to be Down")
    a.ns.ip(f"link set {a.ifname} up")
    far.connect()
    all_absorbed()
    a.ns.ip(f"link del {a.ifname}")
    wait_until(lambda: in_state(one, "Up") == 0, 5, "all to be Down")
    far.kill()
    a.ns.ip(f"link add {a.ifname} address {a.mac} type veth peer name {b.ifname} address {b.mac} netns {b.ns.full}")
    for end in link.ends:
        end.ns.ip(*addresses(end))
    far.connect()
    far.start()
    all_absorbed()
    assert "cannot be offloaded" not in one.log(tail=None)


def test_stopped_in_the_middle_of_loading(lab):
    """Neither the end nor another beginning waits for what was asked for before, and nothing is lost by it."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    for _ in range(3):
        one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=offload("absorb"), body="threads 3;"))
        one.birdc("disable bfd1")
        one.birdc("enable bfd1")
        one.birdc("restart bfd1")
        one.stop()
    wait_programs(link.a.ns)
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), options=FAST))
    for _ in range(5):
        one.reload(bfd(direct(link.b.ip4, link.a), options=offload("ring")))
        one.reload("protocol device { }")
    wait_programs(link.a.ns)


def test_stopped_with_sockets_of_its_own(lab):
    """What is freed is overwritten, so that its use shows."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip4, link.a), direct(link.b.ip6, link.a), options=offload("absorb"),
                                   body="strict bind yes; threads 3;"), env={"MALLOC_PERTURB_": "165"})
    for _ in range(12):
        wait_programs(link.a.ns, ("v1", "XDP"))
        one.birdc("disable bfd1")
        wait_programs(link.a.ns)
        one.birdc("enable bfd1")
    assert one.running()
