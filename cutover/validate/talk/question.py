"""From what `cutover.yaml` says to a question that can be sent."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from cutover.config import Codec, Message, Socket
from cutover.errors import UsageError
from cutover.validate.talk.base import DEFAULT_TIMEOUT_S, Kind, Question
from cutover.validate.talk.codec import encoded

_PORTS = {Kind.HTTP: 80, Kind.HTTPS: 443}
_METHOD_KEYS = ("method", "action", "command", "type", "op")
_SAFE = "/%:@!$&'()*+,;=~-._?[]"
_CONTENT_TYPES = {Codec.JSON: "application/json", Codec.MSGPACK: "application/msgpack"}


def question_of(message: Message) -> Question:
    """Return the question that a message means.

    Raises:
        UsageError: it says no `to:`, or its request cannot be sent with its codec.

    """
    if message.to is None:
        raise UsageError("no-address", f"{_named(message)} does not say `to:`.", hint="to: zmq://:5570")
    parts = urlsplit(message.to)
    kind = Kind(parts.scheme)
    _check_options(message, kind)
    return Question(
        kind=kind,
        port=parts.port or _PORTS[kind],
        host=parts.hostname or "",
        path=_path(parts.path, parts.query),
        body=_body(message, kind),
        socket=message.socket,
        codec=message.codec,
        envelope=tuple(frame.encode("utf-8", "surrogateescape") for frame in message.envelope),
        method=message.method.upper() if message.method else None,
        headers=_headers(message, kind),
        timeout_s=message.timeout_s or DEFAULT_TIMEOUT_S,
        verify=message.verify,
        delimiter=message.delimiter,
        keep=message.keep,
    )


def title_of(message: Message, number: int | None = None) -> str:
    """Return what a question is called: its name, else the method that it asks for, else where it goes.

    `number` counts it among others and is used where nothing else tells it apart.
    """
    if message.name:
        return message.name
    if isinstance(message.request, dict):
        for key in _METHOD_KEYS:
            if isinstance(message.request.get(key), str):
                return str(message.request[key])
    parts = urlsplit(message.to or "")
    if parts.scheme in _PORTS:
        return f"{message.method or ('GET' if message.request is None else 'POST')} {parts.path or '/'}"
    return f"step {number}" if number else message.to or "a question"


def _named(message: Message) -> str:
    return repr(message.name) if message.name else "A question"


def _check_options(message: Message, kind: Kind) -> None:
    """Refuse what would be said in vain, or could not be kept."""
    dealer = kind is Kind.ZMQ and message.socket is Socket.DEALER
    told = ""
    if not message.delimiter and not dealer:
        told = "`delimiter: false` is for `socket: dealer`: REQ always sends the empty frame, others have none"
    elif message.keep and kind is Kind.TCP and message.codec is Codec.RAW:
        told = "`keep: true` needs codec json or msgpack: raw text has no end, so a late rest would be the next answer"
    elif message.keep and kind in _PORTS:
        told = "`keep: true` is for zmq:// and tcp://: HTTP keeps its connection by itself"
    if told:
        raise UsageError("bad-option", f"{_named(message)} to {message.to}: {told}.", hint="cutover schema suite")


def _path(path: str, query: str) -> str:
    """Return path and query with what HTTP cannot carry percent-encoded, and what is encoded left alone."""
    shown = quote(path or "/", safe=_SAFE)
    return f"{shown}?{quote(query, safe=_SAFE)}" if query else shown


def _body(message: Message, kind: Kind) -> bytes | None:
    if message.request is None:
        return None
    try:
        body = encoded(message.request, message.codec)
    except ValueError as error:
        raise UsageError(
            "unsendable-request",
            f"{_named(message)} to {message.to}: its request cannot be sent: {error}.",
            hint="codec: json takes texts, numbers, lists and mappings; msgpack also binary; raw one text",
        ) from error
    return body + b"\n" if kind is Kind.TCP and message.codec is Codec.JSON else body


def _headers(message: Message, kind: Kind) -> tuple[tuple[str, str], ...]:
    """Return the headers, with the content type of the codec where nobody says one."""
    named = {name.lower() for name in message.headers}
    claimed = _CONTENT_TYPES.get(message.codec)
    web = kind in _PORTS and message.request is not None and claimed and "content-type" not in named
    return (*([("Content-Type", claimed)] if web and claimed else []), *message.headers.items())
