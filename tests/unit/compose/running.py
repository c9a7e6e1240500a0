"""A manager of the demonstration stack in a process of its own, on ports of its own, for tests without Docker."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

WITHOUT_REDIS = Path(__file__).with_name("without_redis.py")


@dataclass
class Running:
    """A manager in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    health_port: int

    def ask(self, method: str, timeout_s: float = 5.0, **params: Any) -> dict[str, Any] | None:
        """Return its reply on the ZeroMQ port, None where none came."""
        with zmq.Context() as context, context.socket(zmq.REQ) as line:
            line.linger, line.rcvtimeo = 0, round(timeout_s * 1000)
            line.connect(f"tcp://127.0.0.1:{self.port}")
            line.send_json({"method": method, "params": params})
            try:
                reply: dict[str, Any] = json.loads(line.recv())
            except zmq.Again:
                return None
            return reply

    def get(self, path: str) -> int:
        """Return the status of its HTTP server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait(self, port: int) -> None:
        """Return when its health server answers and it listens on this port."""
        end = time.monotonic() + 20
        while True:
            assert self.process.poll() is None, self.process.communicate()
            try:
                self.get("/health")
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.02)
            else:
                return


def free_ports(count: int) -> list[int]:
    """Return ports that nobody holds now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def running(name: str, **env: str) -> Iterator[Running]:
    """Start agent or suite, and end it."""
    port, health_port = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, str(WITHOUT_REDIS), name],
        env={**os.environ, "PORT": str(port), "HEALTH_PORT": str(health_port), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        made = Running(process, port, health_port)
        made.wait(int(env.get("PORT", port)))
        yield made
    finally:
        process.kill()
        process.communicate()
