"""Reading backups back: every SHA-256, and what the archives of volumes and images hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutover.backup.archive import Archive
from cutover.backup.stored import Stored
from cutover.backup.volumes import check_stored
from cutover.errors import CutoverError, RefusedError
from cutover.flow.backup_make import bar
from cutover.flow.backup_place import Place
from cutover.flow.backup_seal import opener, opening


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading one backup back found; `contents` says whether what is encrypted was opened, too."""

    archive: Archive
    problems: tuple[str, ...] = ()
    members: int = 0
    contents: bool = True

    @property
    def good(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "id": self.archive.id,
            "good": self.good,
            "problems": list(self.problems),
            "members": self.members,
            "contents": self.contents,
        }


def verify(place: Place, archives: Iterable[Archive], identity: Path | None) -> list[Verdict]:
    """Read backups back, and remember what was found. Without `identity` what age encrypted is not opened."""
    return [_verified(place, archive, identity) for archive in archives]


def _verified(place: Place, archive: Archive, identity: Path | None) -> Verdict:
    if archive.known is None:
        try:
            told = str(archive.manifest)
        except CutoverError as error:
            told = "; ".join((error.message, *error.evidence))
        return Verdict(archive, (told,))
    manifest = archive.manifest
    closed = manifest.sealed == "age" and identity is None
    seal = None if closed else opening(manifest, identity)
    problems = [*archive.problems()]
    damaged = bool(problems)
    if not problems and not closed:
        problems += archive.content_problems(opener(seal))
    members = 0
    for stored in _stored(archive):
        try:
            tell = bar(place.observer, stored.file, stored.content_bytes)
            if closed:
                _see_stored(stored, archive.folder)
            else:
                members += check_stored(stored, archive.folder, seal=seal, devices=True, tell=tell)
        except (CutoverError, OSError) as error:
            problems.append(f"{stored.file}: {error}")
            damaged |= _is_damage(error)
    verdict = Verdict(archive, tuple(problems), members, contents=not closed)
    if verdict.good or damaged:
        archive.mark_verified(place.clock.now().isoformat(timespec="seconds"), good=verdict.good)
    return verdict


def _is_damage(error: CutoverError | OSError) -> bool:
    """Say whether what is stored is at fault, and not what reads it: no key, no image with tar."""
    return isinstance(error, FileNotFoundError) or getattr(error, "reference", "") == "backup-damaged"


def _see_stored(stored: Stored, folder: Path) -> None:
    """See that a payload file is the one that was written, without opening it.

    Raises:
        RefusedError: it is not.

    """
    with (folder / stored.file).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != stored.sha256:
        raise RefusedError("backup-damaged", f"SHA-256 {found}, not {stored.sha256}")


def _stored(archive: Archive) -> Iterator[Stored]:
    manifest = archive.manifest
    yield from (v.stored for v in manifest.volumes)
    if manifest.images:
        yield manifest.images.stored
