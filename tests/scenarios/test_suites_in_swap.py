"""A swap runs the configured suites before and after the move, and goes back when one fails."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.engine
SUITE = """\
suites:
  work:
    to: zmq://:{zmq}
    steps:
      - name: double
        request: {{method: double, number: 21}}
        expect: {{json: {{result: 42}}}}
        save: {{answer: $.result}}
      - name: double again
        request: {{method: double, number: "${{answer}}"}}
        expect: {{paths: {{$.result: 84}}}}
      - name: health
        to: http://:{http}/
        expect: {{json: {{status: ok}}, status: 200}}
"""


@pytest.fixture
def suited(rig):
    """Give a project whose cutover.yaml has a suite."""
    settings = rig.folder / "cutover.yaml"
    settings.write_text(settings.read_text() + SUITE.format(zmq=rig.zmq, http=rig.http))
    return rig


def kinds(told):
    """Return the steps of a swap with their states."""
    return {step["kind"]: step["state"] for step in told.json["steps"]}


def test_a_blue_that_works_takes_over(suited):
    """Its suites ran inside, while green served, and outside, as clients ask."""
    told = suited.swap()
    assert told.code == 0, told
    assert kinds(told)["smoke-inside"] == kinds(told)["smoke-outside"] == "done"
    assert suited.answers() == "new"
    assert "suite work inside: 3 steps passed" in told.err
    assert "suite work through the legacy ports: 3 steps passed" in told.err


def test_a_blue_that_answers_and_does_not_work_is_turned_back_before_green_is_touched(suited):
    """The probes are content with it; the suite is not, and says what it expected."""
    suited.env["NEW_FAIL"] = "lazy"
    before, started = suited.state(), suited.container("old")["State"]["StartedAt"]
    told = suited.swap()
    assert told.code == 3, told
    error = told.json["error"]
    assert error["reference"] == "suite-failed"
    assert "inside" in error["message"]
    assert "42" in error["message"]
    assert "21" in error["message"]
    assert kinds(told)["prove-inside"] == "undone"
    assert kinds(told)["relink"] == "pending"
    assert suited.state() == before
    assert suited.container("old")["State"]["StartedAt"] == started
    assert suited.answers() == "old"
    assert suited.leftovers() == []


def test_a_blue_that_fails_after_the_move_is_turned_back(suited):
    """It worked inside; through the legacy ports it does not any more."""
    suited.env["NEW_FAIL"] = "tired"
    settings = suited.folder / "cutover.yaml"
    once = settings.read_text()
    again, health = once.index("      - name: double again"), once.index("      - name: health")
    settings.write_text(once[:again] + once[health:])
    before = suited.state()
    told = suited.swap()
    assert told.code == 3, told
    assert told.json["error"]["reference"] == "suite-failed"
    assert "through the legacy ports" in told.json["error"]["message"]
    assert kinds(told)["relink"] == "undone"
    assert suited.state() == before
    suited.wait_answer("old")
    assert suited.leftovers() == []


def test_recreate_runs_them_once_after_the_move(suited):
    """There is no moment before in which the ports are not silent."""
    told = suited.swap("--strategy", "recreate")
    assert told.code == 0, told
    assert "smoke-inside" not in kinds(told)
    assert kinds(told)["smoke-outside"] == "done"


def test_no_suites_where_none_is_wanted(suited):
    """`--no-suites`."""
    suited.env["NEW_FAIL"] = "lazy"
    told = suited.swap("--no-suites")
    assert told.code == 0, told
    assert not [kind for kind in kinds(told) if kind.startswith("smoke")]


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        (
            ("expect: {json: {result", "expct: {json: {result"),
            "unknown key `suites.work.steps.0.expct`; did you mean `expect`?",
        ),
        (("to: zmq://:", "too: zmq://:"), "did you mean `to`?"),
    ],
)
def test_a_suite_with_a_typo_is_a_usage_error(suited, change, told_of):
    """Before anything is looked at; file, line and what was meant."""
    settings = suited.folder / "cutover.yaml"
    settings.write_text(settings.read_text().replace(*change))
    line = next(n for n, text in enumerate(settings.read_text().splitlines(), 1) if change[1] in text)
    told = suited.cutover("swap")
    assert told.code == 2, told
    assert f"cutover.yaml:{line}:" in told.err
    assert told_of in told.err
    assert suited.answers() == "old"
