"""The monitor under clients that misbehave, thousands of sessions, and a daemon that changes under both."""

import os
import re
import resource
import select
import socket
import time

import pytest

from lab import Peregrine, heal, silent_cut, wait_until
from many import Far, wait_states
from monitor_client import Closed, MonitorClient
from scenario import DETECTION, bfd, detail, direct, wait_fast
from test_monitor import ASKED, World

THOUSANDS = 2000
CLIENTS = 200
PROMPT = 1.0  # from what happens until a client hears of it, on a busy machine
GROWTH = 20_000  # kB that may come to the daemon while a client does not read


@pytest.fixture(name="world")
def fixture_world(lab):
    return World(lab)


def monitor(body="", name="mon", path="monitor.sock"):
    return f'protocol monitor {name} {{ socket "{path}"; {body} }}\n'


class Crowd:
    """A daemon with `count` neighbours, or at first `configured` of them, and a monitor. None answers unless `alive`."""

    def __init__(self, lab, count, body="", alive=False, configured=None):
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.body, configured = body, configured or count
        self.far = Far(self.link, count, interval=300)
        if alive:
            self.far.start()
        self.one = Peregrine(self.link.a.ns, self.config(configured))
        self.path = os.path.join(self.one.dir, "monitor.sock")
        wait_until(lambda: os.path.exists(self.path), 3, "the socket of the monitor")
        if alive:
            wait_states(self.one, "Up", count)
        with self.client() as client:
            wait_until(lambda: len(client.ask(cmd="list")["sessions"]) == configured, 5, "the sessions")

    def config(self, count):
        options = f"interval {self.far.interval} ms; multiplier {self.far.mult};"
        return monitor(self.body) + bfd(*(direct(x, self.link.a) for x in self.far.addresses[:count]), options=options)

    def client(self, **how):
        return MonitorClient(self.path, **how)

    def cycle(self):
        """All sessions go and come."""
        self.one.birdc("disable bfd1")
        self.one.birdc("enable bfd1")


def counters(daemon):
    """Clients, and events lost, as the daemon counts them."""
    text = "\n".join(t for _, t in daemon.birdc("show protocols all mon"))
    return int(re.search(r"(\d+) connected", text)[1]), int(re.search(r"(\d+) lost", text)[1])


def wait_quiet(daemon):
    """It has nothing more to do for whoever does not read."""
    last = [None, 0.0]

    def quiet():
        used = daemon.usage()[0]
        if used > (last[0] or -1) + 0.02:
            last[:] = used, time.monotonic()
        return time.monotonic() - last[1] > 0.2
    wait_until(quiet, 10, "the daemon to be quiet")


