"""Files written so that a crash leaves either the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cutover.errors import FileChangedError, RefusedError

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON raises that is damaged, or not ours: no JSON, no such key, another kind of value, 1e999 as a whole
number, thousands of brackets."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file is: the SHA-256 of its bytes, its permission bits, owner and group."""

    sha256: str
    mode: int
    uid: int
    gid: int

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {"sha256": self.sha256, "mode": self.mode, "uid": self.uid, "gid": self.gid}


def sha256(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_state(path: Path) -> tuple[bytes, FileState]:
    """Read a file and what it is, in one go."""
    with path.open("rb") as file:
        content = file.read()
        info = os.fstat(file.fileno())
    return content, FileState(sha256(content), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)


def write_atomic(path: Path, content: bytes, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Replace `path` by `content`: temporary file beside it, fsync, rename, fsync of the folder.

    Symbolic links are followed, so that the link stays one. Mode and owner are kept where none are given.

    Raises:
        OSError: the disk is full, read-only, or the folder is not ours; `path` is then as it was.

    """
    path = path.resolve()
    known = _known(path)
    if known is not None:
        mode = known.st_mode if mode is None else mode
        owner = (known.st_uid, known.st_gid) if owner is None else owner
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".cutover-tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), stat.S_IMODE(mode) if mode is not None else 0o600)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    fsync_folder(path.parent)


def replace_if_unchanged(path: Path, content: bytes, *, expected_sha256: str) -> None:
    """Write `content` over `path`, but only if the file still has the bytes that we know.

    Raises:
        FileChangedError: somebody else edited it; it is left as it is.

    """
    found = read_state(path)[1].sha256
    if found != expected_sha256:
        raise FileChangedError(
            "file-changed",
            f"{path} was changed by somebody else while cutover was at work; it was not overwritten.",
            evidence=[f"expected SHA-256 {expected_sha256}", f"found SHA-256    {found}"],
            hint="look at the change (git diff), then start again",
        )
    write_atomic(path, content)


def fsync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(path: Path) -> Path:
    """Make `path` and its parents, readable by the owner only, and return it.

    Raises:
        RefusedError: it cannot be made.

    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            "state-not-writable",
            f"cutover keeps its journal and backups in {path}, which cannot be made: {error.strerror}.",
            hint=f"make {path.parent} writable for this user, or run cutover as its owner",
        ) from error
    return path


def _known(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
