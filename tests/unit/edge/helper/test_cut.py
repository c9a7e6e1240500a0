"""Connections of a real service, cut where nothing is under way: this process is both the service and its clients."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cutover.edge.helper.cut import Cutter
from cutover.edge.helper.holder import Holders
from cutover.edge.helper.sockdiag import SockDiag

WAIT_S = 10.0
LINE = 64
CLIENT = f"127.77.{os.getpid() % 250}.1"
"""Where the clients of these tests come from, and nobody else: what is not ours must not be cut."""
EVERYBODY = ("0.0.0.0/0", "::/0")
FIRST_PORT = 21000


def listener() -> socket.socket:
    """Return a listener below the ephemeral ports: there other processes' clients have the same numbers."""
    for port in range(FIRST_PORT, FIRST_PORT + 2000):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise AssertionError


def connected(port: int) -> socket.socket:
    """Return a client's connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S, source_address=(CLIENT, 0))


class Service:
    """Answers each line, after `delay_s`, in as many parts as it is told, `pause_s` apart."""

    def __init__(self, *, delay_s: float = 0.0, parts: int = 1, pause_s: float = 0.0) -> None:
        self.delay_s, self.parts, self.pause_s = delay_s, parts, pause_s
        self.listener = listener()
        self.port = self.listener.getsockname()[1]
        self.asked = 0
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._serve, args=(accepted,)))
            self.threads[-1].start()

    def _serve(self, accepted: socket.socket) -> None:
        accepted.settimeout(WAIT_S)
        with accepted, contextlib.suppress(OSError):
            while accepted.recv(LINE):
                self.asked += 1
                time.sleep(self.delay_s)
                for part in range(self.parts):
                    time.sleep(self.pause_s if part else 0)
                    accepted.sendall(b"x" * LINE)

    def close(self) -> None:
        """End it."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(WAIT_S)


@pytest.fixture
def service(request) -> Iterator[Service]:
    """Give a service; its parameters are those of Service."""
    made = Service(**getattr(request, "param", {}))
    try:
        yield made
    finally:
        made.close()


class Client(threading.Thread):
    """Asks every `every_s`, on one connection that it opens again where it finds that it was ended."""

    def __init__(self, service: Service, every_s: float) -> None:
        super().__init__()
        self.service, self.every_s = service, every_s
        self.answers = self.lost = self.opened = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Ask until told to stop."""
        connection = self._open()
        while not self.over.wait(self.every_s):
            if _ended(connection):
                connection.close()
                connection = self._open()
            try:
                connection.sendall(b"?" * LINE)
                left = LINE * self.service.parts
                while left:
                    left -= len(connection.recv(left)) or _lost()
                self.answers += 1
            except OSError:
                self.lost += 1
        connection.close()

    def _open(self) -> socket.socket:
        """Open a connection; one that comes in the moment of the deadline is cut before it is made."""
        self.opened += 1
        while True:
            with contextlib.suppress(ConnectionResetError):
                return connected(self.service.port)


def _lost() -> int:
    raise ConnectionError


def _ended(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


@contextlib.contextmanager
def asking(service: Service, every_s: float) -> Iterator[Client]:
    """Give a client that asks until the end."""
    client = Client(service, every_s)
    client.start()
    try:
        yield client
    finally:
        client.over.set()
        client.join(WAIT_S)


@contextlib.contextmanager
def cutter(service: Service, *, only: frozenset[str] = frozenset({CLIENT})) -> Iterator[Cutter]:
    """Give what cuts a service's connections."""
    made = Cutter({service.port}, EVERYBODY, only, diag=SockDiag(), holders=Holders())
    with contextlib.closing(made.diag):
        yield made


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_an_idle_connection_is_ended_in_order(service) -> None:
    """The client reads the end of it, nothing else."""
    with connected(service.port) as client, cutter(service) as cut:
        client.sendall(b"?" * LINE)
        assert len(client.recv(LINE)) == LINE
        count = cut.cut(3.0)
        assert (count.at_rest, count.late, count.left, count.reset) == (1, 0, 0, 0)
        assert client.recv(1) == b""


@pytest.mark.parametrize("service", [{"delay_s": 0.002}], indirect=True)
def test_a_client_that_asks_on_and_on_loses_nothing(service) -> None:
    """It is cut between two questions, and opens another connection."""
    with asking(service, 0.05) as client, cutter(service) as cut:
        for _ in range(200):  # the cutter watches before it cuts
            cut.discover()
            cut.look()
            time.sleep(0.001)
        ended = threading.Thread(target=cut.cut, args=(1.0,))
        ended.start()
        wait_for(lambda: client.opened > 1)
        ended.join(WAIT_S)
        answers = client.answers
        wait_for(lambda: client.answers > answers + 3)
    # Seldom one, on a machine that has no time for us, and never unseen; what comes at the deadline is cut as it is.
    assert client.lost <= cut.counted.raced + cut.counted.late
    assert cut.counted.at_rest >= 1


def test_a_question_that_comes_after_the_end_is_seen(service) -> None:
    """Its client had not read the end: the kernel refuses the question, and that is counted."""
    with connected(service.port) as client, cutter(service) as cut:
        client.sendall(b"?" * LINE)
        assert len(client.recv(LINE)) == LINE
        cut.discover()
        (key,) = cut.watched
        with cut.holders.borrow(cut.diag.one(key).inode) as held:
            cut._end(key, cut.diag.one(key), held)
        assert not cut.kept[0].was_asked()
        client.sendall(b"?" * LINE)
        wait_for(cut.kept[0].was_asked)
        assert cut.cut(0.1).raced == 1


@pytest.mark.parametrize("service", [{"parts": 6, "pause_s": 0.05}], indirect=True)
def test_a_long_answer_is_waited_for(service) -> None:
    """Six parts, 50 ms apart."""
    with connected(service.port) as client, cutter(service) as cut:
        client.sendall(b"?" * LINE)
        wait_for(lambda: service.asked == 1)
        count = cut.cut(4.0)
        received = b"".join(iter(lambda: client.recv(LINE), b""))
    assert (count.at_rest, count.late) == (1, 0)
    assert len(received) == 6 * LINE


@pytest.mark.parametrize("service", [{"delay_s": 2.0}], indirect=True)
def test_what_never_rests_is_cut_at_the_deadline_and_counted(service) -> None:
    """Its answer is due all the time."""
    with connected(service.port) as client, cutter(service) as cut:
        client.sendall(b"?" * LINE)
        wait_for(lambda: service.asked == 1)
        count = cut.cut(0.3)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert (count.at_rest, count.late, count.left) == (0, 1, 0)


def test_neighbours_that_did_not_come_through_a_host_port_are_spared(service) -> None:
    """They are told by their network."""
    with (
        connected(service.port) as client,
        cutter(service, only=frozenset()) as cut,
    ):
        count = cut.cut(0.3)
        assert (count.at_rest, count.late, count.left) == (0, 0, 0)
        client.sendall(b"?" * LINE)
        assert len(client.recv(LINE)) == LINE
