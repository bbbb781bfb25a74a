"""The measurements. Each takes a rig and returns figures: {(part, what, unit): number}."""

import contextlib
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from bfd_rig import BoundPeregrine, NotHeld, PlainPeregrine, Rig, bird_config, false_downs, process_cpu, stalled_downs

PARTS = ("cpu", "memory", "up", "jitter", "detect", "held", "busy", "stopped", "reload")
ONE_IN_TEN, ALL, ONE = "one in ten dies", "all die at once", "one at a time dies"
LONELY_DEATHS = 10
SETTLED = 5  # seconds Up before memory is looked at
HOGS = 4


@dataclass(frozen=True)
class Scene:
    """Sessions at an interval, and what is measured of them, one after the other on one start of the daemon."""

    count: int
    interval: int  # microseconds
    parts: tuple
    deaths: tuple = ()
    rounds: int = 1  # of the short form
    full: bool = False  # not in the short form
    long: bool = False  # one round is enough
    plain: bool = True  # without offload
    offload: bool = False  # with it

    @property
    def name(self):
        return f"{grouped(self.count)} x {self.interval / 1000:g} ms"


SCENES = (
    Scene(1, 50000, ("memory",)),
    Scene(100, 50000, ("cpu", "jitter", "detect"), (ONE_IN_TEN, ALL), rounds=2),
    Scene(300, 50000, ("cpu", "memory")),
    Scene(1000, 50000, ("up", "cpu", "jitter", "memory", "detect"), (ONE_IN_TEN, ALL), rounds=2, offload=True),
    Scene(1000, 10000, ("cpu", "jitter"), rounds=2, offload=True),
    Scene(3000, 50000, ("cpu",)),
    Scene(4000, 50000, ("detect",), (ALL,), full=True),
    Scene(10000, 50000, ("cpu", "detect"), (ONE,), full=True),
    Scene(10000, 300000, ("up", "cpu", "memory", "detect"), (ONE,), full=True),
    Scene(10000, 300000, ("reload",), full=True),
    Scene(2000, 10000, ("held",), full=True, long=True),
    Scene(10000, 50000, ("held",), full=True, long=True),
    Scene(500, 3300, ("held",), full=True, long=True),
    Scene(4000, 10000, ("held",), full=True, long=True, plain=False, offload=True),
    Scene(20000, 50000, ("held",), full=True, long=True, plain=False, offload=True),
    Scene(1000, 3300, ("held",), full=True, long=True, plain=False, offload=True),
    Scene(1000, 50000, ("busy",), full=True, long=True),
    Scene(100, 50000, ("stopped",), full=True, long=True, offload=True),
)


def grouped(number):
    return f"{number:,}".replace(",", " ")


def run_scene(scene, kind, parts, seconds, note):
    """Figures of one start of the daemon; `note` is told what could not be measured."""
    wanted = [p for p in scene.parts if p in parts]
    if "busy" in wanted:
        return busy(scene, kind, note)
    figures = {}
    try:
        with Rig(kind, scene.count, scene.interval) as rig:
            start = rig.wait_up()
            if "up" in wanted:
                figures[("up", f"all of {scene.name} Up", "s")] = (start["all_up_us"] - start["first_rx_us"]) / 1e6
            if {"cpu", "jitter"} & set(wanted):
                figures.update(window(rig, scene, wanted, seconds, note))
            if "memory" in wanted:
                time.sleep(max(0, start["all_up_us"] / 1e6 + SETTLED - time.monotonic()))
                figures[("memory", f"resident, {scene.name}", "bytes")] = rig.rss()
            if "detect" in wanted:
                for death in scene.deaths:
                    figures.update(detect(rig, scene.name, death))
            for part, measure in (("held", held), ("stopped", stopped), ("reload", reload)):
                if part in wanted:
                    figures.update(measure(rig, scene))
    except NotHeld as e:
        note(f"{scene.name}: {e}")
    return figures


# -- quiet times