class Listener:
    """A client that only counts: hundreds of them are to be read in time."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.setblocking(False)
        self.sock.send(b'{"cmd":"subscribe","session":"all"}\n')
        self.rest, self.counts = b"", {}

    def read(self, words):
        data = self.rest + self.sock.recv(1 << 20)
        end = data.rfind(b"\n") + 1
        self.rest = data[end:]
        for word in words:
            self.counts[word] = self.counts.get(word, 0) + data.count(word, 0, end)


def hear(listeners, words, done, limit):
    """Read all of them until `done` says so of each one."""
    left = {x.sock: x for x in listeners if not done(x)}
    poll = select.poll()
    for sock in left:
        poll.register(sock, select.POLLIN)
    by_fd = {sock.fileno(): x for sock, x in left.items()}
    end = time.monotonic() + limit
    while by_fd:
        assert time.monotonic() < end, f"{len(by_fd)} have not heard all: {next(iter(by_fd.values())).counts}"
        for fd, _ in poll.poll(100):
            by_fd[fd].read(words)
            if done(by_fd[fd]):
                poll.unregister(fd)
                del by_fd[fd]


def test_a_storm_is_told_to_hundreds(lab):
    """Each hears of each session once, and of the end of each, with nothing lost."""
    crowd = Crowd(lab, THOUSANDS, alive=True)
    words = (b'"initial":true', b'"synchronized"', b'"expired","previous":"up"', b'"lost"')
    with crowd.client() as witness:
        witness.ask(cmd="subscribe", session="all")
        witness.take_event(event="synchronized", sessions=THOUSANDS)
        listeners = [Listener(crowd.path) for _ in range(CLIENTS)]
        hear(listeners, words, lambda x: x.counts.get(b'"synchronized"'), 20)
        crowd.far.kill()
        hear(listeners, words, lambda x: x.counts[b'"expired","previous":"up"'] >= THOUSANDS, 20)
        for listener in listeners:
            assert listener.counts == {words[0]: THOUSANDS, words[1]: 1, words[2]: THOUSANDS, words[3]: 0}
            listener.sock.close()
        witness.wait(lambda: len(witness.events) >= THOUSANDS, 5)
        assert {e["state"] for e in witness.events} == {"expired"}
        assert len({e["session"] for e in witness.events}) == len(witness.events) == THOUSANDS
        wait_until(lambda: counters(crowd.one) == (1, 0), 5, "the others to be gone")


def test_who_does_not_read_is_told_what_it_lost(lab):
    """The loss is counted, all states follow; meanwhile others hear in time and memory does not grow."""
    crowd = Crowd(lab, 500, body="queue limit 1000;")
    with crowd.client(receive_buffer=4096) as slow, crowd.client() as witness:
        for client in slow, witness:
            client.ask(cmd="subscribe", session="all")
            client.take_event(event="synchronized", sessions=500)
        before = crowd.one.usage()[1]
        for _ in range(8):
            crowd.cycle()
            witness.wait(lambda: sum(e["state"] == "created" for e in witness.events) >= 500)
            told = [e["_received"] - e["monotonic_us"] / 1e6 for e in witness.events if e["state"] == "destroyed"]
            assert len(told) == 500 and max(told) < PROMPT
            witness.silence(0.05)
            last, witness.events = witness.events[-1], []
        if not crowd.one.sanitized():
            assert crowd.one.usage()[1] < before + GROWTH
        slow.wait(lambda: any(e.get("event") == "synchronized" for e in slow.events), 5)
        read = [e for e in slow.events if "state" in e and "initial" not in e]
        states = [e for e in slow.events if "initial" in e]
        loss = next(e for e in slow.events if e.get("event") == "lost")
        assert [e["seq"] for e in slow.events] == list(range(slow.events[0]["seq"], slow.events[-1]["seq"] + 1))
        assert read and all(e["seq"] < loss["seq"] for e in read)
        assert len(read) + loss["lost"] == 8 * 1000 == last["seq"] - 501
        assert len({e["session"] for e in states}) == len(states) == slow.events[-1]["sessions"] == 500
        assert {e["state"] for e in states} == {"created"}
        assert counters(crowd.one)[1] == loss["lost"]
        crowd.one.birdc("disable bfd1")
        slow.events.clear()
        slow.wait(lambda: sum(e["state"] == "destroyed" for e in slow.events) == 500)


def test_who_asks_and_does_not_read_costs_a_buffer(lab):
    crowd = Crowd(lab, 500)
    with crowd.client(receive_buffer=4096) as deaf, crowd.client() as other:
        before = crowd.one.usage()[1]
        deaf.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            for _ in range(1000):
                deaf.sock.send(b'{"cmd":"show"}{"cmd":"list"}\n' * 1000)
        wait_quiet(crowd.one)
        with pytest.raises(BlockingIOError):
            for _ in range(1000):
                deaf.sock.send(b'{"cmd":"show"}{"cmd":"list"}\n' * 1000)
        asked = time.monotonic()
        assert len(other.ask(cmd="list")["sessions"]) == 500 and time.monotonic() - asked < PROMPT
        if not crowd.one.sanitized():
            assert crowd.one.usage()[1] < before + GROWTH
    wait_until(lambda: counters(crowd.one)[0] == 0, 3, "both to be gone")


def test_connections_that_break_off_anywhere(world):
    """In the middle of a command, of an answer, of states; with sessions asked for, which go with them."""
    lines = [b'{"cmd":"subscribe","session":"all"}', b'{"cmd":"show"}', b'{"cmd":"list"}', b'{"cmd":"events"}',
             b'{"cmd":"subscribe","session":"10.77.1.%d"}', b'{"MsgType":"Subscribe","SessionID":{"PeerAddr":"10.77.1.%d"}}']
    world.one.reload(world.config(monitor="linger 0 s;"))
    for i in range(240):
        with world.client() as client:
            text = b"".join(line % (i % 40 + 3) if b"%" in line else line for line in lines[i % 6:] + lines[:i % 6])
            client.send_raw(text[:1 + i * len(text) // 240])
            if i % 3 == 0:
                client.receive(0.01)
    with world.client() as client:
        wait_until(lambda: not client.ask(cmd="list")["sessions"], 3, "all to go")
        assert counters(world.one)[0] == 1


def test_the_daemon_restarts_under_its_clients(world):
    """In an orderly way, and by being killed: the socket it left is replaced."""
    for end in world.one.stop, world.one.kill:
        clients = [world.client() for _ in range(50)]
        for client in clients:
            client.ask(cmd="subscribe", session=world.remote, **ASKED)
        clients[0].take_event(bfd_state="Up", limit=5)
        end()
        for client in clients:
            with pytest.raises((Closed, ConnectionError)):
                while client.receive(3):
                    pass
            client.close()
        world.one.start()
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up", limit=6)


def test_bfd_is_disabled_under_subscriptions(world):
    """Subscriptions and what was asked for outlive it."""
    with world.client() as client, world.client() as other:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up")
        other.ask(cmd="subscribe", session="all")
        for _ in range(2):
            world.one.birdc("disable bfd1")
            for each in client, other:
                assert each.take_event(state="destroyed")["previous"] == "up"
            assert other.ask(cmd="list")["sessions"] == []
            assert other.ask(cmd="show")["shown"] == 0
            world.one.birdc("enable bfd1")
            for each in client, other:
                each.take_event(state="created", limit=5)
                assert each.take_event(state="up", limit=5)["previous"] == "created"
        world.one.birdc("disable bfd1")
        client.take_event(state="destroyed")
        assert client.ask(cmd="unsubscribe", session=world.remote)
        assert other.ask(cmd="subscribe", session=world.id)["requested"] is True
        world.one.birdc("enable bfd1")
        other.take_event(state="up", limit=5)
        client.silence(0.1)


def test_descriptors_are_left_for_others(lab):
    """Some are spared: clients beyond are turned away, those who are connected and the control socket are served."""
    world = World(lab, neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    with world.client() as client:
        client.ask(cmd="subscribe", session="all")
        soft, hard = resource.prlimit(world.one.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(world.one.pid, resource.RLIMIT_NOFILE, (64, hard))
        many = [world.client() for _ in range(70)]
        wait_until(lambda: "There is no room for another client" in world.one.log(), 3, "a line")
        assert client.ask(cmd="list")["sessions"] == [world.id]
        assert client.ask(cmd="subscribe", session="10.77.1.9")["requested"] is True
        client.take_event(state="created")
        with world.one.control() as control:
            assert "Up" in str(control.command("show bfd sessions"))
        for each in many:
            each.close()
        wait_until(lambda: counters(world.one)[0] == 1, 3, "the others to be gone")
        with world.client() as another:
            another.ask(cmd="hello")
        resource.prlimit(world.one.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert not [e for e in client.events if e["state"] in ("down", "expired")]


def closed(client):
    with pytest.raises((Closed, ConnectionError)):
        while client.receive(3):
            pass
    return True


def test_the_monitor_is_disabled_and_enabled(world):
    """Clients and what they asked for go with it; afterwards all is as at the beginning."""
    for _ in range(3):
        client, idle = world.client(), world.client()
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="created")
        client.send_raw(b'{"cmd":"show"}{"cmd":"subscribe","session":"all"}' * 20)
        world.one.birdc("disable mon")
        assert closed(client) and closed(idle)
        assert not os.path.exists(world.path)
        wait_until(lambda: not world.has_session(), 3, "the session to go")
        world.one.birdc("enable mon")
        wait_until(lambda: os.path.exists(world.path), 3, "the socket")
        with world.client() as fresh:
            assert fresh.ask(cmd="list")["sessions"] == []
    assert counters(world.one)[1] == 0


def test_the_monitor_is_removed_and_added(world):
    client = world.client()
    client.ask(cmd="subscribe", session=world.remote, **ASKED)
    client.take_event(state="up")
    world.one.reload(bfd(direct("10.77.1.9", world.link.a)))
    assert closed(client) and not os.path.exists(world.path)
    wait_until(lambda: not world.has_session(), 3, "the session to go")
    world.one.reload(monitor(name="other") + bfd(direct("10.77.1.9", world.link.a)))
    with world.client() as client:
        wait_until(lambda: client.ask(cmd="list")["sessions"] == [f"10.77.1.9%{world.link.a.ifname}"], 3, "the other one")


def test_sockets_change_under_clients(world):
    """Connections outlive the socket they came by, be it of a file or of TCP."""
    new = os.path.join(world.one.dir, "new.sock")
    world.one.reload(world.config(monitor="listen 127.0.0.1 port 7777;"))
    with world.client() as client, world.tcp(7777) as remote:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up")
        remote.ask(cmd="subscribe", session="all")
        remote.take_event(state="up", initial=True)
        world.one.reload(world.config(monitor="listen 127.0.0.1 port 7778;").replace('monitor.sock"', 'new.sock" mode 600'))
        assert not os.path.exists(world.path) and os.stat(new).st_mode & 0o777 == 0o600
        with pytest.raises(ConnectionRefusedError):
            world.tcp(7777)
        with MonitorClient(new) as other, world.tcp(7778) as other_remote:
            assert other.ask(cmd="list")["sessions"] == other_remote.ask(cmd="list")["sessions"] == [world.id]
        silent_cut(world.link)
        client.take_event(state="expired")
        remote.take_event(state="expired")
        heal(world.link)
        client.take_event(state="up")
        world.one.reload(world.config())
        assert not os.path.exists(new)
        with world.client() as again:
            assert again.ask(cmd="list")["sessions"] == [world.id]
        assert client.ask(cmd="change", session=world.remote, multiplier=5)["changed"]


def test_two_instances_watch_the_same(world):
    """What programs at both ask for is one session, which the last of them takes with it."""
    path = os.path.join(world.one.dir, "two.sock")
    world.one.reload(monitor("linger 0 s;") + monitor("linger 0 s;", "mon2", "two.sock") + bfd())
    with world.client() as first, MonitorClient(path) as second, MonitorClient(path) as watcher:
        watcher.ask(cmd="subscribe", session="all")
        first.ask(cmd="subscribe", session=world.remote, **ASKED)
        first.take_event(state="up")
        assert second.ask(cmd="subscribe", session=world.remote, **ASKED)["requested"] is True
        assert watcher.take_event(state="up")["session"] == world.id
        assert sorted(watcher.ask(cmd="show")["requested_by"]) == ["mon", "mon2"]
        world.one.birdc("disable mon")
        assert closed(first)
        watcher.silence(2 * DETECTION)
        world.one.birdc("enable mon")
        with world.client() as first:
            wait_until(lambda: first.ask(cmd="list")["sessions"] == [world.id], 3, "the session at the other")
            second.close()
            watcher.take_event(state="destroyed")
            wait_until(lambda: first.ask(cmd="list")["sessions"] == [], 3, "it to go")


def test_two_dialects_on_one_connection(world):
    """Each subscription is told in the words it came in, and lives on its own."""
    session = {"PeerAddr": world.remote, "LocalAddr": "0.0.0.0", "PeerPort": 0, "LocalPort": 99}
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.send(MsgType="Subscribe", SessionID=session)
        client.take_event(state="up")
        client.wait(lambda: client.notifies and client.notifies[-1]["State"] == "Up")
        client.send(MsgType="Subscribe", SessionID=session, SessionOpts={"DetectMult": 0})
        client.wait(lambda: client.notifies[-1]["MsgType"] == "Error")
        assert client.ask(cmd="list", id=3)["id"] == 3
        silent_cut(world.link)
        client.take_event(state="expired")
        client.wait(lambda: client.notifies[-1].get("State") == "Down")
        assert client.notifies[-1]["SessionID"]["LocalPort"] == 99
        heal(world.link)
        client.take_event(state="up")
        client.wait(lambda: client.notifies[-1]["State"] == "Up")
        client.ask(cmd="unsubscribe", session=world.remote)
        client.events.clear()
        world.peers[0].admin_down()
        client.wait(lambda: client.notifies[-1]["State"] == "Down")
        assert not client.events and world.has_session()
        client.send(MsgType="Unsubscribe", SessionID=session)
        wait_until(lambda: not world.has_session(), 3, "the session to go")


def test_all_are_shown_during_a_reload(lab):
    """Which changes all of them and adds as many; beside clients that leave. Each `show` ends, and repeats nothing."""
    crowd = Crowd(lab, THOUSANDS, configured=THOUSANDS // 2)
    with crowd.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.take_event(event="synchronized", sessions=THOUSANDS // 2)
        leaving = [crowd.client() for _ in range(10)]
        for each in leaving:
            each.send(cmd="show")
        client.answers.clear()
        client.send(cmd="show")
        client.wait(lambda: len(client.answers) > 20)
        crowd.far.interval = 500
        crowd.one.reload(crowd.config(THOUSANDS), check=False)
        for each in leaving:
            each.close()
        client.wait(lambda: "shown" in client.answers[-1], 10)
        shown = [a["show"] for a in client.answers[:-1]]
        assert len(set(shown)) == len(shown) == client.answers[-1]["shown"]
        assert THOUSANDS // 2 <= len(shown) <= THOUSANDS
        client.wait(lambda: sum(e["state"] == "created" for e in client.events) == THOUSANDS // 2, 5)
        assert len(client.ask(cmd="list")["sessions"]) == THOUSANDS
        wait_until(lambda: counters(crowd.one) == (1, 0), 3, "the others to be gone")


def test_ids_of_all_forms(world):
    """One session each for v6, link-local and multihop; the place stays when the discriminator goes."""
    a, b = world.link.ends
    ids = [f"{b.ip6}%{a.ifname}", f"{b.ll}%{a.ifname}", f"{b.ip6}@{a.ip6}", world.id]
    with world.client() as client:
        assert client.ask(cmd="subscribe", session=b.ll)["error"]["code"] == "bad-value"
        asked = [dict(session=b.ip6), dict(session=b.ll, interface=a.ifname), dict(session=b.ip6, multihop=True, local=a.ip6),
                 dict(session=world.id)]
        for name, how in zip(ids, asked):
            assert client.ask(cmd="subscribe", **how)["requested"] is True
            assert client.take_event(state="created")["session"] == name
        assert sorted(client.ask(cmd="list")["sessions"]) == sorted(ids)
        discs = [client.ask(cmd="show", session=name)["local_discriminator"] for name in ids]
        client.wait(lambda: sum("shown" in x for x in client.answers) == len(ids))
        for name, disc in zip(ids, discs):
            answer = client.ask(cmd="subscribe", session=str(disc))
            assert answer["subscribed"] == name
        client.wait(lambda: sum("initial" in e for e in client.events) == len(ids))
        world.one.birdc("disable bfd1")
        world.one.birdc("enable bfd1")
        client.wait(lambda: sum(e["state"] == "created" and "initial" not in e for e in client.events) == len(ids), 5)
        for bad in f"{b.ip6}@{a.ip4}", f"{b.ip6}%", "10.77.1.2/32", "0.0.0.0", "::", "224.0.0.5", "4294967296", "0", "-1", "":
            assert client.ask(cmd="subscribe", session=bad)["error"]["code"] == "bad-value", bad


def test_other_authentication_than_is_configured(lab):
    """The configuration's session stays as it is, and Up; who wants it otherwise is told that this is not to be had."""
    world = World(lab, neighbors=["10.77.1.2"], monitor='key "core" { authentication keyed sha1; password "x" { id 3; }; };')
    wait_fast(world.one, world.remote)
    with world.client() as client:
        client.ask(cmd="subscribe", session="all")
        answer = client.ask(cmd="subscribe", session=world.remote, authentication="core")
        assert answer["error"]["code"] == "differs"
        client.silence(2 * DETECTION)
        assert [e["state"] for e in client.events if "state" in e] == ["up"]
        assert "Authentication" not in str(detail(world.one, world.remote))


def test_passwords_follow_the_configuration(lab):
    """A key that goes leaves what was asked for with it as it is."""
    key = 'key "core" { authentication keyed sha1; password "%s" { id 3; }; };'
    world = World(lab, monitor=key % "x", peers=0)
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, authentication="core")
        world.one.reload(world.config(monitor=key % "y"))
        world.one.reload(world.config(monitor=""))
        wait_until(lambda: 'no authentication "core" any more' in world.one.log(), 2, "a line")
        assert client.ask(cmd="list")["sessions"] == [world.id]


def test_the_daemon_stands_still(world):
    """Stopped and continued: who waited is told what happened meanwhile, once and in order."""
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up")
        world.one.pause()
        try:
            client.send(cmd="list")
            world.peers[0].admin_down()
            client.silence(2 * DETECTION)
        finally:
            world.one.resume()
        client.wait(lambda: client.answers[1:])
        client.wait(lambda: client.events)
        assert client.events[0]["state"] in ("down", "expired") and client.events[0]["previous"] == "up"
        client.silence(0.2)
        assert [e["state"] for e in client.events[1:]] in ([], ["up"])
