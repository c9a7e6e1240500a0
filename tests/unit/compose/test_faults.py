"""Each way to be broken shows what it says, over the suite's own sockets."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from language_stack.faults import Fault

WITHOUT_REDIS = Path(__file__).with_name("without_redis.py")


@dataclass
class Running:
    """A manager in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    health_port: int

    def ask(self, method: str, timeout_s: float = 5.0, **params: Any) -> dict[str, Any] | None:
        """Return its reply on the ZeroMQ port, None where none came."""
        with zmq.Context() as context, context.socket(zmq.REQ) as line:
            line.linger, line.rcvtimeo = 0, round(timeout_s * 1000)
            line.connect(f"tcp://127.0.0.1:{self.port}")
            line.send_json({"method": method, "params": params})
            try:
                reply: dict[str, Any] = json.loads(line.recv())
            except zmq.Again:
                return None
            return reply

    def get(self, path: str) -> int:
        """Return the status of its HTTP server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait(self) -> None:
        """Return when its health server answers: the ZeroMQ port needs no waiting, it queues."""
        end = time.monotonic() + 20
        while True:
            assert self.process.poll() is None, self.process.communicate()
            try:
                self.get("/health")
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.02)
            else:
                return


def free_ports(count: int) -> list[int]:
    """Return ports that nobody holds now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def running(name: str, **env: str) -> Iterator[Running]:
    """Start agent or suite, and end it."""
    port, health_port = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, str(WITHOUT_REDIS), name],
        env={**os.environ, "PORT": str(port), "HEALTH_PORT": str(health_port), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        made = Running(process, port, health_port)
        made.wait()
        yield made
    finally:
        process.kill()
        process.communicate()


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
