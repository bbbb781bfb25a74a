"""Next hops of static routes come and go with interfaces, their addresses, their link, their names."""

import pytest

from lab import Peregrine, wait_until
from routes import (DIRECT, best, kernel_proto, nets, ours, static, vias, wait_equal, wait_nets, wait_ours,
                    wait_vias)

NET = "10.1.0.0/16"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


@pytest.fixture
def spare(lab):
    """An interface that can be deleted and made again."""
    ns = lab.ns("a")
    add_veth(ns)
    return ns


def add_veth(ns, name="d1"):
    ns.ip(f"link add {name} type veth peer name {name}p", f"addr add 10.50.0.1/24 dev {name}",
          f"addr add fd50::1/64 dev {name} nodad", f"link set {name} up", f"link set {name}p up")


@pytest.mark.parametrize("hop", ["via 10.77.1.2", 'via "v1"', "via 10.77.1.2%v1", "via 10.88.0.1%v1 onlink",
                                 "via fe80::9%v1", "via fd77:1::2"])
def test_interface_down_and_up(link, hop):
    one = Peregrine(link.a.ns, static(f"{NET} {hop}") + kernel_proto())
    shown = hop.split()[1].split("%")[0].strip('"')
    for _ in range(2):
        wait_vias(one, NET, shown)
        wait_ours(link.a.ns, {NET: [shown]})
        link.a.ns.ip("link set v1 down")
        wait_vias(one, NET)
        wait_ours(link.a.ns, {})
        link.a.ns.ip("addr replace fd77:1::1/64 dev v1 nodad", "link set v1 up")


@pytest.mark.parametrize("hop,shown", [("via 10.50.0.2", "10.50.0.2"), ('via "d1"', "d1"),
                                       ("via 10.50.0.2%d1", "10.50.0.2")])
def test_interface_deleted_and_made_again(spare, hop, shown):
    one = Peregrine(spare, static(f"{NET} {hop}") + kernel_proto())
    wait_ours(spare, {NET: [shown]})
    for _ in range(3):
        before = spare.ifindex("d1")
        spare.ip("link del d1")
        wait_vias(one, NET)
        wait_ours(spare, {})
        add_veth(spare, "filler")
        spare.ip("link del filler")
        add_veth(spare)
        assert spare.ifindex("d1") != before
        wait_vias(one, NET, shown)
        wait_ours(spare, {NET: [shown]})


@pytest.mark.parametrize("hop,shown", [("via 10.50.0.2", "10.50.0.2"), ('via "d1"', "d1")])
def test_interface_replaced_at_once(spare, hop, shown):
    """Too fast for anybody to look in between."""
    one = Peregrine(spare, static(f"{NET} {hop}") + kernel_proto())
    wait_ours(spare, {NET: [shown]})
    for _ in range(5):
        spare.ip("link del d1", "link add d1 type veth peer name d1p", "addr add 10.50.0.1/24 dev d1",
                 "link set d1 up")
        wait_ours(spare, {NET: [shown]})
        wait_vias(one, NET, shown)


def test_renamed_interface(spare):
    one = Peregrine(spare, static('10.1.0.0/16 via "d1"', '10.2.0.0/16 via "d2"', "10.3.0.0/16 via 10.50.0.2",
                                  "10.4.0.0/16 via 10.50.0.2%d1", "10.5.0.0/16 via 10.50.0.2%d2") + kernel_proto()
                    + DIRECT)
    own = {"10.50.0.0/24": ["d1"]}
    wait_ours(spare, own | {"10.1.0.0/16": ["d1"], "10.3.0.0/16": ["10.50.0.2"], "10.4.0.0/16": ["10.50.0.2"]})
    spare.ip("link set d1 down", "link set d1 name d2", "link set d2 up")
    own = {"10.50.0.0/24": ["d2"]}
    wait_ours(spare, own | {"10.2.0.0/16": ["d2"], "10.3.0.0/16": ["10.50.0.2"], "10.5.0.0/16": ["10.50.0.2"]})
    assert best(one, "10.3.0.0/16").hops[0][1] == "d2" and best(one, "10.50.0.0/24").hops[0][1] == "d2"
    spare.ip("link set d2 down", "link set d2 name d1", "link set d1 up")
    own = {"10.50.0.0/24": ["d1"]}
    wait_ours(spare, own | {"10.1.0.0/16": ["d1"], "10.3.0.0/16": ["10.50.0.2"], "10.4.0.0/16": ["10.50.0.2"]})


