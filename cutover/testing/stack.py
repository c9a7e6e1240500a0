"""What a test session tries, and that nothing of it is left, whatever ends the session."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cutover.flow.request import Options, swap_request
from cutover.flow.session import opened
from cutover.testing.colours import Colours, beside, in_own_project


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to try. `files` and `project` say what they say on cutover's command line.

    `apart` starts both colours in a project of their own even where green runs; `keep` leaves what was started up.
    """

    files: tuple[Path, ...] = ()
    project: str | None = None
    apart: bool = False
    keep: bool = False


@contextmanager
def both(wanted: Wanted) -> Iterator[Colours]:
    """Give both colours, ready: blue's test stack beside a green that runs, else both in a project of their own.

    What was started is taken down at the end, on Ctrl-C, SIGTERM and SIGHUP too; green that ran before is not touched.

    Raises:
        CutoverError: there is no such project, or a colour did not start or did not answer; nothing is left.

    """
    options = Options(files=wanted.files, project=wanted.project)
    with _terminable(), opened(options) as session:
        request = swap_request(options, session.settings)
        green = session.daemon.of_service(session.name_project(), request.green)
        runs = not wanted.apart and any(c.running for c in green)
        with (beside if runs else in_own_project)(session, request, keep=wanted.keep) as colours:
            yield colours


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the tests as Ctrl-C does: by default they end Python at once, with nothing undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    untended = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in untended:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in untended:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
