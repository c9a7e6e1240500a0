"""Files written so that a crash leaves either the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cutover.errors import FileChangedError, RefusedError
from cutover.trust import followed, kind_of, open_file

PRIVATE_FOLDER = 0o700
TEMPORARY = ".cutover-tmp"
"""How the name of a file ends that is being written: `.NAME.XXXXXXXX.cutover-tmp` beside NAME."""

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
    """Read a file and what it is, in one go; raises as `cutover.trust.open_file`."""
    with open_file(path) as file:
        content = file.read()
        info = os.fstat(file.fileno())
    return content, FileState(sha256(content), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)


def write_atomic(
    path: Path,
    content: bytes,
    *,
    mode: int | None = None,
    owner: tuple[int, int] | None = None,
    last_look: Callable[[], None] = lambda: None,
) -> None:
    """Replace `path` by `content`: temporary file beside it, fsync, rename, fsync of the folder.

    Symbolic links are followed, so that the link stays one. Mode and owner are kept where none are given, and so is
    what else the system keeps with a file: ACLs, extended attributes, the SELinux label. Another name of the same file
    (a hard link) keeps the old content. `last_look` is called when all but the rename is done, and may raise.

    Raises:
        OSError: the disk is full, read-only, the folder is not ours, a link is somebody else's, or what is there is no
            file; `path` is then as it was.

    """
    path = followed(path)
    known = _known(path)
    if known is not None:
        _see_file(path, known)
        mode = known.st_mode if mode is None else mode
        owner = (known.st_uid, known.st_gid) if owner is None else owner
    descriptor, temporary = temporary_file(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            if known is not None:
                _keep_attributes(path, file.fileno())
            os.fchmod(file.fileno(), stat.S_IMODE(mode) if mode is not None else 0o600)
            os.fsync(file.fileno())
        last_look()
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    fsync_folder(path.parent)


def temporary_file(path: Path) -> tuple[int, Path]:
    """Return a new file beside `path`, open and locked: as long as we live, nobody takes it for a dead one's."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY, dir=path.parent)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # it was swept away between the two


def sweep(folder: Path) -> list[Path]:
    """Remove what a killed cutover left half written in a folder, and return it; what somebody still writes stays.

    Files that cannot be looked at or removed are left alone.
    """
    swept = []
    for path in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                swept.append(path)
            finally:
                os.close(descriptor)
    return swept


def replace_if_unchanged(path: Path, content: bytes, *, expected_sha256: str) -> None:
    """Write `content` over `path`, but only if the file still has the bytes that we know.

    Raises:
        FileChangedError: somebody else edited it; it is left as it is.

    """

    def see_unchanged() -> None:
        found = read_state(path)[1].sha256
        if found != expected_sha256:
            raise FileChangedError(
                "file-changed",
                f"{path} was changed by somebody else while cutover was at work; it was not overwritten.",
                evidence=[f"expected SHA-256 {expected_sha256}", f"found SHA-256    {found}"],
                hint="look at the change (git diff), then start again",
            )

    see_unchanged()
    write_atomic(path, content, last_look=see_unchanged)  # again: a disk may take a second to sync what is new


def usual_mode() -> int:
    """Return the mode of a new file that is no secret: what the umask says."""
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def fsync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(path: Path) -> Path:
    """Make `path` and the parents that it lacks, for their owner only whatever the umask is, and return it.

    One that is there already is made private again.

    Raises:
        RefusedError: it cannot be made, or made private.

    """
    try:
        for folder in reversed([path, *path.parents]):
            if folder == path or not folder.exists():
                _make_private(folder)
    except OSError as error:
        raise RefusedError(
            "state-not-writable",
            f"cutover keeps its journal and backups in {path}, which cannot be made: {error.strerror}.",
            hint=f"make {path.parent} writable for this user, or run cutover as its owner",
        ) from error
    return path


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER:  # the umask took too much away, or somebody gave too much
        folder.chmod(PRIVATE_FOLDER)


def _known(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _see_file(path: Path, known: os.stat_result) -> None:
    """Refuse to put a file in the place of a pipe, a device or a folder."""
    kind = kind_of(known.st_mode)
    if kind is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def _keep_attributes(path: Path, descriptor: int) -> None:
    """Give a new file the extended attributes of the old one, as far as this user and the file system let us."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(path, name))
