"""The files: saved first, rewritten late, put back byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cutover.backup import files as backup
from cutover.errors import EditRefusedError, RefusedError
from cutover.files import private_folder, read_state, replace_if_unchanged, write_atomic
from cutover.flow.backup_swap import make_for_swap
from cutover.flow.context import Context
from cutover.flow.edits import moved_back
from cutover.flow.plan import FileEdit, Step
from cutover.flow.rollback_script.leave import leave_script
from cutover.flow.steps.base import Passive, Prior


class BackUp(Passive):
    """Saves the project's files, and lays the edited ones ready."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Copy every compose file and `.env`; write the candidates; make a backup of the whole project."""
        del step, prior
        source = ctx.stack.source
        paths = [*source.files, *source.env_files, source.folder / ".env"]
        backup.save([p for p in dict.fromkeys(paths) if p.is_file()], ctx.backup_folder)
        private_folder(ctx.candidate_folder)
        for edit, place in _candidate_places(ctx).items():
            write_atomic(place, edit.after, mode=0o600)
        leave_script(ctx)
        make_for_swap(ctx)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every file to be edited has a good copy."""
        del step, prior
        saved = {s.path for s in backup.load(ctx.backup_folder)}
        return all(e.path in saved for e in ctx.plan.edits)


class EditFiles(Passive):
    """Moves the ports in the user's files."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Put the candidates in place, each only over the bytes that were read.

        Raises:
            FileChangedError: somebody edited a file meanwhile.

        """
        del step, prior
        for edit in ctx.plan.edits:
            replace_if_unchanged(edit.path, edit.after, expected_sha256=edit.before_sha256)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every file has the new bytes."""
        del step, prior
        return all(read_state(e.path)[1].sha256 == e.after_sha256 for e in ctx.plan.edits)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Put the files back as they were."""
        del step, prior
        restore_files(ctx)


def candidates(ctx: Context) -> Context:
    """Return the same run with Compose reading the edited files before they are in place."""
    places = {edit.path: place for edit, place in _candidate_places(ctx).items()}
    return replace(ctx, stack=ctx.stack.with_files(places))


def _candidate_places(ctx: Context) -> dict[FileEdit, Path]:
    return {e: ctx.candidate_folder / f"{n:02}-{e.path.name}" for n, e in enumerate(ctx.plan.edits)}


def restore_files(ctx: Context) -> None:
    """Put every edited file back; where somebody else has changed one since, move only the ports back in it.

    Raises:
        EditRefusedError: that cannot be done safely; the file is left alone.

    """
    if _edited_by_others(ctx):
        _move_back(ctx)
        return
    ours = {e.path for e in ctx.plan.edits}
    for saved in backup.load(ctx.backup_folder):
        if saved.path in ours:
            backup.restore(saved)


def see_files_ours(ctx: Context) -> None:
    """See that the files can be put back, or at least have the ports moved back in them; changes nothing.

    Raises:
        RefusedError: neither is possible.

    """
    if _edited_by_others(ctx):
        _back_edits(ctx)


def _edited_by_others(ctx: Context) -> list[FileEdit]:
    return [e for e in ctx.plan.edits if _found(e.path) not in {e.after_sha256, e.before_sha256, None}]


def _found(path: Path) -> str | None:
    return read_state(path)[1].sha256 if path.exists() else None


def _move_back(ctx: Context) -> None:
    for edit in _back_edits(ctx):
        replace_if_unchanged(edit.path, edit.after, expected_sha256=edit.before_sha256)
        ctx.warn(
            f"{edit.path.name} was edited since the swap: what the swap changed was taken back, the rest left alone"
        )


def _back_edits(ctx: Context) -> tuple[FileEdit, ...]:
    try:
        return moved_back(ctx.plan, ctx.stack.source.files, ctx.stack.environment())
    except EditRefusedError as error:
        if error.reference == "port-not-declared":  # moved back by hand already
            return ()
        name = _edited_by_others(ctx)[0].path.name
        raise RefusedError(
            "file-changed",
            f"{name} was edited since the swap, and what the swap changed cannot be taken back: {error.message}",
            evidence=[f"the file as it was before the swap is kept in {ctx.backup_folder}"],
            hint=f"give {ctx.plan.green} back by hand what it had in the kept file, then again"
            if ctx.plan.rolls is not None
            else f"move `ports:` back to {ctx.plan.green} by hand, then again",
        ) from error
