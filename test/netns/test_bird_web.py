"""bird-web between a daemon and those who ask it: JSON, a stream of events, metrics; and who asks nonsense."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lab import heal, silent_cut, wait_until
from program import Program
from scenario import wait_fast
from test_monitor import World

PORT = 5644


class Gateway:
    """bird-web beside the daemon of a World, and what can be asked of it."""

    def __init__(self, world, *args):
        self.world = world
        self.program = Program(world.ns, world.one.binary("bird-web"), "-s", world.path, *args, cwd=world.one.dir)
        wait_until(self.answers, 3, self.program.lines)

    def open(self, path, headers=None, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=headers or {}, method=method)
        with self.world.ns.inside():
            return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5)

    def answers(self):
        try:
            return self.open("/api/protocols").status == 200
        except OSError:
            return False

    def get(self, path, **how):
        with self.open(path, **how) as answer:
            return answer.read().decode()

    def json(self, path):
        return json.loads(self.get(path))

    def sessions(self):
        return {s["session"]: s for s in self.json("/api/sessions")["sessions"]}

    def socket(self):
        with self.world.ns.inside():
            return socket.create_connection(("127.0.0.1", PORT), timeout=5)

    def stop(self):
        status = self.program.stop()
        self.program.__exit__()
        return status


class Stream:
    """/api/events, read as it comes."""

    def __init__(self, gateway):
        self.sock = gateway.socket()
        self.sock.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        self.text, self.events = b"", []

    def wait(self, event, limit=4, **members):
        """The data of the first such event from here on."""
        end = time.monotonic() + limit
        while True:
            while self.events:
                kind, data = self.events.pop(0)
                if kind == event and all(data.get(k) == v for k, v in members.items()):
                    return data
            assert time.monotonic() < end, self.text
            self.sock.settimeout(max(end - time.monotonic(), 0.01))
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                continue
            assert data, "the stream has ended"
            self.text += data
            *blocks, self.text = self.text.split(b"\n\n")
            for block in blocks:
                found = re.search(rb"event: (\w+)\r?\ndata: (.*)", block)
                if found:
                    self.events.append((found[1].decode(), json.loads(found[2])))

    def close(self):
        self.sock.close()


@pytest.fixture(name="gateway")
def fixture_gateway(lab):
    world = World(lab, neighbors=["10.77.1.2"])
    if not os.path.exists(world.one.binary("bird-web")):
        pytest.skip("built without libmicrohttpd")
    wait_fast(world.one, world.remote)
    gateway = Gateway(world)
    wait_until(lambda: gateway.sessions().get(world.id), 3, "the session")
    yield gateway
    assert gateway.stop() == 0, gateway.program.lines()


def test_the_page_and_what_it_may_do(gateway):
    with gateway.open("/") as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"</html>" in answer.read()


def test_sessions_details_history(gateway):
    world = gateway.world
    assert gateway.sessions()[world.id]["state"] == "up"
    quoted = urllib.parse.quote(world.id)
    details, = gateway.json(f"/api/details?id={quoted}&id=10.9.9.9")["details"]
    assert details["show"] == world.id and details["counters"]["ups"] == 1
    assert gateway.json(f"/api/history?id={quoted}")["history"] == []
    silent_cut(world.link)
    wait_until(lambda: gateway.sessions()[world.id]["state"] == "expired", 3, "Down")
    heal(world.link)
    wait_until(lambda: gateway.sessions()[world.id]["state"] == "up", 5, "Up")
    newest, older = gateway.json(f"/api/history?id={quoted}")["history"]
    assert newest["state"] == "up" and older["state"] == "expired" and older["verdict"] == "peer silent"
    assert [p["state"] for p in gateway.json("/api/protocols")["protocols"] if p["protocol"] == "bfd1"] == ["up"]


def test_a_stream_of_events(gateway):
    world = gateway.world
    streams = [Stream(gateway) for _ in range(20)]
    for stream in streams:
        assert stream.wait("connection")["connected"] is True
    silent_cut(world.link)
    for stream in streams:
        assert stream.wait("session", state="expired")["session"] == world.id
    streams.pop().close()
    heal(world.link)
    for stream in streams:
        stream.wait("session", state="up", limit=6)
        stream.close()


def test_the_daemon_goes_and_comes_back(gateway):
    world, stream = gateway.world, Stream(gateway)
    stream.wait("connection", connected=True)
    world.one.stop()
    assert "text" in stream.wait("connection", connected=False)
    assert gateway.json("/api/sessions")["connected"] is False
    assert "peregrine_up 0" in gateway.get("/metrics")
    world.one.start()
    stream.wait("connection", connected=True, limit=8)
    stream.wait("lost", limit=5)
    wait_until(lambda: gateway.sessions()[world.id]["state"] == "up", 5, "the session")
    assert "peregrine_up 1" in gateway.get("/metrics")
    stream.close()


def test_metrics(gateway, tmp_path):
    world = gateway.world
    silent_cut(world.link)
    wait_until(lambda: gateway.sessions()[world.id]["state"] == "expired", 3, "Down")
    heal(world.link)
    wait_until(lambda: gateway.sessions()[world.id]["state"] == "up", 5, "Up")
    text = gateway.get("/metrics")
    assert 'peregrine_bfd_sessions{protocol="bfd1",state="Up"} 1\n' in text
    assert 'peregrine_bfd_verdicts_total{protocol="bfd1",verdict="peer silent"} 1\n' in text
    assert 'peregrine_protocol_state{protocol="bfd1",class="BFD",peregrine_protocol_state="up"} 1\n' in text
    assert "peregrine_bfd_detection_time_seconds_sum{" in text and "peregrine_bfd_gap_seconds_bucket{" in text
    with gateway.open("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        body = answer.read().decode()
    assert body.endswith("# EOF\n") and "# TYPE peregrine_bfd_ups counter\n" in body
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path, method, status", [
    ("/nope", "GET", 404), ("/api/history", "GET", 400), ("/", "POST", 405), ("/api/sessions", "DELETE", 405)])
def test_what_is_not_there(gateway, path, method, status):
    with pytest.raises(urllib.error.HTTPError) as error:
        gateway.open(path, method=method)
    assert error.value.code == status


def test_garbage_and_slow_requests_hold_up_nobody(gateway):
    others = [gateway.socket() for _ in range(50)]
    for i, sock in enumerate(others):
        sock.sendall([b"\x00\xff" * 500, b"GET /api/sess", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx",
                      b"GET /" + b"a" * 20000][i % 5])
    assert gateway.sessions()
    for sock in others:
        sock.close()
    assert gateway.json("/api/details?" + "&".join(f"id={i}" for i in range(1, 300)))["details"] == []


def test_a_port_that_is_taken(gateway):
    with Program(gateway.world.ns, gateway.world.one.binary("bird-web"), "-s", gateway.world.path) as program:
        assert program.wait() == 3
        assert "Cannot listen on 127.0.0.1 port 5644: Address already in use" in program.lines()[0]
