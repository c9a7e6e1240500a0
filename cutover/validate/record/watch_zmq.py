"""ZMTP 3 (RFC 23) as it passes: messages of both ways, paired to exchanges."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cutover.config import Socket
from cutover.probes import Kind
from cutover.validate.record.passed import MAX_BODY_BYTES, Emit, NotOurProtocolError, Passed

_GREETING_BYTES: Final = 64
_MAJOR: Final = 3
_SIGNATURE: Final = 0xFF
_MORE, _LONG, _COMMAND = 1, 2, 4
_ASKING: Final = frozenset({b"REQ", b"DEALER"})
_IDS: Final = ("id", "request_id", "correlation_id", "msg_id", "seq")
_MOST_WAITING: Final = 10_000


class Frames:
    """Cuts one direction of a ZMTP connection into messages. `socket` is the socket type that the peer names."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._greeted = False
        self._parts: list[bytes] = []
        self._skip = 0
        self.too_long = False
        self.socket = b""

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """Yield each message that is complete now.

        Raises:
            NotOurProtocolError: it is no ZMTP 3, or is encrypted.

        """
        self._bytes += data
        if not self._greeted and not self._greeting():
            return
        while (found := self._frame()) is not None:
            flags, body = found
            if flags & _COMMAND:
                self._command(body)
                continue
            self._parts.append(body)
            if not flags & _MORE:
                message, self._parts = self._parts, []
                yield message

    def _greeting(self) -> bool:
        if self._bytes and self._bytes[0] != _SIGNATURE:
            raise NotOurProtocolError("what passes is no ZMTP")
        if len(self._bytes) < _GREETING_BYTES:
            return False
        major, mechanism = self._bytes[10], bytes(self._bytes[12:32]).rstrip(b"\0")
        if major < _MAJOR:
            raise NotOurProtocolError(f"ZMTP {major} is not read, only 3")
        if mechanism not in {b"NULL", b"PLAIN"}:
            raise NotOurProtocolError(f"{mechanism.decode('ascii', 'replace')} encrypts what passes")
        del self._bytes[:_GREETING_BYTES]
        self._greeted = True
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        """Return flags and body of the next frame, None while it is not whole."""
        if self._skip:
            gone = min(self._skip, len(self._bytes))
            del self._bytes[:gone]
            self._skip -= gone
            if self._skip:
                return None
        head = 9 if self._bytes and self._bytes[0] & _LONG else 2
        if len(self._bytes) < head:
            return None
        flags, size = self._bytes[0], int.from_bytes(self._bytes[1:head])
        if size > MAX_BODY_BYTES:
            self.too_long = True
            del self._bytes[:head]
            self._skip = size
            return flags, b""
        if len(self._bytes) < head + size:
            return None
        body = bytes(self._bytes[head : head + size])
        del self._bytes[: head + size]
        return flags, body

    def _command(self, body: bytes) -> None:
        name = body[1 : 1 + body[0]] if body else b""
        if name in {b"READY", b"INITIATE"} and (at := body.find(b"Socket-Type")) >= 0:
            start = at + len(b"Socket-Type") + 4
            self.socket = body[start : start + int.from_bytes(body[start - 4 : start])]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A question without its reply yet."""

    envelope: tuple[bytes, ...]
    frames: tuple[bytes, ...]
    whole: tuple[bytes, ...]
    at: float
    began: float
    too_long: bool


class ZmqWatch:
    """Pairs the messages of one connection: by envelope, by an id in the JSON, else in their order."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._ours, self._theirs = Frames(), Frames()
        self._waiting: list[_Waiting] = []

    def sent(self, data: bytes) -> None:
        """Take what the client said."""
        for frames in self._ours.feed(data):
            if self._ours.socket not in _ASKING:
                named = self._ours.socket.decode("ascii", "replace")
                raise NotOurProtocolError(f"the client's socket is {named}: only REQ and DEALER ask questions")
            envelope, body = _split(frames)
            too_long, self._ours.too_long = self._ours.too_long, False
            self._waiting.append(_Waiting(envelope, body, tuple(frames), time.time(), time.perf_counter(), too_long))
            if len(self._waiting) > _MOST_WAITING:
                self._tell(self._waiting.pop(0), None, failure="no reply")

    def received(self, data: bytes) -> None:
        """Take what green said."""
        for frames in self._theirs.feed(data):
            if self._waiting:
                envelope, body = _split(frames)
                at, unsure = self._whose(envelope, body)
                too_long, self._theirs.too_long = self._theirs.too_long, False
                self._tell(self._waiting.pop(at), tuple(frames), unsure=unsure, too_long=too_long)

    def closed(self) -> None:
        """Tell of the questions that had no reply."""
        for waiting in self._waiting:
            self._tell(waiting, None, failure="hung up without a reply")
        self._waiting.clear()

    def _whose(self, envelope: tuple[bytes, ...], body: tuple[bytes, ...]) -> tuple[int, bool]:
        """Return which question a reply belongs to, and whether that is a guess."""
        if len(self._waiting) == 1:
            return 0, False
        same = [n for n, w in enumerate(self._waiting) if w.envelope == envelope]
        if len(same) == 1:
            return same[0], False
        name = _id_of(body)
        fitting = [n for n in same or range(len(self._waiting)) if _id_of(self._waiting[n].frames) == name]
        return (fitting or same or [0])[0], len(fitting) != 1

    def _tell(
        self,
        waiting: _Waiting,
        reply: tuple[bytes, ...] | None,
        *,
        failure: str = "",
        unsure: bool = False,
        too_long: bool = False,
    ) -> None:
        is_req = self._ours.socket == b"REQ"
        delimiter = is_req or waiting.whole[0] == b""
        asked = waiting.frames if is_req else waiting.whole[waiting.whole[0] == b"" and len(waiting.whole) > 1 :]
        told = reply and reply[reply[0] == b"" and len(reply) > 1 :]
        self._emit(
            Passed(
                kind=Kind.ZMQ,
                at=waiting.at,
                request=asked[-1],
                reply=told[-1] if told else None,
                elapsed_s=time.perf_counter() - waiting.began if reply is not None else None,
                socket=Socket.REQ if is_req else Socket.DEALER,
                envelope=asked[:-1],
                delimiter=delimiter,
                reply_frames=told[:-1] if told else (),
                failure=failure,
                unsure=unsure,
                too_long=too_long or waiting.too_long,
            )
        )


def _split(frames: list[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return what stands before the empty delimiter, and what is said; all is said where there is none."""
    if b"" in frames[:-1]:
        at = frames.index(b"")
        return tuple(frames[:at]), tuple(frames[at + 1 :])
    return (), tuple(frames)


def _id_of(frames: tuple[bytes, ...]) -> Any:
    """Return the id by which a JSON message names its exchange, None without one."""
    try:
        value = json.loads(frames[-1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found = (value.get(key) for key in _IDS)
    return next((f for f in found if isinstance(f, str | int)), None)
