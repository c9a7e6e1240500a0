"""`cutover restore`: the plan, and the plan carried out; what is overwritten is backed up first.

What a restore is about to touch is written down before it touches anything: where it is killed, the same command goes
on with the same backup, and what it finds half filled is its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.backup.archive import Archive, Standing, archives, named
from cutover.backup.files import Code, put_back
from cutover.backup.images import load_images
from cutover.backup.manifest import Manifest
from cutover.backup.seal import Seal
from cutover.backup.volumes import check_stored, empty_volume, restore_volume
from cutover.engine.volumes import VolumeRecord, make_volume
from cutover.errors import FileChangedError, RefusedError, UsageError
from cutover.files import fsync_folder, private_folder, read_state, write_atomic
from cutover.flow.backup_look import Subject, tools
from cutover.flow.backup_make import Making, Wanted, bar, make
from cutover.flow.backup_place import Place
from cutover.flow.backup_plan import (
    Act,
    FileAct,
    RestorePlan,
    Selection,
    VolumeAct,
    Volumes,
    plan_files,
    plan_images,
    plan_volumes,
)
from cutover.flow.backup_seal import opener, opening, sealing
from cutover.flow.backup_writers import let_go, note_of
from cutover.flow.lock import locked
from cutover.flow.runs import Result, new_id
from cutover.flow.signals import interruptible

NOTE = "restoring.json"
BEFORE = "before restore of "
"""How the reason of a backup begins that a restore took."""


@dataclass(frozen=True, slots=True)
class Underway:
    """A restore that began: of which archive, which backup keeps what it overwrites, which volumes it fills."""

    archive: str
    rescue: str | None = None
    volumes: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"archive": self.archive, "rescue": self.rescue, "volumes": self.volumes, "filled": self.filled}


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, and in which backup lies what it overwrote."""

    plan: RestorePlan
    rescue: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {**self.plan.as_dict(overwrite=True), "restored": True, "overwritten_is_in": self.rescue}


def chosen(place: Place, name: str | None) -> Archive:
    """Return the archive that is meant: by ID or folder, else the one that a restore was cut short of, else the newest.

    One that a restore took of what it overwrote is meant only by name: else a second restore would undo the first.

    Raises:
        UsageError: there is none.

    """
    if name is not None:
        return named(place.backups, name)
    underway = _underway(place)
    if underway is not None and Path(underway.archive).is_dir():
        return Archive(Path(underway.archive))
    whole = [a for a in archives(place.backups) if a.standing is Standing.WHOLE]
    meant = [a for a in whole if not a.manifest.why.startswith(BEFORE)]
    if not meant:
        raise UsageError(
            "no-backup", f"Project {place.project} has no backup in {place.backups}.", hint="cutover backup"
        )
    return meant[-1]


def cut_short(place: Place) -> str | None:
    """Return the archive of a restore that was cut short, None where none was."""
    underway = _underway(place)
    return underway.archive if underway else None


def plan_restore(place: Place, archive: Archive, selection: Selection, identity: Path | None) -> RestorePlan:
    """Look at what a restore would do; changes nothing.

    Raises:
        UsageError, RefusedError, EngineError: as the reasons are.

    """
    manifest = archive.manifest
    _see_project(place, archive, manifest, selection)
    opened = opener(opening(manifest, identity))
    own = archive.folder.resolve().is_relative_to(place.backups.resolve())
    files = plan_files(archive, place.folder, selection.into, opened, own=own) if selection.files else ()
    volumes = manifest.volumes if selection.volumes else ()
    volume_acts: Iterable[VolumeAct] = ()
    if volumes or (selection.volumes and selection.volumes is not True):
        there = Volumes(place.daemon(), place.project, tools(place.settings), _half(place, archive), own)
        volume_acts = plan_volumes(archive, selection, there)
    images = plan_images(archive, place.daemon()) if selection.images and manifest.images else ()
    acts = tuple(files)
    notes = _notes(place, archive, acts) if selection.into is None else ()
    return RestorePlan(archive, acts, _but_filled(place, archive, volume_acts), tuple(images), notes, own)


