"""Published ports, taken out of a service and given to no other: whoever owns them now is not in these files.

What is taken is kept as text, with the lines around it, so that it can be put back as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from cutover.document import move
from cutover.document.edit import Edit, only_at, prove
from cutover.document.intent import Inverse, PortTake, TakenEntry, TakenFrom
from cutover.document.kin import forbid
from cutover.document.region import Region, region_of
from cutover.document.selection import PublishedPort, select
from cutover.document.setedit import SetEdit
from cutover.model import PortBinding, Protocol

if TYPE_CHECKING:
    from cutover.document.fileset import FileSet


def take_ports(
    files: FileSet, service: str, published: Collection[PublishedPort] | None, env: Mapping[str, str]
) -> SetEdit:
    """Take the entries that publish these host ports out of the files that declare them; as `FileSet.take_ports`."""
    done = SetEdit(files, (), ())
    for name, ports in files.givers(service, published, env).items():
        done = done.then(_taken(done.files, name, service, ports, env))
    return done


def take_of(inverse: Inverse) -> PortTake:
    """Return the taking that an inverse, which may come out of a journal, puts back."""
    given = inverse.arguments
    places = cast("list[Mapping[str, object]]", given["places"])
    return PortTake(str(given["service"]), tuple(map(_place, places)))


def _taken(
    files: FileSet, name: str, service: str, ports: Collection[PublishedPort] | None, env: Mapping[str, str]
) -> SetEdit:
    document = next(d for d in files.documents if d.name == name)
    entries = select(document, service, ports, env)
    forbid(files, service, service, entries, env)
    fragments = move.fragments_of(document, service, entries, {}, env)
    around = region_of(document, service)
    checks = [only_at(("services", service, "ports"))]
    edit = prove(document, move.take(document, service, entries), checks, where=entries[0].node)
    kept = tuple(TakenEntry(f.lines, entry.bindings) for f, entry in zip(fragments, entries, strict=True))
    take = PortTake(service, (_with_region(TakenFrom(name, kept), around, edit),))
    return SetEdit(files, (replace(edit, inverse=take.inverse()),), (take,))


def _with_region(place: TakenFrom, around: Region | None, edit: Edit) -> TakenFrom:
    """Return the place with its lines before the edit and what the edit left of them."""
    if around is None:
        return place
    gone = edit.before.lines.count() - edit.document.lines.count()
    lines = edit.document.lines
    left = tuple(lines.content(around.first + n) for n in range(len(around.lines) - gone))
    return replace(place, after=around.after, column=around.column, before=around.lines, left=left)


def _place(given: Mapping[str, object]) -> TakenFrom:
    before = cast("list[str] | None", given["before"])
    return TakenFrom(
        str(given["file"]),
        tuple(map(_entry, cast("list[Mapping[str, object]]", given["entries"]))),
        str(given["after"]),
        int(cast("int", given["column"])),
        None if before is None else tuple(before),
        tuple(cast("list[str]", given["left"])),
    )


def _entry(given: Mapping[str, object]) -> TakenEntry:
    bindings = cast("list[tuple[str, int, int, str]]", given["bindings"])
    return TakenEntry(
        tuple(cast("list[str]", given["lines"])),
        tuple(PortBinding(ip, port, target, Protocol(protocol)) for ip, port, target, protocol in bindings),
    )
