"""What other services and other files of a project would feel of an edit, or bring back after it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cutover.document.document import Document
from cutover.document.origin import Extends, Origins
from cutover.document.ports import PortEntry, entries_of
from cutover.document.selection import PublishedPort, forbid_clash, forbid_heirs

if TYPE_CHECKING:
    from cutover.document.fileset import FileSet


def forbid(files: FileSet, source: str, target: str, entries: tuple[PortEntry, ...], env: Mapping[str, str]) -> None:
    """Refuse where these ports are declared elsewhere too, or are handed on or brought back by `extends:`.

    Raises:
        EditRefusedError: `port-already-declared`, `inherited-by-extends`, `port-from-extends` or `extends-unreadable`.

    """
    for document in [*files.documents, *files.included.values()]:
        forbid_clash(document, source, entries, env)
        forbid_heirs(document, source, target, entries)
        for name, parent in heirs_elsewhere(files, document, {source, target}):
            raise document.refuse(
                "inherited-by-extends",
                f"service {name!r} extends {parent.service!r} from {parent.file} and shares its ports.",
                document.line_start(parent.line),
            )
    moved = {port for entry in entries for port in entry.published}
    for name in dict.fromkeys((source, target)):
        _forbid_inherited(files, name, moved, env)


def heirs_elsewhere(files: FileSet, document: Document, names: set[str]) -> Iterator[tuple[str, Extends]]:
    """Yield the services of `document` that extend one of `names` from another file of the project, and how."""
    origins = Origins(document)
    ours = {d.name for d in files.documents}
    for name, service in document.services().items():
        parent = origins.extends(service)
        if parent and parent.file and parent.service in names and beside(document, parent.file) in ours:
            yield name, parent


def ancestors(files: FileSet, document: Document, name: str) -> Iterator[tuple[Document, Extends, Document | None]]:
    """Yield what a service extends, across files: where that is said, what, and the file that has it."""
    seen: set[tuple[str, str]] = set()
    while (document.name, name) not in seen and name in document.services():
        seen.add((document.name, name))
        parent = Origins(document).extends(document.services()[name])
        if parent is None:
            return
        base = files.file(beside(document, parent.file)) if parent.file else document
        yield document, parent, base
        if base is None:
            return
        document, name = base, parent.service


def beside(document: Document, path: str) -> str:
    """Return the name of a file that a document names relative to itself."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(document.name), path))


def _forbid_inherited(files: FileSet, name: str, moved: set[PublishedPort], env: Mapping[str, str]) -> None:
    """Refuse where the service gets one of the ports, or nobody can tell, from a file that it extends."""
    for document in files.definitions(name):
        for where, parent, base in ancestors(files, document, name):
            line = where.line_start(parent.line)
            if base is None:
                raise where.refuse("extends-unreadable", f"{parent.file} cannot be read.", line)
            service = base.services().get(parent.service)
            _, ports = Origins(base).value(service, "ports") if service else (None, None)
            for entry in entries_of(ports, base.text, base.line_of, env):
                if moved & set(entry.published):
                    message = f"{name!r} inherits {entry.raw} from {parent.service!r} in {base.name}."
                    raise where.refuse("port-from-extends", message, line)
