"""From what passed to a line of the recording: decoded, masked, and such that the same question can be asked again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cutover.config import Codec, Message
from cutover.probes import Kind
from cutover.probes.spec import MASK
from cutover.validate.record.bodies import Body, Form, read
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Headers, Passed
from cutover.validate.talk import question_of

MASKED_TAG = "masked"
"""On every case that does not say what its client said: asking it again asks something else."""
NOT_REPLAYABLE_TAG = "not-replayable"
"""On every case whose question `to:` cannot say: asking it again asks something else."""
_HOPS: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "user-agent", "accept-encoding",
        "expect", "te", "trailer", "upgrade", "content-encoding",
    }
)  # fmt: skip
_CONTENT_TYPES: Final = {Codec.JSON: "application/json", Codec.MSGPACK: "application/msgpack"}
_MOST_INFLATED: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class _Said:
    """A body without its secrets, and the codec that makes the same of it; `undecoded` bytes of it are hidden."""

    value: Any
    codec: Codec = Codec.JSON
    changed: bool = False
    undecoded: int = 0


def line_of(passed: Passed, port: int, masker: Masker) -> dict[str, Any]:
    """Return one exchange as a line of the recording, with nothing in it that is secret by rule.

    `port` is the legacy port: where the question is asked again. `undecoded` counts the bytes that were masked whole
    because they are neither JSON, msgpack nor text; `not_replayable` says what of the question `to:` cannot say.
    """
    asked, told = _request(passed, masker), _reply(passed, masker)
    kept = [
        (n, v) for n, v in passed.request_headers if n.lower() not in _HOPS and not _goes_without(n, v, asked.codec)
    ]
    masker.headers(passed.request_headers)  # met, though not all are written
    masker.headers(passed.reply_headers)
    envelope, hidden = masker.frames(passed.envelope)
    frames, hidden_of_reply = masker.frames(passed.reply_frames)
    before = [asked.value, told.value, masker.target(passed.path), masker.headers(tuple(kept)), envelope, frames]
    request, reply, target, headers, envelope, frames = _again(masker, before)
    plain = [f.decode("utf-8", "surrogateescape") for f in passed.envelope]
    changed = asked.changed or passed.too_long or request != asked.value
    changed = changed or (target, headers, envelope) != (passed.path, _joined(tuple(kept)), plain)
    why_not = _not_replayable(passed)
    case = _case(passed, port, _Said(request, asked.codec), target, headers, envelope)
    tags = [tag for tag, has in ((MASKED_TAG, changed), (NOT_REPLAYABLE_TAG, why_not)) if has]
    answer = {
        "value": reply,
        "frames": frames or None,
        "code": passed.code,
        "kind": "closed" if passed.failure else "answer",
    }
    undecoded = {"request": asked.undecoded + sum(hidden), "reply": told.undecoded + sum(hidden_of_reply)}
    line = {
        "case": case | ({"tags": tags} if tags else {}),
        "reply": {k: v for k, v in answer.items() if v is not None},
        "at": datetime.fromtimestamp(passed.at, UTC).isoformat(timespec="milliseconds"),
        "elapsed_s": None if passed.elapsed_s is None else round(passed.elapsed_s, 6),
        "masked": changed,
    }
    notes = {
        "unsure": passed.unsure,
        "too_long": passed.too_long,
        "failure": passed.failure,
        "not_replayable": why_not,
        "target": target if why_not else "",
        "undecoded": {name: size for name, size in undecoded.items() if size},
    }
    return line | {name: value for name, value in notes.items() if value}


def _case(  # noqa: PLR0917
    passed: Passed, port: int, asked: _Said, target: str, headers: Mapping[str, str], envelope: list[str]
) -> dict[str, Any]:
    web = passed.kind is Kind.HTTP
    place = (target if target.startswith("/") else "/") if web else ""
    case: dict[str, Any] = {"to": f"{passed.kind}://:{port}{place}"}
    if passed.request is not None:
        case |= {"request": asked.value, "codec": str(asked.codec)}
    if web:
        case |= {"method": passed.method, "headers": headers}
    if passed.kind is Kind.ZMQ:
        case |= {"socket": str(passed.socket), "envelope": envelope}
    if not passed.delimiter:
        case["delimiter"] = False
    return {k: v for k, v in case.items() if v or k not in {"headers", "envelope"}}


def _not_replayable(passed: Passed) -> str:
    """Return what of a request's target `to:` cannot say, "" if it can say all of it."""
    if passed.kind is not Kind.HTTP:
        return ""
    if not passed.path.startswith("/"):
        return "what it asks for does not begin with /"
    try:
        sent = question_of(Message(to=f"http://:1{passed.path}")).path
    except ValueError as error:
        return f"what it asks for is no path: {type(error).__name__}"
    if sent == passed.path:
        return ""
    return "`to:` has no place for a #fragment" if "#" in passed.path else "`to:` spells what it asks for otherwise"


