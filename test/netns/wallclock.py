"""A wall clock of its own for one daemon, to be set without harm to the machine.

    clock = WallClock(tmp_path)
    one = Peregrine(ns, config, env=clock.env)
    clock.step(-7200)

Time namespaces leave the wall clock alone, so a preloaded library (wallclock.c) stands in between. What waits in a
socket while the clock is set keeps the stamp of the old time, as with a real one.
"""

import mmap
import os
import struct
import time

from nslib import require_program, run

MAX_STEPS = 256  # as in wallclock.c
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wallclock.c")


class WallClock:
    """`offset` is how many seconds it is wrong by."""

    def __init__(self, directory):
        library, path = os.path.join(directory, "wallclock.so"), os.path.join(directory, "wallclock")
        run(require_program("/usr/bin/cc"), "-shared", "-fPIC", "-O1", "-o", library, SOURCE)
        with open(path, "w+b") as f:
            f.truncate(8 + 16 * MAX_STEPS)
            self._map = mmap.mmap(f.fileno(), 0)
        self._count, self.offset = 0, 0.0
        # A sanitizer wants to be the first library; here it is the second.
        self.env = {"LD_PRELOAD": library, "WALLCLOCK": path,
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "exitcode=99") + ":verify_asan_link_order=0"}

    def step(self, seconds):
        """Set the clock forward, or with a negative value back."""
        if self._count == MAX_STEPS:
            raise ValueError("the clock was set too often")
        self.offset += seconds
        struct.pack_into("qq", self._map, 8 + 16 * self._count, time.time_ns(), round(self.offset * 1e9))
        self._count += 1
        struct.pack_into("q", self._map, 0, self._count)
