"""Asking both colours, against real services in this process."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from cutover.config import Errors, Parity
from cutover.errors import RefusedError, UsageError
from cutover.events import Event, Progress
from cutover.model import Severity
from cutover.validate.parity import load_cases, run_parity
from cutover.validate.parity.run import GIVE_UP, shuffled
from cutover.validate.results import Verdict
from cutover.validate.talk import Address
from tests.unit.validate.conftest import closed_port, http_server, over, zmq_server  # noqa: F401

PORT = 5570
Answer = Callable[[dict[str, Any]], dict[str, Any] | None]
Pair = Callable[[Answer, Answer], tuple[int, int]]


@pytest.fixture
def pair(zmq_server: Callable[..., int]) -> Pair:  # noqa: F811
    """Start two services that answer JSON as functions say."""

    def served(answer: Answer) -> int:
        def reply(frames: list[bytes]) -> list[bytes] | None:
            told = answer(json.loads(frames[-1]))
            return None if told is None else [json.dumps(told).encode()]

        return zmq_server(answer=reply)

    return lambda green, blue: (served(green), served(blue))


def ran(ports: tuple[int, int], *, baseline: Any = None, observer: Any = None, **said: Any) -> Verdict:
    """Ask both and return the verdict."""
    parity = Parity.model_validate({"to": f"zmq://:{PORT}", "timeout_s": 2, **said})
    green, blue = ({PORT: Address("127.0.0.1", port)} for port in ports)
    return run_parity(load_cases(parity, Path()), green, blue, parity, Errors(), observer, baseline=baseline)


def named(name: str) -> Answer:
    """Answer with a name, and what was asked for."""
    return lambda request: {"status": "ok", "service": name, "result": request}


def echo(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with what was asked for."""
    return {"status": "ok", "result": request}


def cases(number: int) -> list[dict[str, Any]]:
    """Return cases that all ask for something else."""
    return [{"request": {"method": "echo", "n": n}} for n in range(number)]


IGNORE = [{"path": "$.service", "rule": "ignore"}]


@pytest.mark.parametrize(("mode", "workers"), [("turn", 1), ("turn", 3), ("parallel", 1), ("parallel", 3)])
def test_equal_services_pass(pair: Pair, mode: str, workers: int) -> None:
    """In turn or at once, by one worker or several."""
    verdict = ran(pair(named("a"), named("b")), cases=cases(50), rules=IGNORE, mode=mode, workers=workers)
    assert verdict.passed
    assert (verdict.figures["equal"], verdict.figures["asked"], verdict.figures["share_equal"]) == (50, 50, 1)
    assert [c.name for c in verdict.checks[:3]] == ["echo", "echo #2", "echo #3"]
    assert {verdict.figures["latency"][colour]["n"] for colour in ("green", "blue")} == {50}


def test_services_that_name_themselves_are_told_the_rule(pair: Pair) -> None:
    """Where every difference is at one path."""
    verdict = ran(pair(named("a"), named("b")), cases=cases(3))
    assert not verdict.passed
    (gate,) = verdict.findings
    assert gate.code == "gate-equal"
    assert gate.cure is not None
    assert gate.cure.endswith("under `parity: rules:`  - {path: $.service, rule: ignore}")
    assert [(g["code"], g["path"], g["cases"]) for g in verdict.figures["differences"]] == [
        ("text-differs", "$.service", 3)
    ]


