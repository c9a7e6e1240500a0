"""Text that is put into a document, in the form that its new place wants: an item or a value with its own source."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cutover.document.document import Document
from cutover.document.source import Kind, Node, dash_of

_FLOW_INDICATOR = re.compile(r"[,\[\]{}:]|^[?&*!|>%@`\"'#-]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_PLAIN_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./=-]*(:[A-Za-z0-9_./=-]+)*")
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """A list item: `lines` as a block (dash first, the others relative to it), `flow` within brackets, its `comment`.

    `node` and `flow_node` are what they must parse to. `flow` is None where only the block form keeps everything.
    """

    node: Node
    lines: tuple[str, ...]
    flow: str | None
    flow_node: Node
    comment: str = ""

    def block(self, column: int, newline: str) -> str:
        """Return the item's lines with the dash at `column`."""
        indent = " " * column
        return "".join((indent + line if line.strip() else line.strip()) + newline for line in self.lines)


def item_fragment(
    document: Document,
    owner: Node,
    index: int,
    *,
    changed: tuple[str, Node] | None = None,
    emptied: bool = False,
    with_line: bool = False,
) -> Fragment:
    """Return item `index` of the list `owner` with its own text, or with the text and node of `changed`.

    Where the whole list goes (`emptied`), the comments in it go along: nothing is left that they could speak of. Where
    the last line of a list within brackets goes too (`with_line`), so does the comment at its end.
    """
    node = owner.items[index]
    raw, new_node = changed or (document.source_of(node), node)
    flow, flow_node = _as_flow(document, node, raw, new_node)
    if owner.flow:
        comment = _comments_around(document, owner, index) if emptied else _comment_behind(document, node)
        if with_line and index == len(owner.items) - 1:
            comment = "  ".join(filter(None, [comment, _comment_behind(document, owner)]))
        return Fragment(new_node, _lines_of_flow(raw, comment), flow, flow_node, comment)
    dash = dash_of(document.text, owner, index)
    if document.lines.before(dash).strip():
        raise document.refuse("unusual-layout", "this list item does not start its own line.", dash)
    first, last = item_lines(document, owner, index, with_comments=emptied)
    whole = document.text[document.lines.start(first) : node.start] + raw
    whole += document.text[node.end : document.lines.start(last + 1)]
    comment = _comment_behind(document, node)
    flow = flow if document.lines.number(dash) == first or flow is None else None
    return Fragment(new_node, _dedented(whole, document.lines.column(dash)), flow, flow_node, comment)


def item_lines(document: Document, owner: Node, index: int, *, with_comments: bool = False) -> tuple[int, int]:
    """Return the first and last line of an item of a block list, from 0; on request with the comments above it."""
    lines = document.lines
    dash = dash_of(document.text, owner, index)
    first, last = lines.number(dash), lines.number(max(owner.items[index].end - 1, dash))
    while with_comments and first > 0 and (lines.comment_column(first - 1) is not None or lines.blank(first - 1)):
        first -= 1
    return first, last


def quoted(text: str) -> str:
    """Return `text` as a double-quoted scalar."""
    body = "".join(_ESCAPES.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)
    return f'"{body}"'


def written(text: str) -> tuple[str, Node]:
    """Return a string as YAML writes it, plain where nobody could take it for anything else, and its node."""
    if _PLAIN_WORD.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text, Node(Kind.SCALAR, 0, 0, value=text)
    return quoted(text), Node(Kind.SCALAR, 0, 0, value=text, style='"')


def text_of(document: Document, node: Node) -> str:
    """Return a scalar's text: its own, or what it would be where it stands nowhere yet."""
    if node.end:
        return document.source_of(node)
    return f"{node.style or ''}{node.value}{node.style or ''}"


def _as_flow(document: Document, node: Node, raw: str, new_node: Node) -> tuple[str | None, Node]:
    if node.kind is Kind.ALIAS or node.flow or (node.kind is Kind.SCALAR and not node.plain):
        return (raw if "\n" not in raw else None), new_node
    if node.tag or node.anchor:
        return None, new_node
    if node.kind is Kind.SCALAR:
        if _FLOW_INDICATOR.search(raw):
            return quoted(new_node.value), replace(new_node, style='"')
        return raw, new_node
    return (None, new_node) if "#" in raw else _mapping_as_flow(document, new_node)


def _mapping_as_flow(document: Document, node: Node) -> tuple[str | None, Node]:
    """Write a block mapping of scalars within braces; comments inside it have no place there."""
    parts, pairs = [], []
    for key, value in node.pairs:
        text, flow_value = _as_flow(document, value, text_of(document, value), value)
        if text is None or key.kind is not Kind.SCALAR:
            return None, node
        parts.append(f"{document.source_of(key)}: {text}")
        pairs.append((key, flow_value))
    return "{" + ", ".join(parts) + "}", replace(node, pairs=pairs)


def _comments_around(document: Document, owner: Node, index: int) -> str:
    """Return the comments behind an item within brackets, up to the next one; above the first one as well."""
    items = owner.items
    end = items[index + 1].start if index + 1 < len(items) else owner.end
    gaps = [document.text[items[index].end : end]]
    if index == 0:
        gaps.insert(0, document.text[owner.start : items[0].start])
    return "  ".join(found.rstrip() for gap in gaps for found in re.findall(r"#[^\r\n]*", gap))


def _comment_behind(document: Document, node: Node) -> str:
    rest = document.lines.after(node.end).lstrip(" \t,")
    return rest if rest.startswith("#") else ""


def _lines_of_flow(raw: str, comment: str) -> tuple[str, ...]:
    first, *others = raw.split("\n")
    lines = ["- " + first.rstrip(), *("  " + line.strip() for line in others)]
    if comment:
        lines[-1] += "  " + comment
    return tuple(lines)


def _dedented(text: str, column: int) -> tuple[str, ...]:
    return tuple(_unindent(line.rstrip("\r"), column) for line in text.rstrip("\r\n").split("\n"))


def _unindent(line: str, column: int) -> str:
    spaces = len(line) - len(line.lstrip(" "))
    return line[min(column, spaces) :]
