"""Suites against real servers: order, saved values, retries, what is skipped, what is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq

from cutover.config import Errors, Suite, paths
from cutover.errors import UsageError
from cutover.events import Progress
from cutover.validate.judge import Judge
from cutover.validate.smoke import check_suites, run_suite
from cutover.validate.talk import Address, Line


class Told:
    """An observer that remembers, and a clock that does not wait."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.slept: list[float] = []

    def tell(self, event: Any) -> None:
        """Remember."""
        self.events.append(event)

    def sleep(self, seconds: float) -> None:
        """Remember."""
        self.slept.append(seconds)

    def monotonic(self) -> float:
        """Stand still."""
        return 0.0


@pytest.fixture
def manager(zmq_server, http_server):
    """Give a line to a small manager: health_check, load_model, generate_text, sing; health over HTTP."""
    asked: list[dict[str, Any]] = []

    def answer(frames: list[bytes]) -> list[bytes]:
        request = json.loads(frames[-1])
        asked.append(request)
        params = request.get("params", {})
        match request["method"]:
            case "health_check":
                reply = {"status": "ok"}
            case "load_model":
                reply = {"status": "ok", "result": {"model": "chars-4", "size": 7}}
            case "generate_text" if params.get("model") == "chars-4":
                reply = {"status": "ok", "result": {"text": "x" * params["size"]}}
            case "third_time":
                tries = sum(a["method"] == "third_time" for a in asked)
                reply = {"status": "ok" if tries >= 3 else "loading"}
            case method:
                reply = {"status": "error", "error": {"code": "unknown_method", "message": method}}
        return [json.dumps(reply).encode()]

    ports = {5570: zmq_server(zmq.REP, answer), 6570: http_server(lambda *_: (200, {}, b'{"status": "ok"}'))}
    with Line({legacy: Address("127.0.0.1", port) for legacy, port in ports.items()}) as line:
        line.asked = asked
        yield line


def run(line: Line, *steps: dict[str, Any], told: Told | None = None, **said: Any):
    """Run a suite."""
    suite = Suite.model_validate({"to": "zmq://:5570", "timeout_s": 5, "steps": steps, **said})
    told = told or Told()
    return run_suite("s", suite, line, Judge(Errors()), "blue", told, clock=told)


def ask(method: str, **params: Any) -> dict[str, Any]:
    """Return a request."""
    return {"method": method, "params": params}


LOAD = {"request": ask("load_model"), "save": {"model": "$.result.model", "size": "$.result.size"}}


def test_the_sequence_of_the_original(manager):
    """health_check, load_model, generate_text with what was loaded, then health over HTTP."""
    told = Told()
    verdict = run(
        manager,
        {"request": ask("health_check"), "expect": {"json": {"status": "ok"}}},
        LOAD,
        {
            "request": ask("generate_text", model="${model}", size="${size}"),
            "expect": {"matches": {"$.result.text": "^x{7}$"}},
        },
        {"to": "http://:6570/health", "expect": {"json": {"status": "ok"}}},
        told=told,
    )
    assert verdict.passed, verdict.errors
    assert [c.name for c in verdict.checks] == ["health_check", "load_model", "generate_text", "GET /health"]
    assert (verdict.verb, verdict.name, verdict.subject) == ("smoke", "s", "blue")
    assert {k: verdict.figures[k] for k in ("steps", "failed", "skipped")} == {"steps": 4, "failed": 0, "skipped": 0}
    assert [e for e in told.events if isinstance(e, Progress)] == [Progress("s on blue", n, 4, 0) for n in range(5)]
    assert manager.asked[-1]["params"] == {"model": "chars-4", "size": 7}


def test_what_needs_a_failed_step_is_skipped_and_the_rest_goes_on(manager):
    """Through a chain as well; the figures and the progress count it."""
    told = Told()
    verdict = run(
        manager,
        {"name": "load", "request": ask("sing"), "save": {"model": "$.result.model"}},
        {"name": "use", "request": ask("generate_text", model="${model}"), "save": {"text": "$.result.text"}},
        {"name": "reuse", "request": "${text}"},
        {"name": "other", "request": ask("health_check")},
        told=told,
    )
    assert [(c.name, c.passed, c.skipped) for c in verdict.checks] == [
        ("load", False, ""),
        ("use", True, "needs ${model} of load"),
        ("reuse", True, "needs ${text} of use"),
        ("other", True, ""),
    ]
    [finding] = verdict.errors
    assert (finding.code, finding.message) == ("error-reply", "step 1 (load): an error: unknown_method")
    assert told.events[-1] == Progress("s on blue", 4, 4, 1)
    assert [a["method"] for a in manager.asked] == ["sing", "health_check"]


