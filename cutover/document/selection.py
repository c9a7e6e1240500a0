"""Which entries a move takes, and everything about the services that forbids it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cutover.document.document import Document
from cutover.document.origin import Origin, Origins
from cutover.document.ports import PortEntry, entries_of
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError
from cutover.model import PortBinding, Protocol

PublishedPort = tuple[int, Protocol]

ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, never bound to


def select(
    document: Document, source: str, published: Collection[PublishedPort] | None, env: Mapping[str, str]
) -> tuple[PortEntry, ...]:
    """Return the entries of `source` that publish these host ports, all with fixed ones where `published` is None.

    Raises:
        EditRefusedError: `port-not-declared`, `port-from-merge-key`, `port-from-extends`, `shared-by-alias` or
            `port-in-range`.

    """
    entries = own_entries(document, source, env)
    if published is None:
        published = {port for entry in entries for port in entry.published}
    if not published:
        raise _not_there(document, source, None, env)
    for port in sorted(published):
        if not any(entry.occupies(*port) for entry in entries):
            raise _not_there(document, source, port, env)
    chosen = tuple(entry for entry in entries if set(entry.published) & set(published))
    for entry in chosen:
        if not set(entry.published) <= set(published):
            raise document.refuse(
                "port-in-range",
                f"{entry.raw} publishes more ports than the ones to move.",
                entry.node,
                hint="move the whole range, or write its ports as single entries first",
            )
    return chosen


def own_entries(document: Document, service: str, env: Mapping[str, str]) -> tuple[PortEntry, ...]:
    """Return the entries of a service's own list, refused where that list is not only its own.

    Raises:
        EditRefusedError: `shared-by-alias`, `tagged-list` or `not-a-list`.

    """
    found = document.service(service)
    if found.node.kind is Kind.ALIAS:
        raise document.refuse("shared-by-alias", f"service {service!r} is an alias of another one.", found.node)
    ports = found.ports
    if ports is not None:
        _plain_list(document, service, ports)
    return document.port_entries(service, env)


def forbid_clash(document: Document, source: str, entries: Iterable[PortEntry], env: Mapping[str, str]) -> None:
    """Refuse where another service of this file declares one of these host ports as well.

    Compose does not: it starts one of the two and lets the other fail.

    Raises:
        EditRefusedError: `port-already-declared`.

    """
    wanted = {(b.host_port, b.protocol): b for entry in entries for b in entry.bindings}
    for name, entry in declared(document, env):
        if name == source:
            continue
        for binding in entry.bindings:
            moved = wanted.get((binding.host_port, binding.protocol))
            if moved is not None and _same_address(moved, binding):
                raise document.refuse(
                    "port-already-declared",
                    f"service {name!r} declares host port {binding.host_port}/{binding.protocol} as well.",
                    entry.node,
                    hint="let one service alone declare the port",
                )


def declared(document: Document, env: Mapping[str, str]) -> Iterable[tuple[str, PortEntry]]:
    """Yield every port entry of every service of this file, shared and merged ones included."""
    origins = Origins(document)
    for name, service in document.services().items():
        _, ports = origins.value(service, "ports")
        for entry in entries_of(ports, document.text, document.line_of, env):
            yield name, entry


def forbid_target(document: Document, target: str) -> None:
    """Refuse a target whose own `ports:` cannot be extended without changing what else it has, or would do nothing.

    Raises:
        EditRefusedError: as `forbid_list`, or `cannot-publish`.

    """
    forbid_list(document, target)
    _, mode = Origins(document).value(document.service(target), "network_mode")
    if mode is not None and (mode.value in {"host", "none"} or mode.value.startswith(("service:", "container:"))):
        raise document.refuse(
            "cannot-publish", f"Docker publishes nothing for {target!r}: network_mode is {mode.value}.", mode
        )


def forbid_list(document: Document, target: str) -> None:
    """Refuse a service whose own `ports:` cannot be extended without changing what else it has.

    Raises:
        EditRefusedError: `service-unknown`, `shared-by-alias`, `merged-list`, `service-empty`, `tagged-list` or
            `not-a-list`.

    """
    own_entries(document, target, {})
    service = document.service(target)
    if service.node.kind is not Kind.MAPPING:
        raise document.refuse("service-empty", f"service {target!r} has no definition.", service.node)
    origins = Origins(document)
    origin, ports = origins.value(service, "ports")
    if origin is Origin.MERGE:
        raise document.refuse(
            "merged-list",
            f"{target!r} takes its ports from a merge key; a list of its own would replace them.",
            ports,
            hint=f"write the merged ports into {target!r} first",
        )


def forbid_heirs(document: Document, source: str, target: str, entries: Iterable[PortEntry]) -> None:
    """Refuse where `extends:` would hand the ports on, or bring them back.

    Raises:
        EditRefusedError: `inherited-by-extends` or `port-from-extends`.

    """
    if "extends" not in document.text:
        return
    origins = Origins(document)
    for name in (target, source):
        for heir in origins.heirs(name) if name in document.services() else ():
            raise document.refuse(
                "inherited-by-extends",
                f"service {heir!r} extends {name!r} and shares its ports.",
                document.line_start(document.services()[heir].line),
                hint=f"end the inheritance first: let {heir!r} extend a service without ports",
            )
    moved = {port for entry in entries for port in entry.published}
    for parent in origins.ancestors(source) if source in document.services() else ():
        _, ports = origins.value(document.service(parent), "ports")
        for entry in entries_of(ports, document.text, document.line_of, {}):
            if moved & set(entry.published):
                raise document.refuse("port-from-extends", f"{source!r} inherits it from {parent!r} too.", entry.node)


def _plain_list(document: Document, service: str, ports: Node) -> None:
    if ports.kind is Kind.ALIAS:
        raise document.refuse("shared-by-alias", f"the ports of {service!r} are the list *{ports.value}.", ports)
    if ports.kind is not Kind.SEQUENCE:
        raise document.refuse("not-a-list", f"the ports of {service!r} are no list.", ports)
    if ports.tag:
        raise document.refuse("tagged-list", f"the ports of {service!r} carry {ports.tag}.", ports)


def _not_there(document: Document, source: str, port: PublishedPort | None, env: Mapping[str, str]) -> EditRefusedError:
    """Return the refusal that says why `source` does not itself publish `port`."""
    origins = Origins(document)
    service = document.service(source)
    wanted = f"host port {port[0]}/{port[1]}" if port else "any fixed host port"
    origin, ports = origins.value(service, "ports")
    if origin is Origin.MERGE:
        return document.refuse("port-from-merge-key", f"{source!r} takes its ports from a merge key.", ports)
    parent = origins.extends(service)
    if parent is not None:
        return document.refuse(
            "port-from-extends",
            f"{source!r} itself does not publish {wanted}; it extends {parent.service!r}.",
            document.line_start(parent.line),
        )
    entries = document.port_entries(source, env)
    return document.refuse(
        "port-not-declared",
        f"service {source!r} does not publish {wanted}.",
        ports if ports is not None else document.line_start(service.line),
        hint="docker compose config",
        evidence=[f"line {e.line}: {e.raw}" + (f" ({e.problem})" if e.problem else "") for e in entries],
    )


def _same_address(one: PortBinding, other: PortBinding) -> bool:
    return one.host_ip == other.host_ip or bool({one.host_ip, other.host_ip} & ANY_ADDRESS)
