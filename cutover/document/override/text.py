"""The file: YAML with a comment for what was derived, under a line that lets a hand edit be noticed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cutover.document.document import Document
from cutover.document.override.values import Tagged
from cutover.document.render import scalar_text
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError
from cutover.model import TEST_OF_LABEL, TEST_PORTS_LABEL

_HEAD = re.compile(r"(?:#[^\n]*\n)*# sha256 of what follows: ([0-9a-f]{64})\n")
_PORTS = re.compile(rf"{re.escape(TEST_PORTS_LABEL)}: \"?([\d:,]+)\"?")
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Line:
    """A key of the service with its value, and why it is there."""

    key: str
    value: object
    comment: str = ""


def signed(header: Sequence[str], body: str) -> str:
    """Return the file: the header as comments, the sum, the body."""
    head = "".join(f"{_comment(line)}\n" for line in header)
    return f"{head}# sha256 of what follows: {hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def untouched(content: str) -> bool:
    """Say whether a file is just as it was written here."""
    found = _HEAD.match(content)
    return found is not None and hashlib.sha256(content[found.end() :].encode()).hexdigest() == found[1]


def once_written(content: bytes) -> bool:
    """Say whether a file begins as one that was written here, whatever was edited in it since."""
    return _HEAD.match(content.decode(errors="replace")) is not None


def tries_only(content: bytes, name: str) -> bool:
    """Say whether a file is an override written by hand: compose YAML in which every service is a test stack's."""
    try:
        services = Document.parse(content, name).services()
    except EditRefusedError:
        return False
    return bool(services) and all(_labelled(s.node) for s in services.values())


def _labelled(service: Node) -> bool:
    labels = service.get("labels")
    if labels is None:
        return False
    if labels.kind is Kind.MAPPING:
        return labels.get(TEST_OF_LABEL) is not None
    return any(item.value.startswith(f"{TEST_OF_LABEL}=") for item in labels.items)


def ports_in(content: str) -> dict[int, int]:
    """Return which legacy port a file tries on which test port, as its label says."""
    found = _PORTS.search(content)
    pairs = (pair.partition(":") for pair in found[1].split(",")) if found else ()
    return {int(legacy): int(test) for legacy, colon, test in pairs if colon and legacy and test.isdigit()}


def document(
    service: str, lines: Sequence[Line], volumes: Sequence[str] = (), label: tuple[str, str] = ("", "")
) -> str:
    """Return one YAML document with one service."""
    out = ["services:", f"  {scalar_text(service)}:"]
    for line in lines:
        if line.comment:
            out += [f"    {_comment(line.comment)}"]
        out += [f"    {text}" for text in _pair(line.key, line.value)]
    if volumes:
        out += ["", "volumes:"]
        out += [
            f"  {scalar_text(v)}: {{labels: {{{scalar_text(label[0])}: {scalar_text(label[1])}}}}}" for v in volumes
        ]
    return "\n".join(out) + "\n"


def _comment(text: str) -> str:
    """Return a text as one comment: a file's name, or what a container runs, may hold what ends a line."""
    return f"# {''.join(c if c.isprintable() else ' ' for c in text)}".rstrip()


def _pair(key: str, value: object) -> Iterator[str]:
    tag, value = (f" {value.tag}", value.value) if isinstance(value, Tagged) else ("", value)
    name = f"{scalar_text(key)}:{tag}"
    if tag == " !reset":
        yield f"{name} null"
    elif _flat(value) and len(one := f"{name} {_flow(value)}") <= _WIDTH:
        yield one
    elif isinstance(value, Mapping):
        yield name
        for inner, content in value.items():
            yield from (f"  {text}" for text in _pair(str(inner), content))
    elif isinstance(value, list | tuple):
        yield name
        yield from (f"  - {_flow(item)}" for item in value)
    else:
        yield f"{name} {_flow(value)}"


def _flat(value: object) -> bool:
    """Say whether a value reads well on one line: nothing in it that nests twice, or has a tag."""
    if isinstance(value, Mapping):
        return all(not isinstance(v, Mapping | list | tuple | Tagged) for v in value.values())
    if isinstance(value, list | tuple):
        return all(not isinstance(v, Mapping | list | tuple | Tagged) for v in value)
    return not isinstance(value, Tagged)


def _flow(value: object) -> str:
    match value:
        case Mapping():
            return "{" + ", ".join(f"{scalar_text(str(k))}: {_flow(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_flow(v) for v in value) + "]"
        case str() | int() | float() | bool() | None:
            return scalar_text(value)
    raise TypeError(type(value))
