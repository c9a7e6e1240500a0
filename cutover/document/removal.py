"""Ways to take items and pairs out of a document's text, the tidiest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from cutover.document import tree
from cutover.document.document import Document, Path
from cutover.document.edit import Change, Splice
from cutover.document.fragment import item_lines
from cutover.document.source import Kind, Node, dash_of, skip_blank


def remove_items(document: Document, path: Path, indices: Sequence[int]) -> list[Change]:
    """Return the ways to take items out of the list at `path`, which keeps at least one."""
    owner = _at(document, path)
    expect = tree.without_items(set(indices))
    splices = _flow_runs(document, owner, indices) if owner.flow else _block_items(document, owner, indices)
    return [Change(tuple(splices), lambda root: tree.changed_at(root, path, expect))]


def remove_pair(document: Document, path: Path) -> list[Change]:
    """Return the ways to take the pair at `path` out of its mapping; the milder ones leave an empty value."""
    parent = _at(document, path[:-1])
    index = parent.index(str(path[-1]))
    if index is None:
        raise document.refuse("path-unknown", f"there is no {'.'.join(map(str, path))}.", parent)
    expect = tree.without_pair(index)
    splices = _flow_runs(document, parent, [index]) if parent.flow else _block_pair(document, parent, index)
    whole = Change(tuple(splices), lambda root: tree.changed_at(root, path[:-1], expect))
    return [whole] if len(parent.pairs) > 1 else empty_value(document, path[:-1], "{}")


def empty_value(document: Document, path: Path, brackets: str) -> list[Change]:
    """Return the ways to put `[]` or `{}` in the place of a collection that loses its last part."""
    owner = _at(document, path)
    parent = _at(document, path[:-1])
    if owner.tag or owner.anchor or parent.kind is not Kind.MAPPING:
        return []
    if owner.flow:
        splices = [Splice(owner.start, owner.end, brackets)]
    else:
        splices = _emptied_block(document, parent.pairs[parent.index(str(path[-1])) or 0][0], owner, brackets)
    expect = tree.sequence([]) if brackets == "[]" else tree.mapping([])
    return [Change(tuple(splices), lambda root: tree.changed_at(root, path, lambda _: expect))] if splices else []


def has_key_comment(document: Document, path: Path) -> bool:
    """Say whether the line of the key at `path` has a comment, above a block value."""
    owner, parent = _at(document, path), _at(document, path[:-1])
    key = next((key for key, value in parent.pairs if value is owner), owner)
    return not owner.flow and "#" in document.lines.after(key.end)


def _emptied_block(document: Document, key: Node, owner: Node, brackets: str) -> list[Splice]:
    lines = document.lines
    colon = document.text.index(":", key.end) + 1
    first, last = lines.number(colon) + 1, lines.number(max(owner.end - 1, owner.start))
    if lines.number(owner.start) < first:
        return []
    return [Splice(colon, colon, " " + brackets), Splice(lines.start(first), lines.start(last + 1), "")]


def _block_items(document: Document, owner: Node, indices: Sequence[int]) -> Iterator[Splice]:
    for index in indices:
        dash = dash_of(document.text, owner, index)
        if document.lines.before(dash).strip():
            raise document.refuse("unusual-layout", "this list item does not start its own line.", dash)
        first, last = item_lines(document, owner, index)
        yield Splice(document.lines.start(first), document.lines.start(last + 1), "")


def _block_pair(document: Document, parent: Node, index: int) -> Iterator[Splice]:
    lines = document.lines
    key, value = parent.pairs[index]
    last = lines.number(max(value.end - 1, key.start))
    if not lines.before(key.start).strip():
        yield Splice(lines.start(lines.number(key.start)), lines.start(last + 1), "")
    elif index + 1 < len(parent.pairs):
        yield Splice(key.start, parent.pairs[index + 1][0].start, "")
    else:
        raise document.refuse("unusual-layout", "this key does not start its own line.", key)


def _flow_runs(document: Document, owner: Node, indices: Sequence[int]) -> Iterator[Splice]:
    """Take neighbours out together, each with one comma; whole lines where they have them for themselves."""
    spans = _spans(owner)
    for first, last in _runs(indices):
        alone = _whole_lines(document, spans[first][0], spans[last][1])
        has_comma = document.text.startswith(",", skip_blank(document.text, spans[last][1]))
        if alone is not None:
            if first and not has_comma:
                yield _comma_after(document, spans[first - 1][1])
            yield alone
        elif last + 1 < len(spans):
            yield Splice(spans[first][0], spans[last + 1][0], "")
        elif first:
            yield Splice(spans[first - 1][1], spans[last][1], "")
        else:
            yield _everything(document, owner)


def _everything(document: Document, owner: Node) -> Splice:
    opening = skip_blank(document.text, owner.start)
    while document.text[opening] not in "[{":
        opening += 1
    return Splice(opening + 1, owner.end - 1, "")


def _whole_lines(document: Document, start: int, end: int) -> Splice | None:
    lines = document.lines
    rest = lines.after(end).lstrip(" \t,")
    if lines.before(start).strip() or (rest and not rest.startswith("#")):
        return None
    return Splice(lines.start(lines.number(start)), lines.start(lines.number(end) + 1), "")


def _comma_after(document: Document, end: int) -> Splice:
    comma = skip_blank(document.text, end)
    return Splice(comma, comma + 1, "")


def _spans(owner: Node) -> list[tuple[int, int]]:
    if owner.items:
        return [(item.start, item.end) for item in owner.items]
    return [(key.start, value.end) for key, value in owner.pairs]


def _runs(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    ordered = sorted(indices)
    first = ordered[0]
    for left, right in pairwise([*ordered, ordered[-1] + 2]):
        if right != left + 1:
            yield first, left
            first = right


def _at(document: Document, path: Path) -> Node:
    node = document.find(path)
    if node is None:
        raise document.refuse("path-unknown", f"there is no {'.'.join(map(str, path))}.")
    return node
