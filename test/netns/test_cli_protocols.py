"""show protocols, interfaces and BFD sessions; enable, disable, restart, debug."""

import re

import pytest

from lab import Peregrine, wait_until
from scenario import bfd

CONFIG = (bfd('10.0.0.1 dev "v1"', 'fd00::1 dev "v2"', "10.9.9.9 local 10.8.8.8 multihop")
          + 'protocol bfd spare { disabled; description "kept for later"; }\n')


@pytest.fixture
def one(lab):
    return Peregrine(lab.ns("a"), CONFIG)


def state(daemon, name):
    return next(text.split()[3] for _, text in daemon.birdc(f"show protocols {name}") if text.startswith(name))


def wait_protocol(daemon, name, wanted):
    wait_until(lambda: state(daemon, name) == wanted, 4, f"{name} {wanted}")


def test_show_protocols(one):
    reply = one.birdc("show protocols")
    assert reply[0] == (2002, "Name       Proto      Table      State  Since         Info")
    assert [text.split()[:4] for code, text in reply if code == 1002] == [
        ["bfd1", "BFD", "---", "up"], ["spare", "BFD", "---", "down"], ["device1", "Device", "---", "up"]]
    assert all(re.match(r"\S+ +\S+ +--- +\S+ +\d\d:\d\d:\d\d\.\d{3}", text) for code, text in reply if code == 1002)
    assert reply[-1] == (0, "")
    assert [t.split()[0] for c, t in one.birdc('show protocols "*1"') if c == 1002] == ["bfd1", "device1"]
    assert one.birdc('show protocols "no*"') == [(8003, "No protocols match")]
    assert one.birdc("show protocols nosuch")[0][0] == 9001
    every = one.birdc("show protocols all")
    assert [code for code, _ in every][:3] == [2002, 1002, 1006]
    assert (1006, "  Description:    kept for later") in every
    assert len(one.birdc("show protocols all bfd1")) < len(every)


def test_enable_disable_restart(one):
    assert one.birdc("disable bfd1") == [(9, "bfd1: disabled"), (0, "")]
    wait_protocol(one, "bfd1", "down")
    assert one.birdc("disable bfd1") == [(8, "bfd1: already disabled"), (0, "")]
    assert one.birdc("restart bfd1") == [(8, "bfd1: already disabled"), (0, "")]
    assert one.birdc("show bfd sessions") == [(9001, "There is no BFD protocol running")]
    assert one.birdc("show bfd sessions bfd1") == [(1020, "bfd1: is not up"), (0, "")]
    assert one.birdc("enable bfd1") == [(11, "bfd1: enabled"), (0, "")]
    assert one.birdc("enable bfd1") == [(10, "bfd1: already enabled"), (0, "")]
    wait_protocol(one, "bfd1", "up")
    assert one.birdc("restart bfd1") == [(12, "bfd1: restarted"), (0, "")]
    wait_protocol(one, "bfd1", "up")
    assert one.birdc("enable all") == [(10, "bfd1: already enabled"), (11, "spare: enabled"),
                                       (10, "device1: already enabled"), (0, "")]
    assert one.birdc('disable "s*"') == [(9, "spare: disabled"), (0, "")]
    assert one.birdc('disable "x*"') == [(8003, "No protocols match")]
    assert one.birdc("disable nosuch")[0][0] == 9001


def test_the_message_is_shown(one):
    one.birdc('disable bfd1 "for the night"')
    assert (1006, "  Message:        for the night") in one.birdc("show protocols all bfd1")


def test_disabled_stays_disabled_over_a_reload_and_device_may_go(one):
    one.birdc("disable bfd1")
    wait_protocol(one, "bfd1", "down")
    one.reload(CONFIG + "# changed\n")
    assert state(one, "bfd1") == "down"
    assert one.birdc("disable device1")[0] == (9, "device1: disabled")
    wait_protocol(one, "device1", "down")
    one.birdc("enable all")
    for name in ("bfd1", "spare", "device1"):
        wait_protocol(one, name, "up")


def test_debug(one):
    for what in ("all", "off", "{ states, events }", "{ packets }"):
        for which in ("bfd1", '"b*"', "all"):
            assert one.birdc(f"debug {which} {what}") == [(0, "")]
    assert one.birdc("debug bfd1 { nonsense }")[0][0] == 9001


