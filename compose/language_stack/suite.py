"""model_manager_suite, the successor: a ROUTER in front of worker threads, models compiled into tables.

It loads for LOAD_S seconds before it listens.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Event, Thread

import zmq

from language_stack import health, heartbeat
from language_stack.faults import Fault, Faulty
from language_stack.manager import Manager
from language_stack.ngram import TableModel
from language_stack.protocol import MAX_BYTES
from language_stack.registry import RedisRegistry

SERVICE = "model_manager_suite"
WORKERS = 3


def main() -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    fault = Fault(os.environ.get("FAIL", ""))
    load(float(os.environ.get("LOAD_S", "3")), stop)
    registry = RedisRegistry(os.environ["REDIS"])
    manager = Faulty(Manager(SERVICE, registry, TableModel, os.environ["DEFAULT_MODEL"]), fault)
    registry.watch(manager.take_over).wait(5)
    manager.break_if_told()
    host = "127.0.0.1" if fault is Fault.LOOPBACK else "0.0.0.0"
    port, health_port = int(os.environ.get("PORT", "5570")), int(os.environ.get("HEALTH_PORT", "6570"))
    health.serve((host, health_port), manager.health, manager.elsewhere)
    heartbeat.start(os.environ["NATS"], f"language_stack.heartbeat.{SERVICE}", manager.health)
    Thread(target=serve, args=(manager.answer, f"tcp://{host}:{port}"), daemon=True, name="front").start()
    stop.wait()
    time.sleep(0.1)  # what the workers have in hand goes out
    os._exit(0)


def load(seconds: float, stop: Event) -> None:
    """Stand for reading gigabytes of weights."""
    print(f"{SERVICE} loads for {seconds:g} s")
    if stop.wait(seconds):
        os._exit(0)


def serve(answer: Callable[[list[bytes]], bytes], address: str) -> None:
    """Deal requests to the workers, and their answers back."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    front.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
    front.bind(address)
    back.bind("inproc://workers")
    for number in range(WORKERS):
        Thread(target=work, args=(answer,), daemon=True, name=f"worker-{number}").start()
    print(f"{SERVICE} listens on {address}")
    zmq.proxy(front, back)


def work(answer: Callable[[list[bytes]], bytes]) -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
    socket.connect("inproc://workers")
    while True:
        socket.send(answer(socket.recv_multipart()))


if __name__ == "__main__":
    main()
