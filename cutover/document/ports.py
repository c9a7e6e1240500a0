"""The grammar of `ports:` entries, short and long (docker/go-connections `nat.ParsePortSpec`, compose-go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cutover.document.interpolate import UnresolvedError, closing_brace, interpolate
from cutover.document.source import Kind, Node
from cutover.model import PortBinding, Protocol

HIGHEST_PORT = 65535
MOST_DIGITS = 5
MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One item of a `ports:` list.

    `bindings` are the fixed host ports that it publishes, one for each port of a range. `floating` is a range of host
    ports out of which Docker picks one. `problem` says why the entry could not be understood. `line` counts from 1.
    """

    index: int
    line: int
    raw: str
    bindings: tuple[PortBinding, ...] = ()
    floating: tuple[int, int] | None = None
    problem: str | None = None
    long: bool = False
    node: Node = field(repr=False, kw_only=True)

    @property
    def published(self) -> tuple[tuple[int, Protocol], ...]:
        """Return the host ports that it publishes, each with its protocol."""
        return tuple((b.host_port, b.protocol) for b in self.bindings)

    def occupies(self, port: int, protocol: Protocol) -> bool:
        """Say whether Docker may bind this host port for the entry."""
        return (port, protocol) in self.published


class PortSyntaxError(ValueError):
    """An entry is no port; the text says why."""


def entries_of(
    ports: Node | None, text: str, line_of: Callable[[Node], int], env: Mapping[str, str]
) -> tuple[PortEntry, ...]:
    """Return the entries of a `ports:` list, none where it is no list."""
    if ports is None or ports.kind is not Kind.SEQUENCE:
        return ()
    return tuple(_entry(index, node, text, line_of(node), env) for index, node in enumerate(ports.items))


def parse_short(text: str) -> tuple[tuple[PortBinding, ...], tuple[int, int] | None]:
    """Return what the short syntax publishes after interpolation: fixed bindings, or a range to pick from.

    Raises:
        PortSyntaxError: it is no port.

    """
    rest, _, suffix = text.strip().partition("/")
    protocol = _protocol(suffix or "tcp")
    parts = rest.split(":")
    host = parts[-2] if len(parts) > 1 else ""
    return _bind(_address(":".join(parts[:-2])), host, parts[-1], protocol)


def split_short(raw: str) -> list[str]:
    """Split the short syntax at its colons before interpolation, those inside `${}` and `[]` left alone."""
    parts, begin, at, closed = [], 0, 0, True
    while at < len(raw):
        if closed and raw.startswith("${", at):
            end = closing_brace(raw, at + 2)
            closed = end >= 0  # nothing is looked for twice: this is no variable, and Compose refuses it
            at = max(end, at + 1)
        elif raw[at] == "[":
            at = max(raw.find("]", at), at)
        elif raw[at] == ":":
            parts.append(raw[begin:at])
            begin = at + 1
        at += 1
    return [*parts, raw[begin:]]


def _entry(index: int, node: Node, text: str, line: int, env: Mapping[str, str]) -> PortEntry:
    raw = text[node.start : node.end]
    long = node.kind is Kind.MAPPING
    try:
        if node.kind is Kind.SCALAR:
            bindings, floating = parse_short(interpolate(node.value, env))
        elif long:
            bindings, floating = _parse_long(node, env)
        else:
            return PortEntry(index, line, raw, problem="stands for something else by an alias", node=node)
    except (PortSyntaxError, UnresolvedError) as error:
        return PortEntry(index, line, raw, problem=str(error), long=long, node=node)
    return PortEntry(index, line, raw, bindings, floating, long=long, node=node)


def _parse_long(node: Node, env: Mapping[str, str]) -> tuple[tuple[PortBinding, ...], tuple[int, int] | None]:
    fields = {key.value: value for key, value in node.pairs}
    if "<<" in fields or any(value.kind is Kind.ALIAS for value in fields.values()):
        raise PortSyntaxError("takes part of itself from an anchor")
    texts = {key: interpolate(value.value, env) for key, value in fields.items() if value.kind is Kind.SCALAR}
    protocol = _protocol(texts.get("protocol") or "tcp")
    published = texts.get("published", "")
    return _bind(_address(texts.get("host_ip", "")), published, texts.get("target", ""), protocol)


def _bind(
    address: str, host: str, target: str, protocol: Protocol
) -> tuple[tuple[PortBinding, ...], tuple[int, int] | None]:
    first_target, last_target = _range(target)
    if not host or host == "0":
        return (), None
    first, last = _range(host)
    if first != last and first_target == last_target:
        return (), (first, last)
    if last - first != last_target - first_target:
        raise PortSyntaxError(f"the ranges {host} and {target} differ in length")
    shift = first_target - first
    return tuple(PortBinding(address, port, port + shift, protocol) for port in range(first, last + 1)), None


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = _number(first)
    high = _number(last) if dash else low
    if high < low:
        raise PortSyntaxError(f"{text!r} runs backwards")
    return low, high


def _number(text: str) -> int:
    digits = text.lstrip("0")  # of more digits than Python takes, all but these may be zeros
    if (
        not (text.isascii() and text.isdigit())
        or len(digits) > MOST_DIGITS
        or not 0 < int(digits or "0") <= HIGHEST_PORT
    ):
        raise PortSyntaxError(f"{text[:MOST_SHOWN]!r} is no port")
    return int(digits)


def _protocol(text: str) -> Protocol:
    try:
        return Protocol(text.lower())
    except ValueError as error:
        raise PortSyntaxError(f"{text[:MOST_SHOWN]!r} is no protocol") from error


def _address(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text
