#!/usr/bin/python3
"""Two routers, one cable: BFD comes up, the path is cut without a word, both notice, it heals. Then the same with a
route through that path and a spare one beside it: the kernel's route moves away from the cut, and back.

demo.py [peregrine|bird2|frr]: what the other router is.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "netns"))

from failover import RouteWatch  # noqa: E402
from lab import Bird2, FrrBfdd, Lab, Peregrine, heal, silent_cut  # noqa: E402

CONFIG = """\
router id 10.0.0.{id};

protocol device {{ }}

protocol bfd {{
	interface "{ifname}" {{ interval 50 ms; multiplier 3; }};
	neighbor {peer4} dev "{ifname}";
	neighbor {peer6} dev "{ifname}";
}}
"""

NET = "198.51.100.0/24"
ROUTES = """\
protocol kernel {{ ipv4 {{ export all; }}; }}

protocol static best {{ ipv4 {{ preference 220; }}; route {net} via {peer} bfd; }}
protocol static rest {{ ipv4 {{ preference 180; }}; route {net} via {spare}; }}
"""

FRR = """\
bfd
 profile fast
  transmit-interval 50
  receive-interval 50
  detect-multiplier 3
 peer {peer4} local-address {own4}
  profile fast
 peer {peer6} local-address {own6}
  profile fast
"""


def say(text):
    print(f"\n== {text}", flush=True)


def show(router):
    print("$ birdc show bfd sessions")
    for _, text in router.birdc("show bfd sessions"):
        if text:
            print("  " + text)


def show_kernel(ns):
    print(f"$ ip route show {NET}")
    print("  " + ns.ip(f"route show {NET}").strip())


def failover(left, link, spare, ours):
    """Routes for the running daemon, a cut, and how long the kernel kept the dead one."""
    routes = ROUTES.format(net=NET, peer=link.b.ip4, spare=spare.b.ip4)
    say("Left gets two routes to one network by `configure`; the better one goes by the path BFD watches. Added are")
    print(routes)
    watch = RouteWatch(left.ns)
    left.reload(ours + routes)
    watch.wait_gateway(link.b.ip4, 0)
    show_kernel(left.ns)

    at = silent_cut(link)
    moved = watch.wait_gateway(spare.b.ip4, at)
    say("The path is cut again. Nobody touches anything, and a moment later")
    show_kernel(left.ns)
    print(f"  The kernel's route moved {1000 * (moved - at):.0f} ms after the cut")

    healed = time.monotonic()  # before: the path works a little earlier than nft returns
    heal(link)
    moved = watch.wait_gateway(link.b.ip4, healed, 10)
    say("The path is back")
    show_kernel(left.ns)
    print(f"  The kernel's route moved back {1000 * (moved - healed):.0f} ms later (sessions that are not Up send once a second)")
    watch.close()


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "peregrine"
    with Lab() as lab:
        left, right = lab.ns("left"), lab.ns("right")
        link, spare = lab.link(left, right), lab.link(left, lab.ns("spare"))
        ours = CONFIG.format(id=1, ifname=link.a.ifname, peer4=link.b.ip4, peer6=link.b.ip6)
        values = dict(id=2, ifname=link.b.ifname, peer4=link.a.ip4, peer6=link.a.ip6, own4=link.b.ip4, own6=link.b.ip6)

        say(f"Two routers joined by a cable; left is Peregrine, right is {kind}. Left runs")
        print(ours)
        a = Peregrine(left, ours)
        if kind == "frr":
            b = FrrBfdd(right, FRR.format(**values))
        else:
            b = {"peregrine": Peregrine, "bird2": Bird2}[kind](right, CONFIG.format(**values))
        peers = ((a, link.b), (b, link.a))

        for router, end in peers:
            router.wait_session(end.ip4, "Up", 10)
            router.wait_session(end.ip6, "Up", 10)
        say("Sessions are Up over IPv4 and IPv6")
        show(a)

        at = silent_cut(link)
        say("The path is cut silently: the interfaces stay up, every packet is lost. Detection time: 150 ms")
        for router, end in peers:
            for address in (end.ip4, end.ip6):
                seen = router.wait_session(address, ("Down", "Init"), 5)
                print(f"  {router.name} saw {address} fail {1000 * (seen['at'] - at):.0f} ms after the cut")
        show(a)

        heal(link)
        for router, end in peers:
            router.wait_session(end.ip4, "Up", 10)
            router.wait_session(end.ip6, "Up", 10)
        say("The path is back, and so are the sessions")
        show(a)
        for line in a.log().splitlines():
            if "Session" in line:
                print("  " + line)

        failover(a, link, spare, ours)
    say("Done. Next: `man doc/man/bird.conf.5` for the configuration, ./quickstart check for the tests")


if __name__ == "__main__":
    main()
