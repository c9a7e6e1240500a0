"""What a restore would do: looked at, and judged; nothing is changed by it."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cutover.backup.archive import Archive
from cutover.backup.files import Code
from cutover.backup.manifest import SEALED, Kind, Payload, SavedVolume
from cutover.backup.volumes import volume_facts
from cutover.engine.daemon import Daemon
from cutover.errors import RefusedError, UsageError
from cutover.files import read_state

OUTSIDE = "outside"
"""Where below `--into` the files go that were outside the project's folder."""

LARGEST_COMPARED = 200_000


class Act(StrEnum):
    """What becomes of one thing."""

    SAME = "same"
    CREATE = "create"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class FileAct:
    """One file: where it goes, what is there now (`found`, its SHA-256), and what stands against writing it."""

    payload: Payload
    target: Path
    act: Act
    change: str = ""
    newer: bool = False
    trouble: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True)
class VolumeAct:
    """One volume: into which it goes, whether that holds something (`full`), something newer, or is in use.

    `entries` and `newest_s` are what was seen in it: how many, and when the newest was modified (seconds since 1970).
    """

    saved: SavedVolume
    target: str
    act: Act
    full: bool = False
    newer: str | None = None
    users: tuple[str, ...] = ()
    half: bool = False
    """A restore of this very backup was cut short in it, or had filled it, and what it holds is ours."""
    trouble: str | None = None
    entries: int = 0
    newest_s: float | None = None


@dataclass(frozen=True, slots=True)
class ImageAct:
    """One image: `act` is SAME where the Engine has it; `moves` says that its name leads to another one now, `now`."""

    reference: str
    act: Act
    moves: bool = False
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to come back. `volumes`: True for all, or names; `into` is a folder for the files, elsewhere.

    `devices` has the device nodes of volumes made, too: whoever can open one reaches a disk of the host.
    """

    files: bool = True
    volumes: bool | tuple[str, ...] = True
    images: bool = True
    into: Path | None = None
    devices: bool = False
    volume_as: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """All that a restore would do."""

    archive: Archive
    files: tuple[FileAct, ...] = ()
    volumes: tuple[VolumeAct, ...] = ()
    images: tuple[ImageAct, ...] = ()
    notes: tuple[str, ...] = ()
    own: bool = True
    """The archive lies in this project's own state folder: nobody but us can have written its manifest."""
    devices: bool = False

    @property
    def nothing_to_do(self) -> bool:
        """Say whether everything is there already."""
        acts = [*(f.act for f in self.files), *(v.act for v in self.volumes), *(i.act for i in self.images)]
        return all(act is Act.SAME for act in acts)

    def as_dict(self, *, overwrite: bool = False) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "backup": self.archive.id,
            "files": [
                {"path": str(f.target), "act": str(f.act), "change": f.change, "newer": f.newer} for f in self.files
            ],
            "volumes": [
                {"volume": v.target, "act": str(v.act), "newer": v.newer, "users": list(v.users)} for v in self.volumes
            ],
            "images": [{"reference": i.reference, "act": str(i.act), "moves": i.moves} for i in self.images],
            "notes": list(self.notes),
            "refused": self.blockers(overwrite=overwrite),
        }

    def blockers(self, *, overwrite: bool) -> list[str]:
        """Return what stands against it; `overwrite` lifts what is newer, nothing else."""
        found = [f"{f.target}: {f.trouble}" for f in self.files if f.trouble]
        found += [f"volume {v.target} is in use by {', '.join(v.users)}" for v in self.volumes if v.users]
        found += [f"volume {v.target}: {v.trouble}" for v in self.volumes if v.trouble]
        return found if overwrite else [*found, *self.newer()]

    def newer(self) -> list[str]:
        """Return what is newer now than the backup, and would be lost."""
        return [
            *(f"{f.target} was changed since the backup ({f.change})" for f in self.files if f.newer and not f.trouble),
            *(f"volume {v.target} has something newer: {v.newer}" for v in self.volumes if v.newer),
            *(f"image name {i.reference} leads to another image now" for i in self.images if i.moves),
        ]


def plan_files(archive: Archive, folder: Path, into: Path | None, opened: Code, *, own: bool) -> Iterator[FileAct]:
    """Yield what becomes of each file; `own` says that the archive is of this project's own state folder.

    Raises:
        RefusedError: a copy is damaged, or cannot be opened.

    """
    manifest = archive.manifest
    taken: set[Path] = set()
    for payload in sorted(manifest.payloads, key=lambda p: p.kind is not Kind.FILE):
        if payload.kind is not Kind.FILE and into is None:
            continue
        target = _target(payload, Path(manifest.folder), folder, into)
        if payload.kind is Kind.FILE:
            taken.add(target)
        elif target in taken:  # the project has a file of that name
            target = target.with_name(f"cutover-{target.name}")
        real = target.resolve()
        inside = real.is_relative_to((into or folder).resolve())
        if inside or (own and into is None and str(real) == payload.real):
            yield _file_act(archive, payload, target, opened, manifest.made)
        else:
            why = "it did not when the backup was made" if own else "the backup is not of this folder's own"
            told = f"leads outside of {into or folder}, and {why}"
            yield FileAct(payload, target, Act.WRITE, trouble=told)


