"""Services that say what a test wants said, on real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import zmq

HOST = "127.0.0.1"


@contextmanager
def bound(kind: int, **options: object) -> Iterator[tuple[zmq.Socket[bytes], int]]:
    """Give a ZeroMQ socket that is bound, and its port."""
    with zmq.Context() as context, context.socket(kind) as bound_socket:
        bound_socket.linger = 0
        for name, value in options.items():
            setattr(bound_socket, name, value)
        yield bound_socket, bound_socket.bind_to_random_port(f"tcp://{HOST}")


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port of a service that calls `serve` with each of its connections, one after the other."""
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, serve))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(5)
            serve(connection)


def saying(words: bytes) -> Callable[[socket.socket], None]:
    """Return a service that says this first, then listens until its client hangs up."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(words)
        while connection.recv(4096):
            pass

    return serve


def answering(reply: bytes) -> Callable[[socket.socket], None]:
    """Return a service that says this once it was asked, and hangs up."""

    def serve(connection: socket.socket) -> None:
        if connection.recv(4096):
            connection.sendall(reply)

    return serve
