"""Questions whose right answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.config import Case, Gate
from cutover.errors import UsageError
from cutover.validate.parity.accuracy import Accuracy, Score, regressed, regression, score, scored
from cutover.validate.parity.baseline import fingerprint, read_baseline, save_baseline
from cutover.validate.talk import Response, ResponseKind


def case(expected: Any, **more: Any) -> Case:
    """Return a case with a right answer."""
    return Case(to="zmq://:1", expected=expected, **more)


def said(value: Any) -> Response:
    """Return an answer."""
    return Response(ResponseKind.ANSWER, value)


GATE = Gate.model_validate({"answer": "$.text", "tolerance": {"abs": 0.01, "rel": 0.1}})


@pytest.mark.parametrize(
    ("expected", "answer", "exact", "correct"),
    [
        ("Paris", "Paris", True, True),
        ("The capital is Paris.", "The capital is Paris", False, True),
        ("Paris", "London", False, False),
        (4, 4.0, True, True),
        (4, 4.4, False, True),
        (4, 4.41, False, False),
        (4, "4.1", False, True),
        (4, "four", False, False),
        (1, True, False, False),
        (0, 0.01, False, True),
        (["a"], ["a"], True, True),
        (["a"], ["b"], False, False),
        (None, None, True, True),
    ],
)
def test_an_answer_is_exact_or_near_enough_to_be_correct(
    expected: Any, answer: Any, exact: bool, correct: bool
) -> None:
    """Texts by similarity, numbers by tolerance, all else exactly."""
    given = score(case(expected), said({"text": answer}), GATE)
    assert (given.exact, given.correct) == (exact, correct)
    assert (given.similarity == 1) is exact


def test_an_answer_that_is_not_there_scores_nothing() -> None:
    """Neither does one that did not come; a case may say where its answer stands."""
    assert score(case("x"), said({"output": "x"}), GATE) == Score()
    assert score(case("x"), Response(ResponseKind.TIMEOUT), GATE) == Score()
    assert score(case("x", answer="$.output"), said({"output": "x"}), GATE).exact
    assert score(case("x"), said("x"), Gate()).exact


def test_only_cases_that_say_what_is_expected_are_scored() -> None:
    """Null may be expected."""
    assert scored(case(None))
    assert not scored(Case(to="zmq://:1"))


def summed(*scores: Score) -> dict[str, Any]:
    """Return the figures of scores."""
    accuracy = Accuracy()
    for each in scores:
        accuracy.add(each)
    return accuracy.figures()


RIGHT, WRONG = Score(exact=True, similarity=1.0, correct=True), Score(similarity=0.25)


@pytest.mark.parametrize(("wrong", "fails"), [(5, False), (6, True)])
def test_a_regression_of_five_percent_is_allowed_and_not_more(wrong: int, fails: bool) -> None:
    """Of 100 blind prompts, as a share of what green gets right."""
    green, blue = summed(*[RIGHT] * 100), summed(*[WRONG] * wrong, *[RIGHT] * (100 - wrong))
    assert blue["similarity"] == pytest.approx(1 - 0.75 * wrong / 100)
    finding = regressed(green, blue, Gate())
    assert bool(finding) is fails
    if finding:
        assert finding.code == "accuracy-regression"
        assert "94.0% correct, green 100.0%: 6.0% less, the gate allows 5.0%" in finding.message


def test_a_regression_is_a_share_of_greens_accuracy() -> None:
    """Half of a half is half; where green gets nothing right, nothing is lost."""
    half, quarter = summed(RIGHT, WRONG), summed(RIGHT, WRONG, WRONG, WRONG)
    assert regression(half, quarter) == 0.5
    assert regression(quarter, half) == -1
    assert regression(summed(WRONG), half) == 0
    assert regression(summed(), half) is None


def test_a_baseline_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """With the cases that it was measured with."""
    cases = [case("x", request={"q": 1}), Case(to="zmq://:1")]
    save_baseline(tmp_path / "b.json", {"accuracy": {"green": summed(RIGHT, WRONG)}}, cases)
    baseline = read_baseline(tmp_path / "b.json")
    assert baseline["accuracy"] == summed(RIGHT, WRONG)
    assert baseline["cases"] == fingerprint(reversed(cases))
    assert baseline["cases"] != fingerprint([case("y", request={"q": 1})])


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"baseline": 1, "accuracy": {}}',
             '{"baseline": 2, "accuracy": {"exact": 1, "similarity": 1, "correct": 1}}',
             '{"baseline": 1, "accuracy": {"exact": 1, "similarity": 1, "correct": 7}}'],
)  # fmt: skip
def test_what_is_no_baseline_is_told(text: str, tmp_path: Path) -> None:
    """With its file."""
    file = tmp_path / "b.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"b\.json is no baseline"):
        read_baseline(file)


def test_a_baseline_that_would_hold_nothing_is_refused(tmp_path: Path) -> None:
    """And no file is written."""
    with pytest.raises(UsageError, match="no case says what is `expected`"):
        save_baseline(tmp_path / "b.json", {}, [Case(to="zmq://:1")])
    assert not (tmp_path / "b.json").exists()
