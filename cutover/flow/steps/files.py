"""The files: saved first, rewritten late, put back byte for byte."""

from __future__ import annotations

from cutover.backup import files as backup
from cutover.errors import NeedsHandsError, RefusedError
from cutover.files import private_folder, read_state, replace_if_unchanged, write_atomic
from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.steps.base import Passive, Prior


class BackUp(Passive):
    """Saves the project's files, and lays the edited ones ready."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Copy every compose file and `.env`; write the candidates."""
        del step, prior
        paths = [*ctx.stack.source.files, ctx.stack.source.folder / ".env"]
        backup.save([p for p in dict.fromkeys(paths) if p.is_file()], ctx.backup_folder)
        private_folder(ctx.candidate_folder)
        for number, edit in enumerate(ctx.plan.edits):
            write_atomic(ctx.candidate_folder / f"{number:02}-{edit.path.name}", edit.after, mode=0o600)

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
    from dataclasses import replace  # noqa: PLC0415

    places = {e.path: ctx.candidate_folder / f"{n:02}-{e.path.name}" for n, e in enumerate(ctx.plan.edits)}
    return replace(ctx, stack=ctx.stack.with_files(places))


def see_files_ours(ctx: Context) -> None:
    """See that every edited file is as cutover left it, or already as it was before.

    Raises:
        RefusedError: somebody edited one since.

    """
    for edit in ctx.plan.edits:
        found = read_state(edit.path)[1].sha256 if edit.path.exists() else None
        if found not in {edit.after_sha256, edit.before_sha256, None}:
            wrong = _foreign(ctx, edit.path.name, str(ctx.backup_folder))
            raise RefusedError(wrong.reference, wrong.message, evidence=wrong.evidence, hint=wrong.hint)


def restore_files(ctx: Context) -> None:
    """Put every edited file back, unless somebody else has changed it since.

    Raises:
        NeedsHandsError: a file has neither the old bytes nor ours; it is left alone.

    """
    saved = {s.path: s for s in backup.load(ctx.backup_folder)}
    for edit in ctx.plan.edits:
        if edit.path not in saved:
            continue
        found = read_state(edit.path)[1].sha256 if edit.path.exists() else None
        if found == edit.after_sha256 or found is None or found == edit.before_sha256:
            backup.restore(saved[edit.path])
        else:
            raise _foreign(ctx, edit.path.name, str(saved[edit.path].copy))


def _foreign(ctx: Context, name: str, copy: str) -> NeedsHandsError:
    ports = ", ".join(str(m.binding.host_port) for m in ctx.plan.moves)
    return NeedsHandsError(
        "file-changed",
        f"{name} was edited after cutover wrote it, so it was left alone; it still gives {ports} to {ctx.plan.blue}.",
        evidence=[f"the file as it was before the swap: {copy}"],
        hint=f"move `ports:` back to {ctx.plan.green} by hand, then: cutover recover",
    )
