"""The ground everything else stands on: waiting, network namespaces, nftables, kernel timestamps."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import time
import unittest

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCETHTOOL, ETHTOOL_GLINK = 0x8913, 0x8946, 0x0A
NETNS_DIR = "/run/netns"
TEMP_DIR = "/tmp"  # of the daemons' files; a socket path must be short
SO_TIMESTAMPNS = 35  # also the type of the control message that carries the stamp

_libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception if os.environ.get("CI") else unittest.SkipTest):
    """Something the test needs is not here: a failure in CI, otherwise the test is skipped."""


def require_program(path):
    if not os.access(path, os.X_OK):
        raise Missing(f"{path} is not installed")
    return path


class WaitTimeout(AssertionError):
    """A condition did not come true within its limit."""


def wait_until(cond, limit, what):
    """Poll `cond` every 5 ms and return its first true value; WaitTimeout after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() >= end:
            raise WaitTimeout(f"waited {limit} s in vain for: {what() if callable(what) else what}")
        time.sleep(0.005)


def run(*argv, text=None):
    """Run a program to its end and return its output; what it says on stderr goes into the error."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            err = ctypes.get_errno()
            raise OSError(err, f"setns {path}: {os.strerror(err)}")
    finally:
        os.close(fd)


class Namespace:
    """A network namespace of the lab. `name` is the short name of the test, `full` the system's."""

    def __init__(self, lab, name, full):
        self.lab = lab
        self.name = name
        self.full = full
        self.path = f"{NETNS_DIR}/{full}"
        run("ip", "netns", "add", full)
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)  # none: the lab adds it itself, without delay
        self.sysctl("net.ipv6.conf.default.router_solicitations", 0)
        self.sysctl("net.ipv6.conf.default.accept_ra", 0)
        self.ip("link set lo up")

    def __repr__(self):
        return f"<ns {self.full}>"

    def enter(self):
        """Move the calling thread into the namespace for good."""
        _setns(self.path)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread works in the namespace meanwhile: sockets it opens and processes it
        starts belong there, and it sees the namespace's /proc/sys/net."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter()
            yield self
        finally:
            if _libc.setns(home, CLONE_NEWNET):
                os._exit(70)  # lost in the wrong namespace: nothing sane can follow
            os.close(home)

    def ip(self, *commands):
        """Run `ip` commands here, e.g. ns.ip("link set v1 down", "addr add 10.0.0.9/24 dev v1")."""
        if len(commands) == 1:
            return run("ip", "-n", self.full, *commands[0].split())
        return run("ip", "-n", self.full, "-batch", "-", text="\n".join(commands) + "\n")

    def nft(self, text):
        """Apply nftables commands here as one transaction."""
        with self.inside():
            _nft(text)

    def sysctl(self, name, value):
        """Set a sysctl; only net.* entries that belong to a namespace make sense."""
        with self.inside(), open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as f:
            f.write(str(value))

    def ifindex(self, ifname):
        with self.inside():
            return socket.if_nametoindex(ifname)

    def link_ready(self, ifname):
        """Whether `ifname` is running (before, it loses what it is given) and has no tentative address.

        The kernel notices a new carrier up to 1 s late; asking by ethtool makes it look at once.
        """
        iff_running, ifa_f_tentative = 0x40, 0x40
        value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_GLINK, 0))
        with self.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            name = ifname.encode()
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", name, ctypes.addressof(value)))
            answer = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16s24x", name))
            with open("/proc/thread-self/net/if_inet6", encoding="ascii") as f:
                rows = [line.split() for line in f]
        running = struct.unpack_from("H", answer, 16)[0] & iff_running
        return running and not any(r[5] == ifname and int(r[4], 16) & ifa_f_tentative for r in rows)

    def delete(self):
        run("ip", "netns", "del", self.full)


_libnftables = None


def _load_libnftables():
    """The library of nft(8): a rule is in force 0.4 ms after the call, a process would take 5."""
    lib = ctypes.CDLL("libnftables.so.1")
    lib.nft_ctx_new.restype = ctypes.c_void_p
    lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_get_error_buffer"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    return lib


def _nft(text):
    global _libnftables
    if _libnftables is None:
        _libnftables = _load_libnftables()
    lib = _libnftables
    ctx = lib.nft_ctx_new(0)
    try:
        lib.nft_ctx_buffer_output(ctx)
        lib.nft_ctx_buffer_error(ctx)
        if lib.nft_run_cmd_from_buffer(ctx, text.encode()):
            raise RuntimeError("nft: " + lib.nft_ctx_get_error_buffer(ctx).decode())
    finally:
        lib.nft_ctx_free(ctx)


def enable_timestamps(sock):
    """Ask for the kernel's receive time; `arrival` finds it."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def arrival(cmsgs):
    """Arrival time of a datagram in seconds of CLOCK_MONOTONIC, from its control messages.

    Stamps are wall clock. The offset is taken anew for each packet, so a clock step between two
    packets does no harm.
    """
    now = time.monotonic_ns()
    offset = now - time.time_ns()
    for level, kind, data in cmsgs:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            sec, nsec = struct.unpack("qq", data[:16])
            return (sec * 1_000_000_000 + nsec + offset) / 1e9
    return now / 1e9
