"""Compose text as a tree of nodes that know where they stand in it.

The tree is built from parse *events*, not from composed nodes: a composed alias carries its anchor's marks, and the
scalars of events are still raw, so that `22:22`, `0777` and `yes` need no judgement. libyaml gives the events where
ruamel.yaml.clib is installed; ruamel.yaml's own parser is the fallback, about eight times slower.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from cutover.errors import EditRefusedError

try:
    from _ruamel_yaml import CParser  # type: ignore[import-not-found]
except ImportError:  # pragma: no cover - depends on the machine
    CParser = None

HAS_LIBYAML = CParser is not None
DEEPEST = 100


class Kind(Enum):
    """What a node is."""

    SCALAR = auto()
    SEQUENCE = auto()
    MAPPING = auto()
    ALIAS = auto()


@dataclass(slots=True, eq=False)
class Node:
    """One YAML node and its place: `start` and `end` are character offsets, its tag and anchor included.

    Not frozen: a tree of 60,000 nodes is filled while it is parsed. Nobody changes one afterwards. `end` is that of
    the last leaf, without the blank lines behind a block scalar. `value` is a scalar's text or an alias's name.
    """

    kind: Kind
    start: int
    end: int
    tag: str | None = None
    anchor: str | None = None
    value: str = ""
    style: str | None = None
    flow: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Say whether it is a scalar without quotes."""
        return not self.style

    @property
    def is_null(self) -> bool:
        """Say whether it is a plain scalar that stands for nothing."""
        return self.kind is Kind.SCALAR and self.plain and self.value in {"", "~", "null", "Null", "NULL"}

    def get(self, key: str) -> Node | None:
        """Return the value of `key` in this mapping itself, merged keys left out."""
        return next((value for found, value in self.pairs if found.value == key and found.kind is Kind.SCALAR), None)

    def index(self, key: str) -> int | None:
        """Return the place of `key` among the pairs."""
        return next((i for i, (found, _) in enumerate(self.pairs) if found.value == key), None)


def parse_tree(text: str, name: str, *, pure: bool = False) -> Node | None:
    """Return the tree of the one document in `text`, None where it is empty.

    Raises:
        EditRefusedError: `invalid-yaml`, `several-documents`, `duplicate-key` or `nested-too-deep`, with the line.

    """
    with _no_collector():
        try:
            return _Builder(text, name).build(_events(text, pure=pure))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else None
            problem = error.problem or error.context or "unreadable"
            raise EditRefusedError("invalid-yaml", f"not valid YAML: {problem}.", file=name, line=line) from error
        except YAMLError as error:
            raise EditRefusedError("invalid-yaml", f"not valid YAML: {error}.", file=name) from error


def _events(text: str, *, pure: bool) -> Iterator[Any]:
    if pure or CParser is None:
        yield from YAML(typ="safe", pure=True).parse(text)
        return
    parser = CParser(text)
    try:
        yield from iter(parser.get_event, None)
    finally:
        parser.dispose()


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep the cyclic collector out: it would walk the growing tree again and again (half of the time, measured)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Builder:
    """Turns events into nodes with a stack of open collections."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.open: list[Node] = []
        self.keys: list[Node | None] = []
        self.root: Node | None = None

    def build(self, events: Iterable[Any]) -> Node | None:
        documents = 0
        for event in events:
            kind = type(event)
            if kind is ScalarEvent:
                self._attach(self._scalar(event))
            elif kind is MappingStartEvent:
                self._begin(Kind.MAPPING, event)
            elif kind is SequenceStartEvent:
                self._begin(Kind.SEQUENCE, event)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._finish(event)
            elif kind is AliasEvent:
                node = Node(Kind.ALIAS, event.start_mark.index, event.end_mark.index, value=event.anchor)
                self._attach(node)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._refuse("several-documents", "holds several YAML documents", event.start_mark.index)
        return self.root

    def _scalar(self, event: Any) -> Node:
        start, end = event.start_mark.index, event.end_mark.index
        style = event.style or None
        if style is not None and style in "|>":
            end = start + len(self.text[start:end].rstrip())
        return Node(Kind.SCALAR, start, end, _tag(event), event.anchor, event.value, style)

    def _begin(self, kind: Kind, event: Any) -> None:
        start = event.start_mark.index
        if len(self.open) >= DEEPEST:
            raise self._refuse("nested-too-deep", f"nests deeper than {DEEPEST} levels", start)
        node = Node(kind, start, start, _tag(event), event.anchor, flow=bool(event.flow_style))
        self.open.append(node)
        self.keys.append(None)

    def _finish(self, event: Any) -> None:
        node = self.open.pop()
        self.keys.pop()
        last = node.items[-1] if node.items else node.pairs[-1][1] if node.pairs else None
        end = event.end_mark.index
        if node.flow and self.text[end - 1 : end] in ("]", "}"):
            node.end = end
        elif last is not None:
            node.end = last.end
        if node.kind is Kind.MAPPING:
            self._reject_duplicates(node)
        self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if parent.kind is Kind.SEQUENCE:
            if node.start == node.end and not node.items and not node.pairs:
                node.start = node.end = after_dash(self.text, parent, len(parent.items))
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is None:
            self.keys[-1] = node
            return
        if node.start == node.end and not node.items and not node.pairs:
            colon = self.text.find(":", key.end, node.start + 1)
            node.start = node.end = colon + 1 if colon >= 0 else key.end
        parent.pairs.append((key, node))
        self.keys[-1] = None

    def _reject_duplicates(self, node: Node) -> None:
        seen = set()
        for key, _ in node.pairs:
            if key.kind is not Kind.SCALAR:
                continue
            if key.value in seen:
                raise self._refuse("duplicate-key", f"has the key {key.value!r} twice in one mapping", key.start)
            seen.add(key.value)

    def _refuse(self, reference: str, message: str, offset: int) -> EditRefusedError:
        line = self.text.count("\n", 0, offset) + 1
        return EditRefusedError(reference, f"{message}.", file=self.name, line=line)


def _tag(event: Any) -> str | None:
    tag = event.tag
    return str(tag) if tag is not None else None


def has_aliases(node: Node) -> bool:
    """Say whether an alias stands anywhere below `node`."""
    if node.kind is Kind.ALIAS:
        return True
    if node.kind is Kind.SCALAR:
        return False
    return any(map(has_aliases, node.items)) or any(has_aliases(key) or has_aliases(value) for key, value in node.pairs)


def after_dash(text: str, sequence: Node, index: int) -> int:
    """Return the offset behind the dash of item `index` of a block sequence; its earlier items must be known."""
    return dash_of(text, sequence, index) + 1


def dash_of(text: str, sequence: Node, index: int) -> int:
    """Return the offset of the dash of item `index` of a block sequence."""
    at = sequence.items[index - 1].end if index else _behind_properties(text, sequence.start)
    return skip_blank(text, at)


def skip_blank(text: str, at: int) -> int:
    """Return the offset of the first character from `at` on that is neither blank nor in a comment."""
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            at = text.find("\n", at)
            if at < 0:
                return len(text)
        else:
            break
    return at


def _behind_properties(text: str, at: int) -> int:
    while at < len(text) and text[at] in "&!":
        while at < len(text) and not text[at].isspace():
            at += 1
        at = skip_blank(text, at)
    return at
