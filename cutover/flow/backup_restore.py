"""`cutover restore`: the plan, and the plan carried out; what is overwritten is backed up first.

What a restore is about to touch is written down before it touches anything: where it is killed, the same command goes
on with the same backup, and what it finds half filled is its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.backup.archive import Archive, Standing, archives, named
from cutover.backup.files import Code, put_back
from cutover.backup.images import load_images
from cutover.backup.manifest import Manifest, Payload
from cutover.backup.seal import Seal
from cutover.backup.volumes import check_stored, empty_volume, restore_volume, volume_facts
from cutover.engine.volumes import VolumeRecord, make_volume
from cutover.errors import CutoverError, FileChangedError, NeedsHandsError, RefusedError, UsageError
from cutover.files import fsync_folder, read_state
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
from cutover.flow.backup_underway import Underway, forget, underway, with_signs, write_down
from cutover.flow.backup_writers import let_go, note_of
from cutover.flow.lock import locked
from cutover.flow.runs import Result, new_id
from cutover.flow.signals import Interrupted, interruptible

BEFORE = "before restore of "
"""How the reason of a backup begins that a restore took."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, and in which backups lies what it overwrote: several where it was cut short and went on."""

    plan: RestorePlan
    rescues: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {**self.plan.as_dict(overwrite=True), "restored": True, "overwritten_is_in": list(self.rescues)}


def chosen(place: Place, name: str | None) -> Archive:
    """Return the archive that is meant: by ID or folder, else the one that a restore was cut short of, else the newest.

    One that a restore took of what it overwrote is meant only by name: else a second restore would undo the first.

    Raises:
        UsageError: there is none.

    """
    if name is not None:
        return named(place.backups, name)
    begun = underway(place.backups)
    if begun is not None and Path(begun.archive).is_dir():
        return Archive(Path(begun.archive))
    found = archives(place.backups)
    meant = [a for a in found if a.standing is Standing.WHOLE and not a.manifest.why.startswith(BEFORE)]
    for archive in found:
        if archive.standing is Standing.DAMAGED and (not meant or archive.id > meant[-1].id):
            place.tell(f"backup {archive.id} is damaged, so it is not the one that is meant")
    if not meant:
        raise UsageError(
            "no-backup", f"Project {place.project} has no backup in {place.backups}.", hint="cutover backup"
        )
    return meant[-1]


def cut_short(place: Place) -> str | None:
    """Return the archive of a restore that was cut short, None where none was."""
    begun = underway(place.backups)
    return begun.archive if begun else None


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
        half = _begun(place, archive).ours_until()
        there = Volumes(place.daemon(), place.project, tools(place.settings), half, own)
        volume_acts = plan_volumes(archive, selection, there)
    images = plan_images(archive, place.daemon()) if selection.images and manifest.images else ()
    acts = tuple(files)
    notes = _notes(place, archive, acts) if selection.into is None else ()
    return RestorePlan(
        archive, acts, _but_filled(place, archive, volume_acts), tuple(images), notes, own, selection.devices
    )


def _notes(place: Place, archive: Archive, files: tuple[FileAct, ...]) -> tuple[str, ...]:
    """Return the swap that stands on the files as they are now: going back from it is more than its files."""
    if all(f.act is Act.SAME for f in files):
        return ()
    later = [r.id for r in place.runs.all() if r.id >= archive.id and r.outcome == Result.DONE]
    return tuple(
        f"swap {i} stands on the files as they are now; cutover rollback {i} goes back as a whole" for i in later
    )


def _but_filled(place: Place, archive: Archive, acts: Iterable[VolumeAct]) -> tuple[VolumeAct, ...]:
    """Return the acts; those that a restore which was cut short had carried out, and nobody touched since, are done."""
    filled = {name for name, mark in _begun(place, archive).volumes.items() if mark.filled}
    return tuple(replace(a, act=Act.SAME) if a.target in filled and a.full and a.half else a for a in acts)


