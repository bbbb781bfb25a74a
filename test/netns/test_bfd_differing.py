"""Requests for one session that differ in whom to believe: the oldest decides, the others wait and say why."""

from lab import Peregrine, wait_until
from scenario import FAST, addr, bfd, direct, wait_fast

LOUD = FAST + ' authentication keyed sha1; password "secret";'
WHY = "the authentication or minimum TTL that the session has"


def waiting(daemon):
    return [d["Waiting for"] for d in daemon.session_details() if "Waiting for" in d]


def test_one_that_differs_waits_until_it_agrees(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    b, dev = addr(link.b, "v4"), link.a.ifname
    first, second = f'{b} dev "{dev}"', f"{b} {{ authentication none; }}"
    one = Peregrine(link.a.ns, bfd(first, second, options=LOUD))
    two = Peregrine(link.b.ns, bfd(direct(link.a.ip4, link.b), options=LOUD))
    wait_fast(one, b)
    wait_until(lambda: waiting(one) == [WHY], 2, one.show)
    wait_until(lambda: "wants other authentication" in one.log(), 2, "the log to say so")
    assert len(one.sessions()) == 1
    one.reload(bfd(first, b, options=LOUD))
    wait_until(lambda: not waiting(one), 2, one.show)
    one.reload(bfd(first, second, options=LOUD))
    wait_until(lambda: waiting(one) == [WHY], 2, one.show)
    one.reload(bfd(second, options=LOUD))  # the oldest goes, and the other one's wish counts
    wait_until(lambda: not waiting(one), 2, one.show)
    two.reload(bfd(direct(link.a.ip4, link.b), options=FAST))
    wait_until(lambda: "Authentication/Type" not in one.session_details()[0], 3, one.show)
    wait_fast(one, b)
    assert one.session_details()[0]["Counters/Went down"] == "0"
