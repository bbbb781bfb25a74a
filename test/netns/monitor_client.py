"""A client of the monitor protocol on a raw socket, written from bird.conf(5)."""

import json
import select
import socket
import time


class Closed(Exception):
    """The daemon has closed the connection."""


class MonitorClient:
    """One connection. Everything received is kept in order: `events` have a `seq`, the rest are answers."""

    def __init__(self, where, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(where)
        self.sock.settimeout(5)
        self.events, self.answers, self.notifies = [], [], []
        self.rest = b""

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, **command):
        self.send_raw(json.dumps(command).encode() + b"\n")

    def receive(self, limit):
        """Wait up to `limit` seconds for anything; False when nothing came."""
        if not select.select([self.sock], [], [], max(limit, 0))[0]:
            return False
        data = self.sock.recv(1 << 20)
        if not data:
            raise Closed
        now = time.monotonic()
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            message["_received"] = now
            if "seq" in message:
                self.events.append(message)
            elif "MsgType" in message:
                self.notifies.append(message)
            else:
                self.answers.append(message)
        return True

    def wait(self, what, limit=3.0):
        """What `what()` finds true, looked for after each arrival."""
        end = time.monotonic() + limit
        while True:
            found = what()
            if found:
                return found
            if not self.receive(end - time.monotonic()):
                found = what()
                assert found, f"nothing came: {self.events[-5:]}, {self.answers[-5:]}, {self.notifies[-5:]}"
                return found

    def ask(self, limit=3.0, **command):
        """The answer to a command."""
        count = len(self.answers)
        self.send(**command)
        return self.wait(lambda: self.answers[count:], limit)[0]

    def take_event(self, limit=3.0, **members):
        """The first event with these members, which is dropped with all before it."""
        def found():
            for i, event in enumerate(self.events):
                if all(event.get(k) == v for k, v in members.items()):
                    del self.events[:i + 1]
                    return event
            return None
        return self.wait(found, limit)

    def silence(self, seconds=0.3):
        """Nothing comes for that long."""
        before = len(self.events), len(self.answers), len(self.notifies)
        end = time.monotonic() + seconds
        while self.receive(end - time.monotonic()):
            pass
        assert before == (len(self.events), len(self.answers), len(self.notifies)), self.events

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
