"""Writers of a volume wait while it is copied, and go on afterwards, whatever the copy came to.

Whom we hold is written down before anybody is: a cutover that is killed meanwhile leaves a note, and `cutover recover`,
the next backup, swap or rollback brings them back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from cutover.engine.daemon import Daemon
from cutover.engine.writers import Writer, goes_when_stopped, pause, unpause
from cutover.errors import CutoverError, NeedsHandsError, RefusedError
from cutover.files import fsync_folder, private_folder, write_atomic
from cutover.flow.runs import BACKUPS, Runs
from cutover.flow.signals import postponed
from cutover.model import ContainerState

NOTE = "held.json"
Tell = Callable[[str], None]


class Hold(StrEnum):
    """How writers are made to wait."""

    PAUSE = "pause"
    STOP = "stop"


def note_of(runs: Runs) -> Path:
    """Return where it is written down who is held."""
    return runs.folder / BACKUPS / NOTE


@contextmanager
def held(daemon: Daemon, note: Path, writers: Sequence[Writer], how: Hold | None, tell: Tell) -> Iterator[None]:
    """Hold these containers until the end of the block; with no `how`, or nobody to hold, nothing happens.

    Raises:
        RefusedError: one would be removed by that.
        EngineError: one cannot be held; the others are let go.
        NeedsHandsError: one cannot be let go; its name is the evidence, and the note stays.

    """
    if how is None or not writers:
        yield
        return
    _see_they_stay(daemon, writers, how)
    private_folder(note.parent)
    kept = [{"id": w.id, "name": w.name, "how": str(how)} for w in writers]
    write_atomic(note, json.dumps({"containers": kept}).encode(), mode=0o600)
    try:
        for writer in writers:
            with postponed():  # cut off, the Engine would go on stopping it, and nobody start it again
                _hold(daemon, writer, how)
            tell(f"{writer.name} is {'paused' if how is Hold.PAUSE else 'stopped'}")
        yield
    finally:
        with postponed():
            let_go(daemon, note, tell)


def _see_they_stay(daemon: Daemon, writers: Sequence[Writer], how: Hold) -> None:
    gone = [w.name for w in writers if how is Hold.STOP and goes_when_stopped(daemon, w.id)]
    if gone:
        raise RefusedError(
            "writer-would-go",
            f"{', '.join(gone)} was started with --rm: stopped, the Engine would remove it, and nothing bring it back.",
            hint="--pause freezes it; or stop it yourself",
        )


def _hold(daemon: Daemon, writer: Writer, how: Hold) -> None:
    if how is Hold.PAUSE:
        pause(daemon, writer.id)
        return
    container = daemon.container(writer.id)
    if container is not None:
        daemon.stop(container)


def let_go(daemon: Daemon, note: Path, tell: Tell) -> int:
    """Bring back whom a backup held, as the note says, and return how many there were; each is tried.

    Raises:
        NeedsHandsError: one could not be brought back, or the note cannot be read.

    """
    wrong: list[str] = []
    waiting = _noted(note)
    for entry in reversed(waiting):
        try:
            if _bring_back(daemon, entry):
                tell(f"{entry['name']} goes on")
        except CutoverError as error:
            wrong.append(f"{entry['name']}: {error.message}")
    if wrong:
        names = " ".join(str(e["name"]) for e in waiting)
        raise NeedsHandsError(
            "writers-held",
            "What was held for a backup could not be brought back.",
            evidence=wrong,
            hint=f"cutover recover; or by hand: docker unpause {names}; docker start {names}",
        )
    if note.exists():
        note.unlink()
        fsync_folder(note.parent)
    return len(waiting)


def _bring_back(daemon: Daemon, entry: Mapping[str, Any]) -> bool:
    container = daemon.container(str(entry["id"]))
    if container is None:
        return False
    pausing = entry["how"] == Hold.PAUSE
    waits = container.state is (ContainerState.PAUSED if pausing else ContainerState.EXITED)
    if waits and pausing:
        unpause(daemon, container.id)
    elif waits:
        daemon.start(container.id)
    return waits


def _noted(note: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(note.read_bytes())["containers"]
        return [{"id": str(e["id"]), "name": str(e["name"]), "how": Hold(e["how"])} for e in entries]
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NeedsHandsError(
            "writers-note-damaged",
            f"{note} is damaged: it says who was paused or stopped for a backup.",
            hint=f"docker ps -a; bring them back by hand, then remove {note}",
        ) from error