def bent(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one case of ten wrongly."""
    return {"status": "ok", "result": {**request, "n": request["n"] + (0.001 if request["n"] == 7 else 0)}}


def test_a_difference_is_named_with_its_case_and_path(pair: Pair) -> None:
    """And how far off it is."""
    verdict = ran(pair(echo, bent), cases=cases(10))
    (wrong,) = [c for c in verdict.checks if not c.passed]
    assert wrong.name == "echo #8"
    (finding,) = wrong.findings
    assert (finding.code, finding.message) == ("number-differs", "$.result.n: off by 0.001 (0.0143 %)")
    assert finding.evidence == ("- 7", "+ 7.001")
    assert verdict.findings[0].message == "90.00% of the answers are equal, the gate asks for 100.00%"


@pytest.mark.parametrize(("share", "passes"), [(0.9, True), (0.91, False)])
def test_the_gate_lets_as_many_differ_as_it_says(pair: Pair, share: float, passes: bool) -> None:
    """They are shown as warnings then."""
    verdict = ran(pair(echo, bent), cases=cases(10), gate={"equal": share})
    assert verdict.passed is passes
    severities = {f.severity for c in verdict.checks for f in c.findings}
    assert severities == {Severity.WARNING if passes else Severity.ERROR}


def test_a_slower_blue_is_named(pair: Pair, over: threading.Event) -> None:  # noqa: F811
    """With both figures; the answers are equal."""

    def slow(request: dict[str, Any]) -> dict[str, Any]:
        over.wait(0.05)
        return echo(request)

    verdict = ran(pair(echo, slow), cases=cases(5), gate={"p95_factor": 1, "p95_slack_s": 0.02})
    assert [f.code for f in verdict.findings] == ["slower"]
    assert verdict.figures["share_equal"] == 1
    assert not verdict.passed


def test_without_green_nothing_is_judged(pair: Pair, closed_port: int) -> None:  # noqa: F811
    """It is given up soon, and the rest is not asked."""
    verdict = ran((closed_port, pair(echo, echo)[1]), cases=cases(30))
    assert {f.code for f in verdict.findings} == {"green-failed", "gave-up"}
    assert verdict.figures["share_equal"] is None
    assert verdict.figures["unjudged"] == GIVE_UP
    assert sum(bool(c.skipped) for c in verdict.checks) == 30 - GIVE_UP
    assert len(verdict.checks) == 30


def test_a_blue_that_dies_is_named_even_where_the_gate_is_wide(pair: Pair, closed_port: int) -> None:  # noqa: F811
    """Silence is no answer."""
    verdict = ran((pair(echo, echo)[0], closed_port), cases=cases(30), gate={"equal": 0})
    assert [f.code for f in verdict.findings] == ["gave-up"]
    assert not verdict.passed


def test_the_seed_decides_the_order_and_the_report_is_in_the_order_of_the_cases(pair: Pair) -> None:
    """The same seed, the same order; each repetition is a case."""
    asked: dict[str, list[int]] = {"green": [], "blue": []}

    def noting(colour: str) -> Answer:
        return lambda request: asked[colour].append(request["n"]) or echo(request)  # type: ignore[func-returns-value]

    ports = pair(noting("green"), noting("blue"))
    orders = []
    for seed in (1, 1, 2):
        verdict = ran(ports, cases=[{**c, "repeat": 2} for c in cases(12)], seed=seed)
        assert [c.name for c in verdict.checks[:3]] == ["echo (1 of 2)", "echo (2 of 2)", "echo #2 (1 of 2)"]
        assert asked["green"] == asked["blue"]
        orders.append(list(asked["green"]))
        asked["green"].clear()
        asked["blue"].clear()
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted([*range(12), *range(12)])


def test_who_is_asked_first_alternates(pair: Pair) -> None:
    """Neither colour has the advantage."""
    first: list[str] = []

    def noting(colour: str) -> Answer:
        return lambda request: first.append(colour) or echo(request)  # type: ignore[func-returns-value]

    ran(pair(noting("green"), noting("blue")), cases=cases(4))
    assert first == ["green", "blue", "blue", "green"] * 2


def test_what_green_does_not_answer_twice_alike_is_not_blues_fault(pair: Pair) -> None:
    """A counter of green itself: the cure says so."""
    numbers = count()

    def counting(request: dict[str, Any]) -> dict[str, Any]:
        return {**echo(request), "served": next(numbers)}

    verdict = ran(pair(counting, lambda r: {**echo(r), "served": -1}), cases=cases(3))
    (group,) = verdict.figures["differences"]
    assert group["cure"] == "green, asked twice, does not agree with itself there: - {path: $.served, rule: type}"


def answers(wrong: int) -> Answer:
    """Answer `yes`, but `no` to the first few questions."""
    return lambda request: {"text": "no" if request["n"] < wrong else "yes"}


@pytest.mark.parametrize(("wrong", "codes"), [(5, []), (6, ["accuracy-regression"])])
def test_a_hundred_blind_prompts_hold_blue_to_greens_accuracy(pair: Pair, wrong: int, codes: list[str]) -> None:
    """Or to a baseline's: 94 of 100 are too few where green has 100, and enough where the baseline has 95."""
    asked = [{**c, "expected": "yes"} for c in cases(100)]
    said = {"cases": asked, "gate": {"equal": 0.5, "answer": "$.text"}}
    ports = pair(answers(0), answers(wrong))
    verdict = ran(ports, **said)
    assert [f.code for f in verdict.findings] == codes
    accuracy = verdict.figures["accuracy"]
    assert (accuracy["green"]["correct"], accuracy["blue"]["correct"]) == (1, (100 - wrong) / 100)
    baseline = {"cases": "of others", "accuracy": {"n": 100, "exact": 0.95, "similarity": 0.97, "correct": 0.95}}
    verdict = ran(ports, baseline=baseline, **said)
    assert [f.code for f in verdict.findings] == ["baseline-of-other-cases"]
    assert verdict.passed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"gate": {"answer": "$.txt"}}, "no reply of green has anything at $.txt"),
        ({"gate": {"answer": "$.text"}}, "green has the right answer to none of 3 cases"),
    ],
)
def test_an_accuracy_that_measured_nothing_does_not_pass(pair: Pair, said: Any, told: str) -> None:
    """A path that is mistyped, an expectation that nobody meets: both colours have 0.0 %, and no regression."""
    asked = [{**c, "expected": "never"} for c in cases(3)]
    verdict = ran(pair(answers(0), answers(0)), cases=asked, **said)
    (finding,) = verdict.findings
    assert not verdict.passed
    assert (finding.code, finding.message.startswith(told)) == ("nothing-measured", True)
    assert [line.split(":")[0] for line in finding.evidence] == (["green"] if "txt" in told else ["expected", "green"])


