"""A network behind two next hops: the preferred one watched by BFD, the other one always there."""

import socket
import struct
import threading
import time

from lab import heal, silent_cut, wait_until
from scenario import DETECTION

RTM_NEWROUTE, RTM_DELROUTE = 24, 25
SO_RCVBUFFORCE = 33
RTMGRP = 0x40 | 0x400  # RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE
NETS = ("198.51.100.0/24", "2001:db8:100::/48")


class RouteWatch:
    """Every change of a route in a namespace, with the monotonic time at which it was heard of."""

    def __init__(self, ns):
        with ns.inside():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.bind((0, RTMGRP))
        self.sock.settimeout(0.5)
        self.open = True
        self.seen = []  # (time, type, family, gateway)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while self.open:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                continue
            now = time.monotonic()
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (RTM_NEWROUTE, RTM_DELROUTE):
                    self.seen.append((now, kind, data[16], self._gateway(data[28:length])))
                data = data[(length + 3) & ~3:]

    @staticmethod
    def _gateway(attrs):
        while len(attrs) >= 4:
            length, kind = struct.unpack_from("=HH", attrs)
            if kind == 5:  # RTA_GATEWAY
                value = attrs[4:length]
                return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
            attrs = attrs[max((length + 3) & ~3, 4):]
        return None

    def wait_gateway(self, gateway, since, limit=5):
        """The time at which a route by this gateway was put into place after `since`."""
        return wait_until(lambda: next((at for at, kind, _, gw in list(self.seen)
                                        if at >= since and kind == RTM_NEWROUTE and gw == gateway), None),
                          limit, f"a route via {gateway}")

    def close(self):
        self.open = False
        self.thread.join()
        self.sock.close()


def config(first, second, extra=""):
    """Two static protocols per family with different preferences; `first` and `second` are the links."""
    text = f"""router id 10.0.0.1;
protocol device {{ }}
protocol bfd {{ interface "*" {{ interval 50 ms; multiplier 3; }}; }}
protocol kernel kernel4 {{ ipv4 {{ export all; }}; }}
protocol kernel kernel6 {{ ipv6 {{ export all; }}; }}
{extra}
"""
    for family, net, mine, other in (("ipv4", NETS[0], first.b.ip4, second.b.ip4),
                                     ("ipv6", NETS[1], first.b.ip6, second.b.ip6)):
        text += (f"protocol static best{family[3]} {{ {family} {{ preference 220; }}; route {net} via {mine} bfd; }}\n"
                 f"protocol static rest{family[3]} {{ {family} {{ preference 180; }}; route {net} via {other}; }}\n")
    return text


def peer_config(link):
    return f"""router id 10.0.0.2;
protocol device {{ }}
protocol bfd {{
  interface "*" {{ interval 50 ms; multiplier 3; }};
  neighbor {link.a.ip4} dev "{link.b.ifname}";
  neighbor {link.a.ip6} dev "{link.b.ifname}";
}}
"""


def lateness(capture, remote, cut_at, moved_at):
    """Seconds from the end of the detection time, counted from the last packet heard, to the moved route."""
    heard = [p.time for p in capture.packets(lambda p: not p.outgoing and p.src == remote) if p.time < cut_at]
    late = moved_at - heard[-1] - DETECTION
    if late < 0 and cut_at - heard[-1] < 0.002:  # it may have been lost while the cut was made
        late = moved_at - heard[-2] - DETECTION
    return late


def one_cut(link, spare, capture, watch):
    """Cut, wait until both families moved, heal, wait until both are back; returns how late each was."""
    cut_at = silent_cut(link)
    late = [lateness(capture, remote, cut_at, watch.wait_gateway(gateway, cut_at))
            for remote, gateway in ((link.b.ip4, spare.b.ip4), (link.b.ip6, spare.b.ip6))]
    healing = time.monotonic()
    heal(link)
    for gateway in (link.b.ip4, link.b.ip6):
        watch.wait_gateway(gateway, healing, 10)
    return late
