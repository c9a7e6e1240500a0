"""The swap itself: observe, plan, prove the plan, run."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.config import Strategy
from cutover.engine.successor import see_successor, volume_findings, would_do
from cutover.errors import RefusedError
from cutover.flow.backup_writers import let_go, note_of
from cutover.flow.edge_choice import edge_plan
from cutover.flow.edge_observed import with_edge
from cutover.flow.edits import edits_of, prove_candidates
from cutover.flow.journal import Journal
from cutover.flow.lock import locked
from cutover.flow.observed import ObservedState, observe
from cutover.flow.plan import Plan, rounded
from cutover.flow.planner import moves_of, plan_swap
from cutover.flow.preflight import check, see_writable
from cutover.flow.proof import complaints
from cutover.flow.request import SwapRequest, swap_request
from cutover.flow.runner import Outcome, Runner
from cutover.flow.runs import Result, Run, Runs, is_canary
from cutover.flow.session import Session
from cutover.flow.signals import interruptible
from cutover.flow.strategy import chosen
from cutover.model import Colour
from cutover.probes import ProbeSpec


@dataclass(frozen=True)
class SwapReport:
    """What `swap` and its kin hand to whoever shows it."""

    run: Run | None
    plan: Plan
    outcome: Outcome
    way_back: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the one object that `--json` prints."""
        plan, outcome = self.plan, self.outcome
        return {
            "run": self.run.id if self.run else None,
            "result": str(outcome.result),
            "strategy": str(plan.strategy),
            "green": plan.green,
            "blue": plan.blue,
            "images": list(plan.images) if plan.images else None,
            "ports": [m.binding.host_port for m in plan.moves],
            "steps": [s.as_dict() for s in outcome.steps],
            "stall_predicted_s": rounded(plan.stall_predicted_s),
            "stall_measured_s": rounded(outcome.stall_measured_s),
            "warnings": outcome.warnings,
            "error": outcome.error.as_dict() if outcome.error else None,
            "rollback_command": self.way_back if outcome.result is Result.DONE else None,
            "rollback_script": str(self.script) if self.script else None,
        }

    @property
    def script(self) -> Path | None:
        """Return the way back without cutover, for a run that is done or needs hands."""
        wanted = self.run is not None and self.outcome.result in {Result.DONE, Result.NEEDS_HANDS}
        return self.run.script if self.run is not None and wanted else None


def swap(session: Session) -> SwapReport:
    """Replace green by blue; go back by itself when anything is wrong.

    Raises:
        UsageError, RefusedError, EngineError: nothing was changed.

    """
    request = swap_request(session.options, session.settings)
    project = session.name_project()
    runs = Runs(session.folder, project)
    with interruptible(), locked(runs.state, project, session.clock):
        let_go(session.daemon, note_of(runs), session.observer_note)
        plan = make_plan(session, request)
        run = runs.new(session.clock)
        ctx = session.context(plan, run, about(plan, request.probes))
        ctx.suites, ctx.errors = session.suites(request.suites), session.settings.errors
        if plan.why:
            ctx.note(f"by {plan.strategy}: {plan.why}")
        for warning in plan.warnings:
            ctx.warn(warning)
        outcome = Runner(ctx, Journal(run.folder, session.clock), session.source_header()).run()
        return SwapReport(run, plan, outcome, session.spoken(f"rollback {run.id}"))


def make_plan(session: Session, request: SwapRequest) -> Plan:
    """Observe, decide, and have Compose judge the edited files; changes nothing.

    Raises:
        UsageError, RefusedError, EngineError: as the reasons are.

    """
    _see_no_canary(session)
    session.suites(request.suites)  # a suite that does not hold is told before anything else is looked at
    state = observe(session.daemon, session.stack, (request.green, request.blue), request.image)
    session.name_project(state.project)
    state = with_edge(state, session.daemon, session.settings.edge)
    check(state, request)
    request, why = chosen(state, request)
    moves = moves_of(state, request)
    edge = edge_plan(session, state, request, moves) if request.strategy is Strategy.EDGE else None
    edited = edits_of(state, request, moves, edge)
    see_writable(state, edited.files)
    plan = plan_swap(state, request, moves, edited, edge=edge, why=why)
    with tempfile.TemporaryDirectory(prefix="cutover-") as folder:
        prove_candidates(state, session.stack, edited, Path(folder))
    return asked(session, _with_roll(session, state, plan, request), request)


def _with_roll(session: Session, state: ObservedState, plan: Plan, request: SwapRequest) -> Plan:
    """Return the plan with what is to be known of a second container of the same service.

    Raises:
        RefusedError: there can be no second one beside the first.

    """
    if not request.rolls:
        return plan
    old, alone = state.of_service(request.green), plan.one_at_a_time
    found = [*see_successor(state.model, request.green, old, alone=alone)]
    found += [] if alone else volume_findings(session.daemon, old[0])
    told = [f"{f.message} ({f.cure})" if f.cure else f.message for f in found]
    if not plan.edits and not would_do(session.stack, request.green):
        told.append(f"the files ask for nothing else than what runs: {request.green} is made anew, as it is")
    return replace(plan, warnings=(*plan.warnings, *told))


def _see_no_canary(session: Session) -> None:
    done = [r for r in session.runs().all() if r.outcome == Result.DONE]
    if done and is_canary(done[-1]):
        raise RefusedError(
            "canary-runs",
            f"A canary runs (run {done[-1].id}).",
            hint=f"cutover promote, or cutover rollback {done[-1].id}",
        )


def asked(session: Session, plan: Plan, request: SwapRequest) -> Plan:
    """Return the plan that knows which probes green itself does not satisfy."""
    ctx = session.context(plan, Run(session.folder), about(plan, request.probes))
    wrong = complaints(ctx)
    told = [
        f"{plan.called(Colour.GREEN)} itself fails {probe} ({detail}): "
        f"if {plan.called(Colour.BLUE)} should too, mend the probe; "
        "the way back does not ask it"
        for probe, detail in wrong.items()
    ]
    return replace(plan, warnings=(*plan.warnings, *told), green_fails=tuple(wrong))


def about(plan: Plan, probes: tuple[ProbeSpec, ...]) -> tuple[ProbeSpec, ...]:
    """Return the probes that ask for a port that moves, or for an address of their own."""
    ports = {m.binding.host_port for m in plan.moves}
    return tuple(p for p in probes if p.host or p.port in ports)
