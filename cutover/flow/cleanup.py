"""`cutover cleanup`: looks at what a project left behind, and removes what nobody needs any more.

It is no run and has no journal: each removal stands alone, and what a crash leaves is on the list of the next time.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.engine.helpers import remove_helper
from cutover.engine.leftovers import remove_container, remove_image, remove_network, size_of_container
from cutover.errors import CutoverError, EngineGoneError, RefusedError
from cutover.files import fsync_folder
from cutover.flow.cleanup_choice import Choice, Item, Keep, What, choose
from cutover.flow.cleanup_facts import images_asked, look, trash_of
from cutover.flow.lock import locked
from cutover.flow.runs import Runs
from cutover.flow.session import Session
from cutover.flow.signals import interruptible

ON_DISK = {What.RUN, What.FILE}
CHANGED = "it is in use by now, or changed since it was looked at"


@dataclass
class Cleaned:
    """What came of a cleanup: what went, what got used in the meantime, and what could not be removed."""

    removed: list[Item] = field(default_factory=list)
    left: list[Item] = field(default_factory=list)
    failed: list[tuple[Item, CutoverError]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "removed": [item.as_dict() for item in self.removed],
            "left": [{**item.as_dict(), "why": CHANGED} for item in self.left],
            "failed": [{**item.as_dict(), "error": error.as_dict()} for item, error in self.failed],
            "removed_bytes": sum(item.size_bytes for item in self.removed),
        }


def leftovers(session: Session, keep: Keep) -> Choice:
    """Return what would be removed, with sizes; changes nothing.

    Raises:
        RefusedError: a run was cut short and comes first.

    """
    runs = session.runs()
    _see_ended(runs)
    choice = choose(look(session, runs, images_asked(session)), keep)
    return replace(choice, remove=tuple(_sized(session, item) for item in choice.remove))


def clean(session: Session, keep: Keep, shown: Choice) -> Cleaned:
    """Remove what was shown, each looked at again right before; what cannot be removed keeps nothing else from going.

    Raises:
        RefusedError: a run was cut short and comes first.
        EngineGoneError: no Engine answers.

    """
    runs = session.runs()
    with interruptible(), locked(runs.state, runs.folder.name, session.clock):
        _see_ended(runs)
        cleaned, again = Cleaned(), _Again(session, runs, keep)
        for item in shown.remove:
            _remove(session, runs, item, again, cleaned)
        return cleaned


def _see_ended(runs: Runs) -> None:
    unfinished = runs.unfinished()
    if unfinished:
        raise RefusedError(
            "unfinished-run",
            f"Run {unfinished[-1].id} was cut short and comes first; nothing was removed.",
            hint="cutover recover",
        )


def _sized(session: Session, item: Item) -> Item:
    if item.what not in {What.CONTAINER, What.HELPER}:
        return item
    return replace(item, size_bytes=size_of_container(session.daemon, item.id))


class _Again:
    """The second look. Runs cannot change under the lock; the Engine is asked anew for each thing of its."""

    def __init__(self, session: Session, runs: Runs, keep: Keep) -> None:
        self._session, self._runs, self._keep = session, runs, keep
        self._on_list = self._look()

    def still(self, item: Item) -> bool:
        """Say whether a thing is on the list still."""
        if item.what not in ON_DISK:
            self._on_list = self._look()
        return (item.what, item.id) in self._on_list

    def _look(self) -> set[tuple[What, str]]:
        facts = look(self._session, self._runs, images_asked(self._session))
        return {(item.what, item.id) for item in choose(facts, self._keep).remove}


def _remove(session: Session, runs: Runs, item: Item, again: _Again, cleaned: Cleaned) -> None:
    try:
        gone = again.still(item) and _gone(session, runs, item)
    except EngineGoneError:
        raise
    except CutoverError as error:
        cleaned.failed.append((item, error))
    except OSError as error:
        words = f"{item.name} cannot be removed: {error.strerror or error}."
        cleaned.failed.append((item, RefusedError("system-refused", words, hint="look who owns it: ls -la .cutover")))
    else:
        (cleaned.removed if gone else cleaned.left).append(item)
        told = f"removed {item.what} {item.name}" if gone else f"left {item.what} {item.name}: {CHANGED}"
        session.observer_note(told)


def _gone(session: Session, runs: Runs, item: Item) -> bool:
    """Remove one thing and say whether it is gone, False where somebody uses it."""
    if item.what is What.HELPER:
        remove_helper(session.daemon, item.id)
        return True
    if item.what is What.RUN:
        _remove_run(runs, item.name)
        return True
    if item.what is What.FILE:
        _remove_path(Path(item.id))
        return True
    remove = {
        What.CONTAINER: remove_container,
        What.NETWORK: remove_network,
        What.IMAGE: remove_image,
        What.EDGE_IMAGE: remove_image,
    }[item.what]
    return remove(session.daemon, item.id)


def _remove_run(runs: Runs, run_id: str) -> None:
    """Take a run out of the list in one instant, then remove it: half of one would look as if it was cut short."""
    trash = trash_of(runs, run_id)
    (runs.folder / run_id).rename(trash)
    fsync_folder(runs.folder)
    fsync_folder(runs.state)
    shutil.rmtree(trash)


def _remove_path(path: Path) -> None:
    """Remove a temporary file, or what was left of a run; a link is removed and not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
