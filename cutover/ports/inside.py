"""The sockets inside a container, read without any tool in it.

The kernel shows the socket tables of a process's network namespace under `/proc/<pid>/net`, so the container's first
process, seen from the host, is enough. Docker's pid is one of the Engine's machine: where that is not this one, or
cutover runs in a PID namespace of its own, the same number is somebody else. So the pid counts only if its cgroup
path or its mounts name the container's id. Tried: Engine 20.10, cgroup v1 (`/docker/<id>` in every hierarchy, and 12
lines of `mountinfo`, for Docker mounts `resolv.conf` and its kin from `containers/<id>/`). On cgroup v2 a path read
from outside the container's cgroup namespace still ends in the id (cgroup_namespaces(7)).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cutover.errors import CutoverError
from cutover.model import Container, Listener
from cutover.ports.owners import PROC, owned, owners, pids
from cutover.ports.sockets import TABLES, Socket, listeners, parse_tables

RunInside = Callable[[Sequence[str]], bytes]
_CAT = ("cat", *(f"/proc/{table}" for table in TABLES))
_CAT_TCP = ("cat", "/proc/net/tcp")


class Source(StrEnum):
    """Which way the tables were read."""

    PROC = "proc"
    EXEC = "exec"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Inside:
    """What is open inside a container; where `source` is NONE nothing is known, and `reason` says why.

    `reason` also tells why `/proc` was not used where `source` is EXEC.
    """

    source: Source
    sockets: tuple[Socket, ...] = ()
    listeners: tuple[Listener, ...] = ()
    reason: str = ""


def look_inside(container: Container, *, run_inside: RunInside | None = None, proc: Path = PROC) -> Inside:
    """Return the sockets inside a container, its listeners with their owners where those can be read.

    `run_inside` runs a command in the container and returns its standard output; it may raise a CutoverError.
    It is the second choice: the image may have no `cat`. Owners are known only by way of `/proc`.
    """
    if not container.running:
        return Inside(Source.NONE, reason=f"{container.name} is {container.state}, not running")
    try:
        return _from_proc(container, proc)
    except _UnreadableError as error:
        reason = str(error)
    if run_inside is None or container.on_host:  # seen from there, too, all of the host listens
        return Inside(Source.NONE, reason=reason)
    return _from_exec(run_inside, reason)


def sockets_of(container: Container, proc: Path = PROC) -> tuple[Socket, ...] | None:
    """Return only the socket tables of a container, None where `/proc` does not show them; quick enough to poll."""
    try:
        return _read_tables(container, proc)
    except _UnreadableError:
        return None


class _UnreadableError(Exception):
    """Why `/proc` says nothing of a container."""


def _from_proc(container: Container, proc: Path) -> Inside:
    sockets = _read_tables(container, proc)
    own = owners(_processes(container, proc), proc)
    found = owned(listeners(sockets), own)
    if container.on_host or _namespace(container.pid, proc) == _namespace(os.getpid(), proc):  # all of the host's show
        if found and not own:
            raise _UnreadableError("it has the host's own network, and this user may not see which sockets are its own")
        found = [listener for listener in found if listener.pid is not None]
    return Inside(Source.PROC, sockets, tuple(found))


def _read_tables(container: Container, proc: Path) -> tuple[Socket, ...]:
    """Read through one open folder: if the process dies, its reused number cannot be read by mistake."""
    try:
        folder = os.open(proc / str(container.pid), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _UnreadableError(f"{proc}/{container.pid} cannot be read: {error.strerror}") from error
    try:
        if not _is_of(container, folder):
            raise _UnreadableError(f"process {container.pid} on this machine is not of {container.name}")
        return parse_tables("".join(_read(folder, table) for table in TABLES))
    except OSError as error:
        raise _UnreadableError(f"{proc}/{container.pid} cannot be read: {error.strerror}") from error
    finally:
        os.close(folder)


def _is_of(container: Container, folder: int) -> bool:
    return bool(container.id) and any(container.id in _read(folder, name) for name in ("cgroup", "mountinfo"))


def _read(folder: int, name: str) -> str:
    """Read a file of a process; one that does not exist (IPv6 switched off) is empty."""
    try:
        with open(os.open(name, os.O_RDONLY, dir_fd=folder), encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        return ""


def _processes(container: Container, proc: Path) -> list[int]:
    """Return the processes of a container: those in its cgroup, whichever network they are in."""
    return [pid for pid in pids(proc) if pid == container.pid or _in_cgroup(pid, container.id, proc)]


def _in_cgroup(pid: int, container_id: str, proc: Path) -> bool:
    try:
        return container_id in (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return False


def _namespace(pid: int, proc: Path) -> str | None:
    try:
        return str((proc / str(pid) / "ns" / "net").readlink())
    except OSError:
        return None


def _from_exec(run_inside: RunInside, why_not_proc: str) -> Inside:
    reason = why_not_proc
    for argv in (_CAT, _CAT_TCP):  # `cat` fails as a whole where IPv6 is switched off
        try:
            text = run_inside(argv).decode("ascii", "replace")
        except CutoverError as error:
            reason = f"{why_not_proc}; `{argv[0]}` inside failed: {error.message}"
            continue
        if text.lstrip().startswith("sl"):
            sockets = parse_tables(text)
            return Inside(Source.EXEC, sockets, tuple(listeners(sockets)), why_not_proc)
        reason = f"{why_not_proc}; `{argv[0]}` inside showed no socket table"
    return Inside(Source.NONE, reason=reason)
