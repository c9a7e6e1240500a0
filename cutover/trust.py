"""Whose folders and links are believed, and what is read as a file: others may write where a project lies.

Whoever may write the compose file, or the folder that holds it, decides what Compose runs, and needs no trick. What is
guarded against is the one who may not: another user of the host, where the folder is open to all, as /tmp is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import BinaryIO

from cutover.errors import RefusedError

MOST_LINKS = 40
"""As the kernel's own limit (path_resolution(7))."""
MOST_NAMED = 4
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe, at which that would wait for ever, is refused.

    Raises:
        OSError: it is no file, or cannot be read; `strerror` says which.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = kind_of(os.fstat(descriptor).st_mode)
    if kind is not None:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    return os.fdopen(descriptor, "rb")


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file; raises as `open_file` does."""
    with open_file(path) as file:
        return file.read()


def kind_of(mode: int) -> str | None:
    """Return in words what is no regular file, by its `st_mode`; None for a regular file."""
    return next((word for is_it, word in _KINDS if is_it(mode)), None)


def followed(path: Path) -> Path:
    """Return where a path leads, whether there is a file yet or not.

    In a folder that is open to all, a link counts only if it is ours, root's, or of the folder's owner: what the kernel
    does for `open` (`fs.protected_symlinks`), but not for the name that a new file is moved to.

    Raises:
        OSError: the links go round (ELOOP), or one of them is somebody else's (EACCES).

    """
    at, links = Path("/"), 0
    ahead = list(reversed(path.absolute().parts[1:]))
    while ahead:
        part = ahead.pop()
        here = at.parent if part == ".." else at / part
        try:
            is_link = part != ".." and stat.S_ISLNK((info := here.lstat()).st_mode)
        except FileNotFoundError:
            is_link = False
        if not is_link:
            at = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        _see_link(here, info, at.stat())
        target = here.readlink()
        at = Path("/") if target.is_absolute() else at
        ahead += reversed([p for p in target.parts if p != "/"])
    return at


def _see_link(link: Path, info: os.stat_result, folder: os.stat_result) -> None:
    """See that a link may be followed, which lies in a folder."""
    if folder.st_mode & stat.S_IWOTH and info.st_uid not in {os.geteuid(), 0, folder.st_uid}:
        why = "it is a link that another user put into a folder that is open to all"
        raise OSError(errno.EACCES, why, str(link))


def may_replace(path: Path) -> bool:
    """Say whether the sticky bit lets this user replace a file: in such a folder its owner may, and the folder's."""
    folder = path.parent.stat()
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in {0, folder.st_uid, path.lstat().st_uid}


def see_state_ours(state: Path) -> None:
    """See that nobody else could have put anything into a state folder; one that is not there is fine.

    What it holds is believed: journals say what to undo, saved files are written back. So it has to belong to this
    user, to root, or to the owner of the folder that holds the compose file, who decides what runs anyhow. Where others
    could write into it for a while (a umask of 0, a careless chmod), so has everything in it.

    Raises:
        RefusedError: it is somebody else's, is no folder, or holds what is somebody else's.

    """
    try:
        link, info = state.lstat(), state.stat()
    except FileNotFoundError:
        if not state.is_symlink():
            return
        raise _not_ours(state, "it is a link that leads nowhere") from None
    except OSError as error:
        raise _not_ours(state, error.strerror or str(error)) from error
    trusted = {os.geteuid(), 0, state.parent.stat().st_uid}
    for uid in (link.st_uid, info.st_uid):
        if uid not in trusted:
            raise _not_ours(state, f"it belongs to user {uid}")
    if not stat.S_ISDIR(info.st_mode):
        raise _not_ours(state, f"it is {kind_of(info.st_mode) or 'a file'}, not a folder")
    if info.st_mode & _OTHERS_WRITE:
        foreign = [f"{p} belongs to user {p.lstat().st_uid}" for p in _within(state) if p.lstat().st_uid not in trusted]
        if foreign:
            raise _not_ours(state, "others could write into it, and did", foreign[:MOST_NAMED])


def _within(folder: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        yield from (Path(at, name) for name in (*folders, *files))


def _not_ours(state: Path, why: str, evidence: list[str] | None = None) -> RefusedError:
    return RefusedError(
        "state-not-ours",
        f"cutover believes what {state} says, and {why}; nothing was read from it.",
        evidence=evidence or [],
        hint=f"ls -la {quote(str(state.parent))}; move it away if it is none of yours",
    )