def test_two_interfaces_swap_their_names(spare):
    add_veth(spare, "d2")
    spare.ip("addr del 10.50.0.1/24 dev d2", "addr add 10.60.0.1/24 dev d2")
    one = Peregrine(spare, static('10.1.0.0/16 via "d1"', "10.2.0.0/16 via 10.50.0.2",
                                  "10.3.0.0/16 via 10.60.0.2%d2"))
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"})
    spare.ip("link set d1 down", "link set d2 down", "link set d1 name x9", "link set d2 name d1",
             "link set x9 name d2", "link set d1 up", "link set d2 up")
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})
    assert best(one, "10.2.0.0/16").hops[0][1] == "d2" and best(one, "10.1.0.0/16").hops[0][1] == "d1"


def test_address_removed_and_back(link):
    one = Peregrine(link.a.ns, static("10.1.0.0/16 via 10.77.1.2", "10.2.0.0/16 via 10.77.1.2%v1",
                                      '10.3.0.0/16 via "v1"', "10.4.0.0/16 via 10.77.1.2%v1 onlink",
                                      "10.5.0.0/16 via fe80::9%v1") + kernel_proto())
    every = {f"10.{i}.0.0/16" for i in range(1, 6)}
    wait_nets(one, "", every)
    link.a.ns.ip("addr del 10.77.1.1/24 dev v1")
    wait_nets(one, "", {"10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"})
    link.a.ns.ip("addr add 10.77.1.1/24 dev v1")
    wait_nets(one, "", every)
    link.a.ns.ip("addr add 10.77.1.7/24 dev v1", "addr del 10.77.1.1/24 dev v1")  # the second one goes with it
    wait_nets(one, "", {"10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"})
    link.a.ns.ip("addr add 10.77.1.7/28 dev v1")
    wait_nets(one, "", every)
    wait_ours(link.a.ns, {n: v for n, v in zip(sorted(every),
                                               (["10.77.1.2"], ["10.77.1.2"], ["v1"], ["10.77.1.2"],
                                                              ["fe80::9"]))})


@pytest.mark.parametrize("own, peer, net, hop", [
    ("10.5.0.1", "10.6.0.2/32", "10.6.0.2/32", "10.6.0.2"),
    ("10.5.0.1", "10.6.0.2/24", "10.6.0.0/24", "10.6.0.7"),
    ("fd05::1", "fd06::2/128", "fd06::2/128", "fd06::2"),
    ("fd05::1", "fd06::2/64", "fd06::/64", "fd06::7")])
def test_the_network_of_a_peer_is_on_the_link(spare, own, peer, net, hop):
    v6 = ":" in own
    far = "fd66::/64" if v6 else "10.66.0.0/16"
    one = Peregrine(spare, DIRECT + static(f"{far} via {hop}", v6=v6))
    spare.ip(f"addr add {own} peer {peer} dev d1" + (" nodad" if v6 else ""))
    table = "table master6" if v6 else "table master4"
    wait_until(lambda: net in nets(one, f"{table} protocol direct1"), 3, one.show)
    assert not any(n.startswith(own) for n in nets(one, table))
    wait_until(lambda: far in nets(one, table), 3, one.show)
    spare.ip(f"addr del {own} peer {peer} dev d1")
    wait_until(lambda: not {net, far} & nets(one, table), 3, one.show)