def _again(masker: Masker, parts: list[Any]) -> list[Any]:
    try:
        return masker.again(parts)
    except RecursionError:  # what nests too deep to be masked is not written
        return [masker.again([part])[0] if not isinstance(part, dict | list) else _shallow(part) for part in parts]


def _shallow(part: Any) -> Any:
    return MASK if part else part


def _request(passed: Passed, masker: Masker) -> _Said:  # noqa: PLR0911  (a line for each form)
    """Return what was asked, and the codec that makes the same bytes, or the same value, of it."""
    if passed.request is None:
        return _Said(None)
    body = None if passed.too_long else _inflated(passed.request, passed.request_headers)
    if body is None:
        return _Said(MASK, Codec.RAW, changed=True, undecoded=len(passed.request))
    exact = body.decode("utf-8", "surrogateescape")
    found = read(body)
    if _is_named(passed.envelope, found, masker):
        return _Said(masker.hidden(exact), Codec.RAW, changed=True)
    as_line = passed.kind is not Kind.TCP or (body.endswith(b"\n") and body.count(b"\n") == 1)
    if found.form is Form.OPAQUE:
        if masker.keeps_undecoded:
            return _compared(masker, exact, Codec.RAW)
        return _Said(MASK, Codec.RAW, changed=True, undecoded=len(body))
    if found.form is Form.TEXT or (found.form is Form.JSON and not as_line):
        return _compared(masker, exact, Codec.RAW)
    codec = Codec.JSON if found.form is Form.JSON else Codec.MSGPACK
    said = _compared(masker, found.value, codec)
    return said if said.changed or found.exact else _Said(exact, Codec.RAW)


def _is_named(frames: tuple[bytes, ...], body: Body, masker: Masker) -> bool:
    """Say whether the frame before a body says that it is secret; an object tells which of it is."""
    names = frames[-1].decode("utf-8", "replace") if frames else ""
    return bool(names) and masker.labels(names) and not isinstance(body.value, dict | list)


def _compared(masker: Masker, value: Any, codec: Codec) -> _Said:
    value = masker.as_texts(value) if codec is Codec.MSGPACK and masker.keeps_undecoded else value
    shown = _shown(masker, value)
    return _Said(shown, codec, changed=shown != value)


def _reply(passed: Passed, masker: Masker) -> _Said:
    if passed.reply is None or passed.too_long:
        return _Said(None)
    body = _inflated(passed.reply, passed.reply_headers)
    if body is None:
        return _Said(MASK, undecoded=len(passed.reply))
    found = read(body)
    if _is_named(passed.reply_frames, found, masker):
        return _Said(masker.hidden(body.decode("utf-8", "surrogateescape")))
    if found.form is Form.OPAQUE and not masker.keeps_undecoded:
        return _Said(MASK, undecoded=len(body))
    value = body.decode("utf-8", "backslashreplace") if found.form is Form.OPAQUE else found.value
    return _compared(masker, value, Codec.JSON)


def _shown(masker: Masker, value: Any) -> Any:
    try:
        return masker.value(value)
    except RecursionError:  # what nests too deep to be masked is not written
        return MASK


def _inflated(body: bytes, headers: Headers) -> bytes | None:
    """Return a body without its content encoding, None where we cannot undo that: it may hold anything."""
    coding = next((v.strip().lower() for n, v in headers if n.lower() == "content-encoding"), "identity")
    if coding in {"identity", ""}:
        return body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        return None
    try:
        undo = zlib.decompressobj(zlib.MAX_WBITS | 32)
        found = undo.decompress(body, _MOST_INFLATED)
    except zlib.error:
        return None
    return None if undo.unconsumed_tail else found


def _goes_without(name: str, value: str, codec: Codec) -> bool:
    """Say whether a header is what the codec sends anyway, or what every client says."""
    return (name.lower(), value) in {("content-type", _CONTENT_TYPES.get(codec, "")), ("accept", "*/*")}


def _joined(headers: Headers) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
