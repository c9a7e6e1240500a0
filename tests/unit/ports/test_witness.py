"""Who took our connection: real sockets in this network namespace stand in for a container's."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.clock import Deadline
from cutover.model import Container, ContainerState, Endpoint
from cutover.ports.sockets import Socket, parse_tables
from cutover.ports.witness import Proof, connections_from, host_addresses, witness_connection

RECORDED = Path(__file__).parents[2] / "recorded" / "proc"
RELAY = """
import socket, sys, threading
to = int(sys.argv[sys.argv.index("-container-port") + 1])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)
def relay(near):
    with near, socket.create_connection(("127.0.0.1", to)):
        while near.recv(1):
            pass
while True:
    threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def server() -> Iterator[int]:
    """Hold every connection until its client closes it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        over = threading.Event()
        listener.settimeout(0.02)

        def serve() -> None:
            held: list[socket.socket] = []
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    held.append(listener.accept()[0])
                for peer in select.select(held, [], [], 0)[0]:
                    held.remove(peer)
                    peer.close()
            for peer in held:
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        over.set()
        thread.join(10)


@pytest.fixture
def rude_server() -> Iterator[int]:
    """Greet whoever comes, and hang up."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        over = threading.Event()
        listener.settimeout(0.02)

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError), listener.accept()[0] as peer:
                    peer.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        over.set()
        thread.join(10)


@pytest.fixture
def rude_relay(rude_server: int, relay: Callable[..., int]) -> Callable[[str], int]:
    """Pass connections on to a server that hangs up."""
    return lambda name: relay(name, rude_server)


@pytest.fixture
def relay(server: int, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start a process under a given name that passes connections on, to the server or elsewhere; return its port."""
    running: list[subprocess.Popen[str]] = []
    script = tmp_path / "r.py"
    script.write_text(RELAY)

    def start(name: str, to: int = server) -> int:
        command = [name, "-S", str(script), "-container-ip", "127.0.0.1", "-container-port", str(to)]
        python = str(Path(sys.executable).resolve())
        home = {"PYTHONHOME": sys.base_prefix}  # python looks for itself by its name, which is not its own here
        running.append(subprocess.Popen(command, executable=python, stdout=subprocess.PIPE, text=True, env=home))
        assert running[-1].stdout is not None
        return int(running[-1].stdout.readline())

    yield start
    for process in running:
        process.kill()
        process.communicate()


def _table() -> Sequence[Socket]:
    return parse_tables(Path("/proc/net/tcp").read_text())


def test_our_own_port_in_the_table_is_exact(server: int) -> None:
    """The far end of a connection in the table is the port that we opened it from."""
    found = witness_connection("127.0.0.1", server, _table, server, Deadline(10))
    assert (found.proof, found.sure, found.via) == (Proof.EXACT, True, "127.0.0.1")


def test_docker_proxy_is_followed(relay: Callable[[str], int], server: int) -> None:
    """The process that took our connection holds one that the container sees."""
    found = witness_connection("127.0.0.1", relay("docker-proxy"), _table, server, Deadline(20))
    assert (found.proof, found.sure) == (Proof.PROXIED, True)


def test_a_server_that_hangs_up_at_once_took_our_connection(rude_server: int) -> None:
    """Its end is in FIN_WAIT2 as long as ours is open; one that is being closed is as good a proof."""
    found = witness_connection("127.0.0.1", rude_server, _table, rude_server, Deadline(10))
    assert (found.proof, found.via) == (Proof.EXACT, "127.0.0.1")


def test_docker_proxy_is_followed_to_a_server_that_hangs_up(rude_relay: Callable[[str], int], rude_server: int) -> None:
    """Neither end between them is established any more."""
    found = witness_connection("127.0.0.1", rude_relay("docker-proxy"), _table, rude_server, Deadline(20))
    assert (found.proof, found.sure) == (Proof.PROXIED, True)


def test_docker_proxy_to_another_that_hangs_up_is_no_proof(rude_relay: Callable[[str], int], rude_server: int) -> None:
    """Not even where the container held a connection from the same address and port at another address of its own."""

    def read() -> list[Socket]:
        return [replace(s, address="127.0.0.9") if s.port == rude_server else s for s in _table()]

    found = witness_connection("127.0.0.1", rude_relay("docker-proxy"), read, rude_server, Deadline(20))
    assert not found.sure


def test_docker_proxy_to_another_container_is_settled(relay: Callable[[str], int], server: int) -> None:
    """Nothing is counted where somebody else was seen to have it."""
    found = witness_connection("127.0.0.1", relay("docker-proxy"), lambda: (), server, Deadline(20))
    assert (found.proof, found.settled) == (Proof.NONE, True)
    assert "leads to another container" in found.detail


def test_an_unknown_forwarder_leaves_counting(relay: Callable[[str], int], server: int) -> None:
    """Through anything else, as many connections come and go as we open and close; that is not sure."""
    found = witness_connection("127.0.0.1", relay("forwarder"), _table, server, Deadline(20))
    assert (found.proof, found.sure) == (Proof.COUNTED, False)


def test_somebody_elses_table_proves_nothing(server: int) -> None:
    """The container in question does not see our connection: no proof, and the reason."""
    found = witness_connection("127.0.0.1", server, lambda: (), server, Deadline(10))
    assert found.proof is Proof.NONE
    assert "the container does not hold 127.0.0.1:" in found.detail


def test_the_right_container_on_another_port_proves_nothing(server: int) -> None:
    """A connection to another port of the container is another service's."""
    assert witness_connection("127.0.0.1", server, _table, server + 1, Deadline(10)).proof is Proof.NONE


def test_a_refused_connection_is_told() -> None:
    """Nobody listens: no proof, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = witness_connection("127.0.0.1", port, _table, port, Deadline(10))
    assert found.detail == f"no connection to 127.0.0.1 port {port}: Connection refused"


def test_a_passed_deadline_is_told(server: int) -> None:
    """The time is up before anything is tried."""
    found = witness_connection("127.0.0.1", server, _table, server, Deadline(0))
    assert (found.proof, "the time is up" in found.detail) == (Proof.NONE, True)


def test_alternatives_come_first_and_may_fail(server: int) -> None:
    """An address that refuses costs nothing but a line."""
    found = witness_connection("127.0.0.1", server, _table, server, Deadline(10), alternatives=["127.0.0.9"])
    assert (found.proof, found.via) == (Proof.EXACT, "127.0.0.1")


def test_connections_are_found_by_their_far_end() -> None:
    """In a real container's table: by port, by address, by the container's own port."""
    table = parse_tables((RECORDED / "echo-connected.tcp.txt").read_text(), "little")
    assert len(connections_from(table, remote_port=52622)) == 1
    assert connections_from(table, remote_port=52622, remote="172.23.0.1") == []
    assert connections_from(table, remote_port=52622, local_port=7001) == []
    assert connections_from(table, remote_port=0) == []


def test_addresses_of_this_host_are_never_loopback() -> None:
    """Loopback goes through docker-proxy, which hides the source port."""
    nowhere = Container("i", "n", "p", "s", ContainerState.RUNNING, endpoints=(Endpoint("net", "id", ""),))
    assert not any(address.startswith("127.") for address in host_addresses(nowhere))
