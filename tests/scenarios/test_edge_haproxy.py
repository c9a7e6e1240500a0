"""HAProxy as an edge, for real: flips, holds, deaths, canaries and restarts, under requests that never stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from cutover.edge.haproxy.face import HaproxyFace
from cutover.edge.shape import Hold, Sample, Slot
from cutover.errors import EdgeError
from tests.scenarios.haproxy_world import HTTP, TCP, UPGRADE, Load, quietly, wait

pytestmark = pytest.mark.engine


def test_flips_lose_nothing(edge):
    """Twenty flips under kept-alive and new connections: none fails, none is reopened, all follow at once."""
    with Load(edge.world.http, kept=3, fresh=3) as load:
        for number in range(20):
            time.sleep(0.1)
            slot = (Slot.B, Slot.A)[number % 2]
            edge.face.switch(slot)
            flipped = time.monotonic()
            wait(lambda since=flipped: load.names(since).total() > 6, 10)
            assert set(load.names(flipped)) == {("green", "blue")[slot is Slot.B]}
    assert load.failures == {}
    assert load.reopened == 0
    assert edge.face.in_flight(Slot.A) == edge.face.in_flight(Slot.B) == 0


def test_posts_are_delivered_once_across_flips(edge):
    """What changes something is neither lost nor asked twice."""
    with Load(edge.world.http, method="POST") as load:
        for number in range(10):
            time.sleep(0.05)
            edge.face.switch((Slot.B, Slot.A)[number % 2])
    assert load.failures == {}

    def told():
        return sum(c.logs().count(b"POST / ") for c in (edge.world.green, edge.world.blue))

    wait(lambda: told() >= len(load.answers), 5)  # the Engine reads what a container says in its own time
    assert told() == len(load.answers)


def test_a_stopped_colour_is_waited_out(edge):
    """Held while green stops: nobody fails, nobody is forgotten, and blue answers all who waited."""
    edge.face.hold(Hold(limit=100, timeout_s=30, release_per_s=200))
    begun = time.monotonic()
    with Load(edge.world.http, kept=3, fresh=3) as load, edge.raw(edge.world.tcp) as stream:
        stream.sendall(b"y" * 200_000)  # more than HAProxy's buffers
        wait(lambda: edge.face.stats()[HTTP].held == 6, 5)
        assert edge.face.stats()[HTTP].holding
        wait(lambda: edge.face.stats()[TCP].held == 1, 5)
        edge.world.green.kill()
        time.sleep(1.5)
        edge.face.switch(Slot.B)
        edge.face.release()
        assert stream.recv(5) == b"blue:"
        time.sleep(0.3)
    assert load.failures == {}
    assert set(load.names(begun)) >= {"blue"}
    assert edge.face.stats()[HTTP].held == 0
    assert max(took for asked, took, _ in load.answers) > 1.0


def test_a_hold_is_bounded(edge):
    """Beyond its number and its time requests get a 503 that says why; connections of TCP ports are closed."""
    edge.face.hold(Hold(limit=2, timeout_s=0.5))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(edge.ask())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [503] * 5
    assert all(headers["Retry-After"] == "1" for _, _, headers in answers)
    whys = Counter("waited for 500 ms" in body for _, body, _ in answers)
    assert whys == {True: 2, False: 3}
    with edge.raw(edge.world.tcp) as stream:
        assert stream.recv(1) == b""
    stats = edge.face.stats()
    assert (stats[HTTP].held, stats[HTTP].overflowed, stats[HTTP].rejected) == (0, 3, 2)
    assert stats[TCP].rejected == 1
    edge.face.release()
    assert edge.ask()[:2] == (200, "green\n")


def test_who_gives_up_is_not_forwarded(edge):
    """A client that left while it was held has asked again elsewhere: its request must not be done as well."""
    edge.face.hold(Hold(limit=100, timeout_s=30))
    with edge.raw() as client:
        client.sendall(b"POST /given-up HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        wait(lambda: edge.face.stats()[HTTP].held == 1, 5)
    wait(lambda: edge.face.stats()[HTTP].held == 0, 5)
    edge.face.release()
    assert edge.ask("/", "POST", b"x")[0] == 200
    assert b"given-up" not in edge.world.green.logs()


def test_release_is_paced(edge):
    """Thirty who waited are let go at fifty a second, the first first."""
    edge.face.hold(Hold(limit=100, timeout_s=30, release_per_s=50))
    done = []
    threads = [threading.Thread(target=lambda n=n: (edge.ask(), done.append((time.monotonic(), n)))) for n in range(30)]
    for number, thread in enumerate(threads):
        thread.start()
        wait(lambda n=number: edge.face.stats()[HTTP].held > n, 5)
    released = time.monotonic()
    edge.face.release()
    for thread in threads:
        thread.join()
    took = max(done)[0] - released
    assert 0.5 < took < 3
    first_half = {n for _, n in sorted(done)[:15]}
    assert len(first_half & set(range(15))) >= 12


def test_held_connections_all_go_on_though_the_machine_has_no_time(edge):
    """HAProxy loses the wake-up of a waiter that is due before it looks: with short sleeps, some waited for ever."""
    edge.face.hold(Hold(limit=100, timeout_s=60))
    with contextlib.ExitStack() as held:
        streams = [held.enter_context(edge.raw(edge.world.tcp)) for _ in range(40)]
        for stream in streams:
            stream.sendall(b"?")
        wait(lambda: edge.face.stats()[TCP].held == len(streams), 10)
        processes = [int(row[1]) for row in edge.container.top()["Processes"]]
        for _ in range(60):  # it is stopped at any moment, for longer than a short sleep
            for number, pause_s in ((signal.SIGSTOP, 0.05), (signal.SIGCONT, 0.013)):
                for process in processes:
                    os.kill(process, number)
                time.sleep(pause_s)
        edge.face.release()
        assert [stream.recv(9) for stream in streams] == [b"green:?"] * len(streams)


def test_a_canary_gets_its_share(edge):
    """Five per cent are five per cent, TCP connections too; none at all when the canary ends."""
    edge.face.share(Slot.B, 5)
    assert edge.face.stats()[HTTP].share_percent == 5
    with Load(edge.world.http, kept=4, fresh=0, pause_s=0) as load:
        wait(lambda: len(load.answers) > 2000, 30)
    names = load.names()
    assert abs(names["blue"] / names.total() - 0.05) < 0.005
    assert load.failures == {}
    streams = Counter()
    for _ in range(40):
        with edge.raw(edge.world.tcp) as stream:
            stream.sendall(b"?")
            streams[stream.recv(9)] += 1
    assert streams == {b"green:?": 38, b"blue:?": 2}
    edge.face.share(Slot.B, 0)
    assert Counter(edge.ask()[1] for _ in range(100)) == {"green\n": 100}


@pytest.mark.parametrize("mark", ["cookie", "header"])
def test_a_client_keeps_its_colour(start_edge, mark):
    """By cookie or by header; as the share grows clients only move to the canary, never back."""
    edge = start_edge(sticky={mark: "X-Who"}).aim_blue()
    edge.face.share(Slot.B, 30)

    def ask(client):
        return edge.ask(headers={"X-Who": client} if mark == "header" else {"Cookie": f"a=b; X-Who={client}"})

    clients = [f"client-{n}" for n in range(100)]
    first = {c: ask(c)[1] for c in clients}
    assert first == {c: ask(c)[1] for c in clients}
    assert 10 <= Counter(first.values())["blue\n"] <= 50
    assert ask(clients[0])[2].get("Set-Cookie") is None
    fresh = edge.ask()[2].get("Set-Cookie", "")
    assert fresh.startswith("X-Who=") is (mark == "cookie")
    edge.face.share(Slot.B, 60)
    second = {c: ask(c)[1] for c in clients}
    assert all(second[c] == "blue\n" for c in clients if first[c] == "blue\n")
    edge.face.switch(Slot.B)
    assert {ask(c)[1] for c in clients} == {"blue\n"}


def test_a_restarted_edge_knows_what_it_was_told(edge):
    """Active slot, share, hold and both targets; and a colour that got another address is found by its name."""
    edge.face.switch(Slot.B)
    edge.face.share(Slot.A, 20)
    edge.face.hold(Hold(limit=1, timeout_s=0.1))
    before = edge.face.stats()[HTTP]
    edge.container.restart(timeout=0)
    edge.up()
    after = edge.face.stats()[HTTP]
    plain = [replace(s, slots={}) for s in (before, after)]
    assert plain[0] == plain[1]
    assert after.slots[Slot.A].aimed_at == edge.world.green.name
    assert edge.ask()[0] == 503
    edge.face.release()
    assert Counter(edge.ask()[1] for _ in range(20)) == {"blue\n": 16, "green\n": 4}
    edge.face.share(Slot.A, 0)
    fresh = HaproxyFace(edge.folder / "haproxy", edge.face._layout.ports, edge.face._layout.settings)
    fresh.switch(Slot.A)
    assert edge.ask()[1] == "green\n"


def test_another_address_of_the_same_colour_is_found(edge):
    """A colour that Docker restarts may come back elsewhere: the name leads there."""
    world = edge.world
    before = world.targets(world.green)[HTTP].address
    world.network.disconnect(world.green)
    holder = world.engine.containers.run(
        edge.container.image, ["sleep", "60"], network=world.name, detach=True, name=f"{world.name}-squatter"
    )
    try:
        world.network.connect(world.green)
        assert world.targets(world.green)[HTTP].address != before
        wait(lambda: quietly(edge.ask)[:2] == (200, "green\n"), 10)
    finally:
        holder.remove(force=True)


def test_streams_stay_where_they_are(edge):
    """Tunnels of TCP and of WebSocket, and a stream of events, live through a flip; who comes after is with blue."""
    with edge.raw(edge.world.tcp) as stream, edge.raw() as tunnel, edge.raw() as events:
        tunnel.sendall(UPGRADE)
        assert tunnel.recv(999).startswith(b"HTTP/1.1 101")
        events.sendall(b"GET /stream/10 HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.sendall(b"1")
        assert stream.recv(99) == b"green:1"
        wait(lambda: edge.face.in_flight(Slot.A) == 2, 5)  # the tunnel and the events: TCP does not count
        assert edge.face.stats()[TCP].slots[Slot.A].in_flight == 1
        edge.face.switch(Slot.B)
        for wire in (stream, tunnel):
            wire.sendall(b"2")
            assert wire.recv(99) == b"green:2"
        seen = b""
        while b"x-end" not in seen.partition(b"\r\n\r\n")[2].lower():
            seen += events.recv(999)
        assert seen.count(b"data: green") == 10
    assert edge.ask()[1] == "blue\n"
    wait(lambda: edge.face.in_flight(Slot.A) == 0, 5)


def test_an_edge_that_parts_ends_connections_with_their_answers(edge):
    """A kept connection is closed by an answer that says so, so that none is cut in a request; WebSockets stay."""
    with Load(edge.world.http, kept=3, fresh=0) as load, edge.raw() as tunnel:
        tunnel.sendall(UPGRADE)
        assert tunnel.recv(999).startswith(b"HTTP/1.1 101")
        wait(lambda: len(load.answers) > 30, 5)
        assert load.reopened == 0
        assert "Connection" not in edge.ask()[2]
        edge.face.part(on=True)
        parted = time.monotonic()
        wait(lambda: load.names(parted).total() > 30, 5)
        assert load.reopened > 20
        assert edge.ask()[2]["Connection"] == "close"
        tunnel.sendall(b"still here")
        assert tunnel.recv(99) == b"green:still here"
        edge.face.part(on=False)
        assert "Connection" not in edge.ask()[2]
    assert load.failures == {}


def test_http_passes_as_it_is(edge):
    """Versions, framings and headers: nothing is added, nothing is taken, names keep their usual case."""
    with edge.raw() as old:
        old.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"green" in b"".join(iter(lambda: old.recv(999), b""))
    with edge.raw() as careful:
        careful.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert careful.recv(999).startswith(b"HTTP/1.1 100")
        careful.sendall(b"ok")
        assert careful.recv(999).endswith(b"ok")
    with edge.raw() as chunks:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        chunks.sendall(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        assert chunks.recv(999).endswith((b"abcde+X-Sum: 5", b"abcde+x-sum: 5"))
    with edge.raw() as client:
        lines = [
            b"GET /head HTTP/1.1",
            b"Host: there:1",
            b"User-Agent: me",
            b"X-Long: " + b"l" * 20_000,
            b"Accept: */*",
        ]
        client.sendall(b"\r\n".join([*lines, b"", b""]))
        seen = b""
        while seen.count(b"\r\n\r\n") < 2:
            seen += client.recv(65536)
        seen = seen.partition(b"\r\n\r\n")[2].rstrip().split(b"\r\n")
        assert [line.replace(b"x-long", b"X-Long") for line in seen] == lines
    with edge.raw() as junk:
        junk.sendall(b"\x00\xff garbage\r\n\r\n")
        assert junk.recv(99).startswith(b"HTTP/1.1 400")


def test_samples_tell_each_answer_once(edge):
    """By slot, with how long it took and whether it failed; who was turned away at the edge is nobody's sample."""
    edge.face.samples()
    assert [edge.ask(p)[0] for p in ("/", "/sleep/0.2", "/crash")] == [200, 200, 500]
    edge.face.switch(Slot.B)
    edge.ask()
    seen = edge.face.samples()
    assert [(s.port, s.slot, s.error) for s in seen] == [
        (HTTP, Slot.A, False),
        (HTTP, Slot.A, False),
        (HTTP, Slot.A, True),
        (HTTP, Slot.B, False),
    ]
    assert isinstance(seen[0], Sample)
    assert 0.19 < seen[1].elapsed_s < 1
    assert edge.face.samples() == []
    stats = edge.face.stats()[HTTP].slots[Slot.A]
    assert (stats.requests, stats.errors) == (3, 1)


