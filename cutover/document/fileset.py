"""Several compose files that make one project (`-f a.yml -f b.yml`), and the files that those include or extend.

Compose merges the files: a service may be defined in several of them, and its `ports:` lists are added up. An edit
lands in the file that declares the port, and in the one that defines the service which is to get it. Included and
extended files are read, so that what they bring in is known, and never edited.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cutover.document.document import Document
from cutover.document.edit import Change, Edit, only_at, prove
from cutover.document.intent import Inverse, PortMove
from cutover.document.inverse import move_arguments
from cutover.document.move import fragments_of, give, move_of, move_ports, take
from cutover.document.origin import Extends, Origins
from cutover.document.ports import PortEntry, entries_of
from cutover.document.selection import (
    PublishedPort,
    forbid_clash,
    forbid_heirs,
    forbid_target,
    own_entries,
    select,
)
from cutover.document.source import Kind, Node

Reader = Callable[[str], bytes | None]
_Maps = tuple[Mapping[str, str], Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class SetEdit:
    """What the files of a project would become: one edit for each file that changes. Nothing is written."""

    before: FileSet = field(repr=False)
    edits: tuple[Edit, ...]
    move: PortMove

    @property
    def files(self) -> FileSet:
        """Return the set of files after the edit."""
        changed = {edit.file: edit.document for edit in self.edits}
        return replace(self.before, documents=tuple(changed.get(d.name, d) for d in self.before.documents))

    def then(self, later: SetEdit) -> SetEdit:
        """Return this edit and one of its outcome as one."""
        bindings = (*self.move.bindings, *later.move.bindings)
        retarget = tuple({**dict(self.move.retarget), **dict(later.move.retarget)}.items())
        move = replace(self.move, bindings=bindings, retarget=retarget)
        inverse = move.inverse()
        after = {edit.file: edit.document for edit in (*self.edits, *later.edits)}
        before = {d.name: d for d in self.before.documents}
        edits = tuple(Edit(before[name], document, inverse, move) for name, document in after.items())
        return SetEdit(self.before, edits, move)

    def diff(self, context: int = 3) -> str:
        """Return the unified diffs of all files that change."""
        return "".join(edit.diff(context) for edit in self.edits)


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files of a project in the order of their `-f`, and those that they include or extend, by name."""

    documents: tuple[Document, ...]
    included: Mapping[str, Document] = field(default_factory=dict)
    extended: Mapping[str, Document] = field(default_factory=dict)

    @classmethod
    def parse(cls, files: Mapping[str, bytes], read: Reader | None = None, *, pure: bool = False) -> FileSet:
        """Understand the files of a project, by name, in the order of their `-f`.

        `read` gives the bytes of a file that one of them includes or extends, by its name relative to the same
        folder as the names in `files`; None where it cannot be read.

        Raises:
            EditRefusedError: one of the files cannot be understood.

        """
        documents = tuple(Document.parse(content, name, pure=pure) for name, content in files.items())
        loader = _Loader({d.name: d for d in documents}, read or (lambda _: None), pure)
        included = loader.closure(documents, included_paths)
        extended = loader.closure([*documents, *included.values()], _extended_paths)
        return cls(documents, included, extended)

    @classmethod
    def open(cls, paths: Sequence[Path]) -> FileSet:
        """Read the files of a project from disk, in the order of their `-f`.

        Raises:
            EditRefusedError: one of the files cannot be understood.
            OSError: one of the files cannot be read.

        """
        return cls.parse({str(path): path.read_bytes() for path in paths}, _from_disk)

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of the project's own files, by name."""
        return {document.name: document.content for document in self.documents}

    def services(self) -> dict[str, tuple[Document, ...]]:
        """Return which of the project's own files define each service."""
        found: dict[str, tuple[Document, ...]] = {}
        for document in self.documents:
            for name in document.services():
                found[name] = (*found.get(name, ()), document)
        return found

    def definitions(self, service: str) -> tuple[Document, ...]:
        """Return the files that define a service, at least one.

        Raises:
            EditRefusedError: `service-from-include` or `service-unknown`.

        """
        found = self.services().get(service)
        if found:
            return found
        for name, document in self.included.items():
            if service in document.services():
                includer, node = self._includer(name)
                raise includer.refuse(
                    "service-from-include",
                    f"service {service!r} comes from {name}, which is included here.",
                    node,
                    hint=f"name the file that defines it: -f {name}",
                )
        self.documents[0].service(service)
        raise AssertionError(service)

    def port_entries(self, service: str, env: Mapping[str, str] | None = None) -> list[tuple[Document, PortEntry]]:
        """Return the entries that a service declares, each with its file."""
        return [(d, entry) for d in self.definitions(service) for entry in d.port_entries(service, env)]

    def move_ports(
        self,
        source: str,
        target: str,
        published: Collection[PublishedPort] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        retarget: Mapping[int, int] | None = None,
    ) -> SetEdit:
        """Move ports between two services of the project, wherever its files define them; as `move.move_ports`.

        Raises:
            EditRefusedError: the move cannot be made safely; nothing was changed.

        """
        env, retarget = env or {}, retarget or {}
        if source == target:
            raise self.documents[0].refuse("same-service", f"{source!r} is both the source and the target.")
        (first, ports), *others = self._givers(source, published, env).items()
        edit = self._move_from(first, (source, target), ports, (env, retarget))
        for name, ports in others:
            edit = edit.then(edit.files._move_from(name, (source, target), ports, (env, retarget)))  # noqa: SLF001
        return edit

    def apply_inverse(self, inverse: Inverse, *, env: Mapping[str, str] | None = None) -> SetEdit:
        """Move ports back, on files that may have changed elsewhere since.

        Raises:
            EditRefusedError: the files have changed too much for it, or `inverse-unknown`.

        """
        source, target, published, retarget = move_arguments(inverse)
        return self.move_ports(source, target, published, env=env, retarget=retarget)

    def _move_from(
        self, name: str, services: tuple[str, str], published: Collection[PublishedPort] | None, maps: _Maps
    ) -> SetEdit:
        """Move the ports that one file declares."""
        (source, target), (env, retarget) = services, maps
        giver = next(document for document in self.documents if document.name == name)
        getter = self._getter(target)
        entries = select(giver, source, published, env)
        self._forbid(source, target, entries, env)
        move = move_of(source, target, entries, retarget)
        if giver is getter:
            return SetEdit(self, (move_ports(giver, source, target, published, env=env, retarget=retarget),), move)
        return self._across(giver, getter, move, entries, maps)

    def _across(
        self, giver: Document, getter: Document, move: PortMove, /, entries: tuple[PortEntry, ...], maps: _Maps
    ) -> SetEdit:
        """Take the entries out of one file and put their text into another."""
        env, retarget = maps
        forbid_target(getter, move.target)
        for entry in entries:
            if _has_anchor(entry.node):
                message = f"{entry.raw} uses an anchor, which ends with its file."
                raise giver.refuse("anchor-in-use", message, entry.node)
        fragments = fragments_of(giver, move.source, entries, retarget, env)
        taken = _proven(giver, move.source, take(giver, move.source, entries))
        given = _proven(getter, move.target, give(getter, move.target, fragments))
        inverse = move.inverse()
        edits = replace(taken, move=move, inverse=inverse), replace(given, move=move, inverse=inverse)
        return SetEdit(self, edits, move)

    def _givers(
        self, source: str, published: Collection[PublishedPort] | None, env: Mapping[str, str]
    ) -> dict[str, Collection[PublishedPort] | None]:
        """Return which ports each file declares for `source`; all of them for the first file where none does."""
        found: dict[str, set[PublishedPort]] = {}
        for document in self.definitions(source):
            for entry in own_entries(document, source, env):
                ports = set(entry.published) & set(entry.published if published is None else published)
                for name, others in found.items():
                    if name != document.name and others & ports:
                        message = f"{source!r} declares {entry.raw} here and in {name}."
                        raise document.refuse("port-in-several-files", message, entry.node)
                if ports:
                    found.setdefault(document.name, set()).update(ports)
        missing = set(published or ()) - {port for ports in found.values() for port in ports}
        if not found or missing:
            return {self.definitions(source)[0].name: published}
        return dict(found)

    def _getter(self, target: str) -> Document:
        """Return the file whose definition of `target` has the ports, or else the first that defines it."""
        definitions = self.definitions(target)
        for document in definitions:
            own_entries(document, target, {})
        return next((d for d in reversed(definitions) if d.service(target).ports is not None), definitions[0])

    def _forbid(self, source: str, target: str, entries: tuple[PortEntry, ...], env: Mapping[str, str]) -> None:
        for document in [*self.documents, *self.included.values()]:
            forbid_clash(document, source, entries, env)
            forbid_heirs(document, source, target, entries)
            self._forbid_heirs_elsewhere(document, source, target)
        moved = {port for entry in entries for port in entry.published}
        for name in (source, target):
            self._forbid_inherited(name, moved, env)

    def _forbid_heirs_elsewhere(self, document: Document, source: str, target: str) -> None:
        """Refuse where a service of `document` extends one of the two from another file of the project."""
        origins = Origins(document)
        ours = {d.name for d in self.documents}
        for name, service in document.services().items():
            parent = origins.extends(service)
            if parent and parent.file and parent.service in {source, target} and _beside(document, parent.file) in ours:
                raise document.refuse(
                    "inherited-by-extends",
                    f"service {name!r} extends {parent.service!r} from {parent.file} and shares its ports.",
                    document.line_start(parent.line),
                )

    def _forbid_inherited(self, name: str, moved: set[PublishedPort], env: Mapping[str, str]) -> None:
        """Refuse where the service gets one of the ports, or nobody can tell, from a file that it extends."""
        for document in self.definitions(name):
            for where, parent, base in self._ancestors(document, name):
                line = where.line_start(parent.line)
                if base is None:
                    raise where.refuse("extends-unreadable", f"{parent.file} cannot be read.", line)
                service = base.services().get(parent.service)
                _, ports = Origins(base).value(service, "ports") if service else (None, None)
                for entry in entries_of(ports, base.text, base.line_of, env):
                    if moved & set(entry.published):
                        message = f"{name!r} inherits {entry.raw} from {parent.service!r} in {base.name}."
                        raise where.refuse("port-from-extends", message, line)

    def _ancestors(self, document: Document, name: str) -> Iterator[tuple[Document, Extends, Document | None]]:
        """Yield what a service extends, across files: where that is said, what, and the file that has it."""
        seen: set[tuple[str, str]] = set()
        while (document.name, name) not in seen and name in document.services():
            seen.add((document.name, name))
            parent = Origins(document).extends(document.services()[name])
            if parent is None:
                return
            base = self._file(_beside(document, parent.file)) if parent.file else document
            yield document, parent, base
            if base is None:
                return
            document, name = base, parent.service

    def _file(self, name: str) -> Document | None:
        own = next((document for document in self.documents if document.name == name), None)
        return own or self.included.get(name) or self.extended.get(name)

    def _includer(self, name: str) -> tuple[Document, Node]:
        for document in [*self.documents, *self.included.values()]:
            for path, node in included_paths(document):
                if path == name:
                    return document, node
        raise AssertionError(name)


