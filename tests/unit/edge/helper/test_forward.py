"""The forwarder between real sockets: half-closed connections, broken ones, slow readers, and the end."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from cutover.edge.helper.forward import Forwarder, Way

WAIT_S = 5.0
HOST = "127.0.0.1"
ABORT = struct.pack("ii", 1, 0)


class Turning:
    """A forwarder that turns in a thread of its own, before a listener whose far ends the test holds."""

    def __init__(self, *, listening: bool = True) -> None:
        self.listener = socket.create_server((HOST, 0))
        self.listener.settimeout(WAIT_S)
        self.to = self.listener.getsockname()
        if not listening:
            self.listener.close()
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        self.forwarder = Forwarder([Way((HOST, self.port), self.to)])
        self.over = threading.Event()
        self.patience: float | None = None
        self.thread = threading.Thread(target=self._turn)
        self.thread.start()

    def _turn(self) -> None:
        while not self.over.is_set():
            self.forwarder.turn(0.005)
            if self.patience is not None:
                self.forwarder.end_rested(self.patience)
        self.forwarder.end_all()
        self.forwarder.raced()
        self.forwarder.stop_listening()
        self.forwarder.selector.close()

    def opened(self) -> tuple[socket.socket, socket.socket]:
        """Return a client's end and the far end of a new connection."""
        client = socket.create_connection((HOST, self.port), timeout=WAIT_S)
        far = self.listener.accept()[0]
        far.settimeout(WAIT_S)
        return client, far

    def close(self) -> None:
        """End it."""
        self.over.set()
        self.thread.join(WAIT_S)
        self.listener.close()


@pytest.fixture
def turning() -> Iterator[Turning]:
    """Give a forwarder that turns."""
    made = Turning()
    try:
        yield made
    finally:
        made.close()


def all_of(sock: socket.socket) -> bytes:
    """Return everything until the end."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def test_what_goes_in_comes_out_both_ways(turning) -> None:
    """And a client that hangs up its half still gets its answer."""
    client, far = turning.opened()
    with client, far:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert all_of(far) == b"question"
        far.sendall(b"answer")
        far.close()
        assert all_of(client) == b"answer"


def test_a_slow_reader_gets_every_byte(turning) -> None:
    """More than the buffers of the kernel and of the forwarder hold."""
    client, far = turning.opened()
    with client, far:
        sent = bytes(range(256)) * 80_000
        thread = threading.Thread(target=lambda: (far.sendall(sent), far.close()))
        thread.start()
        time.sleep(0.2)
        assert all_of(client) == sent
        thread.join(WAIT_S)


def test_what_breaks_on_one_side_breaks_on_the_other(turning) -> None:
    """An answer that was cut off must not look complete."""
    client, far = turning.opened()
    with client:
        far.sendall(b"half an ans")
        assert client.recv(99)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        far.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_who_is_not_there_yet_is_dialled_again() -> None:
    """The client waits meanwhile."""
    made = Turning(listening=False)
    try:
        with socket.create_connection((HOST, made.port), timeout=WAIT_S) as client:
            client.sendall(b"hello")
            time.sleep(0.1)
            made.listener = socket.create_server(made.to)
            made.listener.settimeout(WAIT_S)
            far = made.listener.accept()[0]
            with far:
                assert far.recv(99) == b"hello"
    finally:
        made.close()


def test_a_connection_that_rests_is_ended_in_order_and_one_that_waits_is_not(turning) -> None:
    """The latter's answer is due."""
    (client, far), (waiting, asked) = turning.opened(), turning.opened()
    with client, far, waiting, asked:
        for one in (client, waiting):
            one.sendall(b"question")
        assert far.recv(99) == asked.recv(99) == b"question"
        far.sendall(b"answer")
        assert client.recv(99) == b"answer"
        turning.patience = 1.0
        assert client.recv(99) == b""
        assert far.recv(99) == b""
        asked.sendall(b"answer")
        assert waiting.recv(99) == b"answer"
    assert turning.forwarder.at_rest >= 1


def test_a_question_after_the_end_is_seen(turning) -> None:
    """One client hangs up when it sees the end, another had asked again before it looked."""
    (calm, far), (hasty, other) = turning.opened(), turning.opened()
    with calm, far, hasty, other:
        for client, end in ((calm, far), (hasty, other)):
            client.sendall(b"question")
            assert end.recv(99) == b"question"
            end.sendall(b"answer")
            assert client.recv(99) == b"answer"
        turning.patience = 0.0
        while turning.forwarder.at_rest < 2:
            time.sleep(0.01)
        assert calm.recv(99) == b""
        calm.close()
        hasty.sendall(b"question")
        time.sleep(0.1)
        assert turning.forwarder.raced() == 1
        assert turning.forwarder.raced() == 0


def test_our_own_question_is_not_carried_on(turning) -> None:
    """Nobody behind the forwarder hears of it."""
    turning.forwarder.known = lambda _: True
    with socket.create_connection((HOST, turning.port), timeout=WAIT_S) as question:
        assert question.recv(1) == b""
    turning.listener.settimeout(0.1)
    with pytest.raises(TimeoutError):
        turning.listener.accept()


def test_a_port_that_is_taken_leaves_no_other_bound() -> None:
    """It is tried again, and must not be in its own way."""
    with socket.create_server((HOST, 0)) as taken, socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
        free.close()
        to = (HOST, 1)
        with pytest.raises(OSError, match="in use"):
            Forwarder([Way((HOST, port), to), Way((HOST, taken.getsockname()[1]), to)])
        with contextlib.closing(socket.create_server((HOST, port))):
            pass
