"""Verbs of cutover in forks of a process that has loaded everything: Python need not start a thousand times."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import python_on_whales  # noqa: F401  (is loaded when it is needed: 180 ms)

import cutover.cli.act
import cutover.cli.canary
import cutover.cli.render
import cutover.flow.back
import cutover.flow.edge_settle
import cutover.flow.edge_upgrade
import cutover.flow.swap  # noqa: F401  (as above)
from cutover.cli.main import main
from tests.faults.campaign.points import arm, kill_all

SHIM_MODES = {"count": 1, "fail": 2, "tear": 3, "clock": 4}
_numbers = itertools.count()


@dataclass(frozen=True)
class Ended:
    """How a verb ended: exit code (negative: by that signal), what it said, the places it came by, how long it took."""

    code: int
    out: str
    err: str
    places: tuple[str, ...] = field(repr=False)
    seconds: float

    @property
    def killed(self) -> bool:
        """Say whether it was killed."""
        return self.code == -signal.SIGKILL


@dataclass(frozen=True)
class Kill:
    """When a verb is to die: at a place, or after a time in seconds, or so long after a place; alone, or with all."""

    place: str = ""
    after_s: float = 0.0
    everything: bool = False


@dataclass(frozen=True)
class Halt:
    """A verb is to stand still at a place while something is done to its world, and to go on then."""

    place: str
    act: Callable[[], None]


@dataclass(frozen=True)
class Disk:
    """What the disk does at the N-th write below the project: `how` is one of SHIM_MODES, `error` an errno's name."""

    how: str
    at: int = 0
    error: str = ""
    once: bool = False


Fault = Kill | Halt | Disk | None


def run(args: list[str], folder: Path, environ: dict[str, str], fault: Fault = None, timeout_s: float = 180) -> Ended:
    """Run a verb in a fork, with a fault. A Kill without a place lists the places, a Disk counts calls and writes."""
    told, tell = os.pipe()
    said = f"said-{next(_numbers)}"
    says = folder.parent / f"{said}.out", folder.parent / f"{said}.err"
    began = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(told)
        _be(args, (folder, *says), environ, fault, tell)
    os.close(tell)
    try:
        labels = _heard(child, told, fault, began, timeout_s)
    except BaseException:  # the campaign is told to stop: what is under way would make containers behind its back
        kill_all(child)
        raise
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    out, err = (path.read_text(errors="replace") if path.exists() else "" for path in says)
    for path in says:
        path.unlink(missing_ok=True)  # one that was killed in its first moments has said nothing
    return Ended(code, out, err, tuple(labels.splitlines()), seconds)


def _heard(child: int, told: int, fault: Fault, began: float, timeout_s: float) -> str:
    """Read what the child tells until it ends, and kill it when its time has come, or do what it stands still for."""
    chunks, alive = [], os.pidfd_open(child)
    after = fault.after_s if isinstance(fault, Kill) and fault.after_s and not fault.place else timeout_s
    try:
        while True:
            left = max(0.0, began + after - time.monotonic())
            ready = select.select([told, alive], [], [], left)[0]
            if not ready and after == timeout_s:
                kill_all(child)
                os.waitpid(child, 0)
                raise AssertionError(f"it hangs: {sys.argv} {fault} after {timeout_s:.0f} s")
            if not ready:
                kill_all(child) if isinstance(fault, Kill) and fault.everything else os.kill(child, signal.SIGKILL)
                after = timeout_s
            elif told in ready and (chunk := os.read(told, 65536)):
                chunks.append(chunk)
                if isinstance(fault, Halt):
                    os.waitpid(child, os.WUNTRACED)
                    fault.act()
                    os.kill(child, signal.SIGCONT)
            elif alive in ready:
                return b"".join(chunks).decode()
    finally:
        os.close(told)
        os.close(alive)


def _be(args: list[str], places: tuple[Path, ...], environ: dict[str, str], fault: Fault, tell: int) -> None:
    """Be the verb, in the child, and never return. `places`: the folder, and the files for what it says."""
    code, (folder, *says) = 70, places
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        for number, path in enumerate(says, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["cutover", *args]
        _suffer(fault, tell, folder)
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  (whatever it is, it belongs into what the verb said)
        traceback.print_exc()
    finally:
        try:
            if isinstance(fault, Disk):
                shim = ctypes.CDLL(None)
                os.write(tell, f"{shim.fault_count()}\n{shim.fault_writes()}\n".encode())
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _suffer(fault: Fault, tell: int, folder: Path) -> None:
    if isinstance(fault, Kill) and (fault.place or not fault.after_s):
        arm(fault.place, tell, signal.SIGKILL, everything=fault.everything, delay_s=fault.after_s)
    elif isinstance(fault, Halt):
        arm(fault.place, tell, signal.SIGSTOP)
    elif isinstance(fault, Disk):
        number = getattr(errno, fault.error) if fault.error else 0
        below = os.fsencode(str(folder.resolve()))
        ctypes.CDLL(None).fault_arm(below, SHIM_MODES[fault.how], fault.at, number, int(fault.once))
