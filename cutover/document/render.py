"""New text: Python data as YAML, in block style or within brackets, and the nodes that it parses to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutover.document.fragment import Fragment, written
from cutover.document.source import Kind, Node, parse_tree

Scalar = str | int | float | bool | None
Data = Scalar | Sequence["Data"] | Mapping[str, "Data"]

NAME = "new text"


def scalar_text(value: Scalar) -> str:
    """Return a scalar as YAML writes it; text that could be taken for anything else is quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return written(value)[0]
        case _:
            return str(value)


def flow(data: Data) -> str:
    """Return data within brackets, on one line."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow(value)}" for key, value in data.items()) + "}"
    if isinstance(data, Sequence) and not isinstance(data, str):
        return "[" + ", ".join(flow(value) for value in data) + "]"
    return scalar_text(data)


def block(data: Data, step: int, dash: int) -> list[str]:
    """Return data as lines: `step` columns a level, dashes `dash` columns right of their key.

    Lists of scalars below the top stay on one line, within brackets.
    """
    if isinstance(data, Mapping):
        return [line for key, value in data.items() for line in pair(key, value, step, dash)]
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [line for value in data for line in _item(value, step, dash)]
    return [scalar_text(data)]


def pair(key: str, value: Data, step: int, dash: int) -> list[str]:
    """Return a key and its value as lines, the key at column 0."""
    name = scalar_text(key)
    if not _nests(value):
        return [f"{name}: {flow(value)}"]
    indent = " " * (step if isinstance(value, Mapping) else dash)
    return [f"{name}:", *(indent + line for line in block(value, step, dash))]


def item(value: Data, step: int = 2, dash: int = 2) -> Fragment:
    """Return data as a list item."""
    lines = _item(value, step, dash)
    text = flow(value)
    return Fragment(parsed("\n".join(lines)).items[0], tuple(lines), text, parsed(f"[{text}]").items[0])


def parsed(text: str) -> Node:
    """Return the tree of text that was made here."""
    node = parse_tree(text, NAME)
    if node is None:
        return Node(Kind.SCALAR, 0, 0)
    return node


def flow_of(node: Node, text: str) -> str | None:
    """Return a node of `text` within brackets, None where its comments, tags or anchors would be lost."""
    if node.tag or node.anchor or node.kind is Kind.ALIAS or node.style in ("|", ">"):
        return None
    if node.kind is Kind.SCALAR:
        return written(node.value)[0] if node.plain and set(node.value) & set(",[]{}") else text[node.start : node.end]
    if node.kind is Kind.SEQUENCE:
        items = [flow_of(item, text) for item in node.items]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    pairs = [(flow_of(key, text), flow_of(value, text)) for key, value in node.pairs]
    if any(key is None or value is None for key, value in pairs):
        return None
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


def _item(value: Data, step: int, dash: int) -> list[str]:
    if isinstance(value, Mapping) and value:
        first, *others = block(value, 2, dash if step == 2 else 2)  # noqa: PLR2004 - a dash and a blank
        return ["- " + first, *("  " + line for line in others)]
    return ["- " + flow(value)]


def _nests(value: Data) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value)