def window(rig, scene, parts, seconds, note):
    """Processor time and gaps while nothing happens."""
    time.sleep(1)
    rig.ask("mark")
    before = rig.cpu(), time.monotonic()
    time.sleep(seconds)
    after = rig.cpu(), time.monotonic()
    stats = rig.stats()
    used, elapsed = (y - x for x, y in zip(before, after))
    packets = stats["received"] + stats["sent"]
    doubt(stats, packets / elapsed, scene, note)
    figures = {}
    if "cpu" in parts:
        figures = {("cpu", f"packets, {scene.name}", "1/s"): packets / elapsed,
                   ("cpu", f"CPU per packet, {scene.name}", "us"): 1e6 * used / packets,
                   ("cpu", f"CPU, {scene.name}", "%"): 100 * used / elapsed,
                   ("cpu", f"false Downs, {scene.name}", ""): false_downs(stats)}
    if "jitter" in parts:
        figures.update(jitter(stats["gaps"], scene))
    return figures


def doubt(stats, rate, scene, note):
    """What makes figures questionable: each session sends about once in 7/8 of its interval, as its peer does."""
    expected = 2 * scene.count / (scene.interval / 1e6 * 7 / 8)
    if abs(rate / expected - 1) > 0.1:
        note(f"{scene.name}: {rate:.0f} packets/s where {expected:.0f} were expected")
    lost = stats["drops"] + stats["send_errors"]
    if lost:
        note(f"{scene.name}: the simulator lost {lost} packets")


def jitter(gaps, scene):
    if not gaps["count"]:
        return {}
    figures = {("jitter", f"gap {name}, {scene.name}", "ms"): gaps[f"{key}_us"] / 1000
               for name, key in (("p1", "p1"), ("p50", "p50"), ("p99", "p99"), ("longest", "max"))}
    for name, key in (("short", "early"), ("long", "late")):
        figures[("jitter", f"gaps 1 ms too {name}, {scene.name}", "%")] = 100 * gaps[key] / gaps["count"]
    return figures


# -- failures of peers


def chosen(rig, death, turn):
    """(words of the command, how many that are)"""
    if death == ONE_IN_TEN:
        return f"silence {turn % 10} {rig.count // 10} 10", rig.count // 10
    if death == ONE:
        return f"silence {turn % rig.count} 1", 1
    return f"silence 0 {rig.count}", rig.count


def kill_some(rig, death, turn=0):
    """Some peers fall silent; the simulator's figures once each of them was missed."""
    command, count = chosen(rig, death, turn)
    if rig.ask(command)["up"] != count:
        raise NotHeld("not all Up before some died")
    return rig.wait(lambda s: not s["unnoticed"], 2 + 20 * rig.detection, f"{death}: noticed")


def late(part, what, errors):
    if not errors["count"]:
        return {}
    return {(part, f"{what}: late {name}", "ms"): errors[f"{key}_us"] / 1000
            for name, key in (("p50", "p50"), ("p99", "p99"), ("at worst", "max"))}


def detect(rig, name, death):
    rig.ask("speak")
    rig.wait_up()
    rig.ask("mark")
    for turn in range(LONELY_DEATHS if death == ONE else 1):
        stats = kill_some(rig, death, turn)
    what = f"{name}, {death}"
    return {**late("detect", what, stats["detect"]),
            ("detect", f"{what}: too early", ""): stats["detect"].get("early", 0),
            ("detect", f"{what}: false Downs", ""): false_downs(stats)}


# -- long times


def held(rig, scene, seconds=60):
    rig.ask("mark")
    drops, used = rig.drops(), process_cpu(rig.simulator.process.pid)
    time.sleep(seconds)
    stats = rig.stats()
    what = f"{scene.name}, {seconds} s"
    return {("held", f"{what}: false Downs", ""): false_downs(stats),
            ("held", f"{what}: Downs while the simulator was late", ""): stalled_downs(stats),
            ("held", f"{what}: packets the daemon had no room for", ""): rig.drops() - drops,
            ("held", f"{what}: packets the simulator lost", ""): stats["drops"] + stats["send_errors"],
            ("held", f"{what}: simulator late at worst", "ms"): stats["late_max_us"] / 1000,
            ("held", f"{what}: CPU of the simulator", "%"): 100 * (process_cpu(rig.simulator.process.pid) - used) / seconds}


