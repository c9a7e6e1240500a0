"""What a tree means once aliases and merge keys are followed, as plain lists, dicts and tuples.

Only a file that has aliases needs this: there, an edit at one place can change another.
"""

from __future__ import annotations

from collections.abc import Iterator

from cutover.document import tree
from cutover.document.source import Kind, Node
from cutover.document.tree import Path
from cutover.errors import EditRefusedError

Meaning = object
MOST_NODES = 1_000_000


def meaning_of(root: Node, name: str) -> Meaning:
    """Return the meaning of a tree: scalars as (tag, value, plain), each alias replaced by what it stands for.

    Raises:
        EditRefusedError: `recursive-alias`, or `alias-bomb` where the aliases multiply beyond a million nodes.
        KeyError: an alias names an anchor that has not been set before it.

    """
    return _Reader(tree.aliases(root), name).read(root, ())


def differences(old: Meaning, new: Meaning, path: Path = ()) -> Iterator[Path]:
    """Yield where two meanings differ, as deep as possible."""
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in old or key not in new:
                yield (*path, key)
            else:
                yield from differences(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, (*path, index))
    elif old != new:
        yield path


class _Reader:
    def __init__(self, targets: dict[int, Node], name: str) -> None:
        self.targets = targets
        self.name = name
        self.count = 0

    def read(self, node: Node, inside: tuple[int, ...]) -> Meaning:
        self.count += 1
        if self.count > MOST_NODES:
            raise EditRefusedError("alias-bomb", "has aliases that multiply beyond measure.", file=self.name)
        match node.kind:
            case Kind.SCALAR:
                return (node.tag, node.value, node.plain)
            case Kind.ALIAS:
                target = self.targets[id(node)]
                if id(target) in inside:
                    raise EditRefusedError("recursive-alias", f"*{node.value} contains itself.", file=self.name)
                return self.read(target, inside)
            case Kind.SEQUENCE:
                return [self.read(item, (*inside, id(node))) for item in node.items]
            case Kind.MAPPING:
                return self._mapping(node, (*inside, id(node)))

    def _mapping(self, node: Node, inside: tuple[int, ...]) -> Meaning:
        own = {self._key(key): self.read(value, inside) for key, value in node.pairs if not _merges(key)}
        for key, value in node.pairs:
            if _merges(key):
                merged = self.read(value, inside)
                for part in merged if isinstance(merged, list) else [merged]:
                    if isinstance(part, dict):
                        own = {**part, **own}
        return own

    def _key(self, key: Node) -> str:
        if key.kind is Kind.ALIAS:
            return self.targets[id(key)].value
        return key.value


def _merges(key: Node) -> bool:
    return key.kind is Kind.SCALAR and key.value == "<<" and key.plain