def test_a_stack_trace_fails_however_many_answers_may_differ(pair: Pair) -> None:
    """It is no difference of taste."""
    trace = 'Traceback (most recent call last):\n  File "/srv/suite.py", line 12, in work\nKeyError: 1'

    def leaking(request: dict[str, Any]) -> dict[str, Any]:
        return {**echo(request), **({"debug": trace} if request["n"] == 3 else {})}

    verdict = ran(pair(echo, leaking), cases=cases(10), gate={"equal": 0.5})
    assert not verdict.passed
    assert [(f.code, f.evidence) for f in verdict.findings] == [("stack-trace", ("first: echo #4",))]


def test_replies_that_nobody_can_read_fail_and_are_counted_apart(http_server: Callable[..., int]) -> None:  # noqa: F811
    """Above 16 MiB from both."""

    def answer(asked: Any, _: bytes) -> tuple[int, dict[str, str], bytes]:
        body = b"x" * (17 << 20 if asked.path == "/big" else 1)
        return 200, {"Content-Type": "text/plain", "Content-Length": str(len(body))}, body

    ports = (http_server(answer), http_server(answer))
    verdict = ran(ports, cases=[{"to": f"http://:{PORT}/big"}, {"to": f"http://:{PORT}/small"}], gate={"equal": 0.1})
    assert [(f.code, f.evidence) for f in verdict.findings] == [("not-judged", ("first: GET /big",))]
    assert (verdict.figures["equal"], verdict.figures["unjudged"]) == (1, 1)
    assert not verdict.passed


def test_progress_is_told_to_its_end(pair: Pair) -> None:
    """With how many went wrong."""
    told: list[Progress] = []

    class Ear:
        def tell(self, event: Event) -> None:
            assert isinstance(event, Progress)
            told.append(event)

    ran(pair(echo, bent), cases=cases(10), observer=Ear())
    assert (told[0].done, told[0].total) == (0, 10)
    assert (told[-1].done, told[-1].total, told[-1].failed) == (10, 10, 1)
    assert all(a.done <= b.done for a, b in pairwise(told))


def test_http_is_compared_as_well(http_server: Callable[..., int]) -> None:  # noqa: F811
    """An error that became 200 is named."""

    def served(code: int) -> int:
        body = json.dumps({"error": "there is only /health"}).encode() if code != 200 else b'{"ok": true}'
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return http_server(lambda *_: (code, headers, body))

    said = {"to": f"http://:{PORT}/nothing", "cases": [{}]}
    assert ran((served(404), served(404)), **said).passed
    assert [f.code for f in ran((served(404), served(200)), **said).checks[0].findings] == ["error-turned-ok"]


def test_what_would_prove_nothing_is_refused(pair: Pair) -> None:
    """No cases; the same address; a port that leads nowhere."""
    green, blue = pair(echo, echo)
    with pytest.raises(UsageError, match="There are no cases") as error:
        ran((green, blue))
    assert "parity:" in str(error.value.hint)
    with pytest.raises(RefusedError, match="comparing green with itself proves nothing"):
        ran((green, green), cases=cases(1))
    with pytest.raises(UsageError, match="case zmq://:1: Port 1 leads nowhere here"):
        ran((green, blue), cases=[{"to": "zmq://:1"}])


def test_an_observer_that_fails_ends_the_run(pair: Pair) -> None:
    """What goes wrong in a worker is raised where the run was started, and the other workers stop."""

    class Broken:
        def __init__(self) -> None:
            self.told = 0

        def tell(self, event: Event) -> None:
            self.told += 1
            if self.told > 1:
                raise RuntimeError(f"no terminal: {event}")

    ports = pair(echo, echo)
    with pytest.raises(RuntimeError, match="no terminal"):
        ran(ports, cases=cases(2000), observer=Broken(), workers=3)
    assert not [t for t in threading.enumerate() if t.name.startswith("parity") and t.is_alive()]


def test_every_task_is_asked_once() -> None:
    """In some order, each with a turn of its own."""
    parity = Parity.model_validate({"to": "zmq://:1", "cases": [{"repeat": 3}, {}, {"repeat": 2}]})
    tasks = list(shuffled(parity.cases, 5))
    assert [t for t, _, _ in tasks] == list(range(6))
    assert sorted((i, r) for _, i, r in tasks) == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1)]


def test_replies_are_not_kept(pair: Pair) -> None:
    """Two hundred pairs of 100 kB that all differ: 40 MB passed, a few are kept for what is shown."""
    big = "x" * 100_000

    def long(number: int) -> Answer:
        return lambda request: {"text": f"{big}{number}{request['n']}"}

    ports = pair(long(1), long(2))
    tracemalloc.start()
    try:
        verdict = ran(ports, cases=cases(200))
        assert verdict.figures["different"] == 200
        assert tracemalloc.get_traced_memory()[1] < 15 << 20
    finally:
        tracemalloc.stop()
