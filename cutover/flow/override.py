"""A test stack's override file: observe, choose free ports, derive the file, have Compose judge it, write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cutover.document.override import Facts, Override, OverrideRequest
from cutover.flow.override_file import files_of, put
from cutover.flow.override_origin import sources_of, subject_of
from cutover.flow.override_ports import choose_ports, wanted_ports
from cutover.flow.override_proof import proven
from cutover.flow.override_world import FOLDER, generated, look
from cutover.flow.session import Session
from cutover.ports.allocate import FreePorts

__all__ = ["Derived", "OverrideRequest", "derive", "write"]


@dataclass(frozen=True, slots=True)
class Derived:
    """An override that Compose accepted, where it belongs, and its test ports, held until they are let go of.

    `reserved` are the files of the project, each with what it is: it is not written over one of them. As a
    context manager it lets go of the ports at the end.
    """

    override: Override
    path: Path
    held: FreePorts
    reserved: Mapping[Path, str] = field(default_factory=dict)

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
    return Derived(said, path, held, files_of(session, world))


def write(derived: Derived, *, force: bool = False) -> bool:
    """Write the file, atomically; return whether that changed anything.

    Raises:
        RefusedError: the path is a file of the project, or what is there is no override of a test stack, or one that
            was edited since (`force` writes over that one), or the folder cannot be written.

    """
    override = derived.override
    return put(derived.path, override.text.encode(), derived.reserved, force=force, private=override.private)
