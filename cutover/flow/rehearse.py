"""A rehearsal: blue runs beside green, and is asked whether it works, answers as green does, and lacks nothing.

    override -> up -> smoke -> parity -> surface -> down

Every part is done even where an earlier one found something, so that all that is wrong is named at once; only a blue
that never became ready, or died, has nothing more to say. Nothing of the test stack stays, unless it is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cutover.config import Case, Suite
from cutover.errors import CutoverError
from cutover.events import Note, StepEvent, StepState
from cutover.flow.colours import addresses
from cutover.flow.explain import Explainer
from cutover.flow.override import Derived, OverrideRequest, derive, write
from cutover.flow.request import probes_of
from cutover.flow.session import Session
from cutover.flow.signals import interruptible
from cutover.flow.teststack import TRIES, NotReadyError, TestStack, UpRequest, down, up
from cutover.flow.teststack_start import PortGoneError
from cutover.model import Colour, Finding, Severity
from cutover.validate.judge import Judge
from cutover.validate.parity import load_cases, run_parity
from cutover.validate.results import Check, Verdict, error, finding_dict, warning
from cutover.validate.smoke import run_suite
from cutover.validate.surface import run_surface
from cutover.validate.talk import Line

LOG_LINES = 12
QUESTIONS = {"smoke", "parity", "surface"}
RANKS = {"crashed": 0, "gave-up": 2, "gate-equal": 2}
"""What explains the others is told first; what only sums them up comes last."""


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that is wrong with blue: `where` names the part and the check, `times` how many checks found it."""

    where: str
    finding: Finding
    times: int = 1

    @property
    def told(self) -> Finding:
        """Return the finding with where it was found, and how often."""
        more = f" (and {self.times - 1} more like it)" if self.times > 1 else ""
        return replace(self.finding, message=f"{self.where}: {self.finding.message}{more}")

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {"where": self.where, "times": self.times, **finding_dict(self.finding)}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a rehearsal ended: a verdict for each part, and the seconds that it took in all."""

    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Say whether nothing was wrong."""
        return all(v.passed for v in self.verdicts)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """Return what was wrong, each kind of thing in one place once; what is true of the whole comes last."""
        found: dict[tuple[str, ...], Defect] = {}
        for verdict in self.verdicts:
            for where, finding in _placed(verdict):
                key = (verdict.verb, finding.code, finding.message.partition(":")[0])
                seen = found.get(key)
                found[key] = replace(seen, times=seen.times + 1) if seen else Defect(where, finding)
        return tuple(sorted(found.values(), key=lambda d: RANKS.get(d.finding.code, 1)))

    def as_dict(self) -> dict[str, Any]:
        """Return the one object that `--json` prints."""
        return {
            "result": "green" if self.passed else "red",
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "defects": [d.as_dict() for d in self.defects],
            "verdicts": [v.as_dict() for v in self.verdicts],
        }


@dataclass
class Stage:
    """What the parts of one rehearsal share, and what they have said so far."""

    session: Session
    derived: Derived
    verdicts: list[Verdict] = field(default_factory=list)
    stack: TestStack | None = None
    dead: str = ""


def rehearse(
    session: Session, request: OverrideRequest, *, force: bool = False, keep: bool = False, run_jobs: bool = False
) -> Rehearsal:
    """Try blue beside green, and say all that is wrong with it.

    Raises:
        UsageError, RefusedError, EngineError: nothing was started: there is nothing to try, or it cannot be tried.

    """
    began = session.clock.monotonic()
    probes_of(session.options, session.settings)
    suites = session.suites(session.settings.suites)
    cases = load_cases(session.settings.parity, session.settings_path.parent)
    addresses(session, Colour.GREEN)  # without green there is nothing to compare with
    with interruptible(), derive(session, request) as derived:
        stage = Stage(session, derived)
        _part(stage, "override", "", lambda: _written(stage, force=force))
        try:
            _part(stage, "up", "", lambda: _up(stage, request, UpRequest(run_jobs=run_jobs)))
            if not suites:
                _part(stage, "smoke", "", lambda: None)
            for name, suite in suites.items():
                _part(stage, "smoke", name, partial(_smoke, stage, name, suite))
            _part(stage, "parity", "", lambda: _parity(stage, cases))
            _part(stage, "surface", "", lambda: _surface(stage))
        finally:
            if not keep:
                stage.dead = ""
                _part(stage, "down", "", lambda: _down(stage))
    return Rehearsal(proven(stage.verdicts), session.clock.monotonic() - began)


