"""TCP: newline-delimited JSON, msgpack, or raw text, whose end is the peer's silence or its hanging up."""

from __future__ import annotations

import time

from cutover.config import Codec
from cutover.probes.reply import Failure, NoReplyError
from cutover.probes.tcp import SETTLE_S
from cutover.probes.wire import CLOSED, Wire
from cutover.validate.talk.answer import MAX_BODY_BYTES, Raw
from cutover.validate.talk.base import Question
from cutover.validate.talk.codec import decoded
from cutover.validate.talk.kept import KeptConnection

QUIET_S = 0.1
"""Raw text has no end of its own: a peer that says nothing for so long has said all. It does not count as its time."""
_CHUNK_BYTES = 1 << 16


class TcpConnection(KeptConnection):
    """One TCP connection; whatever comes unasked makes the next question open a new one."""

    def _once(self, wire: Wire, question: Question) -> Raw:
        if question.body is None:
            return self._settled(wire)
        wire.write(question.body)
        body, at = b"", time.perf_counter()
        while True:
            quiet_s = QUIET_S if body and question.codec is Codec.RAW else None
            chunk = self._read(wire, bool(body), quiet_s)
            if not chunk:
                break
            self.heard, body, at = True, body + chunk, time.perf_counter()
            if len(body) > MAX_BODY_BYTES:
                raise NoReplyError(f"the answer is above {MAX_BODY_BYTES >> 20} MiB", Failure.GARBLED)
            whole = None if question.codec is Codec.RAW else _whole(body, question.codec)
            if whole is not None:
                return self._ended(whole, body, at)
        if chunk == b"":
            self._keeps = False
        if not body:
            raise NoReplyError(CLOSED)
        return Raw(body, at=at)

    def _ended(self, answer: bytes, body: bytes, at: float) -> Raw:
        if body[len(answer) :].strip():
            self.close()  # what came beyond the answer was not asked for: nothing here is the next question's
        return Raw(answer, at=at)

    def _read(self, wire: Wire, begun: bool, quiet_s: float | None) -> bytes | None:
        try:
            return wire.read(_CHUNK_BYTES, quiet_s)
        except NoReplyError as error:
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


def _whole(body: bytes, codec: Codec) -> bytes | None:
    """Return the answer if all of it is there, None if more has to come.

    JSON is whole at the end of a line that can be read or that begins like no object or list, or where all that came
    can be read as an object or a list.
    """
    if codec is not Codec.JSON:
        return body if _reads(body, codec) else None
    line, newline, _ = body.partition(b"\n")
    if newline and (not line.lstrip().startswith((b"{", b"[")) or _reads(line, codec)):
        return line + newline
    complete = body.rstrip().endswith((b"}", b"]")) and body.lstrip().startswith((b"{", b"["))
    return body if complete and _reads(body, codec) else None


def _reads(body: bytes, codec: Codec) -> bool:
    try:
        decoded(body, codec)
    except ValueError:
        return False
    return True
