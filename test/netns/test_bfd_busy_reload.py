"""A thousand sessions fail while 200 000 routes are being read: each is recorded and acted on, no other one suffers."""

import time

from lab import Peregrine, wait_until
from many import Far, in_state, records, totals, wait_states
from routes import best, static
from scenario import bfd, direct

COUNT, ROUTES = 1000, 200_000
LIVING = "interval 100 ms; multiplier 3; idle tx interval 200 ms;"


def prefix(i):
    """The i-th /28 from 16.0.0.0 on."""
    a = (16 << 24) + 16 * i
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/28"


def count(daemon, proto):
    """Routes of a protocol."""
    text = daemon.birdc(f"show route protocol {proto} count")[0][1]
    return int(text.split()[0])


def test_failures_during_a_big_reload(lab):
    link, other = lab.link(lab.ns("a"), lab.ns("b")), lab.link(lab.namespaces["a"], lab.ns("c"))
    far = Far(link, COUNT, interval=100, mult=3)
    far.start()
    hops = [f"10.{128 + i // 250}.{i % 250}.0/24 via {x} bfd" for i, x in enumerate(far.addresses)]
    lives = direct(other.b.ip4, other.a)
    sessions = far.config().replace(f'interface "*" {{ {far.options}',
                                    f'interface "{other.a.ifname}" {{ {LIVING} }}; interface "*" {{ {far.options}')
    sessions = sessions[:sessions.rindex("}")] + f"  neighbor {lives};\n}}\n" + static(*hops, name="behind")
    one = Peregrine(link.a.ns, sessions, limit=30)
    two = Peregrine(other.b.ns, bfd(direct(other.a.ip4, other.b), options=LIVING))
    wait_states(one, "Up", COUNT + 1)
    wait_until(lambda: count(one, "behind") == COUNT, 5, "the routes behind the sessions")
    before = totals(one).get("Sessions went down, Time expired", 0)
    one.config = sessions + static(*(f"{prefix(i)} via {other.b.ip4}" for i in range(ROUTES)), name="many")
    one._write_config()  # pylint: disable=protected-access
    with one.control() as client:
        client.send("configure")
        far.kill()  # the last packets are on their way while it is read
        began = time.monotonic()
        assert client.read_reply()[-1][0] in (3, 4)
    wait_until(lambda: count(one, "many") == ROUTES, 30, lambda: f"{count(one, 'many')} routes")
    print(f"loaded in {time.monotonic() - began:.2f} s, {in_state(one, 'Up')} sessions Up then, late ticks: "
          f"{totals(one)['Late ticks']}")
    wait_states(one, "Down", COUNT)
    wait_until(lambda: count(one, "behind") == 0, 10, lambda: f"{count(one, 'behind')} routes behind dead sessions")
    counted = totals(one)
    assert counted["Sessions went down, Time expired"] == before + COUNT
    assert {a for a, _ in records(one)} == set(far.addresses)
    assert one.session(other.b.ip4)["state"] == "Up" and two.session(other.a.ip4)["state"] == "Up"
    assert records(two) == [] and not any(name.startswith("Sessions went down") for name in totals(two))
    assert best(one, prefix(ROUTES - 1)).vias == [other.b.ip4]
