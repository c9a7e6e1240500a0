"""Sockets, the way the broker wants all of them, and what their monitors say."""

from __future__ import annotations

import contextlib
import resource
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import zmq

if TYPE_CHECKING:
    from cutover.edge.broker.words import Settings, Target

NOBLOCK = int(zmq.NOBLOCK)
MORE = int(zmq.SNDMORE | zmq.NOBLOCK)
"""Plain numbers: pyzmq turns its enums into them at each call, and there are a dozen calls a request."""

READY = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
GONE = int(zmq.EVENT_DISCONNECTED)
ACCEPTED = int(zmq.EVENT_ACCEPTED)
REFUSED = int(zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED)
FAILED = int(
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH  # another security mechanism
)

FRONT_BACKLOG = 1024
RETRY_MS = 100
LINGER_MS = 1000

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


def front(context: Context, kind: int, port: int, settings: Settings) -> Socket:
    """Return a socket that clients of a port reach.

    Raises:
        zmq.ZMQError: the port is taken.

    """
    socket = context.socket(kind)
    options = {
        zmq.LINGER: LINGER_MS,
        zmq.IPV6: 1 if settings.bind == "*" or ":" in settings.bind else 0,
        zmq.BACKLOG: FRONT_BACKLOG,
        zmq.MAXMSGSIZE: settings.max_message_bytes,
        zmq.TCP_KEEPALIVE: 1,  # a client whose host vanished is not kept for good
        zmq.TCP_KEEPALIVE_IDLE: 60,
        zmq.TCP_KEEPALIVE_INTVL: 10,
        zmq.TCP_KEEPALIVE_CNT: 6,
    }
    if kind == zmq.ROUTER:
        options |= {
            zmq.ROUTER_MANDATORY: 1,  # tells who is gone, and who reads too slowly, instead of dropping in silence
            zmq.ROUTER_HANDOVER: 1,  # a client that comes back under its own identity gets it
        }
    try:
        for option, value in options.items():
            socket.setsockopt(option, value)
        socket.bind(f"tcp://{settings.bind}:{port}")
    except zmq.ZMQError:
        socket.close(0)
        raise
    return socket


def towards(context: Context, kind: int, settings: Settings, *, keep: bool = False) -> Socket:
    """Return a socket that will be connected to a colour.

    With `keep`, what it was given stays with it while the connection is gone; else nothing is taken without one.
    Heartbeats are answered by a peer's I/O thread: a colour that computes for a minute is alive, one that is paused
    is not.
    """
    socket = context.socket(kind)
    options = {
        zmq.LINGER: LINGER_MS if keep else 0,
        zmq.IMMEDIATE: 0 if keep else 1,
        zmq.IPV6: 1,
        zmq.RECONNECT_IVL: RETRY_MS,
        zmq.CONNECT_TIMEOUT: 1000,
        zmq.HANDSHAKE_IVL: 2000,
        zmq.HEARTBEAT_IVL: int(settings.heartbeat_s * 1000),
        zmq.HEARTBEAT_TIMEOUT: int(settings.heartbeat_timeout_s * 1000),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket


def descriptors() -> int:
    """Have as many descriptors as we may, and return how many: a client of a ROUTER port takes two here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def sender(socket: Socket) -> Callable[[bytes, int], object]:
    """Return the `send` below the one that pyzmq wraps in Python for radio sockets: half the cost of a request."""
    return cast("Callable[[bytes, int], object]", super(zmq.Socket, socket).send)


def endpoint(address: str, port: int) -> str:
    """Return an address in libzmq's words."""
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def target_endpoint(target: Target, address: str | None) -> str:
    """Return where to connect to: the address that a name was found to have, or the one that was told."""
    return endpoint(address or target.address, target.port)


def events(monitor: Socket) -> list[tuple[int, int]]:
    """Return what a monitor has to say: events and their values."""
    found = []
    with contextlib.suppress(zmq.Again):
        while True:
            frames = monitor.recv_multipart(zmq.NOBLOCK)
            event, value = struct.unpack("=HI", frames[0])
            found.append((event, value))
    return found


def rest(socket: Socket, limit: int) -> list[bytes] | None:
    """Return the frames of a message that are left, or None where they are too many; all are read anyway."""
    frames: list[bytes] = []
    while True:
        frame = socket.recv(NOBLOCK, copy=False)
        if len(frames) <= limit:
            frames.append(frame.bytes)
        if not frame.more:
            return frames if len(frames) <= limit else None
