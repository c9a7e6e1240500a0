"""Ways to put items and pairs into a document's text, in the style of their new neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cutover.document import tree
from cutover.document.document import Document, Path
from cutover.document.edit import Change, Splice
from cutover.document.fragment import Fragment
from cutover.document.source import Kind, Node, dash_of, skip_blank

Render = Callable[[int, str], str]
FIRST = ""


def append_items(document: Document, path: Path, fragments: Sequence[Fragment]) -> list[Change]:
    """Return the ways to append items to the list at `path`.

    Raises:
        EditRefusedError: `not-a-list`, or `comment-would-be-lost`.

    """
    owner = document.find(path)
    if owner is None or owner.kind is not Kind.SEQUENCE:
        raise document.refuse("not-a-list", f"{'.'.join(map(str, path))} is no list.", owner)
    if not owner.flow:
        return [_appended(path, _block_append(document, owner, fragments), [f.node for f in fragments])]
    reopened = _reopened(document, path, owner, fragments)
    if reopened and any(f.flow is None for f in fragments):
        return reopened
    splice = _flow_insert(document, owner, [flow_text(document, f, owner) for f in fragments], _comments(fragments))
    return [*reopened, _appended(path, splice, [f.flow_node for f in fragments])]


def _appended(path: Path, splice: Splice, nodes: list[Node]) -> Change:
    expect = tree.with_items(nodes)
    return Change((splice,), lambda root: tree.changed_at(root, path, expect))


def _reopened(document: Document, path: Path, owner: Node, fragments: Sequence[Fragment]) -> list[Change]:
    """Return the way to turn an empty `[]` back into a list with an entry a line, where the file is in that style."""
    parent = document.find(path[:-1])
    rest = document.lines.after(owner.end).strip()
    if owner.items or owner.anchor or parent is None or parent.flow or (rest and not rest.startswith("#")):
        return []
    key = next((key for key, value in parent.pairs if value is owner), None)
    if key is None or document.lines.number(key.start) != document.lines.number(owner.start):
        return []
    line = document.lines.number(owner.end)
    column = document.lines.column(key.start) + dash_offset(document, parent, *document.first_services())
    items = "".join(f.block(column, document.lines.newline(line)) for f in fragments)
    colon = document.text.index(":", key.end) + 1
    at = document.lines.start(line + 1)
    expect = tree.with_items([f.node for f in fragments])
    splices = (Splice(colon, owner.end, ""), Splice(at, at, items))
    return [Change(splices, lambda root: tree.changed_at(root, path, expect))]


def add_pair(
    document: Document, path: Path, pair: tuple[Node, Node], render: Render, *, after: str | None = None
) -> list[Change]:
    """Return the ways to put a pair into the block mapping at `path`, behind the key `after` ("": first) if that works.

    `render` gives the pair's lines for a column and a line end.
    """
    parent = document.find(path)
    if parent is None or parent.kind is not Kind.MAPPING or parent.flow or not parent.pairs:
        raise document.refuse("not-a-mapping", f"{'.'.join(map(str, path))} is no block mapping.", parent)
    return [Change((splice,), _expect_pair(path, at, *pair)) for at, splice in _places(document, parent, render, after)]


def add_flow_pair(
    document: Document, path: Path, pair: tuple[Node, Node], text: str, comment: str = ""
) -> list[Change]:
    """Return the ways to append a pair, written as `text`, to the mapping within braces at `path`."""
    parent = document.find(path)
    if parent is None or parent.kind is not Kind.MAPPING or not parent.flow:
        raise document.refuse("not-a-mapping", f"{'.'.join(map(str, path))} is no mapping within braces.", parent)
    splice = _flow_insert(document, parent, [text], comment)
    return [Change((splice,), _expect_pair(path, len(parent.pairs), *pair))]


def flow_text(document: Document, fragment: Fragment, owner: Node) -> str:
    """Return a fragment's form within the brackets or braces of `owner`.

    Raises:
        EditRefusedError: `comment-would-be-lost`.

    """
    if fragment.flow is None:
        raise document.refuse(
            "comment-would-be-lost",
            "this entry cannot be written within brackets without losing its comments or properties.",
            owner,
            hint="write the target's list in block style, an entry a line",
        )
    return fragment.flow


def dash_offset(document: Document, *owners: Node | None) -> int:
    """Return how far dashes stand right of their key: as in the first of `owners` that shows it, else two."""
    for owner in owners:
        for key, value in owner.pairs if owner is not None and not owner.flow else []:
            if value.kind is Kind.SEQUENCE and not value.flow and value.items:
                dash = dash_of(document.text, value, 0)
                offset = document.lines.column(dash) - document.lines.column(key.start)
                if offset >= 0 and not document.lines.before(dash).strip():
                    return offset
    return 2


def _expect_pair(path: Path, at: int, key: Node, value: Node) -> Callable[[Node], Node]:
    return lambda root: tree.changed_at(root, path, tree.with_pair(at, key, value))


def _places(document: Document, parent: Node, render: Render, after: str | None) -> Iterator[tuple[int, Splice]]:
    """Yield the places for a new pair: behind `after`, last, behind the first; also behind their blank lines; first."""
    if after != FIRST:
        wanted = parent.index(after) if after else None
        last = len(parent.pairs) - 1
        for index in dict.fromkeys([last if wanted is None else wanted, last, 0]):
            yield from _behind(document, parent, index, render)
    key = parent.pairs[0][0]
    if not document.lines.before(key.start).strip():
        yield 0, _insert(document, document.lines.number(key.start), render, document.lines.column(key.start))


def _behind(document: Document, parent: Node, index: int, render: Render) -> Iterator[tuple[int, Splice]]:
    lines = document.lines
    column = lines.column(parent.pairs[0][0].start)
    key, value = parent.pairs[index]
    line = lines.past_comments(lines.number(max(value.end - 1, key.start)) + 1, column)
    yield index + 1, _insert(document, line, render, column)
    if value.style in ("|", ">") or value.pairs or value.items:
        while lines.blank(line):
            line += 1
        yield index + 1, _insert(document, line, render, column)


def _insert(document: Document, line: int, render: Render, column: int) -> Splice:
    at = document.lines.start(line)
    return Splice(at, at, render(column, document.lines.newline(max(line - 1, 0))))


def _block_append(document: Document, owner: Node, fragments: Sequence[Fragment]) -> Splice:
    lines = document.lines
    dash = dash_of(document.text, owner, len(owner.items) - 1)
    if lines.before(dash).strip():
        raise document.refuse("unusual-layout", "this list item does not start its own line.", dash)
    last = lines.number(max(owner.items[-1].end - 1, dash))
    at = lines.start(last + 1)
    return Splice(at, at, "".join(f.block(lines.column(dash), lines.newline(last)) for f in fragments))


def _flow_insert(document: Document, owner: Node, texts: Sequence[str], comment: str) -> Splice:
    """Append to brackets or braces; a comment goes to the end of the line that the text lands on."""
    end = owner.items[-1].end if owner.items else owner.pairs[-1][1].end if owner.pairs else None
    if end is None:
        return _commented(document, owner.end - 1, ", ".join(texts), comment)
    start = owner.items[-1].start if owner.items else owner.pairs[-1][0].start
    comma = skip_blank(document.text, end)
    trailing = document.text.startswith(",", comma)
    text = ", ".join(texts) + ("," if trailing else "")
    behind = comma + 1 if trailing else end
    rest = document.lines.after(behind).strip()
    if document.lines.before(start).strip() or (rest and not rest.startswith("#")):
        return _commented(document, behind, (" " if trailing else ", ") + text, comment)
    line = document.lines.number(behind)
    own = document.lines.before(start) + text + ("  " + comment if comment else "") + document.lines.newline(line)
    kept = document.text[behind : document.lines.start(line + 1)]
    return Splice(behind, document.lines.start(line + 1), ("" if trailing else ",") + kept + own)


def _commented(document: Document, at: int, text: str, comment: str) -> Splice:
    rest = document.lines.after(at)
    if not comment:
        return Splice(at, at, text)
    return Splice(at, at + len(rest), text + rest + "  " + comment)


def _comments(fragments: Sequence[Fragment]) -> str:
    return "  ".join(f.comment for f in fragments if f.comment)