def test_a_thousand_connections_survive_a_flip(edge):
    """They are open before and after, and each still gets its answers."""
    streams = []
    try:
        for _ in range(500):
            streams.append(socket.create_connection(("127.0.0.1", edge.world.tcp), timeout=20))
            streams.append(socket.create_connection(("127.0.0.1", edge.world.http), timeout=20))
        for number, stream in enumerate(streams):
            stream.sendall(b"1" if number % 2 == 0 else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        first = [stream.recv(999) for stream in streams]
        edge.face.switch(Slot.B)
        for number, stream in enumerate(streams):
            stream.sendall(b"2" if number % 2 == 0 else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        second = [stream.recv(999) for stream in streams]
    finally:
        for stream in streams:
            stream.close()
    assert set(first[::2]) == {b"green:1"}
    assert set(second[::2]) == {b"green:2"}
    assert all(b"green\n" in reply for reply in first[1::2])
    assert all(b"blue\n" in reply for reply in second[1::2])


def test_a_broken_control_socket_is_told(edge):
    """No socket, nobody behind it, a slot that leads nowhere: each an error with what to do next."""
    edge.container.pause()
    try:
        with pytest.raises(EdgeError) as silent:
            edge.face.switch(Slot.B)
    finally:
        edge.container.unpause()
    assert silent.value.reference == "edge-silent"
    edge.face.clear(Slot.B)
    with pytest.raises(EdgeError) as empty:
        edge.face.switch(Slot.B)
    assert empty.value.reference == "edge-slot-empty"
    edge.container.kill()
    with pytest.raises(EdgeError) as gone:
        edge.face.stats()
    assert gone.value.reference == "edge-silent"
    assert gone.value.hint