def _notes(place: Place, archive: Archive, files: tuple[FileAct, ...]) -> tuple[str, ...]:
    """Return the swap that stands on the files as they are now: going back from it is more than its files."""
    if all(f.act is Act.SAME for f in files):
        return ()
    later = [r.id for r in place.runs.all() if r.id >= archive.id and r.outcome == Result.DONE]
    return tuple(
        f"swap {i} stands on the files as they are now; cutover rollback {i} goes back as a whole" for i in later
    )


def _but_filled(place: Place, archive: Archive, acts: Iterable[VolumeAct]) -> tuple[VolumeAct, ...]:
    """Return the acts, those left alone that a restore which was cut short had carried out."""
    underway = _underway(place)
    filled = underway.filled if underway and underway.archive == str(archive.folder) else ()
    return tuple(replace(a, act=Act.SAME) if a.target in filled else a for a in acts)


def _see_project(place: Place, archive: Archive, manifest: Manifest, selection: Selection) -> None:
    if manifest.project != place.project and selection.into is None and not selection.volume_as:
        raise RefusedError(
            "other-project",
            f"{archive.folder} is of project {manifest.project}, and this is {place.project}.",
            hint=f"-p {manifest.project}, or --into FOLDER",
        )


def restore(
    place: Place, archive: Archive, selection: Selection, identity: Path | None, *, overwrite: bool = False
) -> Restored:
    """Bring back what a backup has; refused as a whole where anything stands against it.

    Raises:
        UsageError, RefusedError, EngineError: nothing was changed.
        OSError: the disk refuses in the middle; the same command goes on.

    """
    runs = place.runs
    with interruptible(), locked(runs.state, runs.folder.name, place.clock):
        if note_of(runs).exists():
            let_go(place.daemon(), note_of(runs), place.tell)
        unfinished = runs.unfinished()
        if unfinished and selection.into is None:
            raise RefusedError(
                "unfinished-run", f"Run {unfinished[-1].id} was cut short and comes first.", hint="cutover recover"
            )
        plan = plan_restore(place, archive, selection, identity)
        blockers = plan.blockers(overwrite=overwrite)
        if blockers:
            raise RefusedError(
                "restore-refused",
                "The restore would lose something; nothing was changed.",
                evidence=blockers,
                hint=_way_out(plan, overwrite=overwrite),
            )
        seal = opening(archive.manifest, identity)
        _see_whole(place, plan, seal)
        underway = _begin(place, plan, selection)
        _carry_out(place, plan, seal, underway)
        _note_path(place).unlink(missing_ok=True)
        return Restored(plan, underway.rescue)


def _see_whole(place: Place, plan: RestorePlan, seal: Seal | None) -> None:
    """Read every volume of the backup, where one is to be emptied: what cannot be unpacked empties nothing.

    Raises:
        NeedsHandsError, RefusedError: one is damaged, or would be unpacked outside; nothing was changed.

    """
    meant = [v for v in plan.volumes if v.act is not Act.SAME]
    if any(v.full for v in meant):
        for volume in meant:
            stored = volume.saved.stored
            tell = bar(place.observer, f"reading {stored.file}", stored.content_bytes)
            check_stored(stored, plan.archive.folder, seal=seal, tell=tell)


def _way_out(plan: RestorePlan, *, overwrite: bool) -> str:
    users = [u for v in plan.volumes for u in v.users]
    if users:
        return (
            f"docker stop {' '.join(dict.fromkeys(users))}, or --volume-as NAME=NEW; --files brings back the files only"
        )
    if overwrite:
        return "--into FOLDER restores elsewhere"
    return "--overwrite, and what is there now is backed up first; or --into FOLDER, --volume-as NAME=NEW"


# -- what is overwritten is saved, and written down --------------------------------------------------------------------


def _begin(place: Place, plan: RestorePlan, selection: Selection) -> Underway:
    before = _underway(place)
    same = before is not None and before.archive == str(plan.archive.folder)
    rescue = before.rescue if before and same else _rescue(place, plan)
    filled = before.filled if before and same else ()
    volumes = tuple(v.target for v in plan.volumes if v.act is not Act.SAME)
    underway = Underway(str(plan.archive.folder), rescue, (*volumes, *filled), filled)
    if selection.into is None or volumes:
        _write_down(place, underway)
    return underway


