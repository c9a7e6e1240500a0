"""ZeroMQ: one message, one reply, and a socket monitor that says how far a silent peer came.

A fresh context and socket for each question: a REQ socket whose peer died waits for ever (libzmq #1227), and a context
shared between threads or across a fork is a trap. Measured at 1.5 to 2.5 ms a question on loopback.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Final, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from cutover.clock import Deadline
from cutover.probes.reply import MAX_REPLY_BYTES, NoReplyError, Reply
from cutover.probes.spec import ProbeSpec, SocketKind
from cutover.probes.wire import addresses, connect, timed_out

EVENTS: Final = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)

HUNG_UP: Final = (
    "connected, but the peer closed during the ZMTP handshake "
    "(behind Docker's proxy: nothing listens inside; or another socket type or security mechanism)"
)
# libzmq closes the connection itself when a REQ gets a reply without delimiter, or anything above MAXMSGSIZE.
_CUT_OFF: Final = (
    "ZMTP handshake done, but the connection ended without a reply "
    "(closed by the peer; or a reply without the empty delimiter, or above 1 MiB)"
)


def exchange(spec: ProbeSpec, host: str, port: int, deadline: Deadline) -> Reply:
    """Return the last frame of what the service at `host:port` answers.

    Where nothing is sent, a completed ZMTP handshake is the answer.

    Raises:
        NoReplyError: there was none; says how far it came.

    """
    with _Asker(spec, deadline) as asker:
        return asker.ask(endpoint(host, port, deadline))


def endpoint(host: str, port: int, deadline: Deadline) -> str:
    """Return one address in libzmq's words: it tries only the first, and `localhost` may name two.

    Raises:
        NoReplyError: the name is unknown, or of several addresses none takes a connection.

    """
    found = addresses(host, port)
    if len(found) == 1:
        address = str(found[0][1][0])
    else:
        with connect(host, port, deadline) as wire:
            address = str(wire.sock.getpeername()[0])
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


class _Asker:
    """One socket and its monitor; everything is closed on leaving, with nothing lingering."""

    def __init__(self, spec: ProbeSpec, deadline: Deadline) -> None:
        self._frames = None if spec.send is None else _frames(spec)
        self._deadline = deadline
        self._connected = self._greeted = self._sent = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER if spec.socket is SocketKind.DEALER else zmq.REQ)
        self._monitor = self._socket.get_monitor_socket(EVENTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.disable_monitor()
        self._context.destroy(linger=0)

    def ask(self, endpoint: str) -> Reply:
        poller = self._connect(endpoint)
        while not self._deadline.passed:
            ready = dict(poller.poll(max(1, int(self._deadline.left_s * 1000))))
            if ready.get(self._socket, 0) & zmq.POLLOUT and self._frames is not None and not self._sent:
                with contextlib.suppress(zmq.Again):  # the peer left between the poll and now: the monitor says so
                    self._socket.send_multipart(self._frames, zmq.NOBLOCK)
                    self._sent = True
                    poller.modify(self._socket, zmq.POLLIN)
            if ready.get(self._socket, 0) & zmq.POLLIN:
                return self._receive()
            if self._monitor in ready:
                reply = self._notice()
                if reply is not None:
                    return reply
        raise NoReplyError(timed_out(self._progress(), self._deadline))

    def _connect(self, endpoint: str) -> zmq.Poller:
        options = {
            zmq.LINGER: 0,
            zmq.IMMEDIATE: 1,
            zmq.RECONNECT_IVL: -1,
            zmq.IPV6: 1,
            zmq.MAXMSGSIZE: MAX_REPLY_BYTES,
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if self._frames is not None else 0))
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise NoReplyError(f"no connection: {error.strerror}") from error
        return poller

    def _receive(self) -> Reply:
        frames = self._socket.recv_multipart(zmq.NOBLOCK)
        if self._socket.type != zmq.DEALER:
            return Reply(frames[-1])
        note = "" if frames[0] == b"" else "no empty delimiter in the reply: a REQ client would never see it"
        return Reply(frames[-1], note=note)

    def _notice(self) -> Reply | None:
        message = recv_monitor_message(self._monitor)
        event, value = message["event"], message["value"]
        if event == zmq.EVENT_CONNECTED:
            self._connected = True
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._greeted = True
            return Reply(note="ZMTP handshake done, nothing asked") if self._frames is None else None
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            raise NoReplyError(protocol_failure(value))
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise NoReplyError("connected, but the ZMTP peer refused to let us in (PLAIN or CURVE)")
        elif event == zmq.EVENT_CLOSED:
            raise NoReplyError("refused")
        elif event == zmq.EVENT_DISCONNECTED:
            return self._last_words()
        return None

    def _last_words(self) -> Reply:
        """Return the reply of a peer that answered and hung up at once."""
        if self._sent:
            with contextlib.suppress(zmq.Again):
                return self._receive()
        if self._greeted:
            raise NoReplyError(_CUT_OFF)
        raise NoReplyError(HUNG_UP)

    def _progress(self) -> str:
        if self._greeted:
            return "ZMTP handshake done, but no reply"
        if self._sent:
            return "connected, but what answered is no ZMTP 3 peer"
        return "connected, but no ZMTP handshake" if self._connected else "no connection"


def _frames(spec: ProbeSpec) -> list[bytes]:
    body = (spec.send or "").encode("utf-8", "surrogateescape")
    return [b"", body] if spec.socket is SocketKind.DEALER else [body]


def protocol_failure(value: int) -> str:
    """Say what libzmq's handshake error means."""
    if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "connected, but the ZMTP peer asks for another security mechanism (PLAIN or CURVE)"
    return f"connected, but the ZMTP handshake failed (libzmq protocol error {value:#x})"
