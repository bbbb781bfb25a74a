"""Thirty configurations, and a reload from each to each: what is there afterwards does not depend on what was before."""

import os
import random

import pytest

from lab import Peregrine, wait_until
from scenario import FAST, bfd, direct, multihop

CONFIGS = 30
SEED = int(os.environ.get("PEREGRINE_SEED", random.randrange(1 << 31)))

# Texts of options and what they mean: min TX, min RX (ms), multiplier. No two watch equally well, so there are no ties.
OPTIONS = [("", (100, 10, 5)), ("interval 50 ms; multiplier 3;", (50, 50, 3)),
           ("interval 100 ms; multiplier 7;", (100, 100, 7)), ("interval 20 ms; multiplier 9;", (20, 20, 9)),
           ("min rx interval 200 ms; min tx interval 40 ms; multiplier 4;", (40, 200, 4)),
           ("min rx interval 0 s; min tx interval 60 ms; multiplier 5;", (60, 0, 5))]
IPV4, IPV6, DIRECT, MULTIHOP = range(4)
EVERYTHING = {(family, hop) for family in (IPV4, IPV6) for hop in (DIRECT, MULTIHOP)}
V4, V6 = {(IPV4, DIRECT), (IPV4, MULTIHOP)}, {(IPV6, DIRECT), (IPV6, MULTIHOP)}
NEAR, FAR = {(IPV4, DIRECT), (IPV6, DIRECT)}, {(IPV4, MULTIHOP), (IPV6, MULTIHOP)}
LAYOUTS = [  # names of instances, what they say they accept, and what that is; None: disabled
    [], [("bfd1", "", EVERYTHING)], [("bfd1", "", EVERYTHING)], [("bfd1", "accept ipv4;", V4)],
    [("bfd1", "accept direct;", NEAR)], [("four", "accept ipv4;", V4), ("bfd1", "accept ipv6;", V6)],
    [("bfd1", "accept direct;", NEAR), ("four", "accept multihop;", FAR)],
    [("four", "accept ipv6 direct;", {(IPV6, DIRECT)}), ("bfd1", "accept multihop;", FAR)],
    [("bfd1", "disabled;", None), ("four", "", EVERYTHING)], [("bfd1", "accept ipv6;", V6), ("four", "disabled;", None)],
]


def lines_of(left, right):
    """`neighbor` lines; the interface column of their session, None if it cannot be; kind; local address if it matters."""
    l4, l6, r4, r6 = (IPV4, DIRECT), (IPV6, DIRECT), (IPV4, MULTIHOP), (IPV6, MULTIHOP)
    return [
        (direct(left.b.ip4, left.a), "v1", l4), (left.b.ip4, "v1", l4), (f"{left.b.ip4} local {left.a.ip4}", "v1", l4),
        (direct(right.b.ip4, right.a), "v2", l4), (direct(left.b.ip6, left.a), "v1", l6),
        (direct(left.b.ll, left.a), "v1", l6), (direct(right.b.ll, right.a), "v2", l6),
        (multihop(left.b.ip4, left.a.ip4), "---", r4), (multihop(right.b.ip6, right.a.ip6), "---", r6),
        (multihop(left.b.ip6, right.a.ip6), "---", r6),
        ("192.0.2.1", None, l4), ('10.77.9.2 dev "v9"', None, l4), (multihop("10.77.9.3", "10.77.9.1"), None, r4),
    ]


