"""The monitor, as bird.conf(5) describes it: sessions are listed, watched, asked for and given back."""

import os
import socket
import time

import pytest

from bfdpkt import UP
from lab import Bird2, Peregrine, heal, silent_cut, wait_until
from monitor_client import Closed, MonitorClient
from peer import BfdPeer
from scenario import DETECTION, FAST, bfd, detail, direct, multihop, wait_detail, wait_fast

ASKED = {"interval": 50_000, "multiplier": 3, "idle_tx_interval": 200_000}


class World:
    """The daemon with a monitor, and a host whose BFD sessions it may have."""

    def __init__(self, lab, neighbors=(), monitor="", peers=1):
        self.lab = lab
        self.link = lab.link(lab.ns("a"), lab.ns("b"))
        self.ns = self.link.a.ns
        self.monitor = monitor
        self.one = Peregrine(self.ns, self.config(neighbors))
        self.path = os.path.join(self.one.dir, "monitor.sock")
        self.remote, self.local = self.link.b.ip4, self.link.a.ip4
        self.id = f"{self.remote}%{self.link.a.ifname}"
        self.peers = [self.peer()] if peers else []
        wait_until(lambda: os.path.exists(self.path), 3, "the socket of the monitor")

    def config(self, neighbors=(), monitor=None):
        body = self.monitor if monitor is None else monitor
        return (f'protocol monitor mon {{ socket "monitor.sock"; {body} }}\n' + bfd(*neighbors))

    def peer(self, **how):
        return BfdPeer(self.link.b.ns, self.remote, self.local, desired_min_tx=50_000, required_min_rx=50_000, **how)

    def client(self, **how):
        return MonitorClient(self.path, **how)

    def tcp(self, port=5643):
        with self.ns.inside():
            return MonitorClient(("127.0.0.1", port))

    def has_session(self):
        return any(d["Address"] == self.remote and "Session state" in d for d in self.one.session_details())


@pytest.fixture(name="make")
def fixture_make(lab):
    return lambda **how: World(lab, **how)


