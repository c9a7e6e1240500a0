"""The demonstration stack through the fixtures that users have: both managers answer the same, on a real Engine."""

from __future__ import annotations

import pytest

from cutover.testing import Wanted, assert_parity
from tests.scenarios.demo import COMPOSE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
ZMQ = "zmq://:5570"


@pytest.fixture(scope="session")
def cutover_wanted(engine):
    """Say what a user says by `--cutover --cutover-file --cutover-apart`: no port of the host is one of clients."""
    return Wanted(files=(COMPOSE / "docker-compose.yml",), apart=True)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_text(green, blue, seed):
    """As plain an assertion as can be."""
    question = {"method": "generate_text", "params": {"prompt": "The harbour ", "seed": seed}}
    assert green.zmq(5570, question)["result"] == blue.zmq(5570, question)["result"]


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "health_check"},
        {"method": "get_status"},
        {"method": "list_models"},
        {"method": "load_model", "params": {"model": "gpt"}},
        {"method": "unload_model", "params": {"model": "gpt"}},
        {"method": "generate_text", "params": {"length": 0}},
        {"method": "sing"},
        [],
    ],
    ids=str,
)
def test_parity_of_each_method(green, blue, request_):
    """With the rules of the stack's own cutover.yaml."""
    assert_parity(green, blue, to=ZMQ, request=request_)


@pytest.mark.parametrize("path", ["/health", "/nope"])
def test_parity_over_http(green, blue, path):
    """The other of the two ports."""
    assert_parity(green, blue, to=f"http://:6570{path}")


def test_who_is_who(green, blue):
    """Or all of the above compares one with itself."""
    assert green.zmq(5570, {"method": "health_check"})["service"] == "model_manager_agent"
    assert blue.zmq(5570, {"method": "health_check"})["service"] == "model_manager_suite"