def stopped(rig, scene, times=100):
    """Standstills of the daemon of 0.1 to 10 detection times; the peers speak all the while."""
    downs = lost = 0
    rig.ask("patient on")
    for i in range(times):
        rig.ask("mark")
        rig.daemon.pause()
        time.sleep(rig.detection * 10 ** (2 * i / (times - 1) - 1))
        rig.daemon.resume()
        time.sleep(2 * rig.detection)
        number = false_downs(rig.stats())
        downs += number
        lost += number > 0
        rig.wait_up()
    return {("stopped", f"{scene.name}, {times} standstills: Downs", ""): downs,
            ("stopped", f"{scene.name}, {times} standstills: those with a Down", ""): lost}


def reload(rig, scene, interval=400000):
    """Another interval for all. What the daemon sends says when it is in force."""
    rig.ask("mark")
    begin = time.monotonic()
    rig.daemon.limit = 60
    rig.daemon.reload(rig.config(interval))
    done = time.monotonic()
    stats = rig.wait(lambda s: s["min_tx_us"] == s["min_rx_us"] == [interval] * 2 and not s["polling"], 60,
                     "the end of Poll Sequences")
    what = f"{scene.name} to {interval / 1000:g} ms"
    return {("reload", f"{what}: configure", "s"): done - begin,
            ("reload", f"{what}: last packet with Poll", "s"): stats["last_poll_us"] / 1e6 - begin,
            ("reload", f"{what}: false Downs", ""): false_downs(stats)}


# -- a busy machine


def end(process):
    process.kill()
    process.wait()


@contextlib.contextmanager
def hogs():
    """Programs that take all the processor time they can get, two on each of two processors."""
    with contextlib.ExitStack() as stack:
        for i in range(HOGS):
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "taskset", "-c", str(i % 2),
                                        sys.executable, "-c", "while True: pass"])
            stack.callback(end, process)
        yield


@contextlib.contextmanager
def reloads(rig):
    """`configure` every 100 ms; yields a list of one number, how many there were."""
    count, stop = [0], threading.Event()

    def work():
        while not stop.wait(0.1):
            with contextlib.suppress(OSError, EOFError):
                rig.daemon.birdc("configure")
                count[0] += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()


def busy(scene, kind, note):
    """For Peregrine also without real-time priority, which the others do not have."""
    figures = {}
    kinds = [(kind, "")] + ([(PlainPeregrine, ", no real-time priority")] if kind is BoundPeregrine else [])
    for each, remark in kinds:
        try:
            with Rig(each, scene.count, scene.interval) as rig:
                rig.wait_up()
                figures.update(busy_one(rig, scene.name + remark))
        except NotHeld as e:
            note(f"{scene.name}, busy{remark}: {e}")
    return figures


def busy_one(rig, name, seconds=60):
    """One in ten dies and comes back, again and again."""
    turn, deadline, drops = 0, time.monotonic() + seconds, rig.drops()
    rig.ask("mark")
    with hogs(), reloads(rig) if rig.kind.config_text is bird_config else contextlib.nullcontext([0]) as count:
        while time.monotonic() < deadline:
            kill_some(rig, ONE_IN_TEN, turn)
            rig.ask("speak")
            rig.wait_up()
            turn += 1
        stats = rig.stats()
    return {**late("busy", name, stats["detect"]),
            ("busy", f"{name}: too early", ""): stats["detect"].get("early", 0),
            ("busy", f"{name}: failures noticed", ""): stats["detect"]["count"],
            ("busy", f"{name}: false Downs", ""): false_downs(stats),
            ("busy", f"{name}: Downs while the simulator was late", ""): stalled_downs(stats),
            ("busy", f"{name}: packets the daemon had no room for", ""): rig.drops() - drops,
            ("busy", f"{name}: reloads", ""): count[0]}
