"""Daemons under test behind one interface: Peregrine, Bird2, FrrBfdd."""

import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from nslib import TEMP_DIR, require_program, wait_until

SANITIZER = re.compile(rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")
SANITIZER_ENV = {
    "ASAN_OPTIONS": "exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=99",
}
LOG_TAIL = 200
UP_AND_RUNNING = (13, "Daemon is up and running")  # at the end of `show status` when nothing is being applied


class DaemonFailure(AssertionError):
    """A daemon did not start, died by itself, or a sanitizer complained."""


class ControlClient:
    """A session on BIRD's control socket (compat/cli.md section 1). `echo` collects `+` lines."""

    def __init__(self, path, limit=5):
        self.echo = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._sock.settimeout(limit)
            self._sock.connect(path)
            self._file = self._sock.makefile("r", encoding="utf-8", errors="replace", newline="\n")
            self.greeting = self.read_reply()
        except BaseException:
            self._sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, command):
        self._sock.sendall(command.encode() + b"\n")

    def read_reply(self):
        """One whole reply: [(code, text), ...]; a line without code has the code before it."""
        reply = []
        while True:
            line = self._file.readline()
            if not line.endswith("\n"):
                raise EOFError(f"control socket closed after {line!r}, reply so far {reply}")
            line = line[:-1]
            if line.startswith("+"):
                self.echo.append(line[1:])
            elif line.startswith(" ") and reply:
                reply.append((reply[-1][0], line[1:]))
            elif re.match(r"\d{4}[- ]", line):
                reply.append((int(line[:4]), line[5:]))
                if line[4] == " ":
                    return reply
            else:
                raise ValueError(f"malformed reply line {line!r}")

    def command(self, text):
        self.send(text)
        return self.read_reply()

    def close(self):
        self._file.close()
        self._sock.close()


def same_address(a, b):
    """Compare addresses as values, without regard to an interface after %."""
    a, b = (ipaddress.ip_address(str(x).split("%", maxsplit=1)[0]) for x in (a, b))
    return a == b


