"""ZeroMQ: one question at a time, over a socket of its own or over one that is kept from question to question.

A second message that a service sends late would be the answer to the next question, for a DEALER and for a REQ alike:
libzmq drops what came before the next request, not what comes behind it, and a request id in the envelope would break
each ROUTER that takes three frames apart. A new socket has an identity of its own, to which no late message goes.

A socket that did not get its reply is thrown away: a REQ whose peer died waits for ever (libzmq #1227). Its monitor
tells what libzmq keeps to itself: nobody listens, the peer hung up, the peer speaks something else.
"""

from __future__ import annotations

import contextlib

import zmq
from zmq.utils.monitor import recv_monitor_message

from cutover.clock import Deadline
from cutover.config import Socket
from cutover.probes.reply import Failure, NoReplyError
from cutover.probes.wire import timed_out
from cutover.probes.zeromq import EVENTS, HUNG_UP, endpoint, protocol_failure
from cutover.validate.talk.answer import MAX_BODY_BYTES, Raw, answer
from cutover.validate.talk.base import Address, Question, Response

_OPTIONS = {
    zmq.LINGER: 0,
    zmq.IMMEDIATE: 1,
    zmq.RECONNECT_IVL: -1,
    zmq.IPV6: 1,
    zmq.MAXMSGSIZE: MAX_BODY_BYTES,
}
# libzmq itself closes the connection when a REQ gets a reply without delimiter, or anything above MAXMSGSIZE.
_CUT_OFF = (
    "ZMTP handshake done, but the connection ended without a reply (closed by the peer; "
    f"or a reply without the empty delimiter, or above {MAX_BODY_BYTES >> 20} MiB)"
)


class ZmqConnection:
    """One REQ or DEALER socket and its monitor. The context belongs to whoever made it."""

    def __init__(self, address: Address, kind: Socket, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._address = address
        self._dealer = kind is Socket.DEALER
        self._delimiter = True
        self._context = context
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._poller = zmq.Poller()
        self._connected = self._greeted = self._sent = False

    def ask(self, question: Question) -> Response:
        """Put one question; never raises for what the service does or does not do."""
        return answer(self._exchange, question)

    def close(self) -> None:
        """Let go of the socket, with nothing lingering."""
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(0)
        if self._monitor is not None:
            self._monitor.close(0)
        self._socket = self._monitor = None

    def _exchange(self, question: Question, deadline: Deadline) -> Raw:
        frames = None if question.body is None else [*question.envelope, question.body]
        self._delimiter = question.delimiter
        try:
            sock = self._open(deadline)
            raw = self._greeting(sock, deadline) if frames is None else self._asked(sock, frames, deadline)
        except zmq.ZMQError as error:
            self.close()
            raise NoReplyError(f"no exchange: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        if not question.keep:
            self.close()
        return raw

    def _open(self, deadline: Deadline) -> zmq.Socket[bytes]:
        """Return the socket that is kept, or a new one where its peer has hung up meanwhile."""
        if self._socket is not None and self._monitor is not None and not self._monitor.poll(0):
            self._drain(self._socket)
            return self._socket
        self.close()
        where = endpoint(self._address.host, self._address.port, deadline)
        self._connected = self._greeted = False
        self._socket = sock = self._context.socket(zmq.DEALER if self._dealer else zmq.REQ)
        for option, value in _OPTIONS.items():
            sock.setsockopt(option, value)
        self._monitor = sock.get_monitor_socket(EVENTS)
        self._poller = zmq.Poller()
        self._poller.register(self._monitor, zmq.POLLIN)
        self._poller.register(sock, zmq.POLLIN)
        sock.connect(where)
        return sock

    def _drain(self, sock: zmq.Socket[bytes]) -> None:
        """Drop what a kept DEALER was told unasked; a REQ does so by itself."""
        with contextlib.suppress(zmq.Again):
            while self._dealer:
                sock.recv_multipart(zmq.NOBLOCK)

    def _greeting(self, sock: zmq.Socket[bytes], deadline: Deadline) -> Raw:
        self._sent = False
        while not self._greeted:
            self._wait(sock, deadline)
        return Raw(b"", note="ZMTP handshake done, nothing asked")

    def _asked(self, sock: zmq.Socket[bytes], frames: list[bytes], deadline: Deadline) -> Raw:
        self._greeting(sock, deadline)
        self._send(sock, [b"", *frames] if self._dealer and self._delimiter else frames, deadline)
        self._sent = True
        while True:
            reply = self._wait(sock, deadline)
            if reply is not None:
                return reply

    def _send(self, sock: zmq.Socket[bytes], frames: list[bytes], deadline: Deadline) -> None:
        """Send; right after the handshake libzmq may need a moment to let the socket write."""
        if not sock.poll(_left_ms(deadline), zmq.POLLOUT):
            raise NoReplyError(timed_out(self._progress(), deadline), Failure.TIMEOUT)
        sock.send_multipart(frames, zmq.NOBLOCK)

    def _wait(self, sock: zmq.Socket[bytes], deadline: Deadline) -> Raw | None:
        ready = dict(self._poller.poll(_left_ms(deadline)))
        if sock in ready:
            return self._received(sock)
        if self._monitor in ready:
            return self._notice(sock)
        if deadline.passed:
            raise NoReplyError(timed_out(self._progress(), deadline), Failure.TIMEOUT)
        return None

    def _received(self, sock: zmq.Socket[bytes]) -> Raw:
        frames, note = sock.recv_multipart(zmq.NOBLOCK), ""
        if self._dealer and self._delimiter and len(frames) > 1 and frames[0] == b"":
            del frames[0]
        elif self._dealer and self._delimiter:
            note = "no empty delimiter in the reply: a REQ client would never see it"
        return Raw(frames[-1], note=note, frames=tuple(frames[:-1]))

    def _notice(self, sock: zmq.Socket[bytes]) -> Raw | None:
        assert self._monitor is not None
        message = recv_monitor_message(self._monitor)
        match message["event"]:
            case zmq.EVENT_CONNECTED:
                self._connected = True
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._greeted = True
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                raise NoReplyError(protocol_failure(message["value"]), Failure.GARBLED)
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                told = "connected, but the ZMTP peer refused to let us in (PLAIN or CURVE)"
                raise NoReplyError(told, Failure.REFUSED)
            case zmq.EVENT_CLOSED:
                raise NoReplyError("refused", Failure.REFUSED)
            case zmq.EVENT_DISCONNECTED:
                return self._last_words(sock)
        return None

    def _last_words(self, sock: zmq.Socket[bytes]) -> Raw:
        """Return the reply of a peer that answered and hung up at once."""
        if self._sent:
            with contextlib.suppress(zmq.Again):
                return self._received(sock)
        raise NoReplyError(_CUT_OFF if self._greeted else HUNG_UP)

    def _progress(self) -> str:
        if self._greeted:
            return "ZMTP handshake done, but no reply"
        return "connected, but no ZMTP handshake" if self._connected else "no connection"


def _left_ms(deadline: Deadline) -> int:
    return max(0, int(deadline.left_s * 1000 + 0.999))
