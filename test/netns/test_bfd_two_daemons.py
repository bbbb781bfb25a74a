"""Two daemons on one host: the second says who has the port, and takes over when the first is no more."""

from lab import Peregrine, wait_until
from scenario import bfd, direct, multihop, wait_detail, wait_fast


def test_the_second_takes_over(lab):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    a, b = link.ends
    lines = [direct(b.ip4, a), direct(b.ip6, a), direct(b.ll, a), multihop(b.ip4, a.ip4)]
    two = Peregrine(b.ns, bfd(direct(a.ip4, b), direct(a.ip6, b), direct(a.ll, b), multihop(a.ip4, b.ip4)))
    first = Peregrine(a.ns, bfd(*lines))
    wait_until(lambda: [s["state"] for s in first.sessions()] == ["Up"] * 4, 5, first.show)
    second = Peregrine(a.ns, bfd(*lines))
    for port, address in ((3784, "0.0.0.0"), (3784, "::"), (4784, "0.0.0.0")):
        problem = f"UDP port {port} of {address}, in use by bird (pid {first.pid})"
        wait_until(lambda problem=problem: f"<ERR> bfd1: Cannot open {problem}" in second.log(), 2, second.log)
        wait_detail(second, lambda d, problem=problem: d.get("Waiting for") == problem)
    assert not second.sessions()
    assert [s["state"] for s in first.sessions()] == ["Up"] * 4
    assert {d["Counters/Went down"] for d in (*first.session_details(), *two.session_details())} == {"0"}
    first.kill()
    wait_until(lambda: [s["state"] for s in second.sessions()] == ["Up"] * 4, 9, second.show)  # tried every 5 s
    for remote in (a.ip4, a.ip6, a.ll):
        wait_fast(two, remote)
    assert second.log().count("Cannot open") == 4  # once for each port and family