class Daemon:
    """One daemon in one namespace, its files in a temporary directory of its own.

    Starts in the constructor and returns when the control socket answers. Subclasses say how to
    start, to ask for sessions, to reload and to stop.
    """

    kind = "daemon"

    def __init__(self, ns, config, *, args=(), env=None, limit=5.0):
        self.ns = ns
        self.config = config
        self.args = list(args)
        self.env = dict(env or {})
        self.limit = limit
        self.name = f"{self.kind}@{ns.name}"
        self.dir = tempfile.mkdtemp(prefix=f"pg-{os.getpid()}-{ns.name}-", dir=TEMP_DIR)
        self.log_path = os.path.join(self.dir, "stderr")
        self._processes = []  # the daemon itself comes last
        self._stopping = False
        self._looked_at, self._complaint = 0, None
        with open(self.log_path, "wb"):
            pass
        ns.lab.adopt(self)
        self.start()

    # -- for subclasses

    def _launch(self):
        raise NotImplementedError

    def _answers(self):
        raise NotImplementedError

    def _ask_to_stop(self):
        self.proc.terminate()

    def _spawn(self, *argv):
        """Start a program in the namespace; it dies with us. Output goes to the log file."""
        env = {**SANITIZER_ENV, **os.environ, **self.env}
        with open(self.log_path, "ab") as log, self.ns.inside():
            proc = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *argv], cwd=self.dir, env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._processes.append(proc)
        return proc

    # -- life

    @property
    def proc(self):
        return self._processes[-1]

    @property
    def pid(self):
        return self.proc.pid

    def start(self):
        """Start, or start again after stop() or kill()."""
        self._processes = []
        self._stopping = False
        self._launch()
        wait_until(lambda: self.check() and self._answers(), self.limit,
                   lambda: f"{self.name}: control socket to answer\n{self.log()}")

    def running(self):
        return bool(self._processes) and self.proc.poll() is None

    def trouble(self):
        """What is wrong with the daemon right now, or None."""
        for proc in self._processes:
            if proc.poll() is not None and not self._stopping:
                return f"{self.name} (pid {proc.pid}) died unexpectedly, {exit_text(proc.returncode)}"
        complaint = self._sanitizer_report()
        return f"{self.name}: sanitizer report in its log: {complaint}" if complaint else None

    def _sanitizer_report(self):
        """Look at what was logged since the last look; a report once found stays found."""
        with open(self.log_path, "rb") as f:
            f.seek(max(0, self._looked_at - 100))  # a phrase may have been half written then
            found = SANITIZER.search(f.read())
            self._looked_at = f.tell()
        if found and not self._complaint:
            self._complaint = found.group().decode()
        return self._complaint

    def check(self):
        """True, or DaemonFailure with the log."""
        problem = self.trouble()
        if problem:
            raise DaemonFailure(f"{problem}\n{self.log()}")
        return True

    def stop(self, limit=None):
        """Orderly end; a bad exit status is a failure."""
        if not self.running():
            self.check()
            return
        self._stopping = True
        main = self.proc
        self._ask_to_stop()
        wait_until(lambda: main.poll() is not None, limit or self.limit, f"{self.name}: orderly exit")
        self._end_processes()
        if main.returncode:
            raise DaemonFailure(f"{self.name}: orderly stop ended with {exit_text(main.returncode)}\n"
                                f"{self.log()}")
        self.check()

    def kill(self):
        """SIGKILL: no goodbye to anybody. Returns the monotonic time of it."""
        self._stopping = True
        at = time.monotonic()
        self._end_processes()
        return at

    def pause(self):
        """SIGSTOP: the process lives and is silent. Returns the monotonic time of it."""
        self.proc.send_signal(signal.SIGSTOP)
        return time.monotonic()

    def resume(self):
        self.proc.send_signal(signal.SIGCONT)

    def destroy(self):
        """Kill what still runs and remove the files; called by the lab."""
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _end_processes(self):
        for proc in reversed(self._processes):
            if proc.poll() is None:
                proc.kill()
            proc.wait()

    # -- observing

    def sessions(self):
        """BFD sessions as dicts with at least address, interface ("---" if none) and state (BIRD's names)."""
        raise NotImplementedError

    def session(self, addr, interface=None):
        """The session to `addr` (on `interface`, if given), or None."""
        for s in self.sessions():
            if same_address(s["address"], addr) and interface in (None, s["interface"]):
                return s
        return None

    def wait_session(self, addr, state, limit=5.0, interface=None):
        """Wait until the session to `addr` is in `state` (a name, several, or None for "gone").

        Returns the session's dict; its "at" is the monotonic time just after it was read.
        """
        wanted = state if isinstance(state, (tuple, list)) else (state,)
        last = None

        def reached():
            nonlocal last
            self.check()
            last = self.session(addr, interface)
            if (last and last["state"]) in wanted:
                return dict(last or {}, at=time.monotonic())
            return None

        return wait_until(reached, limit, lambda: f"{self.name}: session to {addr} {state}, last seen {last}")

    def sanitized(self):
        """The name of the sanitizer it was built with, or None."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii", errors="replace") as f:
            found = re.search(r"lib([atu]\w*san)\.so", f.read())
        return found and found[1]

    def usage(self):
        """(CPU seconds so far, resident set in KiB) of the daemon."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), rss

    def log(self, tail=LOG_TAIL):
        """The end of what the daemon wrote, or with tail=None all of it."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        return "\n".join(lines if tail is None else lines[-tail:])

    def show(self):
        """The sessions as text for a failure report."""
        raise NotImplementedError

    def describe(self):
        """Everything a person wants to see after a failure. Never raises."""
        state = f"pid {self.pid}, running" if self.running() else "not running"
        if self._processes and not self.running():
            state = exit_text(self.proc.returncode)
        try:
            shown = self.show() if self.running() else ""
        except Exception as e:  # pylint: disable=broad-except
            shown = f"(cannot ask: {e!r})"
        return f"--- {self.name}: {state}\n--- log\n{self.log()}\n--- show bfd sessions\n{shown}"


def exit_text(code):
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


SESSION_ROW = re.compile(r"(?P<address>\S+)\s+(?P<interface>\S+)\s+(?P<state>AdminDown|Down|Init|Up)\s+"
                         r"(?P<since>\S+(?: \S+)?)\s+(?P<interval>[\d.]+)\s+(?P<timeout>[\d.]+)\s*$")


def parse_sessions(reply):
    """Rows of `show bfd sessions`; interval and timeout in seconds."""
    rows, protocol = [], None
    for code, text in reply:
        if code != 1020:
            continue
        row = SESSION_ROW.match(text)
        if row:
            rows.append(dict(row.groupdict(), protocol=protocol, interval=float(row["interval"]),
                             timeout=float(row["timeout"])))
        elif re.match(r"\S+:$", text):
            protocol = text[:-1]
    return rows


def parse_session_details(reply):
    """Blocks of `show bfd sessions all`: dicts by label; nested ones read "Local parameters/Multiplier".

    "Protocol" is the instance above the block; several values of one label are joined by commas.
    """
    blocks, group, protocol = [], "", None
    for code, text in reply:
        if code == 1020 and re.match(r"\S+:$", text):
            protocol = text[:-1]
        label = re.match(r"( +)([^:]+):\s*(.*)$", text) if code == 1020 else None
        if not label:
            continue
        indent, key, value = len(label[1]), label[2], label[3]
        if indent == 2 and key == "Address":
            blocks.append({"Protocol": protocol})
        if indent == 2:
            group = key + "/"
        if blocks and (value or indent > 2):
            key = key if indent == 2 else group + key
            blocks[-1][key] = f"{blocks[-1][key]}, {value}" if key in blocks[-1] else value
    return blocks


class Bird(Daemon):
    """What bird2 and Peregrine have in common.

    `config` gets `log stderr all`, a router id and `protocol device` appended where it has none, so
    that line numbers of the test's text stay true.
    """

    def binary(self, name):
        raise NotImplementedError

    @property
    def config_path(self):
        return os.path.join(self.dir, "bird.conf")

    @property
    def socket_path(self):
        return os.path.join(self.dir, "bird.ctl")

    def whole_config(self):
        return self.config + "\n"

    def _write_config(self):
        text = self.whole_config()
        for pattern, line in ((r"^\s*log\b", "log stderr all;"),
                              (r"^\s*router id\b", "router id 10.255.0.1;"),
                              (r"^\s*protocol device\b", "protocol device { }")):
            if not re.search(pattern, text, re.M):
                text += line + "\n"
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(text)

    def _launch(self):
        self._write_config()
        self._spawn(require_program(self.binary("bird")), "-f", "-c", self.config_path,
                    "-s", self.socket_path, "-P", os.path.join(self.dir, "bird.pid"), *self.args)

    def _answers(self):
        try:
            with self.control() as client:
                return client.greeting[0][0] == 1 and client.command("show status")[-1] == UP_AND_RUNNING
        except OSError:
            return False

    def _ask_to_stop(self):
        try:
            self.birdc("down")
        except (EOFError, OSError):
            pass  # it may be gone before the answer is written

    def control(self):
        """A new session on the control socket, greeting read."""
        return ControlClient(self.socket_path)

    def connect(self):
        """A raw connected socket; not even the greeting has been read."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(5)
        sock.connect(self.socket_path)
        return sock

    def birdc(self, command):
        """Run one command in a fresh control session: [(code, text), ...], last line included."""
        with self.control() as client:
            return client.command(command)

    def client(self, *words, program="birdcl", limit=5):
        """Run the real command-line client; returns subprocess.CompletedProcess."""
        return subprocess.run([require_program(self.binary(program)), "-s", self.socket_path, *words],
                              capture_output=True, text=True, timeout=limit, check=False,
                              stdin=subprocess.DEVNULL)

    def sessions(self):
        return parse_sessions(self.birdc("show bfd sessions"))

    def session_details(self):
        """`show bfd sessions all` (Peregrine; bird2 from 2.15)."""
        return parse_session_details(self.birdc("show bfd sessions all"))

    def reload(self, config, check=True):
        """Replace the configuration and `configure`; returns the reply. With `check`, it must succeed,
        and is waited for when it is only in progress."""
        self.config = config
        self._write_config()
        reply = self.birdc("configure")
        if check:
            if reply[-1][0] not in (3, 4, 5):
                raise AssertionError(f"{self.name}: configure answered {reply}")
            wait_until(lambda: self.birdc("configure status")[0] == (3, "Daemon is up and running"),
                       self.limit, f"{self.name}: end of reconfiguration")
        return reply

    def show(self):
        return "\n".join(text for _, text in self.birdc("show bfd sessions"))


