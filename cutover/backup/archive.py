"""One backup is one folder: small files, volumes and images, and the manifest, written last, that tells of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from cutover.backup import manifest as manifests
from cutover.backup.files import Code, Saved, copy
from cutover.backup.manifest import Kind, Manifest, Payload
from cutover.errors import NeedsHandsError, RefusedError, UsageError
from cutover.files import FileState, private_folder, read_state, sha256, write_atomic

ID = re.compile(r"\d{8}T\d{6}\.\d{3}-[0-9a-f]{4}")
VERIFIED = "verified.json"
FILES = "files"
CONFIG = "config.json"
DIFF = "git.diff"


class Standing(StrEnum):
    """What can be said of an archive without reading all of it."""

    WHOLE = "whole"
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"
    NEWER = "newer"


@dataclass(frozen=True)
class Archive:
    """One archive on disk."""

    folder: Path

    @property
    def id(self) -> str:
        """Return its ID."""
        return self.folder.name

    @cached_property
    def _read(self) -> Manifest | RefusedError | None:
        try:
            return manifests.read(self.folder)
        except FileNotFoundError:
            return None
        except RefusedError as error:
            return error

    @property
    def standing(self) -> Standing:
        """Say what it is; one whose bytes were last read back as others than those written is damaged."""
        if self._read is None:
            return Standing.INCOMPLETE
        if isinstance(self._read, RefusedError):
            return Standing.NEWER if self._read.reference == "backup-newer" else Standing.DAMAGED
        return Standing.DAMAGED if self._said.get("good") is False else Standing.WHOLE

    @property
    def known(self) -> Manifest | None:
        """Return its manifest, None where it cannot be read."""
        return self._read if isinstance(self._read, Manifest) else None

    @property
    def manifest(self) -> Manifest:
        """Return its manifest.

        Raises:
            RefusedError: it was never finished, is damaged, or from a newer cutover.

        """
        if isinstance(self._read, RefusedError):
            raise self._read
        if self._read is None:
            raise RefusedError(
                "backup-incomplete",
                f"{self.folder} has no manifest: the backup was cut short.",
                hint="cutover backups",
            )
        return self._read

    @property
    def size_bytes(self) -> int:
        """Return how much it takes on disk."""
        return sum(p.lstat().st_size for p in self.folder.rglob("*") if p.is_file() and not p.is_symlink())

    @property
    def verified(self) -> str | None:
        """Return when everything was last read back and good, in ISO 8601, None where it was not."""
        said = self._said
        return str(said["at"]) if said.get("good") is True and "at" in said else None

    @property
    def _said(self) -> dict[str, Any]:
        try:
            said = json.loads((self.folder / VERIFIED).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def mark_verified(self, at: str, *, good: bool) -> None:
        """Remember what a verification found, where the archive can be written."""
        with contextlib.suppress(OSError):
            write_atomic(self.folder / VERIFIED, json.dumps({"at": at, "good": good}).encode(), mode=0o600)

    def saved(self, payload: Payload) -> Saved:
        """Return a payload as the copy of a file that it is."""
        return Saved(Path(payload.name), self.folder / payload.file, payload.state)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the small files as they lie there: missing, or with another SHA-256."""
        for payload in self.manifest.payloads:
            path = self.folder / payload.file
            try:
                found = read_state(path)[1].sha256
            except OSError as error:
                yield f"{payload.file}: {error.strerror or error}"
                continue
            if found != payload.stored_sha256:
                yield f"{payload.file} is damaged: SHA-256 {found}, not {payload.stored_sha256}"

    def content_problems(self, opened: Code) -> Iterator[str]:
        """Yield which small files do not give back what was saved."""
        for payload in self.manifest.payloads:
            try:
                self.saved(payload).content(opened)
            except (NeedsHandsError, RefusedError, OSError) as error:
                yield f"{payload.file}: {error}"

    def remove(self) -> None:
        """Remove it, its manifest first: a removal that is cut short leaves an incomplete one."""
        (self.folder / manifests.NAME).unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def archives(folder: Path) -> list[Archive]:
    """Return the archives in a folder, oldest first: what is named as one and is a folder, no link."""
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if ID.fullmatch(p.name) and p.is_dir() and not p.is_symlink())
    return [Archive(p) for p in sorted(found)]


def named(folder: Path, name: str) -> Archive:
    """Return an archive by its ID in `folder`, or by the path of its own folder.

    Raises:
        UsageError: there is none.

    """
    own = Path(name)
    if own.is_dir() and ("/" in name or (own / manifests.NAME).exists()):
        return Archive(own.absolute())
    known = {a.id: a for a in archives(folder)}
    if name not in known:
        raise UsageError(
            "unknown-backup",
            f"There is no backup {name!r} of this project.",
            evidence=[f"latest backups: {', '.join(list(known)[-5:]) or 'none'}"],
            hint="cutover backups",
        )
    return known[name]


class Draft:
    """An archive that is being made; it counts once `finish` has written its manifest."""

    def __init__(self, folder: Path, sealed: Code = bytes) -> None:
        if folder.exists():
            raise RefusedError("backup-exists", f"{folder} exists already.", hint="cutover backups")
        self.folder = private_folder(folder)
        self._sealed = sealed
        self._payloads: list[Payload] = []

    def add_file(self, path: Path) -> None:
        """Save a file: bytes, mode and owner."""
        private_folder(self.folder / FILES)
        place = f"{FILES}/{len(self._payloads):02}-{path.name}"
        saved = copy(path, self.folder / place, self._sealed)
        if self._sealed is bytes:
            saved.content()
        self._add(Kind.FILE, path, place, saved.state, path.stat().st_size)

    def add_content(self, kind: Kind, place: str, content: bytes) -> None:
        """Save bytes that were no file of the project."""
        write_atomic(self.folder / place, self._sealed(content), mode=0o600)
        self._add(kind, Path(place), place, FileState(sha256(content), 0o600, os.geteuid(), os.getegid()), len(content))

    def _add(self, kind: Kind, path: Path, place: str, state: FileState, size_bytes: int) -> None:
        self._payloads.append(
            Payload(
                kind=kind,
                name=str(path),
                real=str(path.resolve()) if kind is Kind.FILE else "",
                file=place,
                size_bytes=size_bytes,
                sha256=state.sha256,
                mode=state.mode,
                uid=state.uid,
                gid=state.gid,
                stored_sha256=read_state(self.folder / place)[1].sha256,
            )
        )

    def finish(self, manifest: Manifest) -> Archive:
        """Write the manifest, with the small files that were added, and return the archive that it makes."""
        manifests.write(self.folder, manifest.model_copy(update={"payloads": tuple(self._payloads)}))
        return Archive(self.folder)

    def discard(self) -> None:
        """Remove the half of it that is there."""
        with contextlib.suppress(OSError):
            Archive(self.folder).remove()
