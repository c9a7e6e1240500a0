"""The heartbeat speaks nats' protocol to the letter."""

from __future__ import annotations

import json
import socket
from threading import Thread

import pytest
from language_stack import heartbeat


def test_it_publishes_and_answers_pings() -> None:
    """A server that says INFO, checks what comes, and hangs up in the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        beating = Thread(target=_until_hung_up_on, args=(f"127.0.0.1:{server.getsockname()[1]}",))
        beating.start()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as said:
            connection.settimeout(10)
            connection.sendall(b"INFO {}\r\nPING\r\n")
            assert json.loads(said.readline().removeprefix(b"CONNECT "))["verbose"] is False
            assert said.readline() == b"PUB x.beat 16\r\n"
            assert said.readline() == b'{"status": "ok"}\r\n'
            assert said.readline() == b"PING\r\n"
            assert said.readline() == b"PONG\r\n"
            connection.sendall(b"PONG\r\n")
            assert said.readline() == b"PUB x.beat 16\r\n"
    beating.join(10)
    assert not beating.is_alive()


def _until_hung_up_on(address: str) -> None:
    with pytest.raises(ConnectionError):
        heartbeat.beat(address, "x.beat", lambda: {"status": "ok"})
