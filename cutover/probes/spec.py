"""A probe as a value: what to ask, how, and what a working service answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from cutover.probes.expect import Expectation

SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:pass(?:word|wd)?|secret|token|key|api_?key|auth(?:orization)?|credentials?)$", re.IGNORECASE
)
SECRET_TEXT = re.compile(
    r"(\b(?:auth|pass|password|passwd|secret|token|api_?key)\b\s*[ =:]\s*)[^\r\n&]+", re.IGNORECASE
)
MASK = "***"
JSON_BEGINS = ("{", "[", '"')
_SAFE = "/:@!$'()*,;={}[]\"?^|<>\\`~+"


class Kind(StrEnum):
    """The protocols that a probe can speak, as the scheme of its URL."""

    ZMQ = "zmq"
    HTTP = "http"
    HTTPS = "https"
    TCP = "tcp"


class SocketKind(StrEnum):
    """How a ZeroMQ probe asks: REQ, or DEALER with the empty delimiter that a REP or ROUTER expects."""

    REQ = "req"
    DEALER = "dealer"


@dataclass(frozen=True, slots=True, repr=False)
class ProbeSpec:
    """One question, without the address that it is put to; made by `grammar.parse`.

    `host` is "" where the caller supplies the address. `send` None asks nothing: the handshake is the answer.
    `timeout_s` bounds the whole question in seconds, None leaves it to the caller. `str` and `repr` mask header
    values, user information and secret-looking fields; `to_text` masks nothing.
    """

    kind: Kind
    port: int
    host: str = ""
    userinfo: str = ""
    path: str = ""
    send: str | None = None
    expect: tuple[Expectation, ...] = ()
    identity: str | None = None
    timeout_s: float | None = None
    socket: SocketKind = SocketKind.REQ
    method: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    banner: Expectation | None = None
    follow: bool = False
    verify: bool = True

    def to_text(self) -> str:
        """Return the URL that `parse` reads back as this same spec, secrets included."""
        return _render(self, masked=False)

    def __str__(self) -> str:
        return _render(self, masked=True)

    def __repr__(self) -> str:
        return f"ProbeSpec({str(self)!r})"


def json_length(text: str) -> int:
    """Return how many characters at the start of a text are one JSON object, list or string; 0 if none are.

    Such a value stands in a probe's URL as it is, `&` and `%` included.
    """
    if not text.startswith(JSON_BEGINS):
        return 0
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return 0


def is_json(text: str) -> bool:
    """Say whether a text is exactly one JSON object, list or string."""
    return bool(text) and json_length(text) == len(text)


def _render(spec: ProbeSpec, *, masked: bool) -> str:
    user = f"{MASK if masked else spec.userinfo}@" if spec.userinfo else ""
    host = f"[{spec.host}]" if ":" in spec.host else spec.host
    options = "&".join(f"{name}={_escape(value)}" for name, value in _options(spec, masked=masked))
    return f"{spec.kind}://{user}{host}:{spec.port}{spec.path}{'?' if options else ''}{options}"


def _options(spec: ProbeSpec, *, masked: bool) -> list[tuple[str, str]]:
    send = mask_text(spec.send) if masked and spec.send is not None else spec.send
    single = {
        "method": spec.method,
        "banner": None if spec.banner is None else str(spec.banner),
        "send": send,
        "socket": None if spec.socket is SocketKind.REQ else spec.socket.value,
        "identity": spec.identity,
        "timeout": None if spec.timeout_s is None else str(spec.timeout_s),
        "follow": "yes" if spec.follow else None,
        "verify": None if spec.verify else "no",
    }
    return [
        *((name, value) for name, value in single.items() if value is not None),
        *(("header", f"{name}:{MASK if masked else value}") for name, value in spec.headers),
        *(("query", f"{n}={MASK if masked and SECRET_NAME.search(n) else v}") for n, v in spec.query),
        *(("expect", str(e)) for e in spec.expect),
    ]


def _escape(value: str) -> str:
    if is_json(value):
        return value
    escaped = quote(value, safe=_SAFE, errors="surrogateescape")
    # Escaped, or with what follows behind its `&`, it may be JSON and would be taken as it stands: "a\n" in quotes.
    return f"%{ord(value[0]):02X}{escaped[1:]}" if value.startswith(JSON_BEGINS) else escaped


def mask_text(text: str) -> str:
    """Return a text, be it JSON, without what looks like a secret."""
    if not is_json(text):
        return SECRET_TEXT.sub(rf"\1{MASK}", text)
    content = json.loads(text)
    shown = mask(content)
    return text if shown == content else json.dumps(shown, ensure_ascii=False)


def mask(content: object, name: str = "") -> object:
    """Return a value without the texts under keys that look like secrets; `name` is the key that it stands under."""
    if isinstance(content, dict):
        return {key: mask(value, str(key)) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [mask(value, name) for value in content]
    return MASK if isinstance(content, str) and SECRET_NAME.search(name) else content
