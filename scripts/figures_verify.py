"""Is an edit right? Asked without any of the editor's own code: composed nodes, lines, and counting."""

from __future__ import annotations

from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode


@dataclass(frozen=True)
class View:
    """A file as composed nodes: what it means, and which lines (from 0) belong to a path of keys."""

    text: str
    root: MappingNode

    @classmethod
    def of(cls, content: bytes, *, pure: bool = False) -> View:
        """Compose a file."""
        text = content.decode("utf-8-sig")
        return cls(text, YAML(typ="safe", pure=pure).compose(text))

    def value(self) -> object:
        """Return what the file means, merge keys resolved; scalars as text."""
        return _value(self.root)

    def span(self, *path: str) -> set[int]:
        """Return the lines from the key at `path` to the end of its value; none where it is not there."""
        node: Node = self.root
        key = node
        for step in path:
            pairs = {k.value: (k, v) for k, v in node.value} if isinstance(node, MappingNode) else {}
            if step not in pairs:
                return set()
            key, node = pairs[step]
        return set(range(key.start_mark.line, last_line(node, key) + 1))

    def flow_lines(self, *path: str) -> set[int]:
        """Return the lines of what is written within brackets at `path` or, outermost, around it."""
        node: Node | None = self.root
        for depth, step in enumerate(path):
            if getattr(node, "flow_style", False):
                return self.span(*path[:depth])
            node = next((v for k, v in node.value if k.value == step), None) if isinstance(node, MappingNode) else None
        return self.span(*path) if getattr(node, "flow_style", False) else set()


def last_line(node: Node, key: Node) -> int:
    """Return the last line of a node: end marks of block collections stand too late."""
    if getattr(node, "flow_style", False) and not isinstance(node, ScalarNode):
        return node.end_mark.line
    if isinstance(node, ScalarNode):
        block = node.style in ("|", ">")
        if not node.value and node.start_mark.index == node.end_mark.index:
            return key.end_mark.line
        return node.end_mark.line - (1 if block and node.end_mark.column == 0 else 0)
    children = [child for pair in node.value for child in (pair if isinstance(pair, tuple) else [pair])]
    # An alias is composed as its anchor's node, which may stand far above.
    return max(
        [
            key.start_mark.line,
            *(last_line(child, child) for child in children if child.start_mark.index >= node.start_mark.index),
        ]
    )


def _value(node: Node) -> object:
    if isinstance(node, ScalarNode):
        return node.value
    if not isinstance(node, MappingNode):
        return [_value(item) for item in node.value]
    own = {k.value: _value(v) for k, v in node.value if k.value != "<<"}
    for key, value in node.value:
        if key.value == "<<":
            merged = _value(value)
            for part in merged if isinstance(merged, list) else [merged]:
                own = {**part, **own}
    return own


def moved(before: View, after: View, source: str, target: str, items: list[object]) -> str | None:
    """Return what is wrong with a move of these `ports:` items; None where all is as it should be."""
    old, new = before.value(), after.value()
    left = _take_ports(old, source)
    for item in items:
        left.remove(item)
    expected = {source: left, target: _take_ports(old, target) + items}
    found = {name: _take_ports(new, name) for name in (source, target)}
    if old != new:
        return "something else changed"
    if found != expected:
        return f"ports are {found}, not {expected}"
    old_lines = before.span("services", source, "ports") | before.flow_lines("services", source, "ports")
    old_lines |= before.flow_lines("services", target, "ports")
    new_lines = after.span("services", target, "ports") | after.flow_lines("services", source, "ports")
    new_lines |= after.flow_lines("services", target, "ports")
    return text_outside(before.text, after.text, old_lines, new_lines)


def text_outside(
    before: str, after: str, old_lines: set[int], new_lines: set[int], *, more_comments: int = 0, comments: bool = True
) -> str | None:
    """Return the first line that changed outside the lines that were meant to; line ends and comments included."""
    if before.endswith("\n") != after.endswith("\n"):
        return "the end of the file changed"
    if comments and before.count("#") + more_comments != after.count("#"):
        return "a comment was lost or doubled"
    if ("\r\n" in before and before.count("\n") == before.count("\r\n")) and after.count("\n") != after.count("\r\n"):
        return "line ends are mixed now"
    return _unexplained(_lines(before), _lines(after), old_lines, new_lines)


def _unexplained(old: list[str], new: list[str], old_lines: set[int], new_lines: set[int]) -> str | None:
    """Return where the new lines cannot be the old ones with some of `old_lines` taken and `new_lines` given.

    A plain difference would not do: where lines repeat, it may blame the neighbours of those that moved. `reached`
    holds every line of the new text that the old lines so far may lead up to.
    """
    begin = min(old_lines | new_lines, default=len(old))
    if old[:begin] != new[:begin]:
        first = next(i for i in range(begin) if old[i : i + 1] != new[i : i + 1])
        return f"old line {first + 1} was touched"
    reached = _past_given({begin}, new_lines)
    for index, line in enumerate(old[begin:], begin):
        kept = {at + 1 for at in reached if at < len(new) and new[at] == line}
        step = _past_given(kept | (reached if index in old_lines else set()), new_lines)
        if not step:
            return f"old line {index + 1} was touched"
        reached = step
    return None if len(new) in reached else "new line at the end was touched"


def _past_given(reached: set[int], new_lines: set[int]) -> set[int]:
    for at in list(reached):
        past = at
        while past in new_lines:
            past += 1
            reached.add(past)
    return reached


def _lines(text: str) -> list[str]:
    newline = "\r\n" if "\r\n" in text else "\n"
    return (text if text.endswith("\n") else text + newline).split("\n")[:-1]


def _take_ports(value: object, service: str) -> list[object]:
    """Take the ports out of a service, so that the rest can be compared."""
    ports = value["services"][service].pop("ports", None)
    return ports or []
