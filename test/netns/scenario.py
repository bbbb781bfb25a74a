"""What the scenarios share: configurations, addresses by family, measured detection."""

import statistics

import bfdpkt
from lab import heal, silent_cut, wait_until

INTERVAL_MS, MULT = 50, 3
FAST = f"interval {INTERVAL_MS} ms; multiplier {MULT}; idle tx interval 200 ms;"  # idle: to recover sooner
HONEST = f"interval {INTERVAL_MS} ms; multiplier {MULT};"
DETECTION = INTERVAL_MS * MULT / 1000
USUAL = 0.02  # a detection is this late at most, where nothing disturbs it
NOISE = 0.2  # and this late on a machine whose kernel is busy with other tests
UP_LIMIT = 5.0  # two idle intervals and the rest of the handshake, generously

FAMILIES = ["v4", "v6", "ll"]


def addr(end, family):
    """The address of a link's end: v4, v6, or ll for link-local."""
    return {"v4": end.ip4, "v6": end.ip6, "ll": end.ll}[family]


def addresses(end):
    """Commands of `ip` that give an end of a link its addresses and set it up."""
    return (f"addr add {end.ip4}/24 dev {end.ifname}", f"addr add {end.ip6}/64 dev {end.ifname} nodad",
            f"addr add {end.ll}/64 dev {end.ifname} nodad", f"link set {end.ifname} up")


def direct(remote, end):
    """A `neighbor` line without its semicolon, by the interface of `end`."""
    return f'{remote} dev "{end.ifname}"'


def multihop(remote, local):
    return f"{remote} local {local} multihop"


def bfd(*neighbors, options=FAST, body="", name="bfd1"):
    """A configuration with these neighbours, `options` holding for direct and multihop sessions."""
    lines = "".join(f"  neighbor {n};\n" for n in neighbors)
    return (f"protocol bfd {name} {{\n  {body}\n  interface \"*\" {{ {options} }};\n"
            f"  multihop {{ {options} }};\n{lines}}}\n")


def wait_fast(daemon, remote, timeout=DETECTION, limit=UP_LIMIT):
    """Wait until the session is Up with this detection time and no Poll Sequence; returns its row."""
    daemon.wait_session(remote, "Up", limit=limit)
    wait_detail(daemon, lambda d: d["Address"] == remote and d.get("Detect timer", "").endswith(f"/ {timeout:.3f}")
                and "Poll sequence" not in d, limit=limit, what=f"the fast session to {remote}")
    return daemon.session(remote)


def wait_detail(daemon, where, limit=2.0, what="the details"):
    """Wait for a block of `show bfd sessions all` that satisfies `where`."""
    return wait_until(lambda: next((d for d in daemon.session_details() if where(d)), None), limit,
                      lambda: f"{what}\n{daemon.show()}")


def detail(daemon, remote):
    """The block of the session to `remote`."""
    return wait_detail(daemon, lambda d: d["Address"] == str(remote) and "Session state" in d)


def refused(daemon):
    """The counters of refused packets of the instance, by reason."""
    found = {}
    for _, text in daemon.birdc("show bfd sessions all"):
        if text.startswith("  Packets refused, "):
            reason, count = text[len("  Packets refused, "):].rsplit(": ", 1)
            found[reason] = int(count)
    return found


def detection_latency(capture, own, remote, cut_at, detection=DETECTION):
    """Seconds from the end of the detection time, counted from the last packet heard, to the first Down.

    `capture` sits at the interface of `own`; `cut_at` is when silent_cut() had taken effect.
    """
    said = capture.wait(lambda p: p.outgoing and p.src == own and p.state == bfdpkt.DOWN, 3,
                        "our Down packet", since=cut_at)
    heard = [p.time for p in capture.packets(lambda p: not p.outgoing and p.src == remote) if p.time < cut_at]
    assert said.diag == bfdpkt.DIAG_TIMEOUT
    late = said.time - heard[-1] - detection
    # The tap is before the cut, and cut_at after it: what came while the cut was made may have been lost.
    if late < 0 and cut_at - heard[-1] < 0.002:
        late = said.time - heard[-2] - detection
    return late


def cut_and_measure(link, ends, rounds=3, ready=lambda: None):
    """Cut and heal `rounds` times. `ends`: (capture, own address, remote address) of each observer.

    `ready` waits for the sessions before each cut. Returns all latencies of detection_latency().
    """
    late = []
    for _ in range(rounds):
        ready()
        cut_at = silent_cut(link)
        late += [detection_latency(capture, own, remote, cut_at) for capture, own, remote in ends]
        heal(link)
    ready()
    return late


def assert_prompt(late, what):
    """Never early, within USUAL where nothing disturbs (that a quarter was is enough), and never later than NOISE."""
    print(f"{what}: detected " + ", ".join(f"{x * 1000:+.2f}" for x in late) + " ms from the detection time")
    assert min(late) > -0.001
    assert statistics.quantiles(late, n=4)[0] < USUAL
    assert max(late) < NOISE
