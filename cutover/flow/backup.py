"""`cutover backup`, and the backups that there are: listed, read back, pruned."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.backup.archive import Archive, Standing, archives
from cutover.backup.manifest import Manifest
from cutover.backup.retention import Kept, to_forget
from cutover.clock import Clock
from cutover.config.backup import Keep
from cutover.errors import RefusedError
from cutover.flow.backup_look import Subject
from cutover.flow.backup_make import Making, Wanted, make
from cutover.flow.backup_underway import needed
from cutover.flow.backup_writers import let_go, note_of
from cutover.flow.lock import locked
from cutover.flow.runs import BACKUPS, Result, Runs, new_id
from cutover.flow.session import Session
from cutover.flow.signals import interruptible

ROLLBACKS = 3
"""So many of the last swaps keep their backups, whatever the rules say: each can be rolled back after the next."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What retention took away, or would."""

    removed: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Return the IDs of all of them."""
        return (*self.incomplete, *self.removed)


@dataclass(frozen=True, slots=True)
class Backed:
    """A backup that was made, and what retention took away afterwards."""

    archive: Archive
    restore_command: str
    pruned: Pruned = Pruned()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        told = {"pruned": list(self.pruned.all), "restore_command": self.restore_command}
        return {**told_of(self.archive), **told}


def backup(session: Session, wanted: Wanted, to: Path | None = None) -> Backed:
    """Make a backup of the project; `to` is a folder elsewhere that it is put into.

    One is made, too, while a run that was cut short waits for `recover`: who clears up wants a copy first. It says so;
    but then nobody is held, for what that run left half way is for `recover` to judge.

    Raises:
        UsageError, RefusedError, EngineError: as the reasons are; nothing was changed.

    """
    runs = session.runs()
    with interruptible(), locked(runs.state, runs.folder.name, session.clock):
        let_go(session.daemon, note_of(runs), session.observer_note)
        wanted = _with_unfinished(runs, wanted)
        backup_id = new_id(session.clock)
        folder = (to.absolute() if to else runs.folder / BACKUPS) / backup_id
        making = Making(folder, note_of(runs), session.clock, session.observer)
        for warning in wanted.warnings:
            session.observer_note(warning)
        subject = Subject(runs.folder.name, session.stack, session.settings, session.daemon)
        made = make(subject, wanted, making)
        named = shlex.quote(str(made.folder)) if to else made.id
        way_back = session.spoken(f"restore {named}") + (" --identity FILE" if made.manifest.sealed == "age" else "")
        pruned = pruned_after(runs, session.settings.backup.keep, session.observer_note, made.id)
        return Backed(made, way_back, pruned)


def _with_unfinished(runs: Runs, wanted: Wanted) -> Wanted:
    unfinished = runs.unfinished()
    if not unfinished:
        return wanted
    run_id = unfinished[-1].id
    if wanted.hold:
        raise RefusedError(
            "unfinished-run",
            f"Run {run_id} was cut short; nobody is paused or stopped before it is cleared up.",
            hint="cutover recover; without --pause and --stop the backup can be made now",
        )
    told = f"run {run_id} was cut short and waits for `cutover recover`: the files may be half way"
    return replace(wanted, warnings=(*wanted.warnings, told))


# -- retention ---------------------------------------------------------------------------------------------------------


def prune(runs: Runs, keep: Keep | None, made: str | None = None, *, dry: bool = False) -> Pruned:
    """Remove the backups that no rule keeps, and halves that a crash left; the lock must be held.

    One that is damaged, or from a newer cutover, stays: a person has to look. So does the one just `made`, wherever the
    clock stood when others were. With `keep` None nothing whole goes.
    """
    found = archives(runs.folder / BACKUPS)
    whole = {a.id: a for a in found if a.standing is Standing.WHOLE}
    incomplete = [a for a in found if a.standing is Standing.INCOMPLETE]
    protected = {*standing_on(runs), *needed(runs.folder / BACKUPS), *([made] if made else ())}
    forgotten = to_forget(map(_kept, whole.values()), keep, protected)
    if not dry:
        for archive in (*incomplete, *(whole[i] for i in forgotten)):
            archive.remove()
    return Pruned(tuple(forgotten), tuple(a.id for a in incomplete))


def pruned_after(runs: Runs, keep: Keep | None, tell: Callable[[str], None], made: str | None = None) -> Pruned:
    """Prune after a backup; what cannot be removed is told, for the backup is good without."""
    try:
        return prune(runs, keep, made)
    except OSError as error:
        tell(f"an old backup could not be removed: {error}")
        return Pruned()


def standing_on(runs: Runs) -> set[str]:
    """Return the IDs of the runs whose backup must stay: those cut short, and the last that can be rolled back."""
    done = [r.id for r in runs.all() if r.outcome == Result.DONE]
    return {*done[-ROLLBACKS:], *(r.id for r in runs.unfinished())}


def _kept(archive: Archive) -> Kept:
    manifest = archive.manifest
    holds = (*sorted(v.key for v in manifest.volumes), *(["images/"] if manifest.images else []))
    return Kept(archive.id, manifest.made, holds)


# -- looking -----------------------------------------------------------------------------------------------------------


def told_of(archive: Archive) -> dict[str, Any]:
    """Return one backup as JSON-ready data."""
    known = archive.known
    return {
        "id": archive.id,
        "folder": str(archive.folder),
        "standing": str(archive.standing),
        "made": known.made.isoformat(timespec="seconds") if known else None,
        "why": known.why if known else None,
        "cutover": known.cutover if known else None,
        "size_bytes": archive.size_bytes,
        "holds": list(what_it_holds(known)) if known else [],
        "encrypted": known.sealed if known else None,
        "commit": known.git.commit if known and known.git else None,
        "verified": archive.verified,
        "warnings": list(known.warnings) if known else [],
    }


def what_it_holds(manifest: Manifest) -> Iterable[str]:
    """Yield what a backup holds, in words."""
    yield _counted(len(manifest.saved_files), "file")
    yield from (f"volume {v.key}" for v in manifest.volumes)
    if manifest.images:
        yield _counted(len(manifest.images.references), "image")
    if manifest.git and manifest.git.commit:
        yield f"git {manifest.git.commit[:9]}{'+' if manifest.git.dirty else ''}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def prune_locked(runs: Runs, keep: Keep | None, clock: Clock, *, dry: bool) -> Pruned:
    """Prune under the project's lock; `dry` only says what would go."""
    if dry:
        return prune(runs, keep, dry=True)
    with locked(runs.state, runs.folder.name, clock):
        return prune(runs, keep)
