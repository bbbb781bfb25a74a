"""Receiving sockets: strict bind, accept, several instances, ports of others, unchecked checksums."""

import socket

import pytest

from bfdpkt import DOWN, Control
from lab import Bird2, Peregrine, wait_until
from scenario import addr, bfd, direct, multihop, wait_detail, wait_fast

UDP_NO_CHECK6_TX = 101  # linux/udp.h


@pytest.fixture
def link(lab):
    return lab.link(lab.ns("a"), lab.ns("b"))


def listening(daemon):
    """(address, port) of the UDP sockets the namespace of `daemon` has without a peer."""
    found = set()
    with daemon.ns.inside():
        for name, size in (("udp", 8), ("udp6", 32)):
            with open(f"/proc/thread-self/net/{name}", encoding="ascii") as f:
                for line in f.readlines()[1:]:
                    local, remote = line.split()[1:3]
                    host, port = local.split(":")
                    if remote.endswith(":0000") and int(port, 16) in (3784, 4784):
                        found.add((size == 32, int(host, 16) == 0, int(port, 16)))
    return found


EVERYTHING = {(v6, True, port) for v6 in (False, True) for port in (3784, 4784)}


@pytest.mark.parametrize("body,expected", [
    ("", EVERYTHING), ("strict bind;", set()),
    ("accept ipv4;", {(False, True, 3784), (False, True, 4784)}), ("accept ipv6 direct;", {(True, True, 3784)}),
    ("accept direct;", {(False, True, 3784), (True, True, 3784)}),
    ("accept ipv4 multihop; accept direct ipv6;", {(False, True, 4784), (True, True, 3784)}),
])
def test_accept_says_what_is_listened_on(lab, body, expected):
    one = Peregrine(lab.ns("a"), bfd(body=body))
    wait_until(lambda: listening(one) == expected, 1, lambda: str(listening(one)))
    one.reload(bfd(body="accept ipv6 multihop;"))
    wait_until(lambda: listening(one) == {(True, True, 4784)}, 3, lambda: str(listening(one)))
    one.reload(bfd())
    wait_until(lambda: listening(one) == EVERYTHING, 1, lambda: str(listening(one)))


def test_what_no_instance_accepts_waits(link):
    a, b = link.a, link.b
    config = bfd(direct(b.ip4, a), direct(b.ip6, a), body="accept ipv4;")
    one = Peregrine(a.ns, config)
    Peregrine(b.ns, bfd(direct(a.ip4, b), direct(a.ip6, b)))
    wait_fast(one, b.ip4)
    block = wait_detail(one, lambda d: d["Address"] == b.ip6)
    assert block["Waiting for"] == "BFD protocol that accepts it" and not one.session(b.ip6)
    one.reload(config.replace("accept ipv4;", ""))
    wait_fast(one, b.ip6)
    assert one.session(b.ip4)["state"] == "Up"
    assert [d["Counters/Went down"] for d in one.session_details()] == ["0", "0"]


@pytest.mark.parametrize("family", ["v4", "v6", "ll", "multihop v4", "multihop v6"])
def test_strict_bind(link, family):
    a, b = addr(link.a, family.split()[-1]), addr(link.b, family.split()[-1])
    hops = "multihop" in family
    one = Peregrine(link.a.ns, bfd(multihop(b, a) if hops else direct(b, link.a), body="strict bind;"))
    two = Peregrine(link.b.ns, bfd(multihop(a, b) if hops else direct(a, link.b), body="strict bind;"))
    wait_fast(one, b, limit=3)
    wait_fast(two, a)
    assert listening(one) == {(":" in a, False, 4784 if hops else 3784)}
    one.reload(bfd(body="strict bind;"))
    wait_until(lambda: not listening(one), 4, lambda: str(listening(one)))


