"""What a rehearsal makes of its verdicts."""

from __future__ import annotations

from cutover.flow.rehearse import Rehearsal, proven
from cutover.model import Finding
from cutover.validate.results import Check, Verdict, error, warning

READY = Verdict("up", "", "new_test", (Check("ready"),))
OFF = "$.score: off by 0.001"


def skipped(verb: str) -> Verdict:
    """Return the verdict of a part that nobody wrote anything for."""
    return Verdict(verb, "", "", (Check(verb, skipped="nothing of it is in cutover.yaml"),))


def parity(*checks: Check, findings: tuple[Finding, ...] = ()) -> Verdict:
    """Return a verdict of parity."""
    return Verdict("parity", "", "blue", checks, findings=findings)


def codes(*verdicts: Verdict) -> list[str]:
    """Return what is wrong, in the order in which it is told."""
    return [f"{d.finding.code} x{d.times}" for d in Rehearsal(verdicts, 1.0).defects]


def test_a_blue_that_was_asked_nothing_is_not_proven() -> None:
    """Readiness alone makes no successor: a blue that answers every request with an error is ready, too."""
    told = proven([READY, *map(skipped, ("smoke", "parity", "surface"))])
    assert not Rehearsal(told, 1.0).passed
    assert [f.code for f in told[-1].errors] == ["nothing-proven"]


def test_one_of_the_three_questions_is_enough() -> None:
    """It is said which were not asked."""
    verdicts = [READY, skipped("smoke"), parity(Check("list_models")), skipped("surface")]
    assert proven(verdicts) == tuple(verdicts)
    assert Rehearsal(proven(verdicts), 1.0).passed


def test_a_rehearsal_that_failed_says_why_and_no_more() -> None:
    """Nothing was asked because blue never became ready."""
    verdicts = [Verdict("up", "", "new_test", findings=(error("exited", "It exited."),)), skipped("smoke")]
    assert proven(verdicts) == tuple(verdicts)


def test_the_same_defect_is_told_once() -> None:
    """With how often it was found; another place is another defect."""
    checks = [Check(f"case {n}", findings=(error("number-differs", f"{OFF} in {n}"),)) for n in range(52)]
    other = Check("case x", findings=(error("number-differs", "$.other: off by 1"),))
    assert codes(parity(*checks, other)) == ["number-differs x52", "number-differs x1"]
    told = Rehearsal((parity(*checks),), 1.0).defects[0].told
    assert told.message == "parity, case 0: $.score: off by 0.001 in 0 (and 51 more like it)"


def test_the_cause_comes_first_and_what_sums_up_last() -> None:
    """A gate says how many; a crash says why."""
    found = parity(
        Check("a", findings=(error("no-answer", "$: blue did not answer"),)),
        findings=(error("gate-equal", "0 % are equal"), error("crashed", "It exited with code 1.")),
    )
    assert codes(found) == ["crashed x1", "no-answer x1", "gate-equal x1"]


def test_warnings_are_no_defects() -> None:
    """They are shown with their part."""
    assert codes(parity(Check("a", findings=(warning("headers", "another header"),)))) == []


def test_as_data() -> None:
    """One object, with all of it."""
    shown = Rehearsal(
        (READY, parity(Check("a", findings=(error("order-differs", "$.l: reordered"),)))), 1.23456
    ).as_dict()
    assert (shown["result"], shown["passed"], shown["seconds"]) == ("red", False, 1.235)
    assert [(d["where"], d["code"], d["times"]) for d in shown["defects"]] == [("parity, a", "order-differs", 1)]
    assert [v["verb"] for v in shown["verdicts"]] == ["up", "parity"]
