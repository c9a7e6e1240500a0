"""Several compose files that make one project (`-f a.yml -f b.yml`), and the files that those include or extend.

Compose merges the files: a service may be defined in several of them, and its `ports:` lists are added up. An edit
lands in the file that declares the port, and in the one that defines the service which is to get it. Included and
extended files are read, so that what they bring in is known, and never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cutover.document.document import Document
from cutover.document.edit import Change, Edit, only_at, prove
from cutover.document.giving import give_ports
from cutover.document.image import change_of, put_image_back, set_image
from cutover.document.intent import Inverse, PortMove, PortTake
from cutover.document.inverse import move_arguments
from cutover.document.kin import beside, forbid
from cutover.document.move import fragments_of, give, move_of, move_ports, take
from cutover.document.origin import Origins
from cutover.document.ports import PortEntry
from cutover.document.selection import PublishedPort, forbid_target, own_entries, select
from cutover.document.setedit import SetEdit
from cutover.document.source import Kind, Node
from cutover.document.taking import take_of, take_ports
from cutover.trust import read_file

Reader = Callable[[str], bytes | None]
_Maps = tuple[Mapping[str, str], Mapping[int, int]]


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
        return cls.parse({str(path): read_file(path) for path in paths}, _from_disk)

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
        (first, ports), *others = self.givers(source, published, env).items()
        edit = self._move_from(first, (source, target), ports, (env, retarget))
        for name, ports in others:
            edit = edit.then(edit.files._move_from(name, (source, target), ports, (env, retarget)))  # noqa: SLF001
        return edit

    def take_ports(
        self,
        service: str,
        published: Collection[PublishedPort] | None = None,
        *,
        env: Mapping[str, str] | None = None,
    ) -> SetEdit:
        """Take the entries that publish these host ports (all of them: None) out of the files; no service gets them.

        Comments follow the rules of `move_ports`. What was taken is kept in the edit's `take`, for `give_ports`.

        Raises:
            EditRefusedError: it cannot be done safely, as for a move; nothing was changed.

        """
        return take_ports(self, service, published, env or {})

    def give_ports(self, taken: PortTake, *, env: Mapping[str, str] | None = None) -> SetEdit:
        """Put ports that were taken back, in their own text, on files that may have changed elsewhere since.

        Where the lines around them are as they were left, they are restored to the byte; else the entries are appended.
        What somebody put back by hand already stays.

        Raises:
            EditRefusedError: the files have changed too much for it.

        """
        return give_ports(self, taken, env or {})

    def set_image(self, service: str, image: str, *, env: Mapping[str, str] | None = None) -> SetEdit:
        """Set the `image:` of a service where the file that wins says it, in the quotes that it has.

        Raises:
            EditRefusedError: it cannot be done safely: `image-invalid`, `image-from-variable`, `image-from-extends`,
                `image-not-declared`, `merged-value`, `value-is-alias`, `tagged-value`, `shared-by-alias`,
                `inherited-by-extends` or `extends-unreadable`.

        """
        return set_image(self, service, image, env or {})

    def apply_inverse(self, inverse: Inverse, *, env: Mapping[str, str] | None = None) -> SetEdit:
        """Take a move, a taking of ports or a change of an image back, on files that may have changed elsewhere since.

        Raises:
            EditRefusedError: the files have changed too much for it, or `inverse-unknown`.

        """
        if inverse.operation == "give_ports":
            return self.give_ports(take_of(inverse), env=env)
        if inverse.operation == "set_image":
            return put_image_back(self, change_of(inverse))
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
        forbid(self, source, target, entries, env)
        move = move_of(source, target, entries, retarget)
        if giver is getter:
            return SetEdit(self, (move_ports(giver, source, target, published, env=env, retarget=retarget),), (move,))
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
        return SetEdit(self, edits, (move,))

    def givers(
        self, source: str, published: Collection[PublishedPort] | None, env: Mapping[str, str]
    ) -> dict[str, Collection[PublishedPort] | None]:
        """Return which ports each file declares for `source`; all of them for the first file where none does.

        Raises:
            EditRefusedError: `port-in-several-files`, or as `own_entries`.

        """
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

    def file(self, name: str) -> Document | None:
        """Return one of the files, of those that they include and extend too, by name."""
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
            yield beside(document, node.value), node


def _extended_paths(document: Document) -> Iterator[tuple[str, Node]]:
    origins = Origins(document) if "extends" in document.text else None
    for service in document.services().values() if origins else ():
        parent = origins.extends(service) if origins else None
        if parent is not None and parent.file:
            yield beside(document, parent.file), service.node


def _from_disk(name: str) -> bytes | None:
    try:
        return read_file(Path(name))
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