def test_show_interfaces(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd())
    wait_until(lambda: any("fe80" in text for _, text in one.birdc("show interfaces")), 2, "addresses")
    reply = one.birdc("show interfaces")
    at = reply.index((1001, f"v1 up (index={link.a.ns.ifindex('v1')})"))
    assert reply[at + 1] == (1004, "\tMultiAccess Broadcast Multicast AdminUp LinkUp MTU=1500")
    assert set(reply[at + 2:at + 5]) == {(1003, "\t10.77.1.1/24 (Preferred, scope site)"),
                                         (1003, "\tfd77:1::1/64 (Preferred, scope site)"),
                                         (1003, f"\t{link.a.ll}/64 (Preferred, scope link)")}
    summary = one.birdc("show interfaces summary")
    assert summary[0] == (2005, "Interface  State  IPv4 address       IPv6 address")
    assert (1005, "v1         up     10.77.1.1/24       fd77:1::1/64") in summary
    link.a.ns.ip("link set v1 down")
    index = link.a.ns.ifindex("v1")
    wait_until(lambda: (1001, f"v1 down (index={index})") in one.birdc("show interfaces"), 1, "v1 down")
    flags = "\tMultiAccess Broadcast Multicast AdminDown"
    assert any(text.startswith(flags) for _, text in one.birdc("show interfaces"))


def test_filters_of_show_bfd_sessions(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    b = link.b
    one = Peregrine(link.a.ns, bfd(f'{b.ip4} dev "v1"', f'{b.ip6} dev "v1"',
                                   f"{b.ip4} local {link.a.ip4} multihop"))
    wait_until(lambda: len(one.sessions()) == 3, 2, "three sessions")
    direct4, direct6, hops = (b.ip4, "v1"), (b.ip6, "v1"), (b.ip4, "---")
    for words, rows in (("", {direct4, direct6, hops}), ("bfd1", {direct4, direct6, hops}),
                        ("ipv4", {direct4, hops}), ("ipv6", {direct6}), ("direct", {direct4, direct6}),
                        ("multihop", {hops}),
                        ("ipv6 direct", {direct6}), ("ipv6 multihop", set()), ('dev "v1"', {direct4, direct6}),
                        ('interface "v9"', set()), (f"address {b.ip4}", {direct4, hops}),
                        ("address 10.0.0.0/8", {direct4, hops}), ("address 9.9.9.9", set()),
                        (f'bfd1 address {b.ip4} dev "v1"', {direct4})):
        reply = one.birdc(f"show bfd sessions {words}")
        assert {(r["address"], r["interface"]) for r in map(row_of, reply[2:-1])} == rows, words
        assert reply[0] == (1020, "bfd1:") and reply[-1] == (0, "")
        assert reply[1][1] == "IP address                Interface  State      Since         Interval  Timeout"
    assert len([d for d in one.birdc("show bfd sessions all ipv6") if d[1].startswith("  Address:")]) == 1
    assert one.birdc("show bfd sessions ipv4 ipv6") == [(9001, "Options 'ipv4' and 'ipv6' are mutually exclusive")]
    assert one.birdc("show bfd sessions direct multihop")[0][0] == 9001
    assert one.birdc("show bfd sessions device1")[0][0] == 9001


def row_of(line):
    # the columns of compat/cli.md section 6
    row = re.fullmatch(r"(.{25}) (.{10}) (Up|Down|Init|AdminDown) +(\S+) +(\d+\.\d{3}) +(\d+\.\d{3})", line[1])
    assert row, line
    return {"address": row[1].strip(), "interface": row[2].strip()}


def test_layout_of_show_bfd_sessions_all(lab):
    """Every line of BIRD 2.19's transcript is there, in its order; ours come after them."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    one = Peregrine(link.a.ns, bfd(f'{link.b.ip4} dev "v1"'))
    Peregrine(link.b.ns, bfd(f'{link.a.ip4} dev "v1"'))
    one.wait_session(link.b.ip4, "Up")
    lines = [text for _, text in one.birdc("show bfd sessions all")]
    patterns = [r"bfd1:", r"  Address:              10\.77\.1\.2", r"  Interface:            v1",
                r"  Session type:         Direct", r"  Session state:        Up",
                r"  Remote state:         (Up|Init)",
                r"  Last state change:    \d\d:\d\d:\d\d\.\d{3}", r"  Local diagnostic:     None",
                r"  Remote diagnostic:    None", r"  Local discriminator:  \d+", r"  Remote discriminator: \d+",
                r"  Transmit timer:       \d\.\d{3} / \d\.\d{3}", r"  Detect timer:         \d\.\d{3} / \d\.\d{3}",
                r"  Local parameters:", r"    Min TX interval:    0\.050", r"    Min RX interval:    0\.050",
                r"    Demand mode:        No", r"    Multiplier:         3", r"  Remote parameters:",
                r"    Min TX interval:    \d\.\d{3}", r"    Min RX interval:    0\.050",
                r"    Demand mode:        No", r"    Multiplier:         3"]
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(pattern, line), line
    assert lines[-5] == "" and lines[-1] == ""  # the end of the block, the end of the reply
    assert re.fullmatch(r"  Packets received: \d+, sent: \d+, not sent: 0, dropped by the kernel: 0", lines[-4])
    assert re.fullmatch(r"  Late ticks: \d+, the worst by \d+\.\d{3} s, forced rests: \d+", lines[-3])
    assert lines[-2] == "  Sessions went up: 1"
