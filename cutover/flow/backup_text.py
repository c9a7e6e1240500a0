"""Backups, and what a restore would do, as text."""

from __future__ import annotations

from cutover.backup.archive import Archive, Standing
from cutover.flow.backup import Backed, told_of, what_it_holds
from cutover.flow.backup_make import size_text
from cutover.flow.backup_plan import Act, FileAct, ImageAct, RestorePlan, VolumeAct
from cutover.flow.backup_restore import Restored
from cutover.flow.backup_verify import Verdict


def made_text(backed: Backed) -> str:
    """Return what was saved where, and the command that restores it."""
    archive = backed.archive
    manifest = archive.manifest
    lines = [
        f"backup {archive.id}: {', '.join(what_it_holds(manifest))}, {size_text(archive.size_bytes)}",
        *(f"warning: {warning}" for warning in manifest.warnings),
        f"folder:  {archive.folder}",
    ]
    if backed.pruned.all:
        lines.append(f"pruned:  {', '.join(backed.pruned.all)}")
    lines.append(f"restore: {backed.restore_command}")
    return "\n".join(lines)


def listed_row(archive: Archive) -> list[str]:
    """Return a backup as a row: ID, when, why, size, what, verified."""
    told = told_of(archive)
    encrypted = [f"{told['encrypted']}-encrypted"] if told["encrypted"] else []
    sound = archive.standing is Standing.WHOLE
    what = ", ".join([*([] if sound else [str(archive.standing).upper()]), *told["holds"], *encrypted])
    return [
        archive.id,
        str(told["made"] or ""),
        str(told["why"] or ""),
        size_text(told["size_bytes"]),
        what,
        str(told["verified"] or "never"),
    ]


def plan_text(plan: RestorePlan, *, overwrite: bool) -> str:
    """Return what a restore would do: which files, volumes and images, and what stands against it."""
    manifest = plan.archive.manifest
    lines = [f"backup {manifest.id} of {manifest.made:%Y-%m-%d %H:%M:%S} UTC, {manifest.why}:"]
    lines += [_file_line(f) for f in plan.files]
    lines += [_volume_line(v) for v in plan.volumes]
    lines += [_image_line(i) for i in plan.images]
    lines += [f"warning: {warning}" for warning in manifest.warnings]
    lines += [f"note: {note}" for note in plan.notes]
    lines += [f"refused: {blocker}" for blocker in plan.blockers(overwrite=overwrite)]
    return "\n".join(lines)


def _file_line(act: FileAct) -> str:
    told = [act.change] if act.change else []
    told += ["changed since the backup"] if act.newer else []
    return f"{act.act:>8}  {act.target}" + (f"  ({'; '.join(told)})" if told else "")


def _volume_line(act: VolumeAct) -> str:
    size = size_text(act.saved.stored.content_bytes)
    if act.act is Act.SAME:
        return f"{act.act:>8}  volume {act.target}  (filled by the restore that was cut short)"
    what = (
        "half filled by a restore that was cut short" if act.half else "what it holds now goes" if act.full else "empty"
    )
    return f"{act.act:>8}  volume {act.target}  ({size}{'; ' + what if act.act is Act.WRITE else ''})"


def _image_line(act: ImageAct) -> str:
    word = "same" if act.act is Act.SAME else "load"
    return f"{word:>8}  image {act.reference}"


def verdict_text(verdict: Verdict) -> str:
    """Return what reading a backup back found."""
    if verdict.good:
        closed = "" if verdict.contents else "; encrypted, not opened: --identity FILE"
        return f"good: {verdict.archive.id}, {verdict.members} members of volumes and images{closed}"
    return "\n".join([f"BAD: {verdict.archive.id}", *(f"  | {p}" for p in verdict.problems)])


def restored_text(restored: Restored) -> str:
    """Return what a restore did."""
    plan = restored.plan
    if plan.nothing_to_do:
        return f"everything of backup {plan.archive.id} is there already; nothing was written"
    lines = [plan_text(plan, overwrite=True)]
    lines += [f"what was overwritten is in backup {rescue}: cutover restore {rescue}" for rescue in restored.rescues]
    in_place = any(f.act is not Act.SAME for f in plan.files)
    return "\n".join([*lines, "restored" + ("; have Compose see it: docker compose up -d" if in_place else "")])
