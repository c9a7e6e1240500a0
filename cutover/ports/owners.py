"""Which process holds a socket: inode -> process, through `/proc/<pid>/fd`. What may not be read is left out."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cutover.model import Listener
from cutover.redact import masked_command

PROC = Path("/proc")
_COMMAND_CHARS = 400
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that holds a socket; `command` is its command line, bounded, with passwords masked."""

    pid: int
    command: str


def owners(pids: Iterable[int], proc: Path = PROC, *, wanted: frozenset[int] | None = None) -> dict[int, Owner]:
    """Return who holds which socket inode, among these processes; the first process of several that share one.

    The search ends when the `wanted` inodes are found, where they are given.
    """
    found: dict[int, Owner] = {}
    for pid in pids:
        if wanted is not None and wanted <= found.keys():
            break
        inodes = set(_inodes(proc / str(pid) / "fd"))
        if inodes - found.keys():
            owner = Owner(pid, command_of(pid, proc))
            found = {**dict.fromkeys(inodes, owner), **found}
    return found


def owned(listeners: Iterable[Listener], by: dict[int, Owner]) -> list[Listener]:
    """Return the listeners with pid and command filled in where they are known."""
    return [_owned(listener, by.get(listener.inode)) for listener in listeners]


def command_of(pid: int, proc: Path = PROC) -> str:
    """Return the command line of a process as text, "" where it cannot be read."""
    try:
        raw = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return tidy_command(raw.decode("utf-8", "replace").split("\0"))


def tidy_command(arguments: Iterable[str]) -> str:
    """Return a command line as one line of text, at most 400 characters, with passwords masked."""
    joined = " ".join(arguments).strip()
    return masked_command(joined)[:_COMMAND_CHARS]


def pids(proc: Path = PROC) -> list[int]:
    """Return the processes that there are, in order."""
    return sorted(int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208  (only names are wanted)


def _owned(listener: Listener, owner: Owner | None) -> Listener:
    return listener if owner is None else replace(listener, pid=owner.pid, command=owner.command)


def _inodes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if found := _SOCKET.fullmatch(os.readlink(entry.path)):  # noqa: PTH115  (thousands of them)
                    yield int(found[1])
