"""The assertion on two colours, with blue healthy and with blue broken."""

from __future__ import annotations

import pytest

from cutover.config import Rule
from cutover.testing import Service, assert_parity
from cutover.validate.talk import Address
from tests.unit.compose.running import free_ports
from tests.unit.testing.conftest import SETTINGS, Start

ZMQ = "zmq://:5570"
TEXT = {"method": "generate_text", "params": {"prompt": "The rope ", "length": 40, "seed": 7}}
UNLOAD = {"method": "unload_model", "params": {"model": "x"}}
BAD = {"method": "generate_text", "params": {"seed": -1}}


@pytest.mark.parametrize(
    "said",
    [
        {"to": ZMQ, "request": TEXT},
        {"to": ZMQ, "request": BAD},
        {"to": ZMQ, "request": {"method": "sing"}},
        {"to": ZMQ, "request": {"method": "get_status"}},
        {"to": ZMQ, "request": "sing"},
        {"to": "http://:6570/health"},
        {"to": "http://:6570/nope"},
    ],
)
def test_equal_colours_pass(agent: Service, suite: Service, said: dict) -> None:
    """Answers and errors; the rules of cutover.yaml leave out who answers and since when."""
    assert_parity(agent, suite, **said)


@pytest.mark.parametrize(
    ("fault", "said", "words"),
    [
        ("missing_method", {"to": ZMQ, "request": {"method": "list_models"}}, "ok-turned-error: .*unknown_method"),
        ("renamed_key", {"to": ZMQ, "request": TEXT}, "'text' in green is 'output' in blue"),
        ("off_by_a_thousandth", {"to": ZMQ, "request": TEXT}, r"\$\.result\.mean_logprob"),
        ("reordered_list", {"to": ZMQ, "request": {"method": "list_models"}}, "another order"),
        (
            "stub",
            {"to": ZMQ, "request": {"method": "unload_model", "params": {"model": "x"}}},
            "error-differs: .*not_loaded, not_implemented",
        ),
        ("error_200", {"to": "http://:6570/nope"}, "status-differs: .*HTTP 404 and HTTP 200"),
        ("stack_trace", {"to": ZMQ, "request": BAD}, "stack trace"),
    ],
)
def test_a_broken_blue_is_told_by_path(agent: Service, start: Start, fault: str, said: dict, words: str) -> None:
    """What green says after `-`, what blue says after `+`."""
    blue = start("suite", FAIL=fault)
    with pytest.raises(AssertionError, match=words):
        assert_parity(agent, blue, **said)


def test_rules_of_a_test_come_after_those_of_the_settings(agent: Service, start: Start) -> None:
    """As values or as mappings, and only for this question."""
    blue = start("suite", FAIL="off_by_a_thousandth")
    loose = {"path": "$..mean_logprob", "rule": "number", "abs": 0.01}
    assert_parity(agent, blue, to=ZMQ, request=TEXT, rules=[loose])
    assert_parity(agent, blue, to=ZMQ, request=TEXT, rules=[Rule.model_validate(loose)])
    with pytest.raises(AssertionError):
        assert_parity(agent, blue, to=ZMQ, request=TEXT)


def test_two_that_do_not_answer_are_not_the_same(agent: Service) -> None:
    """Or a test of two dead services would pass."""
    ports = free_ports(2)
    one, other = (Service(f"s{p}", {5570: Address("127.0.0.1", p)}, SETTINGS, lambda _: []) for p in ports)
    with pytest.raises(AssertionError, match="neither answers"):
        assert_parity(one, other, to=ZMQ, request=TEXT, timeout_s=0.2)
    with pytest.raises(AssertionError, match=r"no-answer: .*refused"):
        assert_parity(agent, other, to=ZMQ, request=TEXT, timeout_s=0.2)
    one.close()
    other.close()
