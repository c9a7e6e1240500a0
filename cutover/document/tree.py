"""Trees that are meant to come out of an edit: the old nodes, shared, with copies along the changed path only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from cutover.document.source import Kind, Node

Path = tuple[str | int, ...]


def scalar(value: str, *, style: str | None = None) -> Node:
    """Return a scalar that stands nowhere yet."""
    return Node(Kind.SCALAR, 0, 0, value=value, style=style)


def sequence(items: list[Node]) -> Node:
    """Return a list that stands nowhere yet."""
    return Node(Kind.SEQUENCE, 0, 0, items=items)


def mapping(pairs: list[tuple[Node, Node]]) -> Node:
    """Return a mapping that stands nowhere yet."""
    return Node(Kind.MAPPING, 0, 0, pairs=pairs)


def changed_at(node: Node, path: Path, change: Callable[[Node], Node]) -> Node:
    """Return `node` with `change` applied at `path`."""
    if not path:
        return change(node)
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(node.items)
        items[step] = changed_at(items[step], rest, change)
        return replace(node, items=items)
    return replace(
        node,
        pairs=[
            (key, changed_at(value, rest, change) if key.value == step and key.kind is Kind.SCALAR else value)
            for key, value in node.pairs
        ],
    )


def with_items(more: list[Node]) -> Callable[[Node], Node]:
    """Return the change that appends items to a list."""
    return lambda node: replace(node, items=[*node.items, *more])


def without_items(indices: Collection[int]) -> Callable[[Node], Node]:
    """Return the change that takes items out of a list."""
    return lambda node: replace(node, items=[item for i, item in enumerate(node.items) if i not in indices])


def with_pair(at: int, key: Node, value: Node) -> Callable[[Node], Node]:
    """Return the change that puts a pair at place `at` of a mapping."""
    return lambda node: replace(node, pairs=[*node.pairs[:at], (key, value), *node.pairs[at:]])


def without_pair(at: int) -> Callable[[Node], Node]:
    """Return the change that takes a pair out of a mapping."""
    return lambda node: replace(node, pairs=[*node.pairs[:at], *node.pairs[at + 1 :]])


def difference(expected: Node, found: Node, path: Path = ()) -> Path | None:
    """Return where two trees first differ in kind, tag, anchor, value or quoting; None where they are the same."""
    if (
        expected.kind is not found.kind
        or expected.value != found.value
        or expected.tag != found.tag
        or expected.anchor != found.anchor
        or (expected.style is None) is not (found.style is None)
        or len(expected.items) != len(found.items)
        or len(expected.pairs) != len(found.pairs)
    ):
        return path
    if expected.items:
        for index, (old, new) in enumerate(zip(expected.items, found.items, strict=True)):
            where = difference(old, new, (*path, index))
            if where is not None:
                return where
    elif expected.pairs:
        for (old_key, old), (new_key, new) in zip(expected.pairs, found.pairs, strict=True):
            where = difference(old_key, new_key, path)
            if where is None:
                where = difference(old, new, (*path, old_key.value))
            if where is not None:
                return where
    return None


def aliases(node: Node) -> dict[int, Node]:
    """Return which node each alias stands for, keyed by the alias's identity.

    Raises:
        KeyError: an alias names an anchor that has not been set before it.

    """
    found: dict[int, Node] = {}
    _collect(node, {}, found)
    return found


def around_themselves(node: Node, targets: Mapping[int, Node], inside: tuple[Node, ...] = ()) -> Iterator[Node]:
    """Yield what is stood for by an alias within itself: an anchor comes before its aliases, so nothing else is."""
    if node.kind is Kind.ALIAS:
        yield from (around for around in inside if around is targets[id(node)])
        return
    within = (*inside, node) if node.anchor else inside
    for child in (*node.items, *(part for pair in node.pairs for part in pair)):
        if child.kind is not Kind.SCALAR:
            yield from around_themselves(child, targets, within)


def _collect(node: Node, anchors: dict[str, Node], found: dict[int, Node]) -> None:
    if node.kind is Kind.ALIAS:
        found[id(node)] = anchors[node.value]
        return
    if node.anchor:
        anchors[node.anchor] = node
    for item in node.items:
        _collect(item, anchors, found)
    for key, value in node.pairs:
        _collect(key, anchors, found)
        _collect(value, anchors, found)
