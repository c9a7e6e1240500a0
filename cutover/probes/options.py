"""The options of a probe: which kinds know them, what their values may be, and what was probably meant instead."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from cutover.errors import UsageError
from cutover.probes.expect import CodeIs, Contains, Expectation, FieldIs, Matches
from cutover.probes.spec import Kind, ProbeSpec, SocketKind

_ALL: Final = frozenset(Kind)
_WEB: Final = frozenset({Kind.HTTP, Kind.HTTPS})
KNOWN: Final = {
    "send": _ALL,
    "expect": _ALL,
    "identity": _ALL,
    "timeout": _ALL,
    "socket": frozenset({Kind.ZMQ}),
    "method": _WEB,
    "header": _WEB,
    "query": _WEB,
    "follow": _WEB,
    "verify": frozenset({Kind.HTTPS}),
    "banner": frozenset({Kind.TCP}),
}
_REPEATABLE: Final = frozenset({"expect", "header", "query"})
_WIRE: Final = frozenset({"send", "expect", "banner"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def apply_options(spec: ProbeSpec, options: Iterable[tuple[str, str]], example: str) -> ProbeSpec:
    """Return a spec with options added, each a name and its decoded value.

    Raises:
        UsageError: an option is unknown, given twice, or its value makes no sense.

    """
    seen: set[str] = set()
    for name, value in options:
        try:
            _check_name(spec.kind, name, seen)
            _check_text(name, value)
            spec = _SETTERS[name](spec, value)
        except ValueError as error:
            raise UsageError("probe-invalid", str(error), hint=f"for example: {example}") from error
        seen.add(name)
    if spec.kind is Kind.ZMQ and spec.send is None and (spec.expect or spec.identity):
        message = "A ZeroMQ service answers only what it is asked: `expect` and `identity` need `send`."
        raise UsageError("probe-invalid", message, hint=f"for example: {example}")
    return spec


def _check_name(kind: Kind, name: str, seen: set[str]) -> None:
    if name not in KNOWN:
        raise ValueError(f"A {kind} probe has no option `{name[:40]}`{_suggestion(kind, name)}.")
    if kind not in KNOWN[name]:
        homes = ", ".join(f"{k}://" for k in Kind if k in KNOWN[name])
        raise ValueError(f"The option `{name}` means nothing to {kind}://; it belongs to {homes}.")
    if name in seen and name not in _REPEATABLE:
        raise ValueError(f"The option `{name}` is given twice.")


def _check_text(name: str, value: str) -> None:
    """Refuse bytes that are no UTF-8, except where they may be meant for the wire."""
    if name not in _WIRE and any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"The value of `{name}` is not UTF-8.")


def _suggestion(kind: Kind, name: str) -> str:
    import difflib  # noqa: PLC0415  (only mistakes pay for it)

    known = [option for option, kinds in KNOWN.items() if kind in kinds]
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"


def _send(spec: ProbeSpec, value: str) -> ProbeSpec:
    return replace(spec, send=value)


def _expect(spec: ProbeSpec, value: str) -> ProbeSpec:
    return replace(spec, expect=(*spec.expect, _expectation(spec.kind, value)))


def _expectation(kind: Kind, value: str) -> Expectation:
    if len(value) > 1 and value.startswith("/") and value.endswith("/"):
        return Matches(_pattern(value[1:-1]))
    if kind is Kind.TCP:
        return Contains(_filled("expect", value))
    path, colon, wanted = value.partition(":")
    if not colon or not all(path.split(".")):
        raise ValueError(f"`expect={value[:40]}` is neither PATH:VALUE (status:ok), code:200 nor /PATTERN/.")
    if path == "code" and kind in _WEB:
        return CodeIs(_code(wanted))
    return FieldIs(path, wanted)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"/{text[:40]}/ is no regular expression: {error}.") from error
    return text


def _code(text: str) -> str:
    if not re.fullmatch(r"[1-5][0-9x]{2}", text):
        raise ValueError(f"`code:{text[:20]}` is no HTTP status: 200 and 2xx are.")
    return text


def _filled(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"`{name}` is empty.")
    return value


def _identity(spec: ProbeSpec, value: str) -> ProbeSpec:
    if not all(value.split(".")):
        raise ValueError(f"`identity={value[:40]}` is no path to a JSON field: agent and meta.version are.")
    return replace(spec, identity=value)


def _timeout(spec: ProbeSpec, value: str) -> ProbeSpec:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"`timeout={value[:20]}` is no time: seconds above 0, such as 2.5, are.")
    return replace(spec, timeout_s=seconds)


def _socket(spec: ProbeSpec, value: str) -> ProbeSpec:
    try:
        return replace(spec, socket=SocketKind(value.lower()))
    except ValueError as error:
        raise ValueError(f"`socket={value[:20]}` is neither req nor dealer.") from error


def _method(spec: ProbeSpec, value: str) -> ProbeSpec:
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"`method={value[:20]}` is no HTTP method: GET, POST and HEAD are.")
    return replace(spec, method=value.upper())


def _header(spec: ProbeSpec, value: str) -> ProbeSpec:
    name, colon, content = (part.strip() for part in value.partition(":"))
    if not colon or not _TOKEN.fullmatch(name) or re.search(r"[\r\n\0]", content):
        raise ValueError("`header` needs NAME:VALUE on one line; the value is not shown, it may be a secret.")
    if not content.isascii():
        raise ValueError(f"The value of header `{name}` is not ASCII; it is not shown, it may be a secret.")
    return replace(spec, headers=(*spec.headers, (name, content)))


def _query(spec: ProbeSpec, value: str) -> ProbeSpec:
    name, equals, content = value.partition("=")
    if not equals or not name:
        raise ValueError("`query` needs NAME=VALUE; the value is not shown, it may be a secret.")
    return replace(spec, query=(*spec.query, (name, content)))


def _banner(spec: ProbeSpec, value: str) -> ProbeSpec:
    return replace(spec, banner=_expectation(Kind.TCP, _filled("banner", value)))


def _follow(spec: ProbeSpec, value: str) -> ProbeSpec:
    return replace(spec, follow=_yes("follow", value))


def _verify(spec: ProbeSpec, value: str) -> ProbeSpec:
    return replace(spec, verify=_yes("verify", value))


def _yes(name: str, value: str) -> bool:
    if value.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError(f"`{name}={value[:20]}` is neither yes nor no.")
    return value.lower() in ("yes", "true", "1")


_SETTERS: Final[dict[str, Callable[[ProbeSpec, str], ProbeSpec]]] = {
    "send": _send,
    "expect": _expect,
    "identity": _identity,
    "timeout": _timeout,
    "socket": _socket,
    "method": _method,
    "header": _header,
    "query": _query,
    "banner": _banner,
    "follow": _follow,
    "verify": _verify,
}