def test_a_later_step_may_save_what_an_earlier_one_could_not(manager):
    """What is saved again is not lost any more."""
    verdict = run(
        manager,
        {"request": ask("sing"), "save": {"model": "$.result.model"}},
        {"request": ask("load_model"), "save": {"model": "$.result.model"}},
        {"request": ask("generate_text", model="${model}", size=1)},
    )
    assert [(c.passed, c.skipped) for c in verdict.checks] == [(False, ""), (True, ""), (True, "")]


def test_nothing_there_to_save(manager):
    """It fails the step, and names path and name."""
    [finding] = run(manager, {"request": ask("load_model"), "save": {"m": "$.nope"}}).errors
    assert (finding.code, finding.message) == (
        "nothing-to-save",
        "step 1 (load_model): $.nope: nothing there to save as `m`",
    )


def test_retries(manager):
    """A step is asked again until it is as expected, and says how often."""
    told = Told()
    step = {"request": ask("third_time"), "expect": {"json": {"status": "ok"}}, "retry": {"times": 5, "every_s": 7}}
    [check] = run(manager, step, told=told).checks
    assert check.passed
    assert check.detail.endswith("asked 3 times")
    assert told.slept == [7, 7]


def test_retries_that_do_not_help(manager):
    """The last answer is told."""
    told = Told()
    step = {"request": ask("sing"), "retry": 2}
    [check] = run(manager, step, told=told).checks
    assert [f.code for f in check.findings] == ["error-reply"]
    assert told.slept == [0.5, 0.5]
    assert len(manager.asked) == 3


def test_a_service_that_is_gone(closed_port):
    """It is told who was asked."""
    with Line({5570: Address("127.0.0.1", closed_port)}) as line:
        [finding] = run(line, {"request": ask("health_check")}).errors
    assert (finding.code, finding.message) == (
        "no-answer",
        "step 1 (health_check): no answer, refused: refused",
    )
    assert finding.evidence == (f"asked zmq://127.0.0.1:{closed_port}",)


def test_what_makes_no_sense_with_what_was_saved(manager):
    """A number where raw wants a text: a finding, not an end."""
    verdict = run(manager, LOAD, {"request": "${size}", "codec": "raw"}, {"request": ask("health_check")})
    assert [f.code for f in verdict.errors] == ["unsendable-request"]
    assert verdict.checks[2].passed


def test_the_second_of_two_suites_that_cannot_be_run(manager):
    """It is found before the first is asked."""
    suites = {
        "one": Suite.model_validate({"to": "zmq://:5570", "steps": [{"request": ask("health_check")}]}),
        "two": Suite.model_validate({"to": "zmq://:5571", "steps": [{"name": "other", "request": 1}]}),
    }
    with pytest.raises(UsageError, match=r"suite two, step 1 \(other\): Port 5571 leads nowhere here\."):
        check_suites(suites, manager)
    assert manager.asked == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"to": "tcp://:7000"}, "suite s, step 2 (step 2): Port 7000 leads nowhere here."),
        (
            {"request": {"a": b"x"}},
            (
                "suite s, step 2 (step 2): A question to zmq://:5570: its request cannot be sent: it cannot be written"
                " as JSON: Object of type bytes is not JSON serializable."
            ),
        ),
    ],
)
def test_a_suite_that_cannot_be_run(manager, step, told):
    """It is refused before anything was asked."""
    with pytest.raises(UsageError) as caught:
        run(manager, {"request": ask("health_check")}, step)
    assert caught.value.message == told
    assert manager.asked == []


def test_a_suite_that_was_not_read_from_its_file(manager):
    """It has no steps, and that is no success."""
    with pytest.raises(UsageError, match="has no steps"):
        run_suite("s", Suite(file="x.yaml"), manager, Judge(Errors()), "blue", Told())


def test_a_regular_expression_that_never_ends(manager, monkeypatch):
    """It is told by its name, and the other steps go on."""
    monkeypatch.setattr(paths, "PATTERN_S", 0.1)
    long = {"request": ask("generate_text", model="chars-4", size=9000)}
    verdict = run(
        manager,
        {**long, "expect": {"matches": {"$.result.text": "(x+x+)+y"}}},
        {**long, "expect": {"text": "(x+x+)+y"}},
        {**long, "expect": {"matches": {"$.result.text": "^x+$"}}},
    )
    assert [[f.code for f in check.findings] for check in verdict.checks] == [["pattern-too-slow"]] * 2 + [[]]
    assert "/(x+x+)+y/ had no result within 0.1 s" in verdict.checks[0].findings[0].message
