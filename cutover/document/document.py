"""A compose file as bytes that were understood but not touched."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cutover.document.lines import Lines
from cutover.document.ports import PortEntry, entries_of
from cutover.document.source import Kind, Node, has_aliases, parse_tree
from cutover.document.tree import aliases, around_themselves
from cutover.errors import EditRefusedError

Path = tuple[str | int, ...]

_BARE_CR = re.compile(r"\r(?!\n)")
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Service:
    """A service as one file defines it: `line` counts from 1, `node` is its definition."""

    name: str
    line: int
    node: Node = field(repr=False)

    @property
    def ports(self) -> Node | None:
        """Return the list under its own `ports:` key, None where it has none or merges one in."""
        return self.node.get("ports") if self.node.kind is Kind.MAPPING else None


@dataclass(frozen=True, slots=True)
class Document:
    """One compose file. Made by `parse`; every edit returns another one and leaves this as it is."""

    name: str
    content: bytes = field(repr=False)
    text: str = field(repr=False)
    bom: bool
    final_newline: bool
    root: Node = field(repr=False)
    lines: Lines = field(repr=False)
    pure: bool = False
    aliased: bool = False

    @classmethod
    def parse(cls, content: bytes, name: str, *, pure: bool = False) -> Document:
        """Understand the bytes of the file `name`; `pure` does without libyaml.

        Raises:
            EditRefusedError: `not-utf8`, `bare-cr`, `odd-line-end`, `invalid-yaml`, `several-documents`,
                `duplicate-key`, `nested-too-deep`, `dangling-alias`, `recursive-alias` or `not-a-mapping`, with the
                line where one is known.

        """
        text, bom = _decode(content, name)
        root, pure = _tree(text, name, pure=pure)
        if root is None or root.kind is not Kind.MAPPING:
            raise EditRefusedError("not-a-mapping", "is no YAML mapping, so it is no compose file.", file=name, line=1)
        ended = text.endswith("\n")
        if not ended:
            text += "\r\n" if "\r\n" in text else "\n"
        aliased = "*" in text and has_aliases(root)
        document = cls(name, content, text, bom, ended, root, Lines.of(text), pure, aliased)
        if aliased:
            _see_aliases(document)
        return document

    def line_of(self, node: Node | int) -> int:
        """Return the line of a node or an offset, counted from 1."""
        return self.lines.number(node if isinstance(node, int) else node.start) + 1

    def line_start(self, line: int) -> int:
        """Return the offset at which `line`, counted from 1, begins."""
        return self.lines.start(line - 1)

    def source_of(self, node: Node) -> str:
        """Return a node's own text."""
        return self.text[node.start : node.end]

    def find(self, path: Path) -> Node | None:
        """Return the node at `path` (keys and list positions), merged keys and aliases left out."""
        node: Node | None = self.root
        for step in path:
            if node is None:
                return None
            if isinstance(step, int):
                node = node.items[step] if -len(node.items) <= step < len(node.items) else None
            else:
                node = node.get(step)
        return node

    def services(self) -> dict[str, Service]:
        """Return the services that this file itself defines, in its order."""
        section = self.root.get("services")
        pairs = section.pairs if section is not None else []
        return {
            key.value: Service(key.value, self.line_of(key), value)
            for key, value in pairs
            if key.kind is Kind.SCALAR and key.value != "<<"
        }

    def service(self, name: str) -> Service:
        """Return one service.

        Raises:
            EditRefusedError: `service-unknown`, with the names that there are.

        """
        services = self.services()
        if name not in services:
            raise EditRefusedError(
                "service-unknown",
                f"defines no service {name!r}.",
                file=self.name,
                evidence=[f"services: {', '.join(services) or 'none'}"],
                hint="docker compose config --services",
            )
        return services[name]

    def first_services(self) -> list[Node]:
        """Return the definitions that show the file's style: enough of them to see it, few enough to be quick."""
        return [service.node for service in list(self.services().values())[:50]]

    def port_entries(self, service: str, env: Mapping[str, str] | None = None) -> tuple[PortEntry, ...]:
        """Return the entries of the service's own `ports:` list, interpolated with `env`."""
        ports = self.service(service).ports
        return entries_of(ports, self.text, self.line_of, env or {})

    def refuse(
        self,
        reference: str,
        message: str,
        at: Node | int | None = None,
        *,
        evidence: Sequence[str] = (),
        hint: str | None = None,
    ) -> EditRefusedError:
        """Return the error that refuses an edit of this file at a node or an offset."""
        line = None if at is None else self.line_of(at)
        return EditRefusedError(reference, message, file=self.name, line=line, evidence=tuple(evidence), hint=hint)


def _see_aliases(document: Document) -> None:
    try:
        found = aliases(document.root)
    except KeyError as error:
        at = document.text.find(f"*{error.args[0]}")
        message = f"uses *{error.args[0]}, which no anchor before it sets."
        raise document.refuse("dangling-alias", message, max(at, 0)) from error
    for target in around_themselves(document.root, found):
        raise document.refuse("recursive-alias", f"*{target.anchor} contains itself.", target)


def _tree(text: str, name: str, *, pure: bool) -> tuple[Node | None, bool]:
    """Return the tree, and whether ruamel.yaml's own parser made it.

    libyaml rejects `[80:80]` without quotes, which Compose and the YAML standard accept; the other parser then decides.
    """
    try:
        return parse_tree(text, name, pure=pure), pure
    except EditRefusedError as error:
        if pure or error.reference != "invalid-yaml":
            raise
        with contextlib.suppress(EditRefusedError):
            return parse_tree(text, name, pure=True), True
        raise


def _decode(content: bytes, name: str) -> tuple[str, bool]:
    bom = content.startswith(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EditRefusedError("not-utf8", "is not UTF-8 text.", file=name, line=line) from error
    bare = _BARE_CR.search(text)
    if bare:
        line = text.count("\n", 0, bare.start()) + 1
        raise EditRefusedError("bare-cr", "has a carriage return without a line feed.", file=name, line=line)
    odd = _ODD_BREAK.search(text)
    if odd:  # Compose begins a new line there, YAML 1.2 does not, and no editor shows which is meant
        line = text.count("\n", 0, odd.start()) + 1
        message = f"has U+{ord(odd[0]):04X}, which some readers of YAML take for the end of the line."
        raise EditRefusedError(
            "odd-line-end", message, file=name, line=line, hint="take it out, or write \\L in quotes"
        )
    return text, bom
