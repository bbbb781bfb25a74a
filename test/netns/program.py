"""A program of ours in the foreground, in a namespace; what it has printed is kept."""

import os
import signal
import subprocess
import tempfile

from nslib import TEMP_DIR, wait_until


class Program:
    """Its output, errors included, can be read as it comes."""

    def __init__(self, ns, *argv, env=None, cwd=None):
        handle, self.out_path = tempfile.mkstemp(prefix=f"pg-{os.getpid()}-out-", dir=TEMP_DIR)
        with os.fdopen(handle, "wb") as out, ns.inside():
            self.proc = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                                         env={**os.environ, **(env or {})})

    def lines(self):
        with open(self.out_path, encoding="utf-8") as f:
            return f.read().splitlines()

    def wait_line(self, *parts, limit=4):
        return wait_until(lambda: next((x for x in self.lines() if all(p in x for p in parts)), None), limit,
                          lambda: f"{parts} in {self.lines()}")

    def wait(self, limit=5):
        return self.proc.wait(limit)

    def signal(self, number):
        self.proc.send_signal(number)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        os.unlink(self.out_path)
