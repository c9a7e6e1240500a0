"""The backup that every swap takes of the whole project, before it changes anything."""

from __future__ import annotations

from cutover.flow.backup import pruned_after
from cutover.flow.backup_look import GIT_LIMIT_IN_SWAP_S, Subject
from cutover.flow.backup_make import Making, Wanted, make
from cutover.flow.backup_seal import sealing
from cutover.flow.backup_writers import note_of
from cutover.flow.context import Context
from cutover.flow.runs import BACKUPS, Runs


def make_for_swap(ctx: Context) -> None:
    """Make a backup under the run's own ID, with the volumes and images that `cutover.yaml` asks for; then prune.

    What git cannot tell is a warning in the backup.

    Raises:
        CutoverError, OSError: what it must have cannot be saved; the run goes back, with nothing changed.

    """
    runs = Runs(ctx.state.parent, ctx.plan.project)
    settings = ctx.settings.backup
    wanted = Wanted(
        why=f"swap {ctx.folder.name}",
        volumes=settings.volumes,
        images=settings.images,
        seal=sealing(settings.encrypt),
    )
    folder = runs.folder / BACKUPS / ctx.folder.name
    subject = Subject(ctx.plan.project, ctx.stack, ctx.settings, ctx.daemon, GIT_LIMIT_IN_SWAP_S)
    made = make(subject, wanted, Making(folder, note_of(runs), ctx.clock, ctx.observer))
    for warning in made.manifest.warnings:
        ctx.note(f"backup: {warning}")
    pruned_after(runs, settings.keep, ctx.note, made.id)
