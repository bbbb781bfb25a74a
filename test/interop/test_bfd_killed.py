"""Ours killed and started again, with bird2 as the peer: both are Up again without help, however long it took."""

import time

import pytest

from lab import Bird2, Peregrine
from scenario import bfd, direct, multihop, wait_fast


@pytest.mark.parametrize("kind,late", [("v4", False), ("v4", True), ("ll", False), ("multihop v6", True)])
def test_killed_and_started_again(lab, kind, late):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = {"v4": (link.a.ip4, link.b.ip4), "ll": (link.a.ll, link.b.ll)}.get(kind, (link.a.ip6, link.b.ip6))
    line, other = (multihop(b, a), multihop(a, b)) if "multihop" in kind else (direct(b, link.a), direct(a, link.b))
    bird2 = Bird2(link.b.ns, bfd(other))
    one = Peregrine(link.a.ns, bfd(line))
    for _ in range(2):
        wait_fast(one, b)
        bird2.wait_session(a, "Up")
        killed = one.kill()
        if late:
            bird2.wait_session(a, "Down", limit=1)
            assert time.monotonic() - killed < 0.5
        one.start()
    wait_fast(one, b)
    bird2.wait_session(a, "Up")