def proven(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts; where none of the three questions was asked, with one that says so and is no pass."""
    asked = [v for v in verdicts if v.verb in QUESTIONS and not (v.checks and all(c.skipped for c in v.checks))]
    if asked or not all(v.passed for v in verdicts):
        return tuple(verdicts)
    finding = error(
        "nothing-proven",
        "Blue became ready and was asked nothing: that it answers does not make it a successor.",
        cure="write `suites:`, `parity:` or `surface:` in cutover.yaml; cutover init --print shows how",
    )
    return (*verdicts, Verdict("rehearse", "", "blue", findings=(finding,)))


def _written(stage: Stage, *, force: bool) -> Verdict:
    derived = stage.derived
    write(derived, force=force)
    warnings = tuple(warning("left-alone", text) for text in derived.override.warnings)
    return Verdict("override", "", derived.override.service, (Check(str(derived.path), findings=warnings),))


def _up(stage: Stage, wanted: OverrideRequest, request: UpRequest) -> Verdict:
    stack = stage.stack = _started(stage, wanted, request)
    ports = ", ".join(f"{port} at {address}" for port, address in sorted(stack.ports.items()))
    return Verdict("up", "", stack.service, (Check("ready", stack.seconds, stack.findings, ports),))


def _started(stage: Stage, wanted: OverrideRequest, request: UpRequest) -> TestStack:
    """Start the test stack; where somebody takes a port that cutover chose just now, choose others."""
    for _ in range(TRIES - 1):
        try:
            return up(stage.session, stage.derived, request)
        except PortGoneError as gone:
            if wanted.maps:
                raise
            stage.session.observer.tell(Note(f"{gone.message} Other ports are chosen."))
            stage.derived = derive(stage.session, wanted)
            write(stage.derived)
    return up(stage.session, stage.derived, request)


def _explainer(session: Session) -> Explainer:
    return Explainer(session.daemon, session.clock, session.name_project())


def _smoke(stage: Stage, name: str, suite: Suite) -> Verdict:
    settings = stage.session.settings
    with Line(_test(stage).ports, _explainer(stage.session)) as line:
        return run_suite(name, suite, line, Judge(settings.errors), _test(stage).service, stage.session.observer)


def _parity(stage: Stage, cases: Sequence[Case]) -> Verdict | None:
    session = stage.session
    if not cases:
        return None
    green, blue = addresses(session, Colour.GREEN), _test(stage).ports
    settings, explain = session.settings, _explainer(session)
    return run_parity(cases, green, blue, settings.parity, settings.errors, session.observer, explain=explain)


def _surface(stage: Stage) -> Verdict | None:
    session = stage.session
    surface, folder = session.settings.surface, session.settings_path.parent
    if not surface.model_fields_set:
        return None
    green, blue = addresses(session, Colour.GREEN), _test(stage).ports
    return run_surface(surface, folder, green, blue, session.settings.errors, session.observer)


def _down(stage: Stage) -> Verdict:
    removed = down(stage.session, stage.derived.override.service)
    told = ", ".join(removed) or "gone already"
    return Verdict("down", "", stage.derived.override.service, (Check("removed", detail=told),))


def _test(stage: Stage) -> TestStack:
    assert stage.stack is not None
    return stage.stack


def _placed(verdict: Verdict) -> Iterator[tuple[str, Finding]]:
    """Yield a verdict's errors with where they were found: what checks found, then what is true of the whole."""
    part = " ".join(filter(None, [verdict.verb, verdict.name]))
    of_checks = ((f"{part}, {c.name}", f) for c in verdict.checks for f in c.findings)
    for where, finding in (*of_checks, *((part, f) for f in verdict.findings)):
        if finding.severity is Severity.ERROR:
            yield where, finding


# -- a part ----------------------------------------------------------------------------------------------------------


def _part(stage: Stage, verb: str, name: str, act: Callable[[], Verdict | None]) -> None:
    """Do one part and keep its verdict; what it raises is a finding, and a blue that died says no more."""
    if stage.dead:
        stage.verdicts.append(_skipped(verb, name, stage.dead))
        return
    clock, tell = stage.session.clock, stage.session.observer.tell
    title = f"{verb} {name}".strip()
    tell(StepEvent(verb, verb, StepState.RUNNING, title))
    began = clock.monotonic()
    verdict = _said(stage, verb, name, act)
    state = StepState.DONE if verdict.passed else StepState.FAILED
    stage.verdicts.append(verdict)
    tell(StepEvent(verb, verb, state, title, clock.monotonic() - began))


def _said(stage: Stage, verb: str, name: str, act: Callable[[], Verdict | None]) -> Verdict:
    subject = stage.derived.override.service
    try:
        verdict = act() or _skipped(verb, name, f"nothing of it is in {stage.session.settings_path.name}")
    except CutoverError as problem:
        if verb == "up":
            stage.dead = f"{subject} never became ready"
        verdict = Verdict(verb, name, subject, findings=findings_of(problem))
    died = _died(stage, verb)
    return verdict if died is None else replace(verdict, findings=(died, *verdict.findings))


def _skipped(verb: str, name: str, why: str) -> Verdict:
    return Verdict(verb, name, "", (Check(name or verb, skipped=why),))


def findings_of(problem: CutoverError) -> tuple[Finding, ...]:
    """Return an error as findings: the doctor's own first, where it carries some."""
    found = problem.findings if isinstance(problem, NotReadyError) else ()
    return (*found, error(problem.reference, problem.message, *problem.evidence, cure=problem.hint))


def _died(stage: Stage, verb: str) -> Finding | None:
    """Return how the test stack's container came to its end while it was asked, None where it lives."""
    if stage.stack is None or verb == "down":
        return None
    daemon, stack = stage.session.daemon, stage.stack
    now = daemon.container(stack.container)
    if now is not None and now.running and now.restart_count == 0:
        return None
    end = "was removed" if now is None else f"exited with code {now.exit_code}"
    stage.dead = f"{stack.service} {end} during {verb}"
    return error(
        "crashed",
        f"{stage.dead}.",
        *(f"log: {line}" for line in daemon.logs(stack.container, tail=LOG_LINES)),
        cure=stage.session.spoken("up") + "; then ask it step by step: cutover smoke --on test",
    )
