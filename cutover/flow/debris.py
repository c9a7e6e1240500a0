"""What a killed cutover leaves: half-written files in the project and its state folder; helpers never started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cutover.engine.helpers import remove_unstarted
from cutover.files import sweep
from cutover.flow.override_world import FOLDER
from cutover.flow.runs import Runs
from cutover.flow.session import Session


def clear_debris(session: Session, runs: Runs) -> None:
    """Remove temporary files and helpers of cutovers that are dead, and tell it. The project's lock is held."""
    for name in remove_unstarted(session.daemon, runs.folder.name):
        session.observer_note(f"a helper of a cutover that was killed is removed, which never ran: {name}")
    for folder in dict.fromkeys(_folders(session, runs)):
        for path in sweep(folder):
            session.observer_note(f"half a file of a cutover that was killed is removed: {path}")


def _folders(session: Session, runs: Runs) -> Iterator[Path]:
    yield from (session.folder, session.folder / FOLDER, runs.state)
    yield from (f.resolve().parent for f in session.stack.source.files)
    for run in runs.unfinished():
        yield from (Path(f).resolve().parent for f in run.header.get("source", {}).get("files", ()))
    for folder, _, _ in os.walk(runs.folder):
        yield Path(folder)
