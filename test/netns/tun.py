"""A point-to-point link: two TUN devices with a thread that carries the packets between them."""

import fcntl
import os
import select
import struct
import threading

from nslib import Missing

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


class TunLink:
    """Interface `ifname` in both namespaces, up, without addresses. `cut` loses every packet meanwhile."""

    def __init__(self, a, b, ifname="tun1"):
        self.cut = False
        self._fds = [self._open(ns, ifname) for ns in (a, b)]
        self._quit = os.eventfd(0)
        self._thread = threading.Thread(target=self._carry, name=f"tun {a.name}-{b.name}", daemon=True)
        self._thread.start()
        a.lab.adopt(self)

    @staticmethod
    def _open(ns, ifname):
        if not os.path.exists("/dev/net/tun"):
            raise Missing("no /dev/net/tun")
        with ns.inside():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", ifname.encode(), IFF_TUN | IFF_NO_PI))
            except OSError as e:
                os.close(fd)
                raise Missing(f"no TUN device: {e}") from e
        ns.ip(f"link set {ifname} up")
        return fd

    def _carry(self):
        other = dict(zip(self._fds, reversed(self._fds)))
        while True:
            ready, _, _ = select.select([*self._fds, self._quit], [], [])
            if self._quit in ready:
                return
            for fd in ready:
                try:
                    packet = os.read(fd, 4096)
                    if not self.cut:
                        os.write(other[fd], packet)
                except OSError:  # nothing after all, or the other end is down
                    continue

    def describe(self):
        return f"--- {self._thread.name}: {'cut' if self.cut else 'whole'}"

    def trouble(self):
        return None if self._thread.is_alive() else f"{self._thread.name} ended"

    def stop(self):
        os.eventfd_write(self._quit, 1)
        self._thread.join()
        for fd in (*self._fds, self._quit):
            os.close(fd)
