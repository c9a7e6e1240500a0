"""Cures of the doctor that are edits of the compose file: a diff, judged by Compose, written only when told."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.backup.files import save
from cutover.document import Document, Edit, FileSet, append_item, differences, put, set_scalar
from cutover.document.ports import PortEntry, split_short
from cutover.engine.stack import scale_of
from cutover.errors import CutoverError, EditRefusedError, RefusedError
from cutover.files import private_folder, replace_if_unchanged, sha256
from cutover.flow.edits import read_bytes, shown
from cutover.flow.lock import locked
from cutover.flow.session import Session
from cutover.model import PortFix
from cutover.ports.host import host_listeners
from cutover.trust import read_file


@dataclass(frozen=True, slots=True)
class Fixed:
    """What the files would become: the diff, what each fix is in words, and why some cannot be made."""

    before: FileSet
    after: FileSet
    made: tuple[PortFix, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """Return the unified diff of all files."""
        pairs = zip(self.before.documents, self.after.documents, strict=True)
        return "".join(Edit(old, new).diff() for old, new in pairs if old.content != new.content)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"fixes": [str(f) for f in self.made], "refused": list(self.refused), "diff": self.diff}


def fixed(session: Session, fixes: Iterable[PortFix]) -> Fixed:
    """Return the project's files with these fixes made, proven against Compose's own model; nothing is written.

    Raises:
        RefusedError: the files cannot be read, or Compose rejects them, before the fixes or with them.

    """
    stack = session.stack
    before = FileSet.parse({shown(path): read_file(path) for path in stack.source.files}, read_bytes)
    result = Fixed(before, before)
    held = {x.port for x in host_listeners()} if session.daemon.address.local else set()
    scaled = _scaled(session)
    for fix in dict.fromkeys(fixes):
        try:
            edit = _edit(result.after, fix, stack.environment(), held, scaled)
        except EditRefusedError as error:
            result = replace(result, refused=(*result.refused, f"{fix}: {error.message}"))
            continue
        documents = tuple(edit.document if d.name == edit.file else d for d in result.after.documents)
        result = replace(result, after=replace(result.after, documents=documents), made=(*result.made, fix))
    if result.made:
        _prove(session, result)
    return result


def _scaled(session: Session) -> set[str]:
    """Return the services of which several containers are there, or meant to be."""
    there = Counter(c.service for c in session.daemon.containers(session.name_project()))
    meant = {name: scale_of(service) for name, service in (session.stack.config().get("services") or {}).items()}
    return {name for name in {*there, *meant} if max(there[name], meant.get(name, 1)) > 1}


def apply(session: Session, result: Fixed) -> Path:
    """Write the files, each saved before that; return the folder of the copies.

    Raises:
        LockHeldError: another cutover works on this project.
        FileChangedError: somebody edited a file meanwhile; it is left as it is.

    """
    runs = session.runs()
    found = zip(session.stack.source.files, result.before.documents, result.after.documents, strict=True)
    changed = [(path, old, new) for path, old, new in found if old.content != new.content]
    with locked(runs.state, runs.folder.name, session.clock):
        folder = private_folder(runs.state / f"{runs.folder.name}.fixes") / f"{session.clock.now():%Y%m%dT%H%M%S.%f}"
        save([path for path, _, _ in changed], folder)
        for path, old, new in changed:
            replace_if_unchanged(path, new.content, expected_sha256=sha256(old.content))
    return folder


def _edit(files: FileSet, fix: PortFix, env: Mapping[str, str], held: Container[int], scaled: Container[str]) -> Edit:
    if fix.instead_of is None:
        if fix.service in scaled:
            raise EditRefusedError(
                "service-scaled", "it has several containers, and only one can have a host port", hint="use a range"
            )
        declared = {
            b.host_port for name in files.services() for _, e in files.port_entries(name, env) for b in e.bindings
        }
        if fix.target in declared or fix.target in held:
            raise EditRefusedError("port-already-declared", f"host port {fix.target} is taken", hint="choose another")
        return _published(files, fix)
    here = [(d, e) for d, e in files.port_entries(fix.service, env) if _leads(e, fix.instead_of)]
    if len(here) != 1 or len(here[0][1].bindings) > 1:
        raise EditRefusedError(
            "port-not-declared",
            f"no single entry of its `ports:` in the project's own files leads to {fix.instead_of}",
            hint="edit the file by hand",
        )
    document, entry = here[0]
    path = ("services", fix.service, "ports", entry.index)
    if entry.long:
        return set_scalar(document, (*path, "target"), fix.target)
    return set_scalar(document, path, _retargeted(document, entry, fix))


def _leads(entry: PortEntry, target: int) -> bool:
    return entry.problem is None and any(b.target == target for b in entry.bindings)


def _retargeted(document: Document, entry: PortEntry, fix: PortFix) -> str:
    text = entry.node.value
    inside, slash, protocol = split_short(text)[-1].partition("/")
    if inside != str(fix.instead_of):
        raise document.refuse("retarget-in-variable", f"{text} does not say {fix.instead_of} itself", entry.node)
    kept = text[: len(text) - len(f"{inside}{slash}{protocol}")]
    return f"{kept}{fix.target}{slash}{protocol}"


def _published(files: FileSet, fix: PortFix) -> Edit:
    document = files.definitions(fix.service)[0]
    address = f"[{fix.host_ip}]:" if ":" in fix.host_ip else f"{fix.host_ip}:" if fix.host_ip else ""
    path, value = ("services", fix.service, "ports"), f"{address}{fix.target}:{fix.target}"
    return append_item(document, path, value) if document.find(path) is not None else put(document, path, [value])


def _prove(session: Session, result: Fixed) -> None:
    """See that Compose finds the `ports` of these services changed, and nothing else.

    Raises:
        RefusedError: it finds something else, or rejects the files.

    """
    stack = session.stack
    with tempfile.TemporaryDirectory() as folder:
        places = {}
        for number, (path, document) in enumerate(zip(stack.source.files, result.after.documents, strict=True)):
            places[path] = Path(folder) / f"{number:02}-{path.name}"
            places[path].write_bytes(document.content)
        try:
            after = stack.with_files(places).config()
        except CutoverError as error:
            raise RefusedError(
                "fix-rejected", "Docker Compose rejects the edited file; nothing was changed.", evidence=error.evidence
            ) from error
    names = [fix.service for fix in result.made]
    wrong = list(differences(_without_ports(stack.config(), names), _without_ports(after, names)))
    targets = {name: {p.get("target") for p in after["services"][name].get("ports") or ()} for name in names}
    wrong += [f"{fix}: not so in Compose's model" for fix in result.made if fix.target not in targets[fix.service]]
    if wrong:
        raise RefusedError(
            "fix-not-proven", "The edit would change more than was meant; nothing was changed.", evidence=wrong[:5]
        )


def _without_ports(model: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    services = {
        name: {k: v for k, v in service.items() if k != "ports"} if name in names else service
        for name, service in model["services"].items()
    }
    return {**model, "services": services}