class Config:
    """A configuration made at random, and what follows from it."""

    def __init__(self, rng, lines):
        self.instances, self.parts = [], []
        for name, accept, serves in rng.choice(LAYOUTS):
            (text, near), (far_text, far) = rng.choice(OPTIONS), rng.choice(OPTIONS)
            chosen = [(*line, *rng.choice([("", None)] * 2 + OPTIONS[1:]), rng.random() < 0.2)
                      for line in rng.sample(lines, rng.randrange(len(lines)))]
            idle = rng.choice((200, 300))
            self.instances.append((name, serves, near, far, idle, chosen))
            self.parts.append(self.render(name, accept + rng.choice(("", "", "strict bind;")), text, far_text, idle, chosen))

    @staticmethod
    def render(name, body, text, far_text, idle, chosen):
        idle = f"idle tx interval {idle} ms;"
        shown = "".join(f"  neighbor {line} {{ {own} {'passive;' if passive else ''} }};\n"
                        for line, _, _, own, _, passive in chosen)
        return (f"protocol bfd {name} {{ {body}\n  interface \"v1\", \"v2\" {{ {text} {idle} }};\n"
                f"  multihop {{ {far_text} {idle} }};\n{shown}}}\n")

    @property
    def text(self):
        return "".join(self.parts)

    def wanted(self):
        """Sessions: (instance, address, interface) to (idle TX, min TX, min RX, multiplier, passive, requested by)."""
        asked = {}
        for client, active, *_, chosen in self.instances:
            for line, ifname, kind, _, params, passive in chosen if active else []:
                server = next((i for i in self.instances if i[1] and kind in i[1]), None)
                if ifname and server:
                    _, _, near, far, idle, _ = server
                    params = params or (near if kind[1] == DIRECT else far)
                    local = line.split()[2] if kind[1] == MULTIHOP else None
                    key = (server[0], line.split()[0], ifname, local)
                    asked.setdefault(key, []).append((params, passive, client, idle))
        return {key: self.shared(requests) for key, requests in asked.items()}

    @staticmethod
    def shared(requests):
        """The request that wants to know soonest sets the pace; one that is not watched at all comes last."""
        tx, rx, mult = min((r[0] for r in requests), key=lambda p: (p[1] * p[2] or 1e9, p[0] * p[2]))
        return (requests[0][3], tx, rx, mult, all(r[1] for r in requests), tuple(sorted(r[2] for r in requests)))

    def waiting(self):
        """Addresses that are asked for in vain. Without any instance that runs there is nobody to say so."""
        return {line.split()[0] for _, active, *_, chosen in self.instances if active
                for line, ifname, kind, *_ in chosen
                if not ifname or not any(i[1] and kind in i[1] for i in self.instances)}


def milliseconds(text):
    return round(float(text) * 1000)


def found(daemon):
    """What there is, in the shape of Config.wanted() and Config.waiting(); the TX interval is the one announced."""
    sessions, waiting = {}, set()
    for d in daemon.session_details():
        if "Session state" not in d:
            waiting.add(d["Address"])
            continue
        local = d["Local address"] if d["Session type"] == "Multihop" else None
        key = (d["Protocol"], d["Address"], d["Interface"], local)
        assert key not in sessions
        sessions[key] = (d["Session state"], milliseconds(d["Local parameters/Min TX interval"]),
                         milliseconds(d["Local parameters/Min RX interval"]), int(d["Local parameters/Multiplier"]),
                         d["Transmit timer"].endswith("/ 0.000"), tuple(sorted(d["Requested by"].split(", "))))
    return sessions, waiting


def circuit(rng, count):
    """Every ordered pair of 0..count-1 once, one after the other (Hierholzer)."""
    left = [rng.sample(range(count), count) for _ in range(count)]
    stack, path = [0], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            path.append(stack.pop())
    assert len(path) == count * count + 1
    return path


@pytest.fixture
def configs(lab):
    a, b = lab.ns("a"), lab.ns("b")
    lines = lines_of(lab.link(a, b), lab.link(a, b))
    rng = random.Random(16)
    print(f"PEREGRINE_SEED={SEED}")
    return [Config(rng, lines) for _ in range(CONFIGS)]


def test_every_pair(lab, configs):
    one = Peregrine(lab.namespaces["a"], configs[0].text)
    before = None
    for number in circuit(random.Random(SEED), CONFIGS):
        config = configs[number]
        one.reload(config.text)
        idle = {key: ("Down", idle, rx, mult, passive, by)
                for key, (idle, _, rx, mult, passive, by) in config.wanted().items()}
        expected = idle, config.waiting()
        wait_until(lambda expected=expected: found(one) == expected, 3,
                   lambda before=before, config=config, expected=expected:
                   f"after\n{before and before.text}\nand\n{config.text}\nthere should be {expected}, but is {found(one)}")
        before = config


def test_with_a_peer(lab, configs):
    """The same, fewer of them, with sessions that are Up and say goodbye."""
    left, right = lab.links
    two = Peregrine(left.b.ns, bfd(
        direct(left.a.ip4, left.b), direct(right.a.ip4, right.b), direct(left.a.ip6, left.b), direct(left.a.ll, left.b),
        direct(right.a.ll, right.b), multihop(left.a.ip4, left.b.ip4), multihop(right.a.ip6, right.b.ip6),
        multihop(right.a.ip6, left.b.ip6), options=FAST))
    one = Peregrine(left.a.ns, configs[0].text)
    for config in random.Random(SEED).sample(configs, 8):
        one.reload(config.text)
        expected = {key: ("Up", tx, rx, mult, by) for key, (_, tx, rx, mult, _, by) in config.wanted().items() if rx}

        def reached(expected=expected):
            now = {key: (s[0], s[1], s[2], s[3], s[5]) for key, s in found(one)[0].items() if s[2]}
            return now == expected

        wait_until(reached, 8, lambda config=config, expected=expected:
                   f"after\n{config.text}\nthere should be {expected}, but is {found(one)}\n{two.show()}")