def test_check_link(link):
    """The link is lost when the other end goes down; without `check link` that does not matter."""
    one = Peregrine(link.a.ns, static("10.1.0.0/16 via 10.77.1.2", '10.2.0.0/16 via "v1"', body="check link;")
                    + static("10.3.0.0/16 via 10.77.1.2", '10.4.0.0/16 via "v1"', name="lax"))
    every = {f"10.{i}.0.0/16" for i in range(1, 5)}
    for _ in range(2):
        wait_nets(one, "", every)
        link.b.ns.ip("link set v1 down")
        wait_nets(one, "", {"10.3.0.0/16", "10.4.0.0/16"})
        link.b.ns.ip("link set v1 up")
    wait_nets(one, "", every)
    link.b.ns.ip("link set v1 down")
    wait_nets(one, "", {"10.3.0.0/16", "10.4.0.0/16"})
    one.reload(one.config.replace("check link;", ""))
    wait_nets(one, "", every)
    one.reload(one.config.replace("protocol static lax {", "protocol static lax { check link;"))
    wait_nets(one, "", {"10.1.0.0/16", "10.2.0.0/16"})


def test_direct_and_check_link(link):
    one = Peregrine(link.a.ns, DIRECT
                    + 'protocol direct picky { ipv4 { preference 1; }; check link; interface "v*"; }\n')
    wait_nets(one, "protocol picky", {"10.77.1.0/24"})
    link.b.ns.ip("link set v1 down")
    wait_nets(one, "protocol picky", set())
    wait_nets(one, "protocol direct1 table master4", {"10.77.1.0/24"})
    link.b.ns.ip("link set v1 up")
    wait_nets(one, "protocol picky", {"10.77.1.0/24"})


def test_a_narrower_network_takes_the_next_hop_over(spare):
    one = Peregrine(spare, static(f"{NET} via 10.50.0.2") + kernel_proto())
    wait_ours(spare, {NET: ["10.50.0.2"]})
    spare.ip("link add d2 type veth peer name d2p", "link set d2 up", "addr add 10.50.0.3/28 dev d2")
    wait_vias(one, NET, "10.50.0.2")

    def device():
        route = best(one, NET)
        return route and route.hops[0][1]
    wait_equal(device, "d2")
    spare.ip("link set d2 down")
    wait_equal(device, "d1", limit=1)
    spare.ip("link del d2")
    wait_equal(device, "d1")
    wait_ours(spare, {NET: ["10.50.0.2"]})


def test_interface_that_does_not_exist_yet(lab):
    ns = lab.ns("a")
    one = Peregrine(ns, static('10.1.0.0/16 via "d1"', "10.2.0.0/16 via 10.50.0.2",
                               "10.3.0.0/16 via fe80::1%d1",
                               "10.4.0.0/16 via 10.9.9.9%d1 onlink"))
    assert vias(one, "10.1.0.0/16") is None
    add_veth(ns)
    ns.ip("addr add fe80::77/64 dev d1 nodad")
    wait_nets(one, "", {f"10.{i}.0.0/16" for i in range(1, 5)})


def test_hundred_next_hops_flap_with_their_interfaces(lab):
    ns = lab.ns("a")
    ns.ip(*[line for i in range(20) for line in (f"link add d{i} type veth peer name d{i}p",
                                                 f"addr add 10.50.{i}.1/24 dev d{i}",
                                                 f"link set d{i} up")])
    one = Peregrine(ns, static(*(f"10.1.{i}.{k}/32 via 10.50.{i}.{k + 2}" for i in range(20) for k in range(5)))
                    + kernel_proto())
    every = {f"10.1.{i}.{k}/32" for i in range(20) for k in range(5)}
    wait_nets(one, "", every)
    for _ in range(3):
        ns.ip(*(f"link set d{i} down" for i in range(0, 20, 2)))
        ns.ip(*(f"link set d{i} up" for i in range(0, 20, 2)))
    ns.ip(*(f"link set d{i} down" for i in range(1, 20, 2)))
    even = {n for n in every if int(n.split(".")[2]) % 2 == 0}
    wait_nets(one, "", even)
    wait_equal(lambda: {n + "/32" for n in ours(ns)}, even)
    ns.ip(*(f"link set d{i} up" for i in range(1, 20, 2)))
    wait_nets(one, "", every)
    wait_equal(lambda: {n + "/32" for n in ours(ns)}, every)