@pytest.fixture(name="configured")
def fixture_configured(lab):
    world = World(lab, neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    return world


def test_a_configured_session_is_listed_and_watched(configured):
    world = configured
    with world.client() as client:
        assert client.ask(cmd="list", id=7) == {"sessions": [world.id], "id": 7, "_received": client.answers[0]["_received"]}
        answer = client.ask(cmd="subscribe", session=world.id)
        assert answer["subscribed"] == world.id and answer["requested"] is False
        state = client.take_event(state="up", initial=True)
        assert state["session"] == world.id and state["bfd_state"] == "Up" and state["remote_state"] == "Up"
        cut = silent_cut(world.link)
        event = client.take_event(state="expired")
        assert event["previous"] == "up" and event["bfd_state"] == "Down"
        assert event["diagnostic"] == "Time expired" and event["verdict"] == "peer silent"
        assert event["local_discriminator"] == state["local_discriminator"] > 0
        assert DETECTION * 0.6 < event["monotonic_us"] / 1e6 - cut < DETECTION + 0.1
        assert abs(event["wall_us"] / 1e6 - time.time()) < 1
        heal(world.link)
        back = client.take_event(state="up")
        assert back["previous"] == "expired" and back["seq"] > event["seq"]
        world.peers[0].admin_down()
        assert client.take_event(state="down")["verdict"] == "administrative"


def test_a_session_nobody_has_is_made_and_destroyed(make):
    world = make()
    with world.client() as client:
        assert client.ask(cmd="list")["sessions"] == []
        answer = client.ask(cmd="subscribe", session=world.remote, **ASKED)
        assert answer["subscribed"] == world.remote and answer["requested"] is True
        assert client.take_event(state="created")["session"] == world.id
        assert client.take_event(state="up")["session"] == world.id
        wait_fast(world.one, world.remote)
        assert detail(world.one, world.remote)["Requested by"] == "mon"
        assert client.ask(cmd="unsubscribe", session=world.remote)["unsubscribed"] == world.remote
        wait_until(lambda: not world.has_session(), 3, "the session to go")
        assert client.ask(cmd="list")["sessions"] == []


def test_a_connection_that_closes_gives_its_sessions_back(make):
    world = make()
    with world.client() as client, world.client() as watcher:
        watcher.ask(cmd="subscribe", session="all")
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        watcher.take_event(state="up")
        client.close()
        assert watcher.take_event(state="destroyed")["session"] == world.id


def test_two_monitors_share_a_session(make):
    world = make()
    with world.client() as first, world.client() as second:
        first.ask(cmd="subscribe", session=world.remote, **ASKED)
        first.take_event(state="up")
        assert second.ask(cmd="subscribe", session=world.id)["requested"] is True
        second.take_event(state="up", initial=True)
        first.close()
        second.silence(2 * DETECTION)
        assert world.has_session()
        silent_cut(world.link)
        assert second.take_event(state="expired")["session"] == world.id


def test_a_client_that_comes_back_in_time_finds_its_session(make):
    world = make(monitor="linger 10 s;")
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        state = client.take_event(state="up")
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        again = client.take_event(state="up", initial=True)
        assert again["local_discriminator"] == state["local_discriminator"]


def test_a_configured_session_is_never_destroyed(configured):
    world = configured
    with world.client() as client:
        assert client.ask(cmd="subscribe", session=world.id, multiplier=3)["requested"] is True
        client.take_event(state="up")
        client.ask(cmd="unsubscribe", session=world.id)
        client.silence(2 * DETECTION)
        assert world.has_session()


def test_a_session_is_known_by_its_discriminator(configured):
    world = configured
    disc = int(detail(world.one, world.remote)["Local discriminator"])
    with world.client() as client:
        assert client.ask(cmd="subscribe", session=disc)["subscribed"] == world.id
        assert client.ask(cmd="unsubscribe", session=str(disc))["unsubscribed"] == world.id
        assert client.ask(cmd="subscribe", session=disc + 1)["error"]["code"] == "no-session"


def test_a_multihop_session(make):
    world = make(peers=0)
    world.peers.append(world.peer(multihop=True))
    name = f"{world.remote}@{world.local}"
    with world.client() as client:
        answer = client.ask(cmd="subscribe", session=world.remote, multihop=True, local=world.local, min_ttl=64, **ASKED)
        assert answer["subscribed"] == name
        assert client.take_event(state="up")["session"] == name
        shown = client.ask(cmd="show", session=name)
        assert shown["show"] == name and shown["multihop"] is True and shown["min_ttl"] == 64
        assert shown["requested_by"] == ["mon"] and shown["local"] == world.local


def test_a_session_is_changed_by_who_asked_for_it(make):
    world = make()
    with world.client() as client, world.client() as other:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up")
        assert other.ask(cmd="change", session=world.remote, multiplier=9)["error"]["code"] == "not-yours"
        assert client.ask(cmd="change", session=world.remote, multiplier=7)["changed"] == world.remote
        wait_detail(world.one, lambda d: d.get("Local parameters/Multiplier") == "7")
        client.ask(cmd="change", session=world.remote, admin="down")
        event = client.take_event(state="down")
        assert event["bfd_state"] == "AdminDown" and event["verdict"] == "administrative"
        client.ask(cmd="change", session=world.remote, admin="up")
        client.take_event(state="up")
        wait_detail(world.one, lambda d: d.get("Local parameters/Multiplier") == "7")


def test_authentication_is_named_and_never_told(lab):
    world = World(lab, monitor='key "core" { authentication keyed sha1; password "geheim" { id 3; }; };', peers=0)
    other = Peregrine(world.link.b.ns, "protocol bfd { neighbor %s { authentication keyed sha1; password \"geheim\" { id 3; };"
                      " interval 50 ms; }; }" % world.local)
    with world.client() as client:
        refused = client.ask(cmd="subscribe", session=world.remote, authentication="edge")
        assert refused["error"]["member"] == "authentication"
        client.ask(cmd="subscribe", session=world.remote, authentication="core", **ASKED)
        client.take_event(state="up")
        other.wait_session(world.local, "Up")
        shown = client.ask(cmd="show", session=world.remote)
        assert shown["authentication"]["type"] == "Keyed SHA1" and "geheim" not in str(shown)


def test_the_other_dialect(make):
    world = make()
    session = {"PeerAddr": world.remote, "LocalAddr": "0.0.0.0", "PeerPort": 0, "LocalPort": 0}
    with world.client() as client:
        client.send(MsgType="Subscribe", SessionID=session, SessionOpts={
            "DemandMode": "off", "DetectMult": 3, "DesiredMinTxInterval": 50_000, "RequiredMinRxInterval": 50_000})
        told = client.wait(lambda: [n for n in client.notifies if n["State"] == "Up"])[0]
        assert told["MsgType"] == "Notify" and told["SessionID"]["PeerAddr"] == world.remote
        assert [n["State"] for n in client.notifies][-2:] == ["Init", "Up"] or client.notifies[-2]["State"] == "Down"
        silent_cut(world.link)
        client.wait(lambda: client.notifies[-1]["State"] == "Down")
        client.send(MsgType="Unsubscribe", SessionID=session)
        wait_until(lambda: not world.has_session(), 3, "the session to go")
        assert not client.answers and not client.events


def test_demand_mode_is_noted_and_has_no_effect(make):
    world = make()
    with world.client() as client:
        client.send(MsgType="Subscribe", SessionID={"PeerAddr": world.remote}, SessionOpts={"DemandMode": "on"})
        client.wait(lambda: client.notifies)
        wait_until(lambda: "Demand mode is asked for of the session to 10.77.1.2, which stays without" in world.one.log(), 2, "a line")


def test_objects_need_no_newline_between_them(configured):
    with configured.client() as client:
        client.send_raw(b'{"cmd":"hello"}{"cmd":"list"} {"cmd":"li')
        client.wait(lambda: len(client.answers) == 2)
        assert client.answers[0]["hello"] == "peregrine" and client.answers[1]["sessions"] == [configured.id]
        client.send_raw(b'st"}')
        client.wait(lambda: len(client.answers) == 3)


BAD = [
    (b"nonsense\n", "syntax"),
    (b"[1]\n", "syntax"),
    (b'{"cmd":"list"\n{"cmd":"list","x":1}', "syntax"),
    (b'{"cmd":"li\nst"}\n', "syntax"),
    (b'{"cmd":"list","cmd":"show"}', "syntax"),
    (b'{"cmd":"list\xff"}', "syntax"),
    (b"{" * 100 + b"\n", "syntax"),
    (b'{"a":' * 9 + b"\n", "too-deep"),
    (b'{"cmd":"' + b"x" * 70_000 + b'"}\n', "too-long"),
    (b'{"cmd":"reboot"}', "unknown-command"),
    (b'{"cmd":5}', "unknown-command"),
    (b'{"MsgType":"Kill"}', "unknown-command"),
    (b'{"a":1}', "missing-member"),
    (b'{"cmd":"subscribe"}', "missing-member"),
    (b'{"MsgType":"Subscribe","SessionID":{}}', "missing-member"),
    (b'{"cmd":"list","session":"all"}', "unknown-member"),
    (b'{"MsgType":"Subscribe","SessionID":{"PeerAddr":"10.0.0.1","x":1}}', "unknown-member"),
    (b'{"cmd":"subscribe","session":"10.0.0.1","multiplier":0}', "bad-value"),
    (b'{"cmd":"subscribe","session":"10.0.0.1","multiplier":"3"}', "bad-value"),
    (b'{"cmd":"subscribe","session":"10.0.0.1","interval":999}', "bad-value"),
    (b'{"cmd":"subscribe","session":"10.0.0.300"}', "bad-value"),
    (b'{"cmd":"subscribe","session":"224.0.0.1"}', "bad-value"),
    (b'{"cmd":"subscribe","session":"fe80::1"}', "bad-value"),
    (b'{"cmd":"subscribe","session":"10.0.0.1@fe80::1"}', "bad-value"),
    (b'{"cmd":"subscribe","session":"all","multiplier":3}', "bad-value"),
    (b'{"cmd":"subscribe","session":"10.0.0.1","multihop":true}', "missing-member"),
    (b'{"cmd":"unsubscribe","session":"10.0.0.1"}', "no-subscription"),
    (b'{"cmd":"change","session":"10.0.0.1","multiplier":3}', "not-yours"),
]


@pytest.mark.parametrize("data, code", BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_and_the_connection_goes_on(configured, data, code):
    with configured.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.send_raw(data)
        client.wait(lambda: len(client.answers) + len(client.notifies) > 1)
        error = client.notifies[0] if client.notifies else client.answers[1]["error"]
        assert error.get("code", error.get("Code")) == code, error
        client.send_raw(b"\n")
        assert client.ask(cmd="list", id="still here")["id"] == "still here"
        silent_cut(configured.link)
        client.take_event(state="expired")
        heal(configured.link)


def test_subscribing_twice_tells_once(configured):
    world = configured
    with world.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.take_event(event="synchronized")
        client.ask(cmd="subscribe", session=world.id)
        client.ask(cmd="subscribe", session=world.id)
        client.ask(cmd="subscribe", session=world.remote)
        client.silence(0.1)
        client.events.clear()
        world.peers[0].admin_down()
        client.take_event(state="down")
        client.silence(0.2)


def test_everything_that_is_known_of_a_session(configured):
    world = configured
    with world.client() as client:
        shown = client.ask(cmd="show", session=world.id, id="x")
        lines = detail(world.one, world.remote)
        assert shown["id"] == "x" and shown["state"] == "up" and shown["protocol"] == "bfd1"
        assert shown["local_discriminator"] == int(lines["Local discriminator"])
        assert shown["remote_discriminator"] == int(lines["Remote discriminator"])
        assert shown["detection_time"] == 150_000 and shown["local_parameters"]["multiplier"] == 3
        assert shown["requested_by"] == ["bfd1"] and shown["interface"] == world.link.a.ifname
        assert shown["counters"]["ups"] == 1 and shown["arrivals"]["count"] > 0
        client.wait(lambda: len(client.answers) == 2)
        assert client.answers[1]["shown"] == 1
        client.ask(cmd="show", session="10.9.9.9")
        assert client.answers[2]["shown"] == 0


def test_states_of_protocols(configured):
    world = configured
    with world.client() as client:
        assert client.ask(cmd="events")["events"] is True
        assert client.take_event(protocol="bfd1")["state"] == "up"
        world.one.birdc("disable bfd1")
        client.take_event(protocol="bfd1", state="stop")
        client.take_event(protocol="bfd1", state="down")
        client.ask(cmd="events", on=False)
        world.one.birdc("enable bfd1")
        world.one.wait_session(world.remote, "Up")
        client.silence(0.1)


def test_requests_are_limited(make):
    world = make(monitor="requests limit 2; linger 0 s;")
    with world.client() as client:
        for host in "10.77.1.3", "10.77.1.4":
            assert "subscribed" in client.ask(cmd="subscribe", session=host)
        assert client.ask(cmd="subscribe", session="10.77.1.5")["error"]["code"] == "limit"
        client.ask(cmd="unsubscribe", session="10.77.1.3")
        wait_until(lambda: "subscribed" in client.ask(cmd="subscribe", session="10.77.1.5"), 2, "room")


def test_nothing_is_made_where_requests_are_off(make):
    world = make(monitor="requests no;", neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    with world.client() as client:
        assert client.ask(cmd="hello")["requests"] is False
        assert client.ask(cmd="subscribe", session="10.77.1.3")["error"]["code"] == "not-allowed"
        assert client.ask(cmd="subscribe", session=world.id)["requested"] is False


def test_tcp_asks_for_nothing_unless_told_so(make):
    world = make(monitor="listen 127.0.0.1;", neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    with world.tcp() as client:
        assert client.ask(cmd="subscribe", session="10.77.1.3")["error"]["code"] == "not-allowed"
        client.ask(cmd="subscribe", session="all")
        client.take_event(state="up")
        world.one.reload(world.config(["10.77.1.2"], "listen 127.0.0.1; requests yes;"))
        assert client.ask(cmd="subscribe", session="10.77.1.3")["requested"] is True


def test_tcp_is_for_those_who_are_allowed(make):
    world = make(monitor="listen 10.77.1.1 port 7777; allow 10.77.1.3; listen 127.0.0.1;")
    with world.link.b.ns.inside():
        client = MonitorClient((world.local, 7777))
    with pytest.raises((Closed, ConnectionError)):
        client.ask(cmd="list")
    wait_until(lambda: "A connection from 10.77.1.2 is not allowed" in world.one.log(), 2, "a line")
    world.one.reload(world.config(monitor="listen 10.77.1.1 port 7777; allow 10.77.1.0/24;"))
    with world.link.b.ns.inside(), MonitorClient((world.local, 7777)) as client:
        assert client.ask(cmd="list")["sessions"] == []


def test_a_half_closed_client_is_served(configured):
    world = configured
    with world.client() as client:
        client.send(cmd="list")
        client.sock.shutdown(socket.SHUT_WR)
        client.wait(lambda: client.answers)
        with pytest.raises(Closed):
            client.silence(2)
    with world.client() as client:
        client.send(cmd="subscribe", session="all")
        client.sock.shutdown(socket.SHUT_WR)
        client.take_event(event="synchronized")
        silent_cut(world.link)
        client.take_event(state="expired")
    wait_until(lambda: "0 connected" in str(world.one.birdc("show protocols all mon")), 2, "it to be gone")


def test_a_thousand_connections_leave_nothing(configured):
    world = configured
    for i in range(1000):
        with world.client() as client:
            if i % 3 == 0:
                client.send(cmd="subscribe", session="all")
            if i % 3 == 1:
                client.send_raw(b'{"cmd":"subscr')
    shown = wait_until(lambda: [t for _, t in world.one.birdc("show protocols all mon") if " 0 connected" in t], 3, "all to go")
    assert "1000 so far" in shown[0]


def test_reloading_keeps_clients(configured):
    world = configured
    with world.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.take_event(event="synchronized")
        world.one.reload(world.config(["10.77.1.2", "10.77.1.9"], "queue limit 100;"))
        assert client.take_event(state="created")["session"].startswith("10.77.1.9%")
        world.one.reload(world.config(["10.77.1.2"]))
        assert client.take_event(state="destroyed")["session"].startswith("10.77.1.9%")


def test_the_daemon_goes_and_comes_back(configured):
    world = configured
    client = world.client()
    client.ask(cmd="list")
    world.one.stop()
    with pytest.raises((Closed, ConnectionError)):
        client.silence(1)
    assert not os.path.exists(world.path)
    world.one.start()
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.id)
        client.take_event(state="up", limit=6)


def test_a_socket_somebody_has_is_tried_again(lab):
    world = World(lab)
    path = os.path.join(world.one.dir, "taken.sock")
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(path)
        holder.listen()
        config = world.config().replace("monitor.sock", "taken.sock")
        world.one.reload(config)
        wait_until(lambda: "Cannot listen on taken.sock: Address already in use" in world.one.log(), 2, "a line")
        assert "Address already in use" in str(world.one.birdc("show protocols mon"))
    wait_until(lambda: "Listening on taken.sock" in world.one.log(), 8, "the socket")
    with MonitorClient(path) as client:
        client.ask(cmd="hello")


def test_a_peer_that_is_bird2(lab):
    world = World(lab, peers=0)
    Bird2(world.link.b.ns, bfd(direct(world.local, world.link.b), options="interval 50 ms; multiplier 3;"))
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up", limit=6)


def test_what_is_no_text_does_no_harm(make):
    world = make()
    with world.client() as client:
        assert client.ask(cmd="a" + "é" * 40)["error"]["code"] == "unknown-command"
        assert client.ask(**{"cmd": "list", "a" + "é" * 40: 1})["error"]["code"] == "unknown-member"
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        disc = client.take_event(state="up")["local_discriminator"]
        assert client.ask(cmd="list")["sessions"] == [world.id]
        assert client.ask(cmd="subscribe", session=disc)["subscribed"] == world.id


def test_an_interface_whose_name_is_no_text(lab):
    world = World(lab, peers=0)
    for command in "link add NAME type veth peer name w9", "addr add 10.9.9.1/24 dev NAME", "link set NAME up", "link set w9 up":
        world.ns.ip(command.replace("NAME", os.fsdecode(b"\xff\xfe")))
    with world.client() as client:
        client.ask(cmd="subscribe", session="10.9.9.2", **ASKED)
        created = client.take_event(state="created")
        assert created["session"] == "10.9.9.2%??"
        assert client.ask(cmd="subscribe", session=created["local_discriminator"])["subscribed"] == "10.9.9.2%??"
        assert client.ask(cmd="show")["interface"] == "??"


def test_sums_over_everything(configured):
    world = configured
    world.one.reload(world.config(["10.77.1.2", "10.77.1.9"]) + "protocol static st { ipv4; route 10.1.0.0/16 blackhole; }\n")
    with world.client() as client:
        wait_until(lambda: client.ask(cmd="stats")["stats"]["bfd"][0]["sessions"].get("Down"), 2, "the other session")
        stats = client.ask(cmd="stats", id=1)["stats"]
        bfd1, = stats["bfd"]
        assert bfd1["protocol"] == "bfd1" and bfd1["sessions"] == {"Up": 1, "Down": 1} and bfd1["ups"] == 1
        assert bfd1["rx"] > 0 and bfd1["tx"] > 0 and bfd1["detection_sum_us"] == 150_000
        assert bfd1["detection_us"] == [[262_144, 1]] and sum(n for _, n in bfd1["gaps_us"]) > 0
        static, = [p for p in stats["protocols"] if p["protocol"] == "st"]
        assert static["class"] == "Static" and static["state"] == "up"
        assert static["channels"][0]["table"] == "master4" and static["channels"][0]["imported"] == 1
        assert [t["routes"] for t in stats["tables"] if t["table"] == "master4"] == [1]
        assert stats["monitor"]["clients"] == 1 and stats["monitor"]["sessions"] == 2
        silent_cut(world.link)
        wait_until(lambda: client.ask(cmd="stats")["stats"]["bfd"][0]["verdicts"] == {"peer silent": 1}, 3, "the verdict")