def test_two_instances_share_the_work(link):
    a, b = link.a, link.b
    one = Peregrine(a.ns, bfd(direct(b.ip4, a), direct(b.ip6, a), body="accept ipv4;", name="four")
                    + bfd(multihop(b.ip6, a.ip6), body="accept ipv6;", name="six"))
    Peregrine(b.ns, bfd(direct(a.ip4, b), direct(a.ip6, b), multihop(a.ip6, b.ip6)))
    wait_until(lambda: [s["state"] for s in one.sessions()] == ["Up"] * 3, 3, one.show)
    assert {(s["protocol"], s["address"], s["interface"]) for s in one.sessions()} == {
        ("four", b.ip4, "v1"), ("six", b.ip6, "v1"), ("six", b.ip6, "---")}
    one.birdc("disable six")
    wait_until(lambda: [s["protocol"] for s in one.sessions()] == ["four"], 4, one.show)
    assert one.session(b.ip4)["state"] == "Up"
    one.birdc("enable six")
    wait_until(lambda: [s["state"] for s in one.sessions()] == ["Up"] * 3, 4, one.show)


def test_an_instance_takes_over_from_one_that_goes(link):
    """Both could have everything: the first does, without a complaint of the second, until it is disabled."""
    a, b = link.a.ip4, link.b.ip4
    overlap = "protocol bfd first { }\nprotocol bfd second { neighbor %s dev \"%s\"; }\n" % (b, link.a.ifname)
    one = Peregrine(link.a.ns, "router id 1.1.1.1;\nprotocol device { }\n" + overlap)
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    assert one.wait_session(b, "Up")["protocol"] == "first"
    assert "Cannot open" not in one.log()
    one.birdc("disable first")
    wait_until(lambda: any(s["protocol"] == "second" and s["state"] == "Up" for s in one.sessions()), 8, "taken over")
    two.wait_session(a, "Up")
    assert "Cannot open" not in one.log()


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_port_in_use_is_named_and_waited_for(link, family):
    a, b = addr(link.a, family), addr(link.b, family)
    with link.a.ns.inside():
        thief = socket.socket(socket.AF_INET6 if family == "v6" else socket.AF_INET, socket.SOCK_DGRAM)
        if family == "v6":
            thief.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        thief.bind(("", 3784))
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    two = Peregrine(link.b.ns, bfd(direct(a, link.b)))
    block = wait_detail(one, lambda d: "in use by" in d.get("Waiting for", ""))
    print(block["Waiting for"])
    any_address = "::" if family == "v6" else "0.0.0.0"
    with open("/proc/self/comm", encoding="ascii") as f:
        name = f.read().strip()
    assert block["Waiting for"].startswith(f"UDP port 3784 of {any_address}, in use by {name}")
    wait_until(lambda: f"<ERR> bfd1: Cannot open {block['Waiting for']}" in one.log(), 1, one.log)
    assert not one.session(b)
    thief.close()
    wait_fast(one, b, limit=8)
    wait_fast(two, a)


def test_bird2_in_the_same_namespace(link):
    b = link.b.ip4
    bird2 = Bird2(link.a.ns, bfd())
    one = Peregrine(link.a.ns, bfd(direct(b, link.a)))
    assert "in use by bird" in wait_detail(one, lambda d: "in use by" in d.get("Waiting for", ""))["Waiting for"]
    bird2.stop()
    one.birdc("restart bfd1")
    Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b)))
    wait_fast(one, b)


@pytest.mark.parametrize("switch,up", [("", True), ("on", True), ("off", False)])
def test_zero_udp6_checksum_rx(link, switch, up):
    """RFC 6936: packets without a checksum are heard if the configuration says so, and only then."""
    one = Peregrine(link.a.ns, bfd(direct(link.b.ip6, link.a), body=f"zero udp6 checksum rx {switch};"))
    one.wait_session(link.b.ip6, "Down")
    with link.b.ns.inside():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    sock.bind((link.b.ip6, 50000))
    packet = Control(state=DOWN, my_disc=5, detect_mult=20).encode()
    sock.sendto(packet, (link.a.ip6, 3784))
    if not up:  # and now one with a checksum
        packet = Control(state=DOWN, my_disc=6, detect_mult=20).encode()
        sock.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 0)
        sock.sendto(packet, (link.a.ip6, 3784))
    sock.close()
    one.wait_session(link.b.ip6, "Init", limit=1)
    block, = one.session_details()
    assert (block["Remote discriminator"], block["Counters/Packets received"]) == ("5" if up else "6", "1")
