"""The container side of a port entry, rewritten; the host side, the quotes and the comment stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cutover.document.document import Document
from cutover.document.interpolate import interpolate
from cutover.document.ports import PortEntry, parse_short, split_short
from cutover.document.source import Kind, Node


def retargeted(
    document: Document, entry: PortEntry, retarget: Mapping[int, int], env: Mapping[str, str]
) -> tuple[str, Node] | None:
    """Return the entry's new text and node, None where none of its container ports is to change.

    Raises:
        EditRefusedError: `retarget-in-range` or `retarget-in-variable`.

    """
    targets = [retarget.get(b.target, b.target) for b in entry.bindings]
    if targets == [b.target for b in entry.bindings]:
        return None
    if targets != list(range(targets[0], targets[0] + len(targets))):
        raise document.refuse("retarget-in-range", f"{entry.raw} would lead to scattered ports.", entry.node)
    text = str(targets[0]) if len(targets) == 1 else f"{targets[0]}-{targets[-1]}"
    new = _long(document, entry, text) if entry.long else _short(document, entry, text, env)
    wanted = tuple(replace(b, target=t) for b, t in zip(entry.bindings, targets, strict=True))
    if not entry.long and parse_short(interpolate(new[1].value, env))[0] != wanted:
        raise _in_variable(document, entry)
    return new


def _short(document: Document, entry: PortEntry, text: str, env: Mapping[str, str]) -> tuple[str, Node]:
    value = entry.node.value
    *host, last = split_short(value)
    if not host or value not in entry.raw:
        raise _in_variable(document, entry)
    _, slash, protocol = interpolate(last, env).partition("/")
    new = ":".join([*host, text + slash + protocol])
    at = entry.raw.rindex(value)
    return entry.raw[:at] + new + entry.raw[at + len(value) :], replace(entry.node, value=new)


def _long(document: Document, entry: PortEntry, text: str) -> tuple[str, Node]:
    node = entry.node
    index = node.index("target") or 0
    key, old = node.pairs[index]
    raw = document.source_of(old)
    if old.kind is not Kind.SCALAR or old.value not in raw:
        raise _in_variable(document, entry)
    quoted_text = raw.replace(old.value, text)
    begin, end = old.start - node.start, old.end - node.start
    value = replace(old, value=text, start=0, end=0)
    pairs = [*node.pairs[:index], (key, value), *node.pairs[index + 1 :]]
    return entry.raw[:begin] + quoted_text + entry.raw[end:], replace(node, pairs=pairs)


def _in_variable(document: Document, entry: PortEntry) -> Exception:
    return document.refuse(
        "retarget-in-variable",
        f"the container port of {entry.raw} hides in a variable.",
        entry.node,
        hint="write the entry out: HOST:CONTAINER",
    )
