"""The ways back and the way to close a swap: `rollback`, `recover`, `commit`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cutover.errors import NeedsHandsError, RefusedError, UsageError
from cutover.flow.backup import pruned_after
from cutover.flow.backup_images import see_old_image
from cutover.flow.backup_writers import let_go, note_of
from cutover.flow.context import Context
from cutover.flow.debris import clear_debris
from cutover.flow.edge_record import load
from cutover.flow.edge_status import edge_if_any
from cutover.flow.journal import Journal, Kind, Record
from cutover.flow.lock import locked
from cutover.flow.plan import Plan, Step, StepKind
from cutover.flow.proof import alive
from cutover.flow.request import probes_of
from cutover.flow.runner import Outcome, Runner
from cutover.flow.runs import Result, Run, Runs, is_canary
from cutover.flow.session import Session
from cutover.flow.signals import interruptible
from cutover.flow.steps.base import Prior
from cutover.flow.steps.files import see_files_ours
from cutover.flow.steps.rolled import see_old_can_return
from cutover.flow.swap import SwapReport, about
from cutover.model import Colour
from cutover.probes import ProbeSpec, parse

COMMIT_STEP = "c01"
PROMOTION = "p"
"""How the IDs of steps begin that change a canary's share."""


def rollback(session: Session, run_id: str | None = None) -> SwapReport:
    """Give the ports of a finished swap back to green, which is started again from the backup where it is gone.

    Raises:
        UsageError: there is no such run.
        RefusedError: there is nothing to roll back, a later swap stands on it, the files were edited since, or green's
            image is gone.

    """
    runs = session.runs()
    with locked(runs.state, runs.folder.name, session.clock):
        run = _to_roll_back(runs, run_id)
        let_go(session.daemon, note_of(runs), session.observer_note)
        ctx, journal = reopen(session, run)
        see_files_ours(ctx)
        see_old_image(ctx)
        see_old_can_return(ctx)
        _see_edge_answers(session, ctx)
        return _report(run, ctx, Runner(ctx, journal).go_back(list(intents_of(run))))


def _see_edge_answers(session: Session, ctx: Context) -> None:
    """See that the edge can be told to go back, before anything is undone.

    One that is stopped is started on the way, and green has its own ports back where the run adopted them.

    Raises:
        RefusedError: it is gone, or runs and does not answer.

    """
    found = edge_if_any(session) if ctx.plan.edge is not None and not ctx.plan.edge.adopt else None
    if found is not None and found.error is not None and all(c.running for c in found.containers):
        error = found.error
        raise RefusedError(error.reference, error.message, evidence=error.evidence, hint=error.hint)


def recover(session: Session) -> list[SwapReport]:
    """Bring every run that was cut short to an end: forward where only its record was missing, else back to green.

    A standing edge is seen right first: it has to be told to go back. Where a run that made it was cut short, it is
    taken away, or stands when that run is done. Before all, whoever a backup paused or stopped goes on, and half a
    backup and half a file are removed.
    """
    runs = session.runs()
    with locked(runs.state, runs.folder.name, session.clock):
        clear_debris(session, runs)
        let_go(session.daemon, note_of(runs), session.observer_note)
        for half in pruned_after(runs, None, session.observer_note).incomplete:
            session.observer_note(f"half a backup is removed: {half}")
        unfinished = runs.unfinished()
        if not any((run.header.get("edge") or {}).get("adopt") for run in unfinished):
            _settle_edge(session, runs)
        reports = [_recover(session, run) for run in reversed(unfinished)]
        if all(r.outcome.result is not Result.NEEDS_HANDS for r in reports):
            _settle_edge(session, runs)
        return reports


def _settle_edge(session: Session, runs: Runs) -> None:
    """Clear away what an upgrade of the edge left that was cut short, and see that the edge holds its ports."""
    record = load(runs.state, runs.folder.name)
    if record is None:
        return
    from cutover.flow.edge_settle import settle  # noqa: PLC0415
    from cutover.flow.edge_upgrade import edge_context  # noqa: PLC0415

    ctx = edge_context(session, record)
    for line in settle(ctx):
        ctx.note(line)


