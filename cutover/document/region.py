"""The lines of a service's `ports:` and the gap above them: what is put back to the byte where nobody touched it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.document import render, tree
from cutover.document.document import Document, Path
from cutover.document.edit import Change, Splice
from cutover.document.intent import TakenFrom
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError


@dataclass(frozen=True, slots=True)
class Region:
    """Lines from behind the key `after` ("": from the first line of the service) to the last of its ports.

    `first` is where they begin, counted from 0; `column` where the service's keys stand.
    """

    after: str
    first: int
    column: int
    lines: tuple[str, ...]


def region_of(document: Document, service: str) -> Region | None:
    """Return the region of a service's ports, None where it shares a line with something else."""
    parent = document.service(service).node
    index = parent.index("ports")
    if index is None or parent.flow:
        return None
    key, value = parent.pairs[index]
    after = parent.pairs[index - 1][0].value if index else ""
    first = _behind(document, service, after)
    if first is None or (index and not after) or document.lines.before(key.start).strip():
        return None  # a key without a name would be taken for none
    last = document.lines.number(max(value.end - 1, key.start))
    if len({document.lines.newline(line) for line in range(max(first - 1, 0), last + 1)}) > 1:
        return None  # lines are kept without their ends, which are those of the line before them
    lines = tuple(document.lines.content(line) for line in range(first, last + 1))
    return Region(after, first, document.lines.column(key.start), lines)


def restored(document: Document, service: str, place: TakenFrom) -> list[Change]:
    """Return the way to put a region back where its rest stands as it was left, none where it does not."""
    parent = document.service(service).node
    if place.before is None or parent.kind is not Kind.MAPPING or parent.flow or not parent.pairs:
        return []
    first = _behind(document, service, place.after)
    column = document.lines.column(parent.pairs[0][0].start)
    left = [_shifted(line, place.column, column) for line in place.left]
    if first is None or left != [document.lines.content(first + n) for n in range(len(left))]:
        return []
    value = _ports_in([_shifted(line, place.column, 0) for line in place.before])
    if value is None:
        return []
    newline = document.lines.newline(max(first - 1, 0))
    text = "".join(_shifted(line, place.column, column) + newline for line in place.before)
    splice = Splice(document.lines.start(first), document.lines.start(first + len(left)), text)
    return [_with_ports(("services", service), parent, place.after, value, splice)]


def _with_ports(path: Path, parent: Node, after: str, value: Node, splice: Splice) -> Change:
    there = parent.index("ports")
    if there is not None:
        return Change((splice,), lambda root: tree.changed_at(root, (*path, "ports"), lambda _: value))
    at = (parent.index(after) or 0) + 1 if after else 0
    expect = tree.with_pair(at, tree.scalar("ports"), value)
    return Change((splice,), lambda root: tree.changed_at(root, path, expect))


def _behind(document: Document, service: str, after: str) -> int | None:
    """Return the line behind the key `after` of a service, or behind the service's own; None without such a key."""
    section = document.root.get("services")
    owner = document.service(service).node if after else section
    index = owner.index(after or service) if owner is not None else None
    if owner is None or index is None or owner.flow:
        return None
    key, value = owner.pairs[index]
    return document.lines.number(max(value.end - 1, key.start) if after else key.start) + 1


def _ports_in(lines: Sequence[str]) -> Node | None:
    """Return the list that these lines are once they stand at the margin, None where they are anything else."""
    try:
        pairs = Document.parse("\n".join(lines).encode(), render.NAME).root.pairs
    except EditRefusedError:
        return None
    return pairs[0][1] if len(pairs) == 1 and pairs[0][0].value == "ports" else None


def _shifted(line: str, old: int, new: int) -> str:
    """Return a line that stood below keys at column `old` as it stands below keys at `new`."""
    if old == new or line[:old].strip() or not line.strip():
        return line
    return " " * new + line[old:]
