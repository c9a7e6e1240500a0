"""Where a service's ports come from: its own list, an anchor, a merge key, or a service that it extends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PurePath

from cutover.document import tree
from cutover.document.document import Document, Service
from cutover.document.source import Kind, Node


class Origin(Enum):
    """How a service comes by its list of ports."""

    OWN = auto()
    ALIAS = auto()
    MERGE = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Extends:
    """What a service extends: `file` is "" for its own file. `line` counts from 1."""

    service: str
    file: str
    line: int


class Origins:
    """Follows the aliases of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.targets = tree.aliases(document.root) if document.aliased else {}

    def value(self, service: Service, key: str) -> tuple[Origin, Node | None]:
        """Return the value that a service has for `key` in this file, and how it comes by it."""
        node = self.follow(service.node)
        found = node.get(key)
        if found is None:
            return self._merged(node, key)
        if found.kind is Kind.ALIAS or service.node.kind is Kind.ALIAS:
            return Origin.ALIAS, self.follow(found)
        return Origin.OWN, found

    def hidden(self, service: Service, key: str) -> Node | None:
        """Return the value that a merge key would give a service if it had none of its own."""
        return self._merged(self.follow(service.node), key)[1]

    def extends(self, service: Service) -> Extends | None:
        """Return what a service extends, None where it extends nothing."""
        _, node = self.value(service, "extends")
        if node is None:
            return None
        line = self.document.line_of(node)
        if node.kind is Kind.SCALAR:
            return Extends(node.value, "", line)
        name, file = node.get("service"), node.get("file")
        where = file.value if file is not None else ""
        own = PurePath(where).name == PurePath(self.document.name).name and len(PurePath(where).parts) == 1
        return Extends(name.value if name else service.name, "" if own else where, line)

    def ancestors(self, name: str) -> Iterator[str]:
        """Yield the services of this file that `name` extends, nearest first."""
        services = self.document.services()
        seen = {name}
        while (found := self.extends(services[name])) is not None and not found.file:
            name = found.service
            if name in seen or name not in services:
                return
            seen.add(name)
            yield name

    def heirs(self, name: str) -> list[str]:
        """Return the services of this file that extend `name`, directly or not."""
        return [other for other in self.document.services() if other != name and name in self.ancestors(other)]

    def follow(self, node: Node) -> Node:
        """Return what an alias stands for, any other node itself."""
        return self.targets[id(node)] if node.kind is Kind.ALIAS else node

    def _merged(self, node: Node, key: str) -> tuple[Origin, Node | None]:
        merge = node.get("<<")
        parts = [] if merge is None else merge.items if merge.kind is Kind.SEQUENCE else [merge]
        for part in map(self.follow, parts):
            found = part.get(key)
            if found is None:
                _, found = self._merged(part, key)
            if found is not None:
                return Origin.MERGE, self.follow(found)
        return Origin.NONE, None