def commit(session: Session, run_id: str | None = None, *, due: bool = False) -> SwapReport:
    """Close a finished swap: green's container is stopped and removed; `due`: only once `retain_s` is over.

    Raises:
        UsageError: there is no such run.
        RefusedError: there is no swap to commit.

    """
    runs = session.runs()
    with interruptible(), locked(runs.state, runs.folder.name, session.clock):
        run = _newest_done(runs, run_id, "commit")
        if run.result and run.result.get("committed"):
            raise RefusedError("already-committed", f"Run {run.id} is committed already.", hint="cutover status")
        if due:
            _see_due(session, run)
        if is_canary(run):
            raise RefusedError("canary-runs", "A canary runs; it is no swap yet.", hint="cutover promote, then commit")
        ctx, journal = reopen(session, run)
        wrong = alive(ctx, Colour.BLUE)
        if wrong:
            raise RefusedError(
                "blue-not-serving",
                f"{ctx.plan.blue} does not serve, so {ctx.plan.green} is not given up: {wrong}",
                hint=f"docker compose logs {ctx.plan.blue}; cutover rollback {run.id}",
            )
        outcome = Runner(ctx, journal).do_more(commit_step(ctx.plan))
        return _report(run, ctx, outcome)


def _see_due(session: Session, run: Run) -> None:
    """See that green was kept for as long as `retain_s` says, counted from the end of the swap."""
    retain_s = session.settings.retain_s
    ended = max((datetime.fromisoformat(r.at) for r in run.records if r.kind is Kind.RESULT), default=None)
    if retain_s is None or ended is None:
        raise RefusedError("no-retention", "Nothing says how long green is kept.", hint="retain_s: in cutover.yaml")
    left = retain_s - (session.clock.now() - ended).total_seconds()
    if left > 0:
        raise RefusedError("not-due", f"Green of run {run.id} is kept for another {left:.0f} s.", hint="cutover status")


def commit_step(plan: Plan) -> Step:
    """Return the step that closes a swap."""
    return Step(COMMIT_STEP, StepKind.RETIRE_GREEN, plan.green, "committed: its container is removed")


def _to_roll_back(runs: Runs, run_id: str | None) -> Run:
    run = _newest_done(runs, run_id, "roll back")
    later = [r for r in runs.all() if r.id > run.id and r.outcome == Result.DONE]
    if later:
        raise RefusedError(
            "later-run",
            f"Run {later[-1].id} came after {run.id} and stands on it.",
            hint=f"cutover rollback {later[-1].id}",
        )
    return run


def _newest_done(runs: Runs, run_id: str | None, verb: str) -> Run:
    unfinished = runs.unfinished()
    if unfinished:
        raise RefusedError(
            "unfinished-run", f"Run {unfinished[-1].id} was cut short and comes first.", hint="cutover recover"
        )
    if run_id is not None:
        run = runs.get(run_id)
        if run.outcome != Result.DONE:
            raise RefusedError(
                "not-done", f"Run {run.id} ended as {run.outcome}; there is nothing to {verb}.", hint="cutover history"
            )
        return run
    done = [r for r in runs.all() if r.outcome == Result.DONE]
    if not done:
        raise RefusedError(
            "nothing-done", f"No swap of this project is done, so there is nothing to {verb}.", hint="cutover history"
        )
    return done[-1]


def _recover(session: Session, run: Run) -> SwapReport:
    if not run.damaged and not run.header:
        return _never_began(session, run)
    ctx, journal = reopen(session, run)
    runner = Runner(ctx, journal)
    if _was_closing(run) and alive(ctx, Colour.BLUE) is None:
        return _report(run, ctx, runner.do_more(commit_step(ctx.plan)))
    if _all_done(run, ctx) and not _was_promoting(run):
        journal.write(Kind.RESULT, result=str(Result.DONE), committed=ctx.plan.commit)
        return _report(run, ctx, Outcome(Result.DONE, []))
    return _report(run, ctx, runner.go_back(list(intents_of(run))))


