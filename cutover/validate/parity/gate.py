"""What must hold for parity to pass, and the verdict that comes of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cutover.config import Gate, Parity
from cutover.model import Finding, Severity
from cutover.validate.parity.accuracy import regressed, regression
from cutover.validate.parity.cures import rule_for
from cutover.validate.parity.latency import slower
from cutover.validate.parity.replies import GREEN_FAILED, NOT_JUDGED, STACK_TRACE
from cutover.validate.parity.tally import Group, Tally
from cutover.validate.results import Check, Verdict, error, warning

Baseline = Mapping[str, Any]
_NEVER_TOLERATED = frozenset({GREEN_FAILED, NOT_JUDGED, STACK_TRACE})
_LOOK_AT_IT = "ask for it by hand and look; the case may ask for less, or `codec:` may be another"
_MEND_IT = "blue catches it, logs it, and answers with an error that says what the client did wrong"


def verdict_of(tally: Tally, parity: Parity, figures: dict[str, Any], baseline: Baseline | None) -> Verdict:
    """Return what a run has shown; `figures` are those that the tally does not know."""
    latency = {colour: kept.figures() for colour, kept in tally.latency.items()}
    accuracy = _accuracy(tally, baseline)
    whole = {
        **figures,
        "equal": tally.equal,
        "different": tally.different,
        "unjudged": tally.unjudged,
        "share_equal": _share(tally),
        "latency": latency,
        "accuracy": accuracy,
        "differences": [_group_dict(g) for g in _sorted(tally)],
        "gate": parity.gate.model_dump(mode="json", exclude={"tolerance"}),
    }
    enough = _enough(tally, parity.gate)
    findings = tuple(_findings(tally, parity.gate, latency, accuracy, whole.get("baseline_of_other_cases", False)))
    checks = (tally.checks[number] for number in sorted(tally.checks))
    return Verdict("parity", "", "blue", tuple(_tolerated(c) if enough else c for c in checks), whole, findings)


def _findings(
    tally: Tally, gate: Gate, latency: dict[str, Any], accuracy: dict[str, Any] | None, other_cases: bool
) -> Iterator[Finding]:
    yield from _not_to_be_tolerated(tally)
    if tally.gave_up:
        cure = "is it still up? cutover status; docker logs shows why it stopped"
        yield error("gave-up", f"{tally.gave_up}: the cases that were left were not asked", cure=cure)
    if tally.different and not _enough(tally, gate):
        yield error(
            "gate-equal",
            f"{_percent(_share(tally))} of the answers are equal, the gate asks for {_percent(gate.equal)}",
            f"{tally.equal} equal, {tally.different} different",
            cure=_cure(tally),
        )
    late = slower(latency["green"], latency["blue"], gate)
    if late:
        yield late
    if accuracy:
        named = "the baseline" if "baseline" in accuracy else "green"
        reference = accuracy.get("baseline") or accuracy["green"]
        yield from tally.measured.findings(reference, named)
        lost = regressed(reference, accuracy["blue"], gate, named)
        if lost:
            yield lost
    if other_cases:
        message = "the baseline was measured with other cases than these: the accuracies are hardly comparable"
        yield warning("baseline-of-other-cases", message, cure="cutover parity --save-baseline FILE")


def _not_to_be_tolerated(tally: Tally) -> Iterator[Finding]:
    """Yield what fails however many answers may differ: nothing to compare with, and stack traces shown to clients."""
    failed, unread = tally.failed[GREEN_FAILED], tally.failed[NOT_JUDGED]
    if failed:
        message = f"green did not answer {failed} of {tally.done} cases: there was nothing to compare blue with"
        cure = "is green up? cutover smoke --on green"
        yield error(GREEN_FAILED, message, *_first(tally, GREEN_FAILED), cure=cure)
    if unread:
        message = f"in {unread} of {tally.done} cases neither reply could be read: whether they are equal is not known"
        yield error(NOT_JUDGED, message, *_first(tally, NOT_JUDGED), cure=_LOOK_AT_IT)
    if tally.leaked:
        message = f"blue shows its clients a stack trace in {tally.leaked} of {tally.done} cases, green does not"
        yield error(STACK_TRACE, message, *_first(tally, STACK_TRACE), cure=_MEND_IT)


def _first(tally: Tally, code: str) -> Iterator[str]:
    names = next((g.names for g in tally.groups.values() if g.code == code), None)
    if names:
        yield f"first: {', '.join(names)}"


def _cure(tally: Tally) -> str:
    """Name the one rule that would do where all differences are at one path: services that tell who they are."""
    wrong = [g for g in tally.groups.values() if g.severity is Severity.ERROR and g.code not in _NEVER_TOLERATED]
    if len({g.path for g in wrong}) == 1 and tally.different > 1 and wrong[0].path != "$":
        rule = rule_for(wrong[0].first)
        return f"every difference is at {wrong[0].path}; if it is meant to be so, under `parity: rules:`  {rule}"
    return "mend blue, or say under `parity: rules:` what may differ: the findings name the rules"


def _tolerated(check: Check) -> Check:
    """Turn errors into warnings: the gate lets this many differ."""
    if check.passed:
        return check
    return replace(
        check,
        findings=tuple(
            f
            if f.severity is not Severity.ERROR or f.code in _NEVER_TOLERATED
            else replace(f, severity=Severity.WARNING)
            for f in check.findings
        ),
    )


def _accuracy(tally: Tally, baseline: Baseline | None) -> dict[str, Any] | None:
    green, blue = (tally.accuracy[colour].figures() for colour in ("green", "blue"))
    if not blue["n"]:
        return None
    stored = {"baseline": dict(baseline["accuracy"])} if baseline else {}
    reference = stored.get("baseline") or green
    return {"green": green, "blue": blue, **stored, "regression": regression(reference, blue)}


def _enough(tally: Tally, gate: Gate) -> bool:
    return bool(tally.judged) and tally.equal >= gate.equal * tally.judged


def _share(tally: Tally) -> float | None:
    return round(tally.equal / tally.judged, 6) if tally.judged else None


def _percent(share: float | None) -> str:
    """Return a share without rounding it up to 100 %."""
    if share is None:
        return "none"
    return f"{share:.2%}" if share in {0, 1} or 0.0001 <= share <= 0.9999 else f"{share:.4%}"  # noqa: PLR2004


def _sorted(tally: Tally) -> list[Group]:
    """Return the groups, errors first, those in the most cases first."""
    return sorted(tally.groups.values(), key=lambda g: (g.severity is not Severity.ERROR, -g.cases))


def _group_dict(group: Group) -> dict[str, Any]:
    return {
        "code": group.code,
        "path": group.path,
        "severity": str(group.severity),
        "cases": group.cases,
        "message": group.first.message,
        "diff": list(group.first.lines()),
        "cure": group.cure,
        "examples": group.names,
    }
