"""Static routes with `bfd`: dormant until Up, withdrawn when the peer falls silent, a backup takes over."""

import time

import pytest

from lab import Peregrine, heal, silent_cut, wait_until
from routes import (best, kernel_proto, many, nets, ours, static, vias, wait_count, wait_equal, wait_nets,
                    wait_ours, wait_vias)
from scenario import DETECTION, FAST, NOISE, bfd, direct

NET = "10.1.0.0/16"


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"), bridge=True)


def peer(link, family="ip4"):
    return Peregrine(link.b.ns, bfd(direct(getattr(link.a, family), link.b)))


def dormant(daemon):
    return sum("(dormant)" in text for _, text in daemon.birdc("show static"))


def test_dormant_until_up_withdrawn_when_silent_and_back(link):
    one = Peregrine(link.a.ns, static(f"{NET} via {link.b.ip4} bfd") + kernel_proto() + bfd())
    one.wait_session(link.b.ip4, "Down")
    assert vias(one, NET) is None and dormant(one) == 1
    peer(link)
    one.wait_session(link.b.ip4, "Up")
    wait_vias(one, NET, link.b.ip4)
    wait_ours(link.a.ns, {NET: [link.b.ip4]})
    for _ in range(2):
        wait_until(lambda: float(one.session(link.b.ip4)["timeout"]) == DETECTION, 5, "the fast session")
        cut_at = silent_cut(link)
        wait_ours(link.a.ns, {}, limit=2)
        late = time.monotonic() - cut_at - DETECTION
        assert late < NOISE + 0.1 and vias(one, NET) is None  # `ip` takes its time, too
        heal(link)
        wait_ours(link.a.ns, {NET: [link.b.ip4]})


def test_a_backup_takes_over(link, lab):
    second = lab.link(link.a.ns, lab.ns("c"))
    one = Peregrine(link.a.ns, static(f"{NET} via {link.b.ip4} bfd", name="main")
                    + static(f"{NET} via {second.b.ip4}", name="backup", channel="preference 150;")
                    + kernel_proto() + bfd())
    wait_vias(one, NET, second.b.ip4)
    peer(link)
    wait_ours(link.a.ns, {NET: [link.b.ip4]})
    assert best(one, NET).proto == "main"
    silent_cut(link)
    wait_ours(link.a.ns, {NET: [second.b.ip4]}, limit=2)
    assert best(one, NET).proto == "backup"
    heal(link)
    wait_ours(link.a.ns, {NET: [link.b.ip4]})


def test_one_leg_of_a_multipath_route(link, lab):
    second = lab.link(link.a.ns, lab.ns("c"))
    one = Peregrine(link.a.ns, static(f"{NET} via {link.b.ip4} bfd via {second.b.ip4}") + kernel_proto()
                    + bfd())
    wait_ours(link.a.ns, {NET: [second.b.ip4]})
    peer(link)
    wait_ours(link.a.ns, {NET: [link.b.ip4, second.b.ip4]})
    silent_cut(link)
    wait_ours(link.a.ns, {NET: [second.b.ip4]}, limit=2)
    heal(link)
    wait_ours(link.a.ns, {NET: [link.b.ip4, second.b.ip4]})


def test_without_a_bfd_protocol_it_stays_dormant(link):
    config = static(f"{NET} via {link.b.ip4} bfd", "10.2.0.0/16 via " + link.b.ip4)
    one = Peregrine(link.a.ns, config)
    peer(link)
    wait_nets(one, "", {"10.2.0.0/16"})
    one.reload(config + bfd())
    wait_nets(one, "", {"10.2.0.0/16", NET})
    one.birdc("disable bfd1")
    wait_nets(one, "", {"10.2.0.0/16"})
    one.birdc("enable bfd1")
    wait_nets(one, "", {"10.2.0.0/16", NET})
    one.reload(config)
    wait_nets(one, "", {"10.2.0.0/16"})