def _target(payload: Payload, old: Path, folder: Path, into: Path | None) -> Path:
    name = Path(os.path.normpath(payload.name))
    if payload.kind is not Kind.FILE:
        return (into or folder) / name.name
    if not name.is_absolute():
        raise RefusedError("backup-damaged", f"{payload.name!r} in the manifest is no absolute path.")
    if name.is_relative_to(old):
        return (into or folder) / name.relative_to(old)
    return into / OUTSIDE / name.relative_to("/") if into else name


def _file_act(archive: Archive, payload: Payload, target: Path, opened: Code, made: datetime) -> FileAct:
    content = archive.saved(payload).content(opened)
    try:
        found = target.stat()
    except FileNotFoundError:
        return FileAct(payload, target, Act.CREATE)
    if not stat.S_ISREG(found.st_mode):
        return FileAct(payload, target, Act.WRITE, trouble="there is something else than a file")
    present, state = read_state(target)
    if state == payload.state:
        return FileAct(payload, target, Act.SAME, found=state.sha256)
    if state.sha256 == payload.sha256:
        return FileAct(payload, target, Act.WRITE, "mode or owner", found=state.sha256)
    newer = max(found.st_mtime, found.st_ctime) > made.timestamp()  # moved here later, with the times that it had
    return FileAct(payload, target, Act.WRITE, _change(present, content), newer, found=state.sha256)


def _change(now: bytes, then: bytes) -> str:
    """Return how much differs, and nothing of what: files hold secrets."""
    if len(now) + len(then) > LARGEST_COMPARED:
        return f"{len(now)} bytes become {len(then)}"
    old, new = now.splitlines(), then.splitlines()
    parts = [p for p in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if p[0] != "equal"]
    return f"+{sum(p[4] - p[3] for p in parts)} -{sum(p[2] - p[1] for p in parts)} lines"


@dataclass(frozen=True, slots=True)
class Volumes:
    """The Engine's volumes, looked at from `image`.

    `half`: in which of them a restore of this backup was cut short, and up to when (seconds since 1970) what was
    modified there may be its own.
    """

    daemon: Daemon
    project: str
    image: str
    half: Mapping[str, float] = field(default_factory=dict)
    own: bool = True


def plan_volumes(archive: Archive, selection: Selection, there: Volumes) -> Iterator[VolumeAct]:
    """Yield what becomes of each volume.

    Raises:
        UsageError: the backup has no such volume, or a volume's new name is taken.

    """
    saved = {v.key: v for v in archive.manifest.volumes}
    wanted = list(saved) if selection.volumes is True else list(selection.volumes or ())
    by_name = {v.volume: k for k, v in saved.items()}
    for name in wanted:
        key = by_name.get(name, name)
        if key not in saved:
            known = ", ".join(saved) or "none"
            raise UsageError(
                "unknown-volume",
                f"Backup {archive.id} has no volume {name!r}.",
                evidence=[f"it has: {known}"],
                hint="cutover backups",
            )
        yield _volume_act(saved[key], selection, there)


def _volume_act(saved: SavedVolume, selection: Selection, there: Volumes) -> VolumeAct:
    target = selection.volume_as.get(saved.key) or selection.volume_as.get(saved.volume) or saved.volume
    facts = volume_facts(there.daemon, target, project=there.project, image=there.image)
    if not facts.exists:
        asks = target == saved.volume and (saved.driver != "local" or saved.options)
        closed = asks and SEALED in saved.options.values()
        trouble = _foreign_options(saved) if asks and not there.own else _sealed_options(saved) if closed else None
        return VolumeAct(saved, target, Act.CREATE, trouble=trouble)
    begun = target in there.half
    limit = there.half.get(target, saved.as_of.timestamp())
    after = facts.newest is not None and facts.newest > limit
    newer = f"an entry of {facts.newest_text}" if after else None
    users = tuple(u.name for u in facts.users if u.running)
    half = begun and not after
    return VolumeAct(saved, target, Act.WRITE, not facts.empty, newer, users, half, None, facts.entries, facts.newest)


def _foreign_options(saved: SavedVolume) -> str:
    """Return why a volume is not made as a backup from elsewhere asks: its `device` may be any folder of this host."""
    options = f"the options {', '.join(saved.options)}" if saved.options else "no options"
    return (
        f"the backup is not of this folder's own, and asks for driver {saved.driver} with {options}; "
        "make it by hand (docker volume create), or --volume-as NAME=NEW"
    )


def _sealed_options(saved: SavedVolume) -> str:
    """Return why a volume of an encrypted backup is not made anew: its options are no part of the manifest."""
    return (
        f"the values of its options ({', '.join(saved.options)}) are in the encrypted config.json (--into FOLDER); "
        "make it by hand (docker volume create, or docker compose up --no-start), or --volume-as NAME=NEW"
    )


def plan_images(archive: Archive, daemon: Daemon) -> Iterator[ImageAct]:
    """Yield what becomes of each image."""
    images = archive.manifest.images
    known = archive.manifest.containers
    for reference in images.references if images else ():
        now = daemon.image_id(reference)
        meant = {c.image_id for c in known if c.reference == reference} or {reference}  # two, while a service is rolled
        yield ImageAct(reference, Act.SAME if now in meant else Act.CREATE, now is not None and now not in meant, now)
