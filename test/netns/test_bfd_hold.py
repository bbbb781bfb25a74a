"""bfd disable, bfd enable, bfd reset counters: what an operator does to single sessions."""

from bfdpkt import ADMIN_DOWN
from lab import Capture, Peregrine, wait_until
from scenario import bfd, detail, direct, multihop, wait_detail, wait_fast


class Pair:
    def __init__(self, lab):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.a, self.b, self.b6 = self.link.a.ip4, self.link.b.ip4, self.link.b.ip6
        self.lines = direct(self.b, self.link.a), direct(self.b6, self.link.a)
        self.one = Peregrine(self.link.a.ns, bfd(*self.lines))
        self.two = Peregrine(self.link.b.ns, bfd(direct(self.a, self.link.b), direct(self.link.a.ip6, self.link.b)))
        wait_fast(self.one, self.b)
        wait_fast(self.one, self.b6)


def test_a_disabled_session_says_admin_down_until_it_is_enabled(lab):
    pair = Pair(lab)
    capture = Capture(pair.link.b.ns, pair.link.b.ifname)
    assert pair.one.birdc(f"bfd disable {pair.b}") == [(9, f"bfd1: session to {pair.b} disabled"), (0, "")]
    assert pair.one.birdc(f"bfd disable {pair.b}")[0] == (8, f"bfd1: session to {pair.b} already disabled")
    pair.one.wait_session(pair.b, "AdminDown")
    block = wait_detail(pair.two, lambda d: d["Address"] == pair.a and d["Session state"] == "Down")
    assert block["Remote state"] == "AdminDown" and block["Local diagnostic"] == "Neighbor signaled down"
    assert detail(pair.one, pair.b)["Held down by"] == "bfd disable"
    wait_until(lambda: len(capture.packets(lambda p: p.src == pair.a and p.state == ADMIN_DOWN)) > 5, 3,
               "it to go on saying so")
    pair.one.reload(bfd(pair.lines[1]))  # while its line comes and goes
    pair.one.reload(bfd(*pair.lines))
    pair.one.wait_session(pair.b, "AdminDown")
    assert pair.one.session(pair.b6)["state"] == "Up" and detail(pair.one, pair.b6)["Counters/Went down"] == "0"
    assert pair.one.birdc(f"bfd enable {pair.b}") == [(11, f"bfd1: session to {pair.b} enabled"), (0, "")]
    assert pair.one.birdc(f"bfd enable {pair.b}")[0] == (10, f"bfd1: session to {pair.b} already enabled")
    wait_fast(pair.one, pair.b)


def test_the_interface_tells_sessions_apart(lab):
    pair = Pair(lab)
    dev = pair.link.a.ifname
    assert pair.one.birdc(f'bfd disable {pair.b} dev "nowhere"')[-1] == (
        9001, f"There is no BFD session to {pair.b} on nowhere")
    assert pair.one.birdc(f"bfd disable {pair.b}%{dev}")[0][0] == 9
    pair.one.wait_session(pair.b, "AdminDown")
    assert pair.one.birdc(f'bfd enable {pair.b} dev "nowhere"')[-1][0] == 9001
    assert pair.one.birdc(f"bfd enable {pair.b}")[0][0] == 11  # whatever interface was named
    wait_fast(pair.one, pair.b)
    assert pair.one.birdc("bfd disable 192.0.2.1")[-1] == (9001, "There is no BFD session to 192.0.2.1")


def test_restricted_clients_may_not(lab):
    pair = Pair(lab)
    with pair.one.control() as client:
        client.command("restrict")
        for command in (f"bfd disable {pair.b}", f"bfd enable {pair.b}", "bfd reset counters"):
            assert client.command(command)[-1][0] == 8007
    assert pair.one.session(pair.b)["state"] == "Up"


def test_counters_begin_at_zero_again(lab):
    pair = Pair(lab)
    wait_until(lambda: int(detail(pair.one, pair.b)["Counters/Packets received"]) > 20, 5, "packets")
    wait_until(lambda: int(detail(pair.one, pair.b6)["Counters/Packets received"]) > 20, 5, "packets")
    assert pair.one.birdc(f"bfd reset counters {pair.b}") == [(0, "")]
    assert int(detail(pair.one, pair.b)["Counters/Packets received"]) < 20
    assert int(detail(pair.one, pair.b6)["Counters/Packets received"]) > 20
    assert detail(pair.one, pair.b)["Counters/Went up"] == "0"
    assert pair.one.birdc("bfd reset counters") == [(0, "")]
    assert int(detail(pair.one, pair.b6)["Counters/Packets received"]) < 20
    total = next(text for _, text in pair.one.birdc("show bfd sessions all") if text.startswith("  Packets received"))
    assert int(total.split()[2].rstrip(",")) < 40
    assert pair.one.birdc("bfd reset counters 192.0.2.1")[-1][0] == 9001


def test_packets_from_too_far_away_are_refused(lab):
    """min ttl: the neighbour is on the link, so its packets come with 255; one that asks for more hops waits."""
    link = lab.link(lab.ns("a"), lab.ns("b"))
    line = multihop(link.b.ip4, link.a.ip4)
    one = Peregrine(link.a.ns, bfd(line + " { min ttl 255; }"))
    Peregrine(link.b.ns, bfd(multihop(link.a.ip4, link.b.ip4)))
    wait_fast(one, link.b.ip4)
    link.b.ns.nft("table ip far {\n chain out {\n  type filter hook output priority 0;\n"
                  "  udp dport 4784 ip ttl set 254\n }\n}")
    one.wait_session(link.b.ip4, ("Down", "Init"))
    wait_until(lambda: any("TTL too low" in text for _, text in one.birdc("show bfd sessions all")), 3, "refusals")
    assert detail(one, link.b.ip4)["Minimum TTL"] == "255"
    one.reload(bfd(line + " { min ttl 254; }"))
    wait_fast(one, link.b.ip4)
