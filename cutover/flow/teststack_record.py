"""What is known of a test stack, on disk before anything of it is made: `down` finds all of it after a crash."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from cutover.errors import NeedsHandsError
from cutover.files import private_folder, write_atomic
from cutover.flow.session import Session
from cutover.flow.teststack_target import tests_folder

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One test stack: what was there before it is not in here, so all that is named here may be taken away.

    `networks` and `volumes` are names that did not exist; `needs` are the services that it depends on, `dependencies`
    those that did not run, each with whether it had a container.
    """

    service: str
    of: str
    project: str
    file: str
    started_at: str
    ports: Mapping[str, str]
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    dependencies: Mapping[str, bool] = field(default_factory=dict)
    version: int = VERSION

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        for name in ("networks", "volumes", "needs"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def taking_over(self, dependencies: Mapping[str, bool]) -> Record:
        """Return this record with dependencies that another test stack started and this one needs as well."""
        return replace(self, dependencies={**dependencies, **self.dependencies})

    def inheriting(self, networks: Iterable[str]) -> Record:
        """Return this record with networks that another test stack made and this one may be on as well."""
        return replace(self, networks=tuple(sorted({*self.networks, *networks})))


def record_path(session: Session, service: str) -> Path:
    """Return where the record of a test stack is kept."""
    return tests_folder(session) / f"{service}.json"


def write_record(session: Session, record: Record) -> None:
    """Put a record on disk, readable by its owner only."""
    private_folder(tests_folder(session))
    content = json.dumps(asdict(record), indent=1).encode()
    write_atomic(record_path(session, record.service), content, mode=0o600)


def read_record(session: Session, service: str) -> Record | None:
    """Return the record of a test stack, None where there is none.

    Raises:
        NeedsHandsError: it is damaged.

    """
    path = record_path(session, service)
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise NeedsHandsError(
            "record-damaged",
            f"The record of test stack {service} cannot be read.",
            evidence=[f"{path}: {error}"],
            hint=f"look at the containers (docker ps -a), remove the file, then cutover down {service}",
        ) from error


def all_records(session: Session) -> list[Record]:
    """Return the records of all test stacks of the project."""
    folder = tests_folder(session)
    names = sorted(p.name.removesuffix(".json") for p in folder.glob("*.json")) if folder.is_dir() else []
    return [record for name in names if (record := read_record(session, name)) is not None]


def forget(session: Session, service: str) -> None:
    """Remove the record of a test stack and what `up` wrote beside it."""
    for path in (record_path(session, service), tests_folder(session) / f"{service}.layer.yml"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
