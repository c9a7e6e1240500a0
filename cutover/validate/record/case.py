"""From what passed to a line of the recording: decoded, masked, and such that the same question can be asked again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cutover.config import Codec
from cutover.probes import Kind
from cutover.probes.spec import MASK
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Headers, Passed

MASKED_TAG = "masked"
"""On every case that does not say what its client said: asking it again asks something else."""
_HOPS: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "user-agent", "accept-encoding",
        "expect", "te", "trailer", "upgrade", "content-encoding",
    }
)  # fmt: skip
_CONTENT_TYPES: Final = {Codec.JSON: "application/json", Codec.MSGPACK: "application/msgpack"}
_MOST_INFLATED: Final = 32 << 20


class TwiceNamedError(ValueError):
    """A JSON object names a key twice: only its text says all of it."""


def line_of(passed: Passed, port: int, masker: Masker) -> dict[str, Any]:
    """Return one exchange as a line of the recording, with nothing in it that is secret by rule.

    `port` is the legacy port: where the question is asked again.
    """
    asked, codec = _request(passed)
    told = _reply(passed)
    headers = tuple(
        (n, v) for n, v in passed.request_headers if n.lower() not in _HOPS and not _goes_without(n, v, codec)
    )
    envelope = [f.decode("utf-8", "surrogateescape") for f in passed.envelope]
    masker.meet([asked, told], [passed.request_headers, passed.reply_headers], passed.path, envelope)
    hidden = _shown(masker, asked)
    path, shown = masker.path(passed.path), masker.headers(headers)
    shown_envelope = [masker.text(f) for f in envelope]
    web = passed.kind is Kind.HTTP
    changed = (hidden, path, shown_envelope) != (asked, passed.path, envelope) or any(
        shown[n] != v for n, v in _joined(headers).items()
    )
    changed = changed or passed.too_long
    case: dict[str, Any] = {"to": f"{passed.kind}://:{port}{path if web else ''}"}
    if passed.request is not None:
        case |= {"request": hidden, "codec": str(codec)}
    if web:
        case |= {"method": passed.method, "headers": shown}
    if passed.kind is Kind.ZMQ:
        case |= {"socket": str(passed.socket), "envelope": shown_envelope}
    if changed:
        case["tags"] = [MASKED_TAG]
    reply = {"value": _shown(masker, told), "code": passed.code, "kind": "closed" if passed.failure else "answer"}
    line = {
        "case": {k: v for k, v in case.items() if v or k not in {"headers", "envelope"}},
        "reply": {k: v for k, v in reply.items() if v is not None},
        "at": datetime.fromtimestamp(passed.at, UTC).isoformat(timespec="milliseconds"),
        "elapsed_s": None if passed.elapsed_s is None else round(passed.elapsed_s, 6),
        "masked": changed,
    }
    notes = {"unsure": passed.unsure, "too_long": passed.too_long, "failure": passed.failure}
    return line | {name: value for name, value in notes.items() if value}


def _shown(masker: Masker, value: Any) -> Any:
    try:
        return masker.value(value)
    except RecursionError:  # what nests too deep to be masked is not written
        return MASK


def _request(passed: Passed) -> tuple[Any, Codec]:
    """Return what was asked and the codec that makes the same bytes, or the same value, of it."""
    body = passed.request
    if body is None:
        return None, Codec.JSON
    if passed.too_long:
        return MASK, Codec.RAW
    body = _inflated(body, passed.request_headers)
    if body is None:
        return MASK, Codec.RAW
    tcp_line = passed.kind is not Kind.TCP or (body.endswith(b"\n") and body.count(b"\n") == 1)
    if tcp_line and (found := _json(body)) is not None:
        return found[0], Codec.JSON
    if passed.kind is Kind.ZMQ and (found := _msgpack(body)) is not None:
        return found[0], Codec.MSGPACK
    return body.decode("utf-8", "surrogateescape"), Codec.RAW


def _reply(passed: Passed) -> Any:
    if passed.reply is None or passed.too_long:
        return None
    body = _inflated(passed.reply, passed.reply_headers)
    if body is None:
        return None
    found = _json(body) or (_msgpack(body) if passed.kind is Kind.ZMQ else None)
    return found[0] if found else body.decode("utf-8", "backslashreplace")


def _json(body: bytes) -> tuple[Any] | None:
    """Return the value of a JSON body, None where its text says more than its value does."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise TwiceNamedError
        return found

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return (json.loads(body, object_pairs_hook=once, parse_constant=refuse),)
    except (ValueError, RecursionError):
        return None


def _msgpack(body: bytes) -> tuple[Any] | None:
    """Return the value of a msgpack body, None where JSON cannot say it or it would become other bytes."""
    import msgpack  # noqa: PLC0415

    try:
        value = msgpack.unpackb(body, strict_map_key=True)
        whole = isinstance(value, dict | list) and msgpack.packb(value) == body
        return (json.loads(json.dumps(value, allow_nan=False)),) if whole else None
    except Exception:  # noqa: BLE001  (msgpack's errors have no common parent)
        return None


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
