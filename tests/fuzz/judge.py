"""Is an edit right? Asked of another loader (ruamel.yaml's composer) and of the lines; nothing here is the editor's."""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tests.fuzz.target import see

MOST_ALIASES = 30
"""Of a file with more the judge would have to unfold too much."""
Value = tuple["Value", ...] | str
Key = tuple[str, ...]


def meaning(content: bytes) -> Node | None:
    """Return a file as composed nodes, None where this loader cannot read it."""
    text = content.decode("utf-8-sig")
    if text.count("*") > MOST_ALIASES:
        return None
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except Exception:  # noqa: BLE001  (what it cannot read it cannot judge)
        return None
    return node if isinstance(node, MappingNode) else None


def same_but(before: Node, after: Node, *places: Key) -> None:
    """See that two files mean the same everywhere but at these places, which may be gone or new."""
    old, new = (_value(node, (), places) for node in (before, after))
    see(old == new, f"something else than {places} changed")


def at(node: Node | None, *path: str) -> Node | None:
    """Return the node at a path."""
    for step in path:
        if not isinstance(node, MappingNode):
            return None
        node = next((v for k, v in node.value if isinstance(k, ScalarNode) and k.value == step), None)
    return node


def items_at(node: Node, *path: str) -> list[object]:
    """Return the items of the list at a path, none where there is no list."""
    found = at(node, *path)
    return [_value(item, (), ()) for item in found.value] if isinstance(found, SequenceNode) else []


def merged(node: Node, service: str, key: str) -> bool:
    """Say whether a service without this key would get it, or gets it, from what it merges in."""
    found = at(node, "services", service)
    return found is not None and merged_in(found, key)


def merged_in(node: Node, key: str) -> bool:
    """Say whether a mapping gets a key from what it merges in."""
    return any(at(part, key) is not None or merged_in(part, key) for part in _parts(node))


def _parts(node: Node) -> list[Node]:
    merge = at(node, "<<")
    return merge.value if isinstance(merge, SequenceNode) else [merge] if merge is not None else []


def _value(node: Node, path: Key, without: tuple[Key, ...]) -> object:
    if isinstance(node, ScalarNode):
        return (node.tag, node.value)
    if isinstance(node, SequenceNode):
        return [_value(item, (*path, "[]"), without) for item in node.value]
    found = []
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else "?"
        if (*path, name) not in without:
            found.append((_value(key, (), ()), _value(value, (*path, name), without)))
    return found
