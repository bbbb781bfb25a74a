"""What clients of the monitor can rely on when they ask for the same, ask for too much, or miss something."""

import os
import socket
import time

from lab import Peregrine, wait_until
from monitor_client import MonitorClient
from scenario import bfd, wait_fast
from test_monitor import ASKED, World
from test_monitor_faults import THOUSANDS, Crowd, counters


def test_states_of_protocols_after_a_loss(lab):
    world = World(lab, neighbors=["10.77.1.2"], monitor="queue limit 16;", peers=0)
    with world.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.ask(cmd="events")
        # fill what is between us
        client.send_raw(b'{"cmd":"hello"}\n' * 8000)
        stuck(world)
        for _ in range(20):
            world.one.birdc("disable bfd1")
            world.one.birdc("enable bfd1")
        world.one.birdc("disable bfd1")
        client.take_event(event="lost", limit=10)
        client.take_event(protocol="bfd1", limit=2)


def stuck(world):
    """The daemon has nothing more to do: whoever does not read holds up the rest."""
    last = [None, 0.0]

    def quiet():
        cpu = world.one.usage()[0]
        if cpu != last[0]:
            last[:] = cpu, time.monotonic()
        return time.monotonic() - last[1] > 0.3
    wait_until(quiet, 10, "the daemon to be stuck")


def test_lost_is_told_whatever_was_said_last(lab):
    world = World(lab, neighbors=["10.77.1.2"], monitor="queue limit 16;", peers=0)
    with world.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.send(MsgType="Subscribe", SessionID={"PeerAddr": "10.77.1.99"})
        client.send_raw(b'{"MsgType":"Subscribe"}\n' * 6000)
        stuck(world)
        for _ in range(20):
            world.one.birdc("disable bfd1")
            world.one.birdc("enable bfd1")
        client.events.clear()
        client.wait(lambda: [e for e in client.events if "initial" in e], 5)
        assert not any(" 0 lost" in t for _, t in world.one.birdc("show protocols all mon"))
        client.take_event(event="lost", limit=2)


def test_who_comes_back_is_not_refused_for_what_lingers(lab):
    world = World(lab, monitor="requests limit 2; linger 10 s;", peers=0)
    for _ in range(2):
        with world.client() as client:
            for host in "10.77.1.3", "10.77.1.4":
                assert "subscribed" in client.ask(cmd="subscribe", session=host)


def test_a_linger_has_an_end(lab):
    world = World(lab, monitor="requests limit 1;", peers=0)
    with world.client() as client:
        client.ask(cmd="subscribe", session="10.77.1.3", interval=4294967295, multiplier=255)
        client.ask(cmd="unsubscribe", session="10.77.1.3")
        wait_until(lambda: "subscribed" in client.ask(cmd="subscribe", session="10.77.1.4"), 5, "room")


def test_multihop_kept_by_who_names_it_by_its_address(lab):
    world = World(lab, monitor="linger 0 s;", peers=0)
    world.peers.append(world.peer(multihop=True))
    with world.client() as first, world.client() as second:
        name = f"{world.remote}@{world.local}"
        first.ask(cmd="subscribe", session=name, **ASKED)
        first.take_event(state="up")
        assert second.ask(cmd="subscribe", session=world.remote)["requested"] is True
        assert second.ask(cmd="list")["sessions"] == [name]
        first.close()
        second.silence(0.5)
        assert name in second.ask(cmd="list")["sessions"]


def test_link_local_that_is_there(lab):
    world = World(lab, peers=0)
    remote = world.link.b.ll
    with world.client() as first, world.client() as second:
        first.ask(cmd="subscribe", session=f"{remote}%{world.link.a.ifname}", **ASKED)
        assert "subscribed" in second.ask(cmd="subscribe", session=remote)


def test_a_program_does_not_push_aside_the_configuration(lab):
    world = World(lab, peers=0)
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="created")
        world.one.reload(world.config() .replace("}\n", "}\n", 1) .replace(
            "  multihop", '  neighbor 10.77.1.2 { authentication keyed sha1; password "x" { id 3; }; };\n  multihop'))
        assert "authentication" in client.ask(cmd="show"), world.one.log()


