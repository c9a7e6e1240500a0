"""A test stack's override file: observe, choose free ports, derive the file, have Compose judge it, write it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cutover.document.override import Facts, Override, OverrideRequest
from cutover.errors import RefusedError
from cutover.files import write_atomic
from cutover.flow.override_origin import sources_of, subject_of
from cutover.flow.override_ports import choose_ports, wanted_ports
from cutover.flow.override_proof import proven
from cutover.flow.override_world import FOLDER, generated, look
from cutover.flow.session import Session
from cutover.ports.allocate import FreePorts

__all__ = ["Derived", "OverrideRequest", "derive", "write"]

MODE = 0o644


@dataclass(frozen=True, slots=True)
class Derived:
    """An override that Compose accepted, where it belongs, and its test ports, held until they are let go of.

    As a context manager it lets go of the ports at the end.
    """

    override: Override
    path: Path
    held: FreePorts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.held.close()


def derive(session: Session, request: OverrideRequest) -> Derived:
    """Derive the override file of a test stack and have Compose judge it; nothing is written.

    Raises:
        UsageError: the request names what is not there: a service, a port, a place, a mount.
        RefusedError: it cannot be derived, no port is free, or Compose makes something else of it.
        EngineError: the Engine does not answer.

    """
    world = look(session, request.avoid)
    subject = subject_of(session, world, request)
    path = Path.cwd() / request.path if request.path else world.folder / FOLDER / f"{subject.name}.yml"
    world = world.beside(path)
    wanted = wanted_ports(session, world, subject, request)
    facts = Facts(
        model=world.model,
        written=world.written,
        env=world.env,
        folder=world.folder,
        project=world.project,
        name=subject.name,
        origin=subject.origin,
        sources=() if subject.from_image else sources_of(world, subject.origin),
        like=subject.green,
    )
    ports, held = choose_ports(world, subject, wanted, generated(path))
    try:
        override = proven(facts, world, ports, request)
    except BaseException:
        held.close()
        raise
    said = replace(override, warnings=(*wanted.warnings, *override.warnings), notes=(*wanted.notes, *override.notes))
    return Derived(said, path, held)


def write(derived: Derived, *, force: bool = False) -> bool:
    """Write the file, atomically; return whether it was another one before.

    Raises:
        RefusedError: there is a file that cutover did not write, or that was edited since (`force` writes over it), or
            the folder cannot be written.

    """
    path, content = derived.path, derived.override.text.encode()
    try:
        present = path.read_bytes() if path.exists() else None
        if present == content:
            return False
        if present is not None and generated(path) is None and not force:
            raise _not_ours(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content, mode=MODE)
    except OSError as error:
        raise RefusedError(
            "override-not-writable",
            f"{path} cannot be written: {error.strerror}.",
            hint="cutover override -o FILE writes it elsewhere; --print prints it",
        ) from error
    return True


def _not_ours(path: Path) -> RefusedError:
    return RefusedError(
        "override-not-ours",
        f"{path} was written or edited by hand; it was left as it is.",
        hint="cutover override -o FILE or --name NAME writes another one; --force writes over it",
    )