class Bird2(Bird):
    """The installed bird2, as a reference and as a peer."""

    kind = "bird2"

    def binary(self, name):
        return f"/usr/sbin/{name}"


class Peregrine(Bird):
    """Ours, from the directory in PEREGRINE_BUILD (default: the current one).

    With PEREGRINE_BFD every BFD instance begins with that, so that any test can be run with `offload absorb;` or
    `threads 3;`.
    """

    kind = "peregrine"
    bfd_options = os.environ.get("PEREGRINE_BFD")

    def whole_config(self):
        text = super().whole_config()
        if self.bfd_options:
            text = re.sub(r"^(protocol bfd\b[^{]*{)", rf"\1 {self.bfd_options}", text, flags=re.M)
        return text

    def binary(self, name):
        return os.path.join(os.path.abspath(os.environ.get("PEREGRINE_BUILD", ".")), name)

    def show(self):
        return "\n".join(text for _, text in self.birdc("show bfd sessions all"))


FRR_STATES = {"up": "Up", "down": "Down", "init": "Init", "shutdown": "AdminDown"}


class FrrBfdd(Daemon):
    """FRR's bfdd. A `peer ... interface X` needs zebra, which is then started beside it.

    The vty sockets belong to user frr, hence so must the directory.
    """

    kind = "frr"
    directory = "/usr/lib/frr"

    def _launch(self):
        shutil.chown(self.dir, "frr", "frr")
        os.chmod(self.dir, 0o755)
        self._config_path = os.path.join(self.dir, "bfdd.conf")
        with open(self._config_path, "w", encoding="utf-8") as f:
            f.write(self.config)
        if re.search(r"^\s*peer\b.*\binterface\b", self.config, re.M):
            self._start_one("zebra", "/dev/null")
            self._wait_vty("zebra")
        self._start_one("bfdd", self._config_path, "--bfdctl", self._file("bfdd.ctl"))

    def _file(self, name):
        return os.path.join(self.dir, name)

    def _start_one(self, name, config, *extra):
        self._spawn(require_program(f"{self.directory}/{name}"), "-f", config, "-z", self._file("zserv"),
                    "--vty_socket", self.dir, "-i", self._file(name + ".pid"), "-A", "127.0.0.1", "-P", "0",
                    "--log", "stdout", *extra, *self.args)

    def _wait_vty(self, name):
        wait_until(lambda: self.check() and self._vty_up(name), self.limit,
                   lambda: f"{self.name}: vty of {name}\n{self.log()}")

    def _vty_up(self, name):
        try:
            return self.vty("show version", daemon=name)[0] == 0
        except OSError:
            return False

    def _answers(self):
        return self._vty_up("bfdd")

    def vty(self, *commands, daemon="bfdd"):
        """Run commands in one vty session; (status, text) of the last, 0 being success."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(self._file(daemon + ".vty"))
            result = (0, "")
            for command in ("enable", *commands):
                sock.sendall(command.encode() + b"\0")
                result = self._read_vty(sock)
                if result[0]:
                    break
            return result

    @staticmethod
    def _read_vty(sock):
        """An answer ends with three NULs and a status byte."""
        data = b""
        while len(data) < 4 or data[-4:-1] != b"\0\0\0":
            chunk = sock.recv(65536)
            if not chunk:
                raise EOFError(f"vty closed after {data!r}")
            data += chunk
        return data[-1], data[:-4].decode(errors="replace")

    def vtysh(self, command):
        """The text of a show command."""
        status, text = self.vty(command)
        if status:
            raise AssertionError(f"{self.name}: {command!r} failed with {status}: {text}")
        return text

    def sessions(self):
        """`show bfd peers json`; its own keys (milliseconds) beside the common ones."""
        peers = json.loads(self.vtysh("show bfd peers json"))
        return [dict(p, address=p["peer"], interface=p.get("interface", "---"), state=FRR_STATES[p["status"]])
                for p in peers]

    def reload(self, config, check=True):
        """Feed `config` as configuration commands; FRR adds, so what is to go needs `no ...` lines."""
        lines = [line for line in config.splitlines() if line.strip()]
        result = self.vty("configure terminal", *lines)
        if check and result[0]:
            raise AssertionError(f"{self.name}: configuration refused: {result}")
        return result

    def show(self):
        return self.vtysh("show bfd peers") + self.vtysh("show bfd peers counters")