def test_bfd_taken_away_and_added(link):
    """Without it the route needs no session; nothing else of the protocol is touched."""
    config = static(f"{NET} via {link.b.ip4} bfd", f"10.2.0.0/16 via {link.b.ip4}") + bfd()
    one = Peregrine(link.a.ns, config)
    wait_nets(one, "", {"10.2.0.0/16"})
    one.reload(config.replace(" bfd;", ";"))
    wait_nets(one, "", {"10.2.0.0/16", NET})
    since = best(one, "10.2.0.0/16").since
    assert not one.sessions()
    one.reload(config.replace(" bfd;", " bfd on;"))
    wait_nets(one, "", {"10.2.0.0/16"})
    one.reload(config.replace(" bfd;", " bfd off;"))
    wait_nets(one, "", {"10.2.0.0/16", NET})
    assert best(one, "10.2.0.0/16").since == since


def test_the_peer_is_disabled(link):
    one = Peregrine(link.a.ns, static(f"{NET} via {link.b.ip4} bfd") + bfd())
    two = peer(link)
    wait_vias(one, NET, link.b.ip4)
    two.birdc("disable bfd1")
    wait_vias(one, NET)
    two.birdc("enable bfd1")
    wait_vias(one, NET, link.b.ip4)


@pytest.mark.parametrize("family", ["ip6", "ll"])
def test_six(link, family):
    hop = getattr(link.b, family)
    one = Peregrine(link.a.ns, static(f"2001:db8::/32 via {hop}{'%v1' if family == 'll' else ''} bfd", v6=True)
                    + kernel_proto(v6=True) + bfd())
    wait_equal(lambda: dormant(one), 1)
    peer(link, family)
    wait_ours(link.a.ns, {"2001:db8::/32": [hop]}, v6=True)
    silent_cut(link)
    wait_ours(link.a.ns, {}, v6=True, limit=2)
    heal(link)
    wait_ours(link.a.ns, {"2001:db8::/32": [hop]}, v6=True)


def test_on_an_interface_alone_it_means_nothing(link):
    one = Peregrine(link.a.ns, static(f'{NET} via "v1" bfd') + bfd())
    wait_vias(one, NET, "v1")
    assert not one.sessions()


def test_one_session_for_many_routes_and_protocols(link):
    hop = f"via {link.b.ip4} bfd"
    one = Peregrine(link.a.ns, static(*many(500, hop)) + static(*many(500, hop, start="10.65.0.0"),
                                                                name="static2")
                    + kernel_proto() + bfd())
    peer(link)
    wait_count(one, "", 1000)
    assert len(one.sessions()) == 1
    wait_equal(lambda: len(ours(link.a.ns)), 1000)
    silent_cut(link)
    wait_count(one, "", 0, limit=2)
    wait_equal(lambda: len(ours(link.a.ns)), 0)
    heal(link)
    wait_count(one, "", 1000)
    one.birdc("disable static1")
    wait_count(one, "", 500)
    assert len(one.sessions()) == 1
    one.birdc("disable static2")
    wait_equal(one.sessions, [])


def test_the_interface_flaps(link):
    one = Peregrine(link.a.ns, static(f"{NET} via {link.b.ip4} bfd") + kernel_proto() + bfd())
    peer(link)
    for _ in range(2):
        wait_ours(link.a.ns, {NET: [link.b.ip4]})
        link.a.ns.ip("link set v1 down")
        wait_ours(link.a.ns, {})
        assert not nets(one)
        link.a.ns.ip("link set v1 up")
    wait_ours(link.a.ns, {NET: [link.b.ip4]})


def test_resolved_through_a_route_with_bfd(link):
    one = Peregrine(link.a.ns, static("10.9.0.0/16 recursive 10.1.0.5", f"{NET} via {link.b.ip4} bfd")
                    + kernel_proto() + bfd(options=FAST))
    wait_ours(link.a.ns, {"10.9.0.0/16": "unreachable"})
    peer(link)
    wait_ours(link.a.ns, {"10.9.0.0/16": [link.b.ip4], NET: [link.b.ip4]})
    silent_cut(link)
    wait_ours(link.a.ns, {"10.9.0.0/16": "unreachable"}, limit=2)
