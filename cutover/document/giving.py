"""Ports that were taken out of a service, put back into files that may have changed since."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cutover.document import move, render
from cutover.document.document import Document
from cutover.document.edit import only_at, prove
from cutover.document.fragment import Fragment, item_fragment
from cutover.document.intent import PortTake, TakenEntry, TakenFrom
from cutover.document.kin import forbid
from cutover.document.ports import PortEntry
from cutover.document.region import restored
from cutover.document.selection import forbid_list, own_entries
from cutover.document.setedit import SetEdit
from cutover.model import PortBinding, Protocol

if TYPE_CHECKING:
    from cutover.document.fileset import FileSet

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


def give_ports(files: FileSet, taken: PortTake, env: Mapping[str, str]) -> SetEdit:
    """Put the entries back; as `FileSet.give_ports`."""
    done = SetEdit(files, (), (taken,))
    for place in taken.places:
        done = replace(done.then(_given(done.files, taken.service, place, env)), intents=(taken,))
    return done


def _given(files: FileSet, service: str, place: TakenFrom, env: Mapping[str, str]) -> SetEdit:
    document = _home(files, service, place)
    missing = _missing(files, document, service, place, env)
    if not missing:
        return SetEdit(files, (), ())
    forbid_list(document, service)
    fragments = [_fragment(entry) for entry in missing]
    entries = tuple(
        PortEntry(0, 1, entry.lines[0], entry.bindings, node=fragment.node)
        for entry, fragment in zip(missing, fragments, strict=True)
    )
    forbid(files, service, service, entries, env)
    whole = restored(document, service, place) if len(missing) == len(place.entries) else []
    changes = [*whole, *move.give(document, service, fragments)]
    where = document.service(service).node
    return SetEdit(files, (prove(document, changes, [only_at(("services", service, "ports"))], where=where),), ())


def _missing(
    files: FileSet, document: Document, service: str, place: TakenFrom, env: Mapping[str, str]
) -> Sequence[TakenEntry]:
    """Return the entries that nobody put back yet, refused where one of their ports leads elsewhere by now."""
    there: dict[tuple[str, int, Protocol], tuple[PortBinding, Document, PortEntry]] = {}
    for definition in files.definitions(service):
        for declared in own_entries(definition, service, env):
            there.update({_host_side(b): (b, definition, declared) for b in declared.bindings})
    missing: list[TakenEntry] = []
    for entry in place.entries:
        found = [there[_host_side(b)] for b in entry.bindings if _host_side(b) in there]
        if [binding for binding, _, _ in found] == list(entry.bindings):
            continue
        for _, where, other in found:
            raise where.refuse(
                "port-already-declared",
                f"{service!r} declares {other.raw} by now, where {entry.lines[0].lstrip('- ')} was taken away.",
                other.node,
                hint=f"put the ports of {service!r} in {document.name} right by hand",
            )
        missing.append(entry)
    return missing


def _host_side(binding: PortBinding) -> tuple[str, int, Protocol]:
    return binding.host_ip, binding.host_port, binding.protocol


def _home(files: FileSet, service: str, place: TakenFrom) -> Document:
    """Return the file that had the entries, by its name, else the one that is called so; else the first definition."""
    definitions = files.definitions(service)
    named = [d for d in definitions if d.name == place.file]
    alike = [d for d in definitions if posixpath.basename(d.name) == posixpath.basename(place.file)]
    homes: list[Document] = [*named, *(alike if len(alike) == 1 else ()), *definitions]
    return homes[0]


def _fragment(entry: TakenEntry) -> Fragment:
    """Return an entry's text, ready to be put anywhere; within brackets its comments go to the end of the line."""
    text = "\n".join(entry.lines)
    document = Document.parse(f"ports:\n{text}\n".encode(), render.NAME)
    ports = document.root.pairs[0][1]
    found = item_fragment(document, ports, 0)
    return replace(found, lines=entry.lines, comment="  ".join(_COMMENT.findall(text)))