def _rescue(place: Place, plan: RestorePlan) -> str | None:
    """Back up what is overwritten, and return that backup's ID; None where nothing is."""
    files = tuple(f.target for f in plan.files if f.act is Act.WRITE)
    volumes = {v.saved.key: v.target for v in plan.volumes if v.act is Act.WRITE and v.full and not v.half}
    if not (files or volumes):
        return None
    subject = Subject(
        place.project,
        place.stack,
        place.settings,
        place.daemon() if volumes else place.daemon_if_any(),
        lenient=True,
        also=files,
    )
    seal = sealing(place.settings.backup.encrypt)
    wanted = Wanted(why=f"{BEFORE}{plan.archive.id}", rescue=volumes, seal=seal)
    folder = place.backups / new_id(place.clock)
    made = make(subject, wanted, Making(folder, note_of(place.runs), place.clock, place.observer))
    place.tell(f"what is overwritten is in backup {made.id}")
    return made.id


def _note_path(place: Place) -> Path:
    return place.backups / NOTE


def _write_down(place: Place, underway: Underway) -> None:
    private_folder(place.backups)
    write_atomic(_note_path(place), json.dumps(underway.as_dict()).encode(), mode=0o600)


def _underway(place: Place) -> Underway | None:
    """Return the restore that was cut short, None where none was; a damaged note says nothing."""
    try:
        said = json.loads(_note_path(place).read_bytes())
        return Underway(str(said["archive"]), said["rescue"], tuple(said["volumes"]), tuple(said["filled"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _half(place: Place, archive: Archive) -> frozenset[str]:
    underway = _underway(place)
    return frozenset(underway.volumes if underway and underway.archive == str(archive.folder) else ())


# -- carried out -------------------------------------------------------------------------------------------------------


def _carry_out(place: Place, plan: RestorePlan, seal: Seal | None, underway: Underway) -> None:
    manifest, folder = plan.archive.manifest, plan.archive.folder
    if manifest.images and any(i.act is not Act.SAME for i in plan.images):
        tell = bar(place.observer, "images", manifest.images.stored.content_bytes)
        load_images(place.daemon(), manifest.images.stored, folder, seal=seal, tell=tell)
    for volume in plan.volumes:
        if volume.act is not Act.SAME:
            _fill(place, plan.archive, volume, seal)
            underway = replace(underway, filled=(*underway.filled, volume.target))
            _write_down(place, underway)
    opened = opener(seal)
    for file in plan.files:
        if file.act is not Act.SAME:
            _write(plan, file, opened)


def _fill(place: Place, archive: Archive, volume: VolumeAct, seal: Seal | None) -> None:
    daemon, saved = place.daemon(), volume.saved
    image = tools(place.settings)
    if volume.act is Act.CREATE:
        # Another volume with the same options (a device, say) would be the same data under two names.
        own = volume.target == saved.volume
        kind = (saved.driver, saved.labels, saved.options) if own else ("local", {}, {})
        make_volume(daemon, VolumeRecord(volume.target, *kind))
    elif volume.full:
        empty_volume(daemon, volume.target, project=place.project, image=image)
    tell = bar(place.observer, f"volume {volume.target}", saved.stored.content_bytes)
    archived = archive.folder
    restore_volume(
        daemon, saved.stored, archived, volume.target, project=place.project, image=image, seal=seal, tell=tell
    )


def _write(plan: RestorePlan, file: FileAct, opened: Code) -> None:
    """Write one file, but only over what the plan saw there; a backup from elsewhere makes nothing set-user-ID.

    Raises:
        FileChangedError: somebody edited it meanwhile.

    """
    target = file.target
    now = read_state(target)[1].sha256 if target.is_file() else None
    if now not in {file.found, file.payload.sha256}:
        raise FileChangedError(
            "file-changed",
            f"{target} was changed by somebody else while cutover was at work; it was not overwritten.",
            hint="look at the change, then start again",
        )
    if not target.parent.exists():
        target.parent.mkdir(parents=True)
        fsync_folder(target.parent.parent)
    state = file.payload.state
    state = state if plan.own else replace(state, mode=state.mode & 0o777)
    put_back(target, plan.archive.saved(file.payload).content(opened), state)
