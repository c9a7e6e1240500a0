"""What is known of a test stack, on disk before anything of it is made: `down` finds all of it after a crash."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from cutover.files import private_folder, write_atomic
from cutover.flow.session import Session
from cutover.flow.teststack_target import tests_folder
from cutover.model import Container

VERSION = 2
EARLY_S, LATE_S = 5.0, 60.0
"""How far from the moment at which it was begun something is ours that a crash kept us from writing down."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A service that did not run. `existed` says whether it had a container.

    `begun_at` is when `up` set out to start it, "" before that; `containers` maps the ID of each container that it
    started to Docker's own time of that start.
    """

    existed: bool
    begun_at: str = ""
    containers: Mapping[str, str] = field(default_factory=dict)

    def is_own(self, container: Container) -> bool:
        """Say whether a container is as this very `up` started it; a restart by its own policy changes nothing."""
        if self.containers:
            said = self.containers.get(container.id)
            return said is not None and (said == container.started_at or container.restart_count > 0)
        never_ran = container.started_at.startswith("0001-") and not self.existed
        return bool(self.begun_at) and (never_ran or soon_after(self.begun_at, container.started_at))


@dataclass(frozen=True, slots=True)
class Record:
    """One test stack: what was there before it is not in here, so all that is named here may be taken away.

    `networks` and `volumes` are names that did not exist, volumes with Docker's time of their creation once they are
    there; `needs` are the services that it depends on, `dependencies` those of them that did not run.
    """

    service: str
    of: str
    project: str
    file: str
    started_at: str
    ports: Mapping[str, str]
    networks: tuple[str, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    version: int = VERSION

    def knowing(self, service: str, dependency: Dependency | None) -> Record:
        """Return this record with what is known of a dependency now; None for one that is somebody else's."""
        others = {name: d for name, d in self.dependencies.items() if name != service}
        if dependency is None:
            return replace(self, dependencies=others)
        return replace(self, dependencies={**self.dependencies, service: dependency})

    def seeing(self, volumes: Mapping[str, str]) -> Record:
        """Return this record with the times of creation of those of its volumes that are there by now."""
        return replace(self, volumes={name: made or volumes.get(name, "") for name, made in self.volumes.items()})

    def made(self, volume: str, created_at: str) -> bool:
        """Say whether a volume of this name that was created then is the one that was made for this test stack."""
        said = self.volumes.get(volume)
        return said is not None and (said == created_at if said else soon_after(self.started_at, created_at))

    def inheriting(self, networks: Iterable[str] = (), volumes: Mapping[str, str] | None = None) -> Record:
        """Return this record with what another test stack made and is in use still, perhaps by this one."""
        together = tuple(sorted({*self.networks, *networks}))
        return replace(self, networks=together, volumes={**self.volumes, **(volumes or {})})


def soon_after(begun_at: str, then: str) -> bool:
    """Say whether Docker's time `then` is of the minute after something was begun."""
    try:
        seconds = (datetime.fromisoformat(then) - datetime.fromisoformat(begun_at)).total_seconds()
    except (ValueError, TypeError):
        return False
    return -EARLY_S <= seconds <= LATE_S


def record_path(session: Session, service: str) -> Path:
    """Return where the record of a test stack is kept."""
    return tests_folder(session) / f"{service}.json"


def write_record(session: Session, record: Record) -> None:
    """Put a record on disk, readable by its owner only."""
    private_folder(tests_folder(session))
    content = json.dumps(asdict(record), indent=1).encode()
    write_atomic(record_path(session, record.service), content, mode=0o600)


def read_record(session: Session, service: str) -> Record | None:
    """Return the record of a test stack, None where there is none, or it is damaged: then nothing is known of it."""
    try:
        return _adapter().validate_json(record_path(session, service).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def is_damaged(session: Session, service: str) -> bool:
    """Say whether there is a record that cannot be read."""
    return record_path(session, service).exists() and read_record(session, service) is None


def recorded(session: Session) -> list[str]:
    """Return the names of all test stacks of the project that are on record, damaged ones included."""
    folder = tests_folder(session)
    return sorted(p.name.removesuffix(".json") for p in folder.glob("*.json")) if folder.is_dir() else []


def all_records(session: Session) -> list[Record]:
    """Return the records of all test stacks of the project that can be read."""
    return [record for name in recorded(session) if (record := read_record(session, name)) is not None]


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def forget(session: Session, service: str) -> None:
    """Remove the record of a test stack and what `up` wrote beside it."""
    for path in (record_path(session, service), tests_folder(session) / f"{service}.layer.yml"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
