"""Tells nats every second how a manager is, in nats' own text protocol: CONNECT, PUB, PING, PONG."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

EVERY_S = 1.0
TIMEOUT_S = 2.0

Read = Callable[[], dict[str, Any]]


def start(address: str, subject: str, read: Read) -> None:
    """Publish what `read` returns on the subject, for ever; a connection that breaks is made again."""
    Thread(target=_for_ever, args=(address, subject, read), daemon=True, name="heartbeat").start()


def _for_ever(address: str, subject: str, read: Read) -> None:
    while True:
        try:
            beat(address, subject, read)
        except OSError as error:
            print(f"no heartbeat: nats at {address}: {error}")
            time.sleep(5 * EVERY_S)


def beat(address: str, subject: str, read: Read) -> None:
    """Publish on one connection until it breaks, which raises OSError."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        connection.sendall(b'CONNECT {"verbose":false,"name":"%s"}\r\n' % subject.encode())
        while True:
            payload = json.dumps(read()).encode()
            connection.sendall(b"PUB %s %d\r\n%s\r\nPING\r\n" % (subject.encode(), len(payload), payload))
            _until_pong(connection)
            time.sleep(EVERY_S)


def _until_pong(connection: socket.socket) -> None:
    """Read until nats has confirmed our PING, and confirm its own."""
    seen = b""
    while b"PONG\r\n" not in seen:
        read = connection.recv(4096)
        if not read:
            raise ConnectionError("nats closed the connection")
        if b"PING\r\n" in read:
            connection.sendall(b"PONG\r\n")
        seen += read
