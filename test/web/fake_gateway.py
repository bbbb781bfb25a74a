#!/usr/bin/python3
"""What bird-web says to its page, without a daemon: sessions that do what they are told.

As a program it serves the page with sessions that flap, for looking at it:
fake_gateway.py [--port N] [--sessions N] [--flaps PER_SECOND]
"""
import argparse
import collections
import http.server
import ipaddress
import json
import os
import queue
import random
import threading
import time
import urllib.parse

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "web", "index.html")
POLICY = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
          "img-src data:")
PING_SECONDS = 10
BFD_STATE = {"up": "Up", "down": "Down", "expired": "Down", "created": "Down"}


def wall_us():
    return time.time_ns() // 1000


def many_ids(count):
    """Direct sessions on 16 interfaces, every 8th one multihop, every 5th one IPv6."""
    for i in range(count):
        peer = ipaddress.ip_address("10.0.0.1") + i
        if i % 8 == 7:
            yield f"{peer}@192.0.2.1"
        elif i % 5 == 4:
            yield f"{ipaddress.ip_address('2001:db8::1') + i}%eth{i % 16}"
        else:
            yield f"{peer}%eth{i % 16}"


class Sessions:
    """The sessions and what happens to them. Whatever changes is told to all streams."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sequence = 0
        self.by_id = {}
        self.history = collections.defaultdict(list)
        self.protocols = {}
        self.connected = True
        self.text = ""
        self.streams = set()

    def tell(self, name, data, number=None):
        """With the lock held."""
        text = f"event: {name}\ndata: {json.dumps(data)}\n\n"
        if number is not None:
            text = f"id: {number}\n{text}"
        for stream in self.streams:
            stream.put(text)

    def put(self, session, state="up", silent=False, **members):
        """The session comes, goes or changes; silently: nobody hears of it."""
        with self.lock:
            old = self.by_id.get(session)
            event = {
                "session": session, "state": state, "bfd_state": BFD_STATE.get(state, "Down"),
                "diagnostic": "Time expired" if state == "expired" else "None",
                "remote_state": "Up" if state == "up" else "Down",
                "local_discriminator": 1 + len(self.by_id), "remote_discriminator": 77,
                "wall_us": wall_us(), "monotonic_us": time.monotonic_ns() // 1000,
            }
            event.update(members)
            if state in ("down", "expired"):
                event.setdefault("verdict", "peer silent" if state == "expired" else "peer said so")
            self.sequence += 1
            if state == "destroyed":
                self.by_id.pop(session, None)
            else:
                self.by_id[session] = event
            if old:
                record = {name: event[name] for name in ("wall_us", "state", "diagnostic", "verdict") if name in event}
                self.history[session].insert(0, record)
            if not silent:
                previous = {"previous": old["state"]} if old else {}
                self.tell("session", {**event, **previous}, self.sequence)

    def put_protocol(self, name, state):
        with self.lock:
            self.protocols[name] = {"protocol": name, "class": "BFD", "state": state, "wall_us": wall_us()}
            self.tell("protocol", self.protocols[name])

    def set_connected(self, connected, text=""):
        with self.lock:
            self.connected, self.text = connected, text
            self.tell("connection", {"connected": connected, "text": text})

    def say_lost(self):
        with self.lock:
            self.tell("lost", {})

    def subscribe(self):
        stream = queue.SimpleQueue()
        with self.lock:
            stream.put(f"event: connection\ndata: {json.dumps({'connected': self.connected, 'text': self.text})}\n\n")
            self.streams.add(stream)
        return stream

    def leave(self, stream):
        with self.lock:
            self.streams.discard(stream)

    def drop_streams(self):
        with self.lock:
            for stream in self.streams:
                stream.put(None)

    def listed(self):
        with self.lock:
            return {"connected": self.connected, "version": "0.1.0", "sequence": self.sequence,
                    "sessions": list(self.by_id.values())}

    def details(self, ids):
        with self.lock:
            return {"details": [detail(self.by_id[i]) for i in ids if i in self.by_id]}


def detail(event):
    """As `show` answers; see proto/monitor/detail.c."""
    session = event["session"]
    direct = "@" not in session
    remote, _, rest = session.partition("%" if direct else "@")
    rng = random.Random(session)
    tx = rng.choice([10000, 50000, 300000])
    gaps = [int(tx * rng.uniform(0.75, 1.1)) for _ in range(16)]
    parameters = {"min_tx_interval": tx, "min_rx_interval": tx, "multiplier": 3, "demand": False}
    answer = {
        "show": session, "state": event["state"], "remote": remote, "local": "192.0.2.1",
        **({"interface": rest} if direct else {}), "multihop": not direct, "protocol": "bfd1",
        "requested_by": [rng.choice(["static1", "bfd1", "monitor1: rack-controller"])],
        "bfd_state": event["bfd_state"], "remote_state": event["remote_state"], "diagnostic": event["diagnostic"],
        **({"verdict": event["verdict"]} if "verdict" in event else {}),
        "local_discriminator": event["local_discriminator"], "remote_discriminator": 77,
        "since_wall_us": event["wall_us"], "held": False, "min_ttl": 255, "passive": False,
        "tx_interval": tx, "tx_left": tx // 2, "detection_time": 3 * tx, "detect_left": 2 * tx,
        "remote_diagnostic": "None", "local_parameters": parameters, "remote_parameters": parameters,
        "poll": False, "last_rx_ago": tx // 3, "authentication": {"type": "Keyed SHA1", "rx_sequence": 4711},
        "offload": {"wanted": "auto", "now": "ring", "packets": 123456, "link_layer": True},
        "arrivals": {"count": 98765, "largest_us": 2 * tx, "last_us": gaps,
                     "histogram_us": [[16384, 90000], [32768, 8000], [65536, 700], [131072, 60], [0, 5]]},
        "counters": {"rx": 98766, "tx": 98700, "tx_errors": 0, "ups": 1, "stalls": 0, "refused": {},
                     "downs": {"Time expired": 2}, "verdicts": {"peer silent": 2}},
    }
    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    """A connection for each question, so that none outlives Gateway.stop."""

    def do_GET(self):
        gateway, sessions = self.server.gateway, self.server.gateway.sessions
        url = urllib.parse.urlsplit(self.path)
        ids = urllib.parse.parse_qs(url.query).get("id", [])
        gateway.asked.append((url.path, ids))
        if url.path == "/api/events":
            self.stream(sessions)
        elif url.path == "/":
            with open(PAGE, "rb") as page:
                self.answer(page.read(), "text/html; charset=utf-8")
        elif url.path == "/api/sessions":
            self.answer_json(sessions.listed())
        elif url.path == "/api/details" and len(ids) <= 64:
            self.answer_json(sessions.details(ids))
        elif url.path == "/api/history" and len(ids) == 1:
            self.answer_json({"history": sessions.history[ids[0]]})
        elif url.path == "/api/protocols":
            self.answer_json({"protocols": list(sessions.protocols.values())})
        else:
            self.send_error(404)

    def answer_json(self, value):
        self.answer(json.dumps(value).encode(), "application/json")

    def answer(self, body, kind):
        self.server.gateway.mute.wait()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, sessions):
        self.server.gateway.mute.wait()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        stream = sessions.subscribe()
        try:
            while (text := self.next_text(stream)) is not None:
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            sessions.leave(stream)

    @staticmethod
    def next_text(stream):
        try:
            return stream.get(timeout=PING_SECONDS)
        except queue.Empty:
            return ": ping\n\n"

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """A browser that leaves in the middle of an answer is nothing to tell of."""


class Gateway:
    """Serves the sessions on 127.0.0.1, stops, and does so again on the same port."""

    def __init__(self, port=0):
        self.sessions = Sessions()
        self.asked = []  # (path, ids)
        self.mute = threading.Event()  # cleared: answers have to wait
        self.mute.set()
        self.port = port
        self.server = None

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.gateway = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        self.sessions.drop_streams()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8480)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--flaps", type=float, default=1, metavar="PER_SECOND")
    args = parser.parse_args()
    gateway = Gateway(args.port)
    ids = list(many_ids(args.sessions))
    for session in ids:
        gateway.sessions.put(session)
    gateway.sessions.put_protocol("bfd1", "up")
    gateway.start()
    print(gateway.url, flush=True)
    while True:
        time.sleep(1 / args.flaps if args.flaps else 3600)
        gateway.sessions.put(random.choice(ids), random.choice(["up", "up", "down", "expired", "created"]))


if __name__ == "__main__":
    main()
