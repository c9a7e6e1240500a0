"""zmq-router: colours that bind a ROUTER see what they would see without an edge."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import zmq

from cutover.edge.shape import Mode, Slot
from tests.unit.edge.broker.rig import Colour, ColourProcess, Rig, ask, free_port, rig, wait_for

LOST = {"zmq": {"lost_reply": {"lost": "${reason}"}, "replay": ["read"]}}
READ, WRITE = b'{"method": "read"}', b'{"method": "write"}'


def routed(folder: Path, **more: object) -> Rig:
    """Return a broker before a ROUTER."""
    return rig(folder, Mode.ROUTER, **more)  # type: ignore[arg-type, return-value]


def test_a_colour_sees_exactly_identity_delimiter_and_body(tmp_path: Path) -> None:
    """And the client's own identity where it has one; a DEALER that sends no delimiter gets none back."""
    with routed(tmp_path) as made, Colour("a:", zmq.ROUTER) as green:
        made.aim(Slot.A, green)
        with made.client(routing_id=b"me") as req:
            assert ask(req, "x") == "a:x"
            assert green.frames == [b"me", b"", b"x"]
        with made.client(zmq.DEALER) as dealer:
            dealer.send(b"bare")
            assert dealer.recv_multipart() == [b"a:bare"]
            assert len(green.frames) == 2
        assert made.stats().slots[Slot.A].requests == 2
        assert made.face.in_flight(Slot.A) == 0


def test_a_pipelining_client_gets_its_answers_in_order_across_a_switch(tmp_path: Path) -> None:
    """What green has in flight is answered by green, before what blue answers at once."""
    with routed(tmp_path) as made, Colour("a:", zmq.ROUTER, delay_s=0.03) as green, Colour("b:", zmq.ROUTER) as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client(zmq.DEALER) as client:
            for number in range(8):
                client.send_multipart([b"", str(number).encode()])
            wait_for(lambda: green.asked > 0)
            made.face.switch(Slot.B)
            for number in range(8, 20):
                client.send_multipart([b"", str(number).encode()])
            answers = [client.recv_multipart()[-1].decode() for _ in range(20)]
        assert [answer[2:] for answer in answers] == [str(number) for number in range(20)]
        assert {answer[0] for answer in answers} == {"a", "b"}


def test_a_dead_colour_is_answered_for(tmp_path: Path) -> None:
    """By rule: asked again of the other one, or an error reply; each client's in order."""
    with (
        routed(tmp_path, settings=LOST) as made,
        ColourProcess("a:", "ROUTER", delay_s=60) as green,
        Colour("b:", zmq.ROUTER) as blue,
    ):
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as req, made.client(zmq.DEALER) as dealer:
            assert ask(req) == "a:"
            dealer.send_multipart([b"", b""])
            assert dealer.recv_multipart() == [b"", b"a:"]
            req.send(WRITE)
            for body in (READ, WRITE, READ):
                dealer.send_multipart([b"", body])
            wait_for(lambda: made.face.in_flight(Slot.A) == 4)
            green.signal(signal.SIGKILL)
            assert "lost" in json.loads(req.recv())
            answers = [dealer.recv_multipart() for _ in range(3)]
            assert [frames[0] for frames in answers] == [b"", b"", b""]
            assert [frames[1][:2] for frames in answers] == [b"b:", b'{"', b"b:"]
            assert ask(req, "x") == "b:x"
        stats = made.stats()
        assert (stats.slots[Slot.A].lost, stats.slots[Slot.A].replayed) == (2, 2)
        assert stats.serving == Slot.B


def test_a_paused_colour_says_nothing_late(tmp_path: Path) -> None:
    """Its answer to a request that was asked again elsewhere goes to a connection that is closed."""
    with (
        routed(tmp_path, settings=LOST) as made,
        ColourProcess("a:", "ROUTER", delay_s=0.1) as green,
        Colour("b:", zmq.ROUTER) as blue,
    ):
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            assert ask(client) == "a:"
            client.send(READ)
            wait_for(lambda: made.face.in_flight(Slot.A) == 1)
            green.signal(signal.SIGSTOP)
            assert client.recv().startswith(b"b:")
            green.signal(signal.SIGCONT)
            wait_for(lambda: not made.face.down(Slot.A))
            made.face.switch(Slot.A)
            time.sleep(0.3)
            assert [ask(client, str(number)) for number in range(10)] == [f"a:{number}" for number in range(10)]


