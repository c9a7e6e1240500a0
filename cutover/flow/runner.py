"""Runs a plan step by step, and goes back over every intent when one fails; what to do is not decided here."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cutover.errors import CutoverError, EngineGoneError, NeedsHandsError, StepError
from cutover.events import StepEvent, StepState
from cutover.flow.context import Context
from cutover.flow.edge import holding_edge, serve_again
from cutover.flow.journal import Journal, Kind
from cutover.flow.plan import Step, StepKind
from cutover.flow.proof import prove_outside
from cutover.flow.runs import Result
from cutover.flow.signals import Interrupted, deferred
from cutover.flow.steps import HANDLERS
from cutover.flow.steps.base import Prior, undoes_nothing
from cutover.flow.steps.rolled import tell_what_files_ask
from cutover.flow.steps.serve import have_green_run
from cutover.model import Colour
from cutover.probes import ProbeSpec

ENGINE_PATIENCE_S = 90.0
ENGINE_RETRY_S = 0.5


@dataclass
class StepReport:
    """What became of one step."""

    step: Step
    state: StepState = StepState.PENDING
    duration_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "id": self.step.id,
            "kind": str(self.step.kind),
            "resource": self.step.resource,
            "state": str(self.state),
            "duration_s": round(self.duration_s, 3),
        }


@dataclass
class Outcome:
    """How a run ended, with what each step did and why it failed if it did."""

    result: Result
    steps: list[StepReport]
    error: CutoverError | None = None
    stall_measured_s: float | None = None
    warnings: list[str] = field(default_factory=list)


class Runner:
    """Carries out one run; its journal knows everything that is needed to go back."""

    def __init__(self, ctx: Context, journal: Journal, source: Mapping[str, Any] | None = None) -> None:
        self._ctx = ctx
        self._source = dict(source or {})
        self._journal = journal
        self._reports = {s.id: StepReport(s) for s in ctx.plan.steps}
        self._intents: list[tuple[Step, Prior]] = []

    def run(self) -> Outcome:
        """Do every step; on any failure or interruption go back to green."""
        return self._attempt(self._ctx.plan.steps, self._write_plan)

    def go_on(self, intents: list[tuple[Step, Prior]], steps: tuple[Step, ...]) -> Outcome:
        """Do more steps of a run that is done (a canary that is promoted); on any failure go back over all of it."""
        self._intents = intents
        for step, _ in intents:
            self._reports.setdefault(step.id, StepReport(step)).state = StepState.DONE
        for step in steps:
            self._reports[step.id] = StepReport(step)
        return self._attempt(steps, lambda: None)

    def _write_plan(self) -> None:
        probes = journalled(self._ctx.probes)
        self._journal.write(Kind.PLAN, **self._ctx.plan.header(), probes=probes, source=self._source)

    def _attempt(self, steps: tuple[Step, ...], first: Callable[[], None]) -> Outcome:
        try:
            first()
            for step in steps:
                self._do(step)
            self._record_end(Result.DONE)
        except Interrupted as interruption:
            error = CutoverError("interrupted", f"Interrupted by {interruption.signal}; green has the ports back.")
            return self._turn_back(error, Result.INTERRUPTED)
        except CutoverError as error:
            return self._turn_back(error, Result.ROLLED_BACK)
        except OSError as error:
            return self._turn_back(_from_os(error), Result.ROLLED_BACK)
        except Exception as error:  # noqa: BLE001  (a defect of ours must not leave the ports half way)
            return self._turn_back(_from_defect(error), Result.ROLLED_BACK)
        return self._outcome(Result.DONE, None)

    def do_more(self, step: Step) -> Outcome:
        """Do one more step on a run that is done (`commit`); a failure leaves it to be done again."""
        self._reports[step.id] = StepReport(step)
        try:
            self._do(step)
            self._record_end(Result.DONE, committed=True)
        except CutoverError as error:
            return self._outcome(Result.NEEDS_HANDS, _needs_hands(error, None, "Closing the swap"))
        return self._outcome(Result.DONE, None)

    def go_back(self, intents: list[tuple[Step, Prior]], *, error: CutoverError | None = None) -> Outcome:
        """Walk back over the intents of an earlier process; what it left half done is undone too."""
        self._intents = intents
        for step, _ in intents:
            self._reports.setdefault(step.id, StepReport(step)).state = StepState.DONE
        return self._turn_back(error, Result.ROLLED_BACK)

    # -- forth -------------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        ctx, handler = self._ctx, HANDLERS[step.kind]
        report, began = self._reports[step.id], self._ctx.clock.monotonic()
        self._tell(report, StepState.RUNNING, began)
        try:
            prior = handler.observe(ctx, step)
            self._journal.write(Kind.INTENT, step.id, kind=str(step.kind), resource=step.resource, prior=dict(prior))
            self._intents.append((step, prior))
            handler.apply(ctx, step, prior)
            self._see_applied(step, prior)
            self._see_one_colour(step)
            self._journal.write(Kind.DONE, step.id, **ctx.facts)
            ctx.facts.clear()
        except BaseException:
            self._tell(report, StepState.FAILED, began)
            raise
        self._tell(report, StepState.DONE, began)

    def _see_applied(self, step: Step, prior: Prior) -> None:
        if not HANDLERS[step.kind].check(self._ctx, step, prior):
            raise StepError("not-applied", f"{step.title}: done, but the state of things does not show it.")

    def _see_one_colour(self, step: Step) -> None:
        """Hold the invariant: no legacy port is held by both colours, or by neither once the port is handed over."""
        ctx = self._ctx
        holders = [ctx.plan.called(c) for c in Colour for k in ctx.containers(c) if not ctx.frees_ports(k)]
        if ctx.plan.edge is not None and holding_edge(ctx) is not None:
            holders.append("the edge")
        may_be_silent = step.kind is StepKind.RECREATE
        if len(holders) > 1 or (not holders and not may_be_silent):
            found = " and ".join(holders) or "nobody"
            raise StepError(
                "not-one-colour",
                f"After {step.title} the legacy ports are held by {found}.",
                hint="docker compose ps -a",
            )

    # -- back --------------------------------------------------------------------------------------------------------

    def _turn_back(self, error: CutoverError | None, result: Result) -> Outcome:
        with deferred(lambda: self._ctx.note("going back to green; this cannot be interrupted, only watched")):
            self._try_write(Kind.FAILED, error=error.as_dict() if error else None)
            failure = self._undo_all()
            if failure is None and self._ctx.plan.rolls is not None:
                self._guarded(lambda: tell_what_files_ask(self._ctx))
            self._ctx.stall.stop()
            if failure is not None:
                error, result = _needs_hands(failure, error), Result.NEEDS_HANDS
            self._try_end(result)
            return self._outcome(result, error)

    def _undo_all(self) -> CutoverError | None:
        """Undo every intent, last first, then see that green answers; return the first failure."""
        failure: CutoverError | None = None
        for step, prior in reversed(self._intents):
            wrong = self._undo(step, prior)
            failure = failure or wrong
            if wrong is not None and step.kind is not StepKind.EDIT_FILES:
                return failure
        return failure or self._guarded(self._see_green_serve)

    def _see_green_serve(self) -> None:
        have_green_run(self._ctx)
        serve_again(self._ctx, Colour.GREEN)
        prove_outside(self._ctx, Colour.GREEN, timeout_s=30.0)

    def _undo(self, step: Step, prior: Prior) -> CutoverError | None:
        report, began = self._reports[step.id], self._ctx.clock.monotonic()
        self._try_write(Kind.UNDO, step.id)
        wrong = self._guarded(lambda: HANDLERS[step.kind].undo(self._ctx, step, prior))
        if wrong is None:
            self._try_write(Kind.UNDONE, step.id)
            self._tell(report, StepState.UNDONE, began, silently=undoes_nothing(HANDLERS[step.kind]))
        return wrong

    def _guarded(self, act: Callable[[], object]) -> CutoverError | None:
        """Do something on the way back; wait for an Engine that is gone, and return what went wrong."""
        clock = self._ctx.clock
        end = clock.monotonic() + ENGINE_PATIENCE_S
        told = False
        while True:
            try:
                act()
            except EngineGoneError as error:
                if clock.monotonic() >= end:
                    return error
                if not told:
                    self._ctx.note(f"no Docker Engine answers; waiting up to {ENGINE_PATIENCE_S:.0f} s for it")
                    told = True
                clock.sleep(ENGINE_RETRY_S)
            except CutoverError as error:
                return error
            except OSError as error:
                return _from_os(error)
            except Exception as error:  # noqa: BLE001  (as above)
                return _from_defect(error)
            else:
                return None

    # -- records -----------------------------------------------------------------------------------------------------

    def _record_end(self, result: Result, **data: Any) -> None:
        stall = self._ctx.stall.longest_s
        retired = any(
            r.step.kind is StepKind.RETIRE_GREEN and r.state is StepState.DONE for r in self._reports.values()
        )
        committed = data.pop("committed", retired and result is Result.DONE)
        self._journal.write(
            Kind.RESULT, result=str(result), stall_measured_s=stall, committed=committed, warnings=self._ctx.warnings
        )

    def _try_end(self, result: Result) -> None:
        try:
            self._record_end(result)
        except OSError as error:
            self._ctx.warn(f"the end of the run could not be journalled: {error}; `cutover recover` will look again")

    def _try_write(self, kind: Kind, step: str = "", /, **data: Any) -> None:
        """Journal on the way back as well as the disk allows: going back matters more than its record."""
        try:
            self._journal.write(kind, step, **data)
        except OSError as error:
            self._ctx.note(f"the journal cannot be written: {error}")

    def _tell(self, report: StepReport, state: StepState, began: float, *, silently: bool = False) -> None:
        report.state = state
        report.duration_s = self._ctx.clock.monotonic() - began
        step = report.step
        if silently:
            return
        self._ctx.observer.tell(StepEvent(step.id, str(step.kind), state, step.title, report.duration_s))

    def _outcome(self, result: Result, error: CutoverError | None) -> Outcome:
        ctx = self._ctx
        return Outcome(result, list(self._reports.values()), error, ctx.stall.longest_s, list(ctx.warnings))


def journalled(probes: tuple[ProbeSpec, ...]) -> list[str]:
    """Return the probes as text; one that carries a secret is kept as a mere connection to its port."""
    return [str(p) if str(p) == p.to_text() else f"tcp://:{p.port}" for p in probes]


def _from_os(error: OSError) -> StepError:
    where = f" ({error.filename})" if error.filename else ""
    return StepError(
        "disk",
        f"The disk refused a write{where}: {error.strerror or error}.",
        hint="df -h .; then start again",
    )


def _from_defect(error: Exception) -> StepError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return StepError(
        "defect",
        f"cutover itself failed: {type(error).__name__}: {error}",
        evidence=[f"{last.filename}:{last.lineno} in {last.name}"],
        hint="please report this with the evidence",
    )


def _needs_hands(failure: CutoverError, error: CutoverError | None, what: str = "Going back") -> NeedsHandsError:
    first = [f"what failed first: {error.message}", *error.evidence] if error else []
    return NeedsHandsError(
        failure.reference,
        f"{what} failed: {failure.message}",
        evidence=[*failure.evidence, *first],
        hint=failure.hint or "cutover recover",
    )
