"""From an exchange of bytes to a `Response`: one deadline, one clock, one way to read a body."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cutover.clock import Deadline
from cutover.config import Codec
from cutover.probes.reply import NoReplyError
from cutover.validate.talk.base import Kind, Question, Response, ResponseKind
from cutover.validate.talk.codec import decoded, decoded_stream, text_of

MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back, unread. `at` is when the last byte was there, on the clock of `time.perf_counter`."""

    body: bytes
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    at: float = field(default_factory=time.perf_counter)
    frames: tuple[bytes, ...] = ()


def answer(exchange: Callable[[Question, Deadline], Raw], question: Question) -> Response:
    """Return what came of a question; an exchange that fails raises nothing."""
    started = time.perf_counter()
    try:
        raw = exchange(question, Deadline(question.timeout_s))
    except NoReplyError as error:
        spent_s = time.perf_counter() - started
        return Response(ResponseKind(error.failure.value), elapsed_s=spent_s, detail=error.detail)
    return _read(raw, question, raw.at - started)


def _read(raw: Raw, question: Question, elapsed_s: float) -> Response:
    kind, value, detail = ResponseKind.ANSWER, None, raw.note
    asked = question.body is not None or question.kind in {Kind.HTTP, Kind.HTTPS}
    if raw.body or (asked and raw.code is None):
        try:
            value = _value(raw.body, question.kind, question.codec if asked else Codec.RAW)
        except ValueError as error:
            value = text_of(raw.body)
            if not _is_text(raw):
                kind, detail = ResponseKind.GARBLED, str(error)
    return Response(kind, value, raw.body, raw.code, raw.headers, elapsed_s, detail, raw.frames)


def _value(body: bytes, kind: Kind, codec: Codec) -> Any:
    """Return what a reply says; several values in one stream are the list of them."""
    if kind is not Kind.TCP or codec is Codec.RAW:
        return decoded(body, codec)
    values = decoded_stream(body, codec)
    return values[0] if len(values) == 1 else list(values)


def _is_text(raw: Raw) -> bool:
    """Say whether HTTP does not claim that its body is JSON or msgpack: a page, or plain words."""
    claimed = raw.headers.get("content-type", "").lower()
    return raw.code is not None and "json" not in claimed and "msgpack" not in claimed
