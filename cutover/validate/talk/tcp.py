"""TCP: newline-delimited JSON, msgpack, or raw text, whose end is the peer's silence or its hanging up.

Each question has a connection of its own, so that a late rest of an answer is never the answer to the next one; only
JSON and msgpack, which have an end, may keep it (`keep`).
"""

from __future__ import annotations

import time

from cutover.config import Codec
from cutover.probes.reply import Failure, NoReplyError
from cutover.probes.tcp import SETTLE_S
from cutover.probes.wire import CLOSED, Wire
from cutover.validate.talk.answer import MAX_BODY_BYTES, Raw
from cutover.validate.talk.base import Question
from cutover.validate.talk.codec import begins_with_msgpack, decoded_stream
from cutover.validate.talk.kept import KeptConnection

QUIET_S = 0.1
"""Raw text has no end of its own: a peer that says nothing for so long has said all. It does not count as its time."""
MORE_S = 0.01
"""A second line or value within this time belongs to the answer. It does not count as the service's time either."""
_CHUNK_BYTES = 1 << 16


class TcpConnection(KeptConnection):
    """A TCP connection for a question, or for all that keep it; what comes unasked in between ends it."""

    def _once(self, wire: Wire, question: Question) -> Raw:
        raw = self._settled(wire) if question.body is None else self._asked(wire, question.body, question.codec)
        if not question.keep:
            self.close()
        return raw

    def _asked(self, wire: Wire, request: bytes, codec: Codec) -> Raw:
        wire.write(request)
        body, at, whole = b"", time.perf_counter(), False
        while chunk := self._read(wire, _silence_s(body, codec, whole=whole), begun=bool(body), whole=whole):
            self.heard, body, at = True, body + chunk, time.perf_counter()
            if len(body) > MAX_BODY_BYTES:
                raise NoReplyError(f"the answer is above {MAX_BODY_BYTES >> 20} MiB", Failure.GARBLED)
            whole = whole or _whole(body, codec)
        if chunk == b"":
            self._keeps = False
        if not body:
            raise NoReplyError(CLOSED)
        return Raw(body, at=at)

    def _read(self, wire: Wire, quiet_s: float | None, *, begun: bool, whole: bool) -> bytes | None:
        try:
            return wire.read(_CHUNK_BYTES, quiet_s)
        except NoReplyError as error:
            if whole:  # the answer is there; that nothing follows is no failure of its own
                self._keeps = False
                return None
            if begun and error.failure is Failure.TIMEOUT:
                told = f"the answer began, and had no end within {wire.deadline.seconds:.3g} s"
                raise NoReplyError(told, Failure.TIMEOUT) from error
            raise

    def _settled(self, wire: Wire) -> Raw:
        """Return what a peer says unasked; docker-proxy takes a connection and hangs up where nobody listens."""
        if self._answers:
            return Raw(b"", note="connected, and the connection stays")
        body = wire.read(_CHUNK_BYTES, min(SETTLE_S, wire.deadline.left_s / 2))
        if body == b"":
            raise NoReplyError(CLOSED)
        return Raw(body or b"", note="connected, and the connection stays")


def _silence_s(body: bytes, codec: Codec, *, whole: bool) -> float | None:
    """Return the silence that ends an answer, None where it has to go on."""
    if codec is Codec.RAW:
        return QUIET_S if body else None
    return MORE_S if whole else None


def _whole(body: bytes, codec: Codec) -> bool:
    """Say whether an answer is there; more of it may follow at once.

    JSON is whole at the end of a line that can be read or that begins like no object or list, or where all that came
    can be read as objects or lists.
    """
    if codec is Codec.RAW:
        return False
    if codec is Codec.MSGPACK:
        return begins_with_msgpack(body)
    line, newline, _ = body.partition(b"\n")
    if newline and (not line.lstrip().startswith((b"{", b"[")) or _reads(line)):
        return True
    complete = body.rstrip().endswith((b"}", b"]")) and body.lstrip().startswith((b"{", b"["))
    return complete and _reads(body)


def _reads(body: bytes) -> bool:
    try:
        decoded_stream(body, Codec.JSON)
    except ValueError:
        return False
    return True