def test_a_colour_may_speak_unasked_but_not_to_a_req(tmp_path: Path) -> None:
    """A DEALER gets each part of an answer in parts; a REQ would take the second part for its next answer."""
    port = free_port()
    with routed(tmp_path) as made, zmq.Context() as context, context.socket(zmq.ROUTER) as green:
        green.linger, green.rcvtimeo = 0, 5000
        green.bind(f"tcp://127.0.0.1:{port}")
        made.face.aim(Slot.A, {made.ports[0]: Colour(port=port).target})
        with made.client(zmq.DEALER) as dealer, made.client() as req:
            dealer.send_multipart([b"", b"x"])
            who = green.recv_multipart()[0]
            for part in (b"1", b"2", b"3"):
                green.send_multipart([who, b"", part])
            assert [dealer.recv_multipart()[1] for _ in range(3)] == [b"1", b"2", b"3"]
            req.send(b"y")
            who = green.recv_multipart()[0]
            for part in (b"1", b"2"):
                green.send_multipart([who, b"", part])
            assert req.recv() == b"1"
            time.sleep(0.1)
            req.send(b"z")
            green.send_multipart([green.recv_multipart()[0], b"", b"its own"])
            assert req.recv() == b"its own"


def test_connections_of_clients_that_left_are_closed(tmp_path: Path) -> None:
    """A hundred clients come and go; nothing of them is left, neither descriptors nor requests in flight."""
    with routed(tmp_path) as made, Colour("a:", zmq.ROUTER) as green:
        made.aim(Slot.A, green)

        def open_files() -> int:
            return len(list(Path(f"/proc/{made.pid}/fd").iterdir()))

        with made.client() as client:
            ask(client)
        time.sleep(0.2)
        before = open_files()
        for _ in range(100):
            with made.client() as client:
                assert ask(client, "x") == "a:x"
        green.delay_s = 0.5
        with made.client() as client:
            client.send(b"never read")
            wait_for(lambda: made.face.in_flight(Slot.A) == 1)
        wait_for(lambda: made.face.in_flight(Slot.A) == 0)
        wait_for(lambda: open_files() <= before + 2, "the end of its descriptors")


def test_many_clients_at_once(tmp_path: Path) -> None:
    """Three hundred, each with a connection of its own to the colour, over a switch: each gets its own answers."""
    with routed(tmp_path) as made, Colour("a:", zmq.ROUTER) as green, Colour("b:", zmq.ROUTER) as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with zmq.Context() as context:
            clients = [context.socket(zmq.REQ) for _ in range(300)]
            try:
                for client in clients:
                    client.linger, client.rcvtimeo = 0, 10_000
                    client.connect(f"tcp://127.0.0.1:{made.ports[0]}")
                for turn, tag in enumerate(("a", "b", "a")):
                    for number, client in enumerate(clients):
                        client.send(b"%d-%d" % (turn, number))
                    said = [client.recv() for client in clients]
                    assert said == [b"%s:%d-%d" % (tag.encode(), turn, number) for number in range(300)]
                    made.face.switch(Slot.B if tag == "a" else Slot.A)
            finally:
                for client in clients:
                    client.close()


def test_requests_wait_here_as_well(tmp_path: Path) -> None:
    """Nobody is up; then somebody is."""
    with routed(tmp_path) as made, made.client() as client:
        client.send(b"x")
        wait_for(lambda: made.stats().held == 1)
        with Colour("a:", zmq.ROUTER) as green:
            made.aim(Slot.A, green)
            assert client.recv() == b"a:x"


def test_a_canary_splits_the_requests_of_one_client(tmp_path: Path) -> None:
    """Half and half, in order."""
    with routed(tmp_path) as made, Colour("a:", zmq.ROUTER) as green, Colour("b:", zmq.ROUTER, delay_s=0.01) as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.share(Slot.B, 50)
        with made.client(zmq.DEALER) as client:
            for number in range(20):
                client.send_multipart([b"", str(number).encode()])
            answers = [client.recv_multipart()[1].decode() for _ in range(20)]
        assert [answer[2:] for answer in answers] == [str(number) for number in range(20)]
        assert sum(answer.startswith("b:") for answer in answers) == 10


def test_a_message_that_has_no_answer_does_not_stop_those_behind_it(tmp_path: Path) -> None:
    """After a while its place in the order is given up."""
    port = free_port()
    with (
        routed(tmp_path, order_s=0.3) as made,
        Colour("b:", zmq.ROUTER) as blue,
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as green,
    ):
        green.linger = 0
        green.bind(f"tcp://127.0.0.1:{port}")
        made.face.aim(Slot.A, {made.ports[0]: Colour(port=port).target})
        made.aim(Slot.B, blue)
        wait_for(lambda: made.stats().serving == Slot.A)
        with made.client(zmq.DEALER) as client:
            client.send_multipart([b"", b"one way"])
            wait_for(lambda: made.face.in_flight(Slot.A) == 1)
            made.face.switch(Slot.B)
            client.send_multipart([b"", b"x"])
            assert client.recv_multipart()[1] == b"b:x"