def test_all_are_shown_while_they_go(lab):
    """In the middle of a reload, of BFD's end, and to clients that leave: each `show` ends, and shows what was there."""
    crowd = Crowd(lab, THOUSANDS)
    with crowd.client() as client:
        client.ask(cmd="subscribe", session="all")
        client.take_event(event="synchronized", sessions=THOUSANDS)
        for change in (lambda: crowd.one.reload(crowd.config(100), check=False), lambda: crowd.one.birdc("disable bfd1")):
            leaving = [crowd.client() for _ in range(10)]
            for each in leaving:
                each.send(cmd="show")
            client.answers.clear()
            client.send(cmd="show")
            client.wait(lambda: len(client.answers) > 20)
            change()
            for each in leaving:
                each.close()
            client.wait(lambda: "shown" in client.answers[-1], 10)
            shown = [a["show"] for a in client.answers[:-1]]
            assert len(set(shown)) == len(shown) == client.answers[-1]["shown"] <= THOUSANDS
        client.wait(lambda: sum(e["state"] == "destroyed" for e in client.events) == THOUSANDS, 5)
        assert client.ask(cmd="list")["sessions"] == []
        wait_until(lambda: counters(crowd.one) == (1, 0), 3, "the others to be gone")


def test_a_session_moves_between_instances_that_bind_strictly(lab):
    world = World(lab, monitor="linger 0 s;")
    both = bfd(body="strict bind yes; accept ipv4;") + bfd(name="bfd2", body="strict bind yes;")
    world.one.reload(world.config().split("protocol bfd")[0] + both)
    with world.client() as first, world.client() as second, world.client() as watcher:
        watcher.ask(cmd="subscribe", session="all")
        first.ask(cmd="subscribe", session=world.remote, **ASKED)
        first.take_event(state="up")
        second.ask(cmd="subscribe", session=world.remote, **ASKED)
        world.one.reload(world.config().split("protocol bfd")[0] + both.replace("accept ipv4", "accept ipv6"))
        wait_until(lambda: any(s["protocol"] == "bfd2" for s in world.one.sessions()), 5, "the move")
        world.one.wait_session(world.remote, "Up")
        assert watcher.ask(cmd="list")["sessions"] == [world.id], watcher.events


def test_remote_state_of_both_ends(lab):
    world = World(lab, peers=0)
    two = Peregrine(world.link.b.ns, 'protocol monitor mon { socket "monitor.sock"; }\n' + bfd(world.local))
    world.one.reload(world.config(neighbors=[world.remote]))
    wait_fast(world.one, world.remote)
    wait_fast(two, world.local)
    with world.client() as client, MonitorClient(os.path.join(two.dir, "monitor.sock")) as other:
        assert [c.ask(cmd="show")["remote_state"] for c in (client, other)] == ["Up", "Up"]


def test_a_change_that_would_believe_others_is_refused(lab):
    """What was asked for before goes on."""
    keys = 'key "core" { authentication keyed sha1; password "x" { id 3; }; };'
    world = World(lab, monitor=keys, neighbors=["10.77.1.2"])
    wait_fast(world.one, world.remote)
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.id, multiplier=3)
        client.take_event(state="up")
        assert client.ask(cmd="subscribe", session=world.id, authentication="core")["error"]["code"] == "differs"
        assert client.ask(cmd="change", session=world.id, multiplier=4)["changed"] == world.id
        assert sorted(client.ask(cmd="show", session=world.id)["requested_by"]) == ["bfd1", "mon"]


def test_configure_check_knows_what_programs_have_asked_for(lab):
    world = World(lab)
    with world.client() as client:
        client.ask(cmd="subscribe", session=world.remote, **ASKED)
        client.take_event(state="up")
        assert "Sessions: 1 kept, 0 retimed, 0 rekeyed, 0 would drop" in str(world.one.birdc("configure check"))