def _never_began(session: Session, run: Run) -> SwapReport:
    """Close a run whose folder was made and nothing else."""
    Journal(run.folder, session.clock).write(Kind.RESULT, result=str(Result.INTERRUPTED))
    nothing = Plan.from_header(
        {
            "project": session.name_project(),
            "green": "",
            "blue": "",
            "strategy": "relink",
            "moves": [],
            "steps": [],
            "edits": [],
            "ready_timeout_s": 0.0,
            "commit": False,
        }
    )
    return SwapReport(run, nothing, Outcome(Result.INTERRUPTED, []))


def _was_closing(run: Run) -> bool:
    """Say whether the crash came in a `commit` of a swap that was done."""
    last = _since_end(run)
    return bool(last) and last[0].kind is Kind.INTENT and last[0].step == COMMIT_STEP and not _going_back(last)


def _was_promoting(run: Run) -> bool:
    """Say whether the crash came while the share of a canary was changed: how far it got, nobody knows."""
    return any(r.kind is Kind.INTENT and r.step.startswith(PROMOTION) for r in _since_end(run))


def _all_done(run: Run, ctx: Context) -> bool:
    done = {r.step for r in run.records if r.kind is Kind.DONE}
    return all(s.id in done for s in ctx.plan.steps) and not _going_back(run.records)


def _going_back(records: tuple[Record, ...]) -> bool:
    return any(r.kind in {Kind.UNDO, Kind.FAILED} for r in records)


def _since_end(run: Run) -> tuple[Record, ...]:
    ends = [r.seq for r in run.records if r.kind is Kind.RESULT]
    return tuple(r for r in run.records if not ends or r.seq > ends[-1])


def intents_of(run: Run) -> Iterator[tuple[Step, Prior]]:
    """Yield what was begun and not wholly undone since the last end of the run."""
    undone = {r.step for r in _since_end(run) if r.kind is Kind.UNDONE}
    causes = {step: (resource, cause) for step, _, resource, cause in run.header.get("steps", ())}
    for record in run.records:
        if record.kind is Kind.INTENT and record.step not in undone:
            resource, cause = causes.get(record.step, (record.data["resource"], ""))
            yield Step(record.step, StepKind(record.data["kind"]), resource, cause), record.data["prior"]


def plan_in(run: Run) -> Plan:
    """Return the plan that a run's journal begins with.

    Raises:
        NeedsHandsError: it has none.

    """
    if not run.header:
        raise NeedsHandsError(
            "journal-without-plan",
            f"The journal of run {run.id} does not say what it set out to do.",
            hint=f"look at {run.folder}: files/ holds the files as they were",
        )
    return Plan.from_header(run.header)


def reopen(session: Session, run: Run) -> tuple[Context, Journal]:
    """Return what the steps of a run share, read as the run read it, and its journal to be written on.

    Raises:
        NeedsHandsError: its journal is damaged.

    """
    if run.damaged:
        list(run.records)  # raises what is wrong with it
    plan = plan_in(run)
    session.read_as(run.header.get("source", {}))
    ctx = session.context(plan, run, _probes(session, run, plan))
    return ctx, Journal(run.folder, session.clock)


def _probes(session: Session, run: Run, plan: Plan) -> tuple[ProbeSpec, ...]:
    """Return the probes that are configured now for the run's ports, else those that the run was started with."""
    try:
        configured = about(plan, probes_of(session.options, session.settings))
    except UsageError:
        configured = ()
    return configured or tuple(parse(text) for text in run.header.get("probes", ()))


def _report(run: Run, ctx: Context, outcome: Outcome) -> SwapReport:
    return SwapReport(run, ctx.plan, outcome, f"cutover rollback {run.id}")
