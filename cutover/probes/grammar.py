"""Probe specs as people write them: URLs, or mappings in `cutover.yaml`.

    zmq://:5570?send={"method":"health_check"}&expect=status:ok&identity=agent
    http://:6570/health?expect=code:200&expect=/ready/&header=Accept:text/plain
    tcp://:6379?send=PING%0D%0A&expect=+PONG

Options are separated by `&`. A value that is JSON as it stands is taken as it stands, so `&` and `%` inside JSON need
no escape; every other value is percent-decoded, and `+` is a plus sign.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from cutover.errors import UsageError
from cutover.probes.options import KNOWN, apply_options
from cutover.probes.spec import Kind, ProbeSpec, json_length

EXAMPLES = {
    Kind.ZMQ: 'zmq://:5570?send={"method":"health_check"}&expect=status:ok',
    Kind.HTTP: "http://:6570/health?expect=code:200",
    Kind.HTTPS: "https://:8443/health?verify=no",
    Kind.TCP: "tcp://:6379?send=PING%0D%0A&expect=+PONG",
}
_URL = re.compile(r"(?P<scheme>[^:/?]*)://(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<options>.*))?", re.DOTALL)
_AUTHORITY = re.compile(
    r"(?:(?P<userinfo>.*)@)?(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:@\[\]\s]*))(?::(?P<port>[^:]*))?"
)
_MAX_PORT = 65535


def read(item: str | Mapping[str, object]) -> ProbeSpec:
    """Return the spec that one entry of `probes:` means, be it a URL or a mapping.

    Raises:
        UsageError: it makes no sense; says what is wrong and gives an example.

    """
    return parse(item) if isinstance(item, str) else from_mapping(item)


def parse(text: str) -> ProbeSpec:
    """Return the spec that a URL means.

    Raises:
        UsageError: it makes no sense; says what is wrong and gives an example.

    """
    found = _URL.fullmatch(text.strip())
    if found is None:
        raise _wrong("A probe is a URL with a scheme: zmq://, http://, https:// or tcp://.", Kind.ZMQ)
    kind = _kind(found["scheme"])
    options = list(_split(found["options"] or "", kind))
    return apply_options(_place(kind, found["authority"], found["path"] or ""), options, EXAMPLES[kind])


def from_mapping(mapping: Mapping[str, object]) -> ProbeSpec:
    """Return the spec that a mapping means: `url`, and options by their names.

    `send` may be any JSON-like value; `expect`, `header` and `query` may be mappings or lists; an option without a
    value counts as not given.

    Raises:
        UsageError: it makes no sense; says what is wrong and gives an example.

    """
    url = mapping.get("url")
    if not isinstance(url, str):
        raise _wrong("A probe that is a mapping needs `url`, a text.", Kind.ZMQ)
    spec = parse(url)
    if "?" in url:
        raise _wrong("A probe that is a mapping says its options beside `url`, not in it.", spec.kind)
    given = ((str(name), value) for name, value in mapping.items() if name != "url" and value is not None)
    options = [(name, text) for name, value in given for text in _texts(name, value)]
    return apply_options(spec, options, EXAMPLES[spec.kind])


def _kind(scheme: str) -> Kind:
    try:
        return Kind(scheme.lower())
    except ValueError as error:
        known = ", ".join(f"{kind}://" for kind in Kind)
        raise _wrong(f"No probe speaks {scheme[:40]!r}; known: {known}.", Kind.ZMQ) from error


def _place(kind: Kind, authority: str, path: str) -> ProbeSpec:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise _wrong("The address of a probe is [HOST]:PORT; an IPv6 address stands in brackets.", kind)
    userinfo = found["userinfo"] or ""
    if userinfo and kind not in (Kind.HTTP, Kind.HTTPS):
        raise _wrong(f"A user before @ means nothing to {kind}://.", kind)
    if kind in (Kind.ZMQ, Kind.TCP) and path.strip("/"):
        raise _wrong(f"The path {path[:80]!r} means nothing to {kind}://.", kind)
    kept = path if kind in (Kind.HTTP, Kind.HTTPS) else ""
    if not kept.isprintable() or any(c.isspace() for c in kept):  # no HTTP request can ask for it as it is
        raise _wrong(f"The path {path[:80]!r} has a blank or a control character; write it as %20.", kind)
    host = found["v6"] or found["host"] or ""
    return ProbeSpec(kind=kind, port=_port(found["port"], kind), host=host, userinfo=userinfo, path=kept)


def _port(text: str | None, kind: Kind) -> int:
    if not text:
        raise _wrong(f"A {kind} probe needs a port.", kind)
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= _MAX_PORT):
        raise _wrong(f"{text[:20]!r} is no port: a number from 1 to {_MAX_PORT} is.", kind)
    return int(text)


def _split(text: str, kind: Kind) -> Iterable[tuple[str, str]]:
    rest = text
    while rest:
        name, equals, rest = rest.partition("=")
        if not equals or "&" in name:
            raise _wrong(f"{_bare(name.partition('&')[0])} has no value: write NAME=VALUE.", kind)
        value, rest = _take(rest)
        yield unquote(name), value


def _bare(name: str) -> str:
    """Name an option that there is; anything else may be the end of a value with an `&` in it, a secret say."""
    return f"The option {name!r}" if name in KNOWN else "An option (what follows an `&` that is not written %26)"


def _take(text: str) -> tuple[str, str]:
    length = json_length(text)
    if length and text[length : length + 1] in ("", "&"):
        return text[:length], text[length + 1 :]
    value, _, rest = text.partition("&")
    return unquote(value, errors="surrogateescape"), rest


def _texts(name: str, value: object) -> list[str]:
    if name in ("expect", "header", "query"):
        joint = "=" if name == "query" else ":"
        if isinstance(value, Mapping):
            return [f"{key}{joint}{_scalar(item)}" for key, item in value.items()]
        if isinstance(value, list | tuple):
            return [text for item in value for text in _texts(name, item)]
    return [_scalar(value)]


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _wrong(message: str, kind: Kind) -> UsageError:
    return UsageError("probe-invalid", message, hint=f"for example: {EXAMPLES[kind]}")
