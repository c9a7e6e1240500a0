"""model_manager_agent, the legacy: one thread, one REP socket, models walked as counts."""

from __future__ import annotations

import os
import signal
from threading import Event

import zmq

from language_stack import health, heartbeat
from language_stack.manager import Manager
from language_stack.ngram import CountingModel
from language_stack.protocol import MAX_BYTES
from language_stack.registry import RedisRegistry

SERVICE = "model_manager_agent"


def main() -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    registry = RedisRegistry(os.environ["REDIS"])
    manager = Manager(SERVICE, registry, CountingModel, os.environ["DEFAULT_MODEL"])
    registry.watch(manager.take_over).wait(5)
    port, health_port = int(os.environ.get("PORT", "5570")), int(os.environ.get("HEALTH_PORT", "6570"))
    health.serve(("0.0.0.0", health_port), manager.health)
    heartbeat.start(os.environ["NATS"], f"language_stack.heartbeat.{SERVICE}", manager.health)
    serve(manager, f"tcp://0.0.0.0:{port}", stop)


def serve(manager: Manager, address: str, stop: Event) -> None:
    """Answer one request after the other, until told to stop."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
    socket.bind(address)
    print(f"{SERVICE} listens on {address}")
    while not stop.is_set():
        if socket.poll(100):
            socket.send(manager.answer(socket.recv_multipart()))
    os._exit(0)  # the last answer is out; nothing else is worth waiting for


if __name__ == "__main__":
    main()
