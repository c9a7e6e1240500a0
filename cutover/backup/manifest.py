"""What an archive says of itself: what it holds, of what size, with which SHA-256, made when, why, by which cutover.

It is written last: an archive without one is half a backup. It carries the SHA-256 of its own body, so that a flipped
bit is told and not restored.
"""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from cutover.backup.stored import Stored
from cutover.config.base import Model
from cutover.errors import RefusedError
from cutover.files import FileState, sha256, write_atomic

NAME = "manifest.json"
FORMAT = 1
SEALED = "(in config.json)"
"""What stands for the value of a volume's option where the backup is encrypted: it may be a password of a share."""
LARGEST_BYTES = 64 * 1024 * 1024
"""A manifest tells of files by the hundred, not of millions: what is larger is none."""


def _inside(file: str) -> str:
    path = PurePosixPath(file)
    os.fsencode(file)  # UnicodeEncodeError, a ValueError, for what can be no file's name
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in file:
        raise ValueError("leads out of the backup")
    return file


Inside = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]


class Kind(StrEnum):
    """What a payload is: a file of the project, Compose's canonical model, or what git shows as changed."""

    FILE = "file"
    CONFIG = "config"
    DIFF = "diff"


class Payload(Model):
    """One small file of an archive: `name` is the path it came from, `file` where its bytes lie in the archive.

    `size_bytes`, `sha256`, mode and owner are those of the content; `stored_sha256` that of the bytes in the archive,
    which are others where it is encrypted. `real` is where a link that it was led to: a link that leads elsewhere by
    the time of a restore is not followed out of the project's folder.
    """

    kind: Kind
    name: str
    file: Inside
    size_bytes: Size
    sha256: Sha256
    mode: Annotated[int, Field(ge=0, le=0o7777)]
    uid: Size
    gid: Size
    stored_sha256: Sha256
    real: str = ""

    @property
    def state(self) -> FileState:
        """Return what the file was."""
        return FileState(self.sha256, self.mode, self.uid, self.gid)


class SavedVolume(Model):
    """A volume: `key` is its name in the compose file, `volume` the Engine's; made anew with driver, options, labels.

    What was written to it after `as_of` is not in the backup.
    """

    key: str
    volume: str
    as_of: AwareDatetime
    driver: str = "local"
    options: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    stored: Stored
    torn: tuple[str, ...] = Field((), description="who may have written to it while it was copied")


class SavedImages(Model):
    """Images in one file; `references` are what they were called."""

    references: tuple[str, ...]
    stored: Stored


class ImageUse(Model):
    """The image that a container runs: its ID, and the names and digests by which it can be had again."""

    service: str
    container: str
    reference: str
    image_id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class GitState(Model):
    """The repository that holds the compose file: the commit, the branch, and what was not committed."""

    top: str
    commit: str | None
    branch: str | None
    dirty: tuple[str, ...] = Field((), description="lines of git status --porcelain")
    dirty_left_out: int = 0
    tag: str | None = None
    new_branch: str | None = None


class Manifest(Model):
    """All that an archive says of itself."""

    format: Literal[1] = 1
    cutover: str
    id: str
    made: AwareDatetime
    why: str
    project: str
    folder: str
    files: tuple[str, ...] = Field((), description="compose files, in the order of their -f")
    sealed: Literal["age", "gpg"] | None = None
    payloads: tuple[Payload, ...] = ()
    containers: tuple[ImageUse, ...] = ()
    volumes: tuple[SavedVolume, ...] = ()
    images: SavedImages | None = None
    git: GitState | None = None
    warnings: tuple[str, ...] = ()

    @property
    def saved_files(self) -> tuple[Payload, ...]:
        """Return the files of the project."""
        return tuple(p for p in self.payloads if p.kind is Kind.FILE)

    @property
    def content_bytes(self) -> int:
        """Return how many bytes it would give back."""
        large = [v.stored.content_bytes for v in self.volumes]
        large += [self.images.stored.content_bytes] if self.images else []
        return sum(large) + sum(p.size_bytes for p in self.payloads)


def write(folder: Path, manifest: Manifest) -> None:
    """Write an archive's manifest, which makes it a whole one.

    Raises:
        OSError: the disk is full or read-only.

    """
    body = manifest.model_dump(mode="json")
    text = json.dumps({**body, "manifest_sha256": _digest(body)}, indent=1)
    write_atomic(folder / NAME, text.encode(), mode=0o600)


def read(folder: Path) -> Manifest:
    """Return what an archive says of itself.

    Raises:
        FileNotFoundError: it has no manifest: it was never finished.
        RefusedError: it is from a newer cutover (`backup-newer`), or damaged (`backup-damaged`).

    """
    body = _body(folder / NAME)
    said = body.pop("manifest_sha256", None)
    number = body.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise RefusedError(
            "backup-newer",
            f"{folder} is of format {number}, from cutover {str(body.get('cutover', '?'))[:40]}; this one knows "
            f"format {FORMAT}.",
            hint="install that cutover, or a newer one",
        )
    if said != _digest(body):
        raise _damaged(folder / NAME, "its SHA-256 is not the one that it says")
    try:
        return Manifest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(folder / NAME, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _body(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise _damaged(path, f"it is larger than {LARGEST_BYTES // 1024**2} MiB")
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(body, dict):
        raise _damaged(path, "it is no JSON object")
    return body


def _digest(body: dict[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def _damaged(path: Path, why: str) -> RefusedError:
    return RefusedError(
        "backup-damaged",
        f"{path} is damaged; nothing is restored by it.",
        evidence=[why],
        hint=f"the copies themselves lie in {path.parent}; cutover backups --verify looks at every backup",
    )
