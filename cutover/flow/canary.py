"""Canary: a share of the requests goes to blue; it is promoted in steps, or rolled back."""

from __future__ import annotations

from dataclasses import replace

from cutover.config import Strategy
from cutover.errors import RefusedError
from cutover.flow.back import PROMOTION, intents_of, reopen
from cutover.flow.edge import face_of
from cutover.flow.journal import Kind
from cutover.flow.lock import locked
from cutover.flow.plan import Plan, Step, StepKind
from cutover.flow.runner import Runner
from cutover.flow.runs import Result, Run, Runs, is_canary
from cutover.flow.session import Session
from cutover.flow.signals import interruptible
from cutover.flow.swap import SwapReport, swap


def canary(session: Session, percent: float) -> SwapReport:
    """Send a share of the requests to blue: begin a canary, or change the share of the one that runs.

    Raises:
        UsageError, RefusedError, EngineError: nothing was changed.

    """
    runs = session.runs()
    run = running_canary(runs)
    if run is None:
        options = replace(session.options, share_percent=percent, strategy=session.options.strategy or Strategy.EDGE)
        session.options = options
        return swap(session)
    share = (StepKind.SHARE_EDGE, f"{percent:g} %", "as asked")
    return _go_on(session, runs, run, [share])


def promote(session: Session, *, by_steps: bool) -> SwapReport:
    """Send blue every request; by steps: each larger share is watched first, and a gate that fails turns all back.

    Raises:
        RefusedError: no canary runs.

    """
    runs = session.runs()
    run = running_canary(runs)
    if run is None:
        raise RefusedError("no-canary", "No canary runs in this project.", hint="cutover canary 5")
    parts = []
    if by_steps:
        ctx, _ = reopen(session, run)
        now = max((s.share_percent for s in face_of(ctx).stats().values()), default=0.0)
        shares = [s for s in session.settings.canary.steps if now <= s < 100]  # noqa: PLR2004  (per cent)
        for share in shares:
            parts.append((StepKind.SHARE_EDGE, f"{share:g} %", "the next step of canary.steps"))
            parts.append((StepKind.WATCH_CANARY, f"{share:g} %", f"for {session.settings.canary.every_s:g} s"))
    return _go_on(session, runs, run, [*parts, *_whole(Plan.from_header(run.header), session)])


def _whole(plan: Plan, session: Session) -> list[tuple[StepKind, str, str]]:
    ports = ", ".join(str(m.binding.host_port) for m in plan.moves)
    parts = [
        (StepKind.SWITCH_EDGE, ports, "promoted: every new request"),
        (StepKind.PROVE_OUTSIDE, plan.blue, "through the legacy ports; the edge says who answers"),
    ]
    suites = [name for name, suite in session.settings.suites.items() if suite.swap]
    if suites:
        parts.append((StepKind.SMOKE_OUTSIDE, ", ".join(suites), "as clients ask; a failure turns it back"))
    if session.settings.observe_s > 0:
        parts.append((StepKind.WATCH, plan.blue, f"for {session.settings.observe_s:g} s"))
    if plan.commit:
        parts.append((StepKind.RETIRE_GREEN, plan.green, "its old container is removed"))
    return parts


def _go_on(session: Session, runs: Runs, run: Run, parts: list[tuple[StepKind, str, str]]) -> SwapReport:
    with interruptible(), locked(runs.state, runs.folder.name, session.clock):
        still = running_canary(runs)
        if still is None or still.id != run.id:
            raise RefusedError("no-canary", "The canary has ended meanwhile.", hint="cutover status")
        ctx, journal = reopen(session, run)
        names = [name for name, suite in session.settings.suites.items() if suite.swap]
        ctx.suites, ctx.errors = session.suites(names), session.settings.errors
        ctx.plan = replace(ctx.plan, observe_s=session.settings.observe_s)
        first = sum(r.kind is Kind.INTENT for r in run.records) + 1
        steps = tuple(Step(f"{PROMOTION}{n:02}", *part) for n, part in enumerate(parts, start=first))
        outcome = Runner(ctx, journal).go_on(list(intents_of(run)), steps)
        return SwapReport(run, ctx.plan, outcome, session.spoken(f"rollback {run.id}"))


def running_canary(runs: Runs) -> Run | None:
    """Return the run whose canary is on: the newest one that is done, if it shares and was never switched."""
    done = [r for r in runs.all() if r.outcome == Result.DONE]
    return done[-1] if done and is_canary(done[-1]) else None
