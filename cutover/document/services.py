"""Whole services: added after another one, removed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from cutover.document import insertion, removal, render, tree
from cutover.document.document import Document
from cutover.document.edit import Change, Edit, Splice, only_at, prove
from cutover.document.intent import Inverse
from cutover.document.origin import Origins
from cutover.document.render import Data
from cutover.document.source import Kind, Node
from cutover.document.values import indented, step_of
from cutover.errors import EditRefusedError

_NEEDS = ("depends_on", "links", "volumes_from", "network_mode", "pid", "ipc")


def add_service_after(document: Document, after: str, name: str, body: str | Data) -> Edit:
    """Add the service `name` behind the service `after`; `body` is its YAML text at any indentation, or data.

    Raises:
        EditRefusedError: `service-unknown`, `service-exists`, `body-invalid`, `comment-would-be-lost` or
            `edit-not-proven`.

    """
    neighbour = document.service(after)
    if name in document.services():
        raise document.refuse(
            "service-exists", f"service {name!r} is there already.", document.find(("services", name))
        )
    lines = _body_lines(document, name, body)
    text = "\n".join(lines)
    key, value = render.parsed(text).pairs[0]
    section = document.root.get("services")
    if section is not None and section.flow:
        changes = _flow_service(document, key, value, text)
    else:
        lines = ["", *lines] if _separated(document) else lines
        changes = insertion.add_pair(document, ("services",), (key, value), indented(lines), after=after)
    edit = prove(document, changes, [only_at(("services", name))], where=neighbour.node)
    return replace(edit, inverse=Inverse("remove_service", {"name": name}))


def remove_service(document: Document, name: str) -> Edit:
    """Remove a service, the commented-out keys below it and the blank lines that set it off.

    Raises:
        EditRefusedError: `service-unknown`, `last-service`, `service-in-use`, `anchor-in-use` or `edit-not-proven`.

    """
    service = document.service(name)
    if len(document.services()) == 1:
        raise document.refuse("last-service", f"{name!r} is the only service.", service.node)
    for user, node in _users(document, name):
        raise document.refuse("service-in-use", f"service {user!r} needs {name!r}.", node)
    section = document.root.get("services")
    changes = removal.remove_pair(document, ("services", name))
    if section is not None and not section.flow:
        changes = [*_with_surroundings(document, section, name), *changes]
    edit = prove(document, changes, [only_at(("services", name))], where=service.node)
    return replace(edit, inverse=_put_back(document, name))


def _with_surroundings(document: Document, section: Node, name: str) -> Iterator[Change]:
    """Take the lines of a service with its comments and the blank lines above it (below the first one)."""
    lines = document.lines
    index = section.index(name) or 0
    key, value = section.pairs[index]
    if lines.before(key.start).strip():
        return
    first = lines.number(key.start)
    past = lines.past_comments(lines.number(max(value.end - 1, key.start)) + 1, lines.column(key.start))
    if index:
        while lines.blank(first - 1):
            first -= 1
    else:
        while lines.blank(past):
            past += 1
    splice = Splice(lines.start(first), lines.start(past), "")
    expect = tree.without_pair(index)
    yield Change((splice,), lambda root: tree.changed_at(root, ("services",), expect))


def _users(document: Document, name: str) -> Iterator[tuple[str, Node]]:
    """Yield the services that cannot do without `name`, with the place that says so."""
    origins = Origins(document)
    for other, service in document.services().items():
        if other == name:
            continue
        parent = origins.extends(service)
        if parent is not None and parent.service == name and not parent.file:
            yield other, service.node
        for key in _NEEDS:
            _, node = origins.value(service, key)
            if node is not None and name in _named(node):
                yield other, node


def _named(node: Node) -> set[str]:
    """Return the services that a value names: keys, items, `service:NAME`, `NAME:alias`."""
    texts = [node.value, *(item.value for item in node.items), *(key.value for key, _ in node.pairs)]
    return {part for text in texts for part in (text.removeprefix("service:"), text.partition(":")[0])}


def _body_lines(document: Document, name: str, body: str | Data) -> list[str]:
    step = step_of(document)
    if not isinstance(body, str):
        return render.pair(name, body, step, insertion.dash_offset(document, *document.first_services()))
    lines = textwrap.dedent(body).strip("\n").splitlines()
    lines = [f"{render.scalar_text(name)}:", *(" " * step + line if line.strip() else "" for line in lines)]
    try:
        value = render.parsed("\n".join(lines)).pairs[0][1]
    except EditRefusedError as error:
        raise document.refuse("body-invalid", f"the text of service {name!r}: {error.message}") from error
    if value.kind is not Kind.MAPPING:
        raise document.refuse("body-invalid", f"the text of service {name!r} is no mapping.")
    return lines


def _flow_service(document: Document, key: Node, value: Node, text: str) -> list[Change]:
    section = document.root.get("services")
    quote = '"' if section is not None and section.pairs and section.pairs[0][0].style == '"' else ""
    body = render.flow_of(value, text)
    if body is None:
        raise document.refuse("comment-would-be-lost", "the new service cannot be written within braces.", section)
    pair = render.parsed("{" + f"{quote}{key.value}{quote}: {body}" + "}").pairs[0]
    return insertion.add_flow_pair(document, ("services",), pair, f"{quote}{key.value}{quote}: {body}")


def _separated(document: Document) -> bool:
    """Say whether blank lines stand between the services of this file."""
    section = document.root.get("services")
    keys = [key for key, _ in section.pairs] if section is not None else []
    return len(keys) == 1 or any(document.lines.blank(document.lines.number(key.start) - 1) for key in keys[1:])


def _put_back(document: Document, name: str) -> Inverse | None:
    section = document.root.get("services")
    index = section.index(name) if section is not None else None
    if section is None or section.flow or index is None:
        return None
    key, value = section.pairs[index]
    lines = document.lines
    column = lines.column(key.start)
    past = lines.past_comments(lines.number(max(value.end - 1, key.start)) + 1, column)
    source = [lines.content(line)[column:] for line in range(lines.number(key.start), past)]
    if index and lines.blank(lines.number(key.start) - 1):
        source = ["", *source]
    after = section.pairs[index - 1][0].value if index else insertion.FIRST
    return Inverse("insert_source", {"path": ["services"], "lines": source, "after": after})