def _see_project(place: Place, archive: Archive, manifest: Manifest, selection: Selection) -> None:
    foreign = manifest.project != place.project
    volumes = {v.key: v.volume for v in manifest.volumes}
    if selection.volumes is not True:
        volumes = {k: v for k, v in volumes.items() if {k, v} & set(selection.volumes or ())}
    renamed = all({k, v} & selection.volume_as.keys() for k, v in volumes.items())
    if foreign and ((selection.files and selection.into is None) or not renamed):
        raise RefusedError(
            "other-project",
            f"{archive.folder} is of project {manifest.project}, and this is {place.project}.",
            hint=f"-p {manifest.project}; or --into FOLDER for the files, --volume-as NAME=NEW for each volume",
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
        if unfinished and (selection.into is None or selection.volumes):
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
        begun = _begin(place, plan, selection)
        try:
            begun = _carry_out(place, plan, seal, begun)
        except (CutoverError, OSError) as error:
            raise _cut_short(place, plan, selection, error) from error
        except Interrupted:
            place.tell(f"cut short; what was written stays, and {_again(plan, selection)} goes on")
            raise
        if _is_noted(plan, selection) and begun.filled:  # another one that was cut short has to go on all the same
            forget(place.backups)
        return Restored(plan, begun.rescues)


def _cut_short(place: Place, plan: RestorePlan, selection: Selection, error: CutoverError | OSError) -> NeedsHandsError:
    """Return what to tell where a restore ends in the middle: what was written stays, and the same command goes on."""
    why = [error.message, *error.evidence] if isinstance(error, CutoverError) else [str(error)]
    own = error.hint if isinstance(error, CutoverError) and error.hint else f"df -h {place.folder}"
    return NeedsHandsError(
        error.reference if isinstance(error, CutoverError) else "restore-cut-short",
        f"The restore of {plan.archive.id} ended in the middle; what it had written stays.",
        evidence=why,
        hint=f"{own}; then {_again(plan, selection)} goes on",
    )


def _again(plan: RestorePlan, selection: Selection) -> str:
    return "the same command" if selection.into else f"cutover restore {plan.archive.id} --apply"


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
            check_stored(stored, plan.archive.folder, seal=seal, devices=plan.devices, tell=tell)


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


def _is_noted(plan: RestorePlan, selection: Selection) -> bool:
    """Say whether a restore is written down: one of files into another folder can just be called again."""
    return selection.into is None or any(v.act is not Act.SAME for v in plan.volumes)


def _begin(place: Place, plan: RestorePlan, selection: Selection) -> Underway:
    begun = _begun(place, plan.archive)
    rescue = _rescue(place, plan, begun.rescues)
    begun = replace(begun, rescues=(*begun.rescues, *([rescue] if rescue else ())))
    begun = begun.marked((v.target for v in plan.volumes if v.act is not Act.SAME), _now(place))
    if _is_noted(plan, selection):
        write_down(place.backups, begun)
    return begun


def _rescue(place: Place, plan: RestorePlan, rescues: Iterable[str]) -> str | None:
    """Back up what is overwritten and is in none of these rescues yet; return that backup's ID, None where none is."""
    kept = {(p.name, p.sha256) for r in rescues for p in _saved_files(place.backups / r)}
    written = (f for f in plan.files if f.act is Act.WRITE)
    files = tuple(f.target for f in written if (str(f.target), f.found) not in kept)
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
    if plan.archive.manifest.sealed:  # the copy is to be encrypted as well, as the settings say
        place.see_settings()
    seal = sealing(place.settings.backup.encrypt)
    wanted = Wanted(why=f"{BEFORE}{plan.archive.id}", rescue=volumes, seal=seal)
    folder = place.backups / new_id(place.clock)
    made = make(subject, wanted, Making(folder, note_of(place.runs), place.clock, place.observer))
    place.tell(f"what is overwritten is in backup {made.id}")
    return made.id


def _saved_files(folder: Path) -> tuple[Payload, ...]:
    try:
        return Archive(folder).manifest.saved_files
    except (CutoverError, OSError):  # it is gone, or damaged: then it keeps nothing
        return ()


def _begun(place: Place, archive: Archive) -> Underway:
    """Return what a restore of this archive that was cut short has done, nothing where none was."""
    found = underway(place.backups)
    return found if found and found.archive == str(archive.folder) else Underway(str(archive.folder))


def _now(place: Place) -> float:
    return place.clock.now().timestamp()


# -- carried out -------------------------------------------------------------------------------------------------------


def _carry_out(place: Place, plan: RestorePlan, seal: Seal | None, begun: Underway) -> Underway:
    manifest, folder = plan.archive.manifest, plan.archive.folder
    if manifest.images and any(i.act is not Act.SAME for i in plan.images):
        for image in plan.images:
            if image.moves:
                place.tell(f"{image.reference} led to {image.now}; back: docker tag {image.now} {image.reference}")
        tell = bar(place.observer, "images", manifest.images.stored.content_bytes)
        load_images(place.daemon(), manifest.images.stored, folder, seal=seal, tell=tell)
    for volume in plan.volumes:
        if volume.act is not Act.SAME:
            _fill(place, plan, volume, seal, begun)
            begun = begun.marked([volume.target], _now(place), filled=True)
            write_down(place.backups, begun)
    opened = opener(seal)
    for file in plan.files:
        if file.act is not Act.SAME:
            _write(plan, file, opened)
    return begun


def _fill(place: Place, plan: RestorePlan, volume: VolumeAct, seal: Seal | None, begun: Underway) -> None:
    daemon, saved = place.daemon(), volume.saved
    image = tools(place.settings)
    if volume.act is Act.CREATE:
        # Another volume with the same options (a device, say) would be the same data under two names.
        own = volume.target == saved.volume
        kind = (saved.driver, saved.labels, saved.options) if own else ("local", {}, {})
        make_volume(daemon, VolumeRecord(volume.target, *kind))
    elif volume.full:
        _see_untouched(place, volume)
        empty_volume(daemon, volume.target, project=place.project, image=image)
    told = bar(place.observer, f"volume {volume.target}", saved.stored.content_bytes)

    def sign() -> None:
        with suppress(OSError):  # the next one comes soon, and the volume may have room where the note has none
            write_down(place.backups, begun.marked([volume.target], _now(place)))

    tell = with_signs(told, sign, place.clock.monotonic)
    restore_volume(
        daemon,
        saved.stored,
        plan.archive.folder,
        volume.target,
        project=place.project,
        image=image,
        seal=seal,
        devices=plan.devices,
        tell=tell,
    )


def _see_untouched(place: Place, volume: VolumeAct) -> None:
    """See that a volume is as the plan saw it: minutes may have gone by since, with a backup of it and a look at ours.

    Raises:
        RefusedError: a container uses it, or somebody wrote to it.

    """
    facts = volume_facts(place.daemon(), volume.target, project=place.project, image=tools(place.settings))
    users = [u.name for u in facts.users if u.running]
    changed = (facts.entries, facts.newest) != (volume.entries, volume.newest_s)
    if users or changed:
        raise RefusedError(
            "volume-touched",
            f"Volume {volume.target} was used by somebody while cutover was at work; it was not emptied.",
            evidence=[f"in use by {', '.join(users)}"] if users else [f"it has an entry of {facts.newest_text}"],
            hint=f"docker ps --filter volume={volume.target}",
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
