"""Two instances that accept different things, and requests that go from one to the other when one is disabled."""

import pytest

from lab import Peregrine, wait_until
from scenario import FAST, bfd, direct, multihop

SLOWER = FAST.replace("50 ms", "80 ms", 1)
HANDOVER = 8  # the one that leaves says AdminDown for up to 2 s before the other may have its port


class Shared:
    """Requests of ours for v4, v6, link-local and multihop sessions, half of them in either instance, and the far end."""

    def __init__(self, lab):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        a, b = self.link.ends
        self.lines = [direct(b.ip4, a), direct(b.ip6, a), direct(b.ll, a), multihop(b.ip4, a.ip4), multihop(b.ip6, a.ip6)]
        self.two = Peregrine(b.ns, bfd(direct(a.ip4, b), direct(a.ip6, b), direct(a.ll, b), multihop(a.ip4, b.ip4),
                                       multihop(a.ip6, b.ip6)))
        self.keys = [(b.ip4, "v1"), (b.ip6, "v1"), (b.ll, "v1"), (b.ip4, "---"), (b.ip6, "---")]

    def config(self, first, second, disabled=""):
        return (bfd(*self.lines[::2], body=first, name="one")
                + bfd(*self.lines[1::2], body=f"{second} {disabled}", name="two", options=SLOWER))

    def wait(self, daemon, owner, limit=5):
        """Exactly the sessions for which `owner` names an instance are there and Up, each in its own."""
        wanted = {(owner(*key), *key, "Up") for key in self.keys if owner(*key)}
        wait_until(lambda: {(s["protocol"], s["address"], s["interface"], s["state"]) for s in daemon.sessions()} == wanted,
                   limit, lambda: f"{wanted}\n{daemon.birdc('show bfd sessions')}")

    def waiting(self, daemon):
        return sorted((d["Address"], d["Session type"]) for d in daemon.session_details()
                      if d.get("Waiting for") == "BFD protocol that accepts it")


@pytest.fixture
def shared(lab):
    return Shared(lab)


SPLITS = {
    "family": ("accept ipv4;", "accept ipv6;", lambda addr, ifname: "two" if ":" in addr else "one"),
    "hops": ("accept direct;", "accept multihop;", lambda addr, ifname: "two" if ifname == "---" else "one"),
}


@pytest.mark.parametrize("split", SPLITS)
def test_disabled_and_enabled(shared, split):
    """Disjoint: what the disabled one accepted waits, what it asked for and the other accepts goes on."""
    first, second, owner = SPLITS[split]
    one = Peregrine(shared.link.a.ns, shared.config(first, second))
    shared.wait(one, owner)
    asked_by_two = [shared.keys[1], shared.keys[3]]  # these requests go with it
    one.birdc("disable two")
    shared.wait(one, lambda *key: owner(*key) if key not in asked_by_two and owner(*key) == "one" else None)
    left = sorted((key[0], "Direct" if key[1] == "v1" else "Multihop") for key in shared.keys
                  if owner(*key) == "two" and key not in asked_by_two)
    wait_until(lambda: shared.waiting(one) == left, 2, lambda: f"{left}\n{one.show()}")
    one.birdc("enable two")
    shared.wait(one, owner, HANDOVER)


@pytest.mark.parametrize("split", SPLITS)
def test_handed_over_by_reload(shared, split):
    """All the requests stay; who serves them changes, and with that the options they inherit."""
    first, second, owner = SPLITS[split]
    one = Peregrine(shared.link.a.ns, shared.config(first, second))
    shared.wait(one, owner)
    one.reload(shared.config(second, first))
    shared.wait(one, lambda *key: {"one": "two", "two": "one"}[owner(*key)], HANDOVER)
    for d in one.session_details():
        assert d["Local parameters/Min RX interval"] == {"one": "0.050", "two": "0.080"}[d["Protocol"]]
    one.reload(shared.config("", second))  # the second is now served by nobody but itself
    one.reload(shared.config(first, second))
    shared.wait(one, owner, HANDOVER)
    one.reload(shared.config("", second, "disabled;"))
    shared.wait(one, lambda *key: "one" if key not in (shared.keys[1], shared.keys[3]) else None, HANDOVER)
    assert "Cannot open" not in one.log()