@dataclass(frozen=True, slots=True)
class _Loader:
    known: dict[str, Document]
    read: Reader
    pure: bool

    def closure(
        self, documents: Sequence[Document], paths: Callable[[Document], Iterator[tuple[str, Node]]]
    ) -> dict[str, Document]:
        """Return the files that `documents` name, and those that these name, by name; unreadable ones left out."""
        found: dict[str, Document] = {}
        waiting = list(documents)
        while waiting:
            for name, _ in paths(waiting.pop()):
                if name in self.known or name in found:
                    continue
                content = self.read(name)
                if content is not None:
                    found[name] = Document.parse(content, name, pure=self.pure)
                    waiting.append(found[name])
        return found


def included_paths(document: Document) -> Iterator[tuple[str, Node]]:
    """Yield the files that a document includes, by name, each with the node that says so."""
    section = document.root.get("include")
    for item in section.items if section is not None else []:
        path = item if item.kind is Kind.SCALAR else item.get("path")
        for node in path.items or [path] if path is not None else []:
            yield _beside(document, node.value), node


def _extended_paths(document: Document) -> Iterator[tuple[str, Node]]:
    origins = Origins(document) if "extends" in document.text else None
    for service in document.services().values() if origins else ():
        parent = origins.extends(service) if origins else None
        if parent is not None and parent.file:
            yield _beside(document, parent.file), service.node


def _beside(document: Document, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(document.name), path))


def _from_disk(name: str) -> bytes | None:
    try:
        return Path(name).read_bytes()
    except OSError:
        return None


def _has_anchor(node: Node) -> bool:
    return bool(
        node.anchor
        or node.kind is Kind.ALIAS
        or any(map(_has_anchor, node.items))
        or any(_has_anchor(key) or _has_anchor(value) for key, value in node.pairs)
    )


def _proven(document: Document, service: str, changes: list[Change]) -> Edit:
    path = ("services", service, "ports")
    return prove(document, changes, [only_at(path)], where=document.service(service).node)
