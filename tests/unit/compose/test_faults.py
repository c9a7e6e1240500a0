"""Each way to be broken shows what it says, over the suite's own sockets."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from language_stack.faults import Fault

from tests.unit.compose.running import WITHOUT_REDIS, Running, free_ports, running


@pytest.fixture(scope="module")
def agent() -> Iterator[Running]:
    """Give the legacy, which is right by definition."""
    with running("agent") as made:
        yield made


def result(reply: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a good reply holds."""
    assert reply is not None
    assert reply["status"] == "ok", reply
    found: dict[str, Any] = reply["result"]
    return found


def error(reply: dict[str, Any] | None) -> tuple[str, str]:
    """Return code and message of a reply that refuses."""
    assert reply is not None
    assert reply["status"] == "error", reply
    return reply["error"]["code"], reply["error"]["message"]


def test_the_suite_answers_as_the_agent_does(agent: Running) -> None:
    """Without a fault there is no difference but the name and the uptime: parity has nothing to find."""
    with running("suite") as suite:
        for seed in range(5):
            asked = {"prompt": "The rope ", "length": 50, "seed": seed}
            assert result(suite.ask("generate_text", **asked)) == result(agent.ask("generate_text", **asked))
        for method in ("list_models", "load_model"):
            assert result(suite.ask(method)) == result(agent.ask(method))
        for method, params in (
            ("sing", {}),
            ("load_model", {"model": "gpt"}),
            ("unload_model", {"model": "chars-2"}),
            ("generate_text", {"seed": -1}),
        ):
            assert error(suite.ask(method, **params)) == error(agent.ask(method, **params))
        assert suite.get("/health") == agent.get("/health") == 200
        assert suite.get("/nope") == agent.get("/nope") == 404


def test_a_missing_method_is_unknown(agent: Running) -> None:
    """And not among those that it says there are."""
    assert len(result(agent.ask("list_models"))["models"]) == 3
    with running("suite", FAIL="missing_method") as suite:
        code, message = error(suite.ask("list_models"))
        assert code == "unknown_method"
        assert "list_models" not in message.partition("there are:")[2]
        assert "load_model" in message


def test_a_renamed_key_holds_the_same_text(agent: Running) -> None:
    """Nothing else is different."""
    with running("suite", FAIL="renamed_key") as suite:
        wrong, right = result(suite.ask("generate_text", seed=3)), result(agent.ask("generate_text", seed=3))
        assert {**wrong, "text": wrong["output"]} == {**right, "output": right["text"]}
        assert "text" not in wrong


def test_a_number_is_a_thousandth_too_high(agent: Running) -> None:
    """Little enough to be overlooked."""
    with running("suite", FAIL="off_by_a_thousandth") as suite:
        wrong, right = result(suite.ask("generate_text", seed=3)), result(agent.ask("generate_text", seed=3))
        assert wrong.pop("mean_logprob") - right.pop("mean_logprob") == pytest.approx(1e-3, abs=1e-9)
        assert wrong == right


def test_a_list_is_in_another_order(agent: Running) -> None:
    """With the same things in it."""
    with running("suite", FAIL="reordered_list") as suite:
        wrong, right = result(suite.ask("list_models"))["models"], result(agent.ask("list_models"))["models"]
        assert wrong != right
        assert wrong[::-1] == right


def test_slower_answers_take_150_ms_more() -> None:
    """More than the gate's factor of two and 50 ms allow for answers that take some milliseconds."""
    with running("suite", FAIL="slower") as suite:
        begin = time.monotonic()
        result(suite.ask("generate_text"))
        assert 0.15 <= time.monotonic() - begin < 2
        assert suite.get("/health") == 200


def test_a_stub_says_so(agent: Running) -> None:
    """Whatever it is asked."""
    assert error(agent.ask("unload_model", model="chars-2"))[0] == "not_loaded"
    with running("suite", FAIL="stub") as suite:
        assert error(suite.ask("unload_model", model="chars-2")) == ("not_implemented", "not implemented")


def test_errors_become_ok(agent: Running) -> None:
    """Over ZeroMQ and over HTTP."""
    assert error(agent.ask("load_model", model="gpt"))[0] == "unknown_model"
    with running("suite", FAIL="error_200") as suite:
        assert result(suite.ask("load_model", model="gpt")) == {"model": "gpt", "loaded": []}
        assert "chars-4" in result(suite.ask("load_model"))["loaded"]
        assert suite.get("/nope") == 200


def test_the_third_request_for_work_ends_it() -> None:
    """With exit code 1; questions about its health do not count, or it would never become ready."""
    with running("suite", FAIL="crash_third") as suite:
        for _ in range(5):
            assert suite.ask("health_check")
            assert suite.get("/health") == 200
        assert result(suite.ask("load_model"))
        assert result(suite.ask("generate_text"))
        assert suite.ask("generate_text", timeout_s=1) is None
        assert suite.process.wait(5) == 1


def test_a_refusal_comes_with_its_traceback(agent: Running) -> None:
    """Under the same code as ever: only who reads the message sees it."""
    assert "Traceback" not in error(agent.ask("generate_text", seed=-1))[1]
    with running("suite", FAIL="stack_trace") as suite:
        code, message = error(suite.ask("generate_text", seed=-1))
        assert code == "bad_params"
        assert message.startswith("Traceback (most recent call last):\n  File ")
        assert result(suite.ask("generate_text", seed=1))


def test_a_wrong_port_is_healthy_and_answers_nobody() -> None:
    """The tenth of the defects is a value in Compose's environment."""
    text = (WITHOUT_REDIS.parents[3] / "compose" / "docker-compose.yml").read_text()
    assert 'FAIL: "${SUITE_FAIL:-}"' in text
    assert 'PORT: "${SUITE_PORT:-5570}"' in text
    (elsewhere,) = free_ports(1)
    with running("suite", PORT=str(elsewhere)) as suite:
        assert suite.get("/health") == 200
        assert suite.ask("health_check", timeout_s=0.5) is None
        suite.port = elsewhere
        assert suite.ask("health_check")


def test_every_fault_is_described() -> None:
    """Where people look for it: in the table on top of the module."""
    described = sys.modules[Fault.__module__].__doc__
    assert described
    assert [f for f in Fault if f and f"| `{f}` |" not in described] == []
