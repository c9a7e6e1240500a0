"""A colour as an object that answers, over real sockets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from cutover.config import Message
from cutover.errors import ProbeError, UsageError
from cutover.testing import Service
from cutover.validate.talk import Address
from tests.unit.compose.running import free_ports
from tests.unit.testing.conftest import SETTINGS

TEXT = {"method": "generate_text", "params": {"prompt": "The rope ", "length": 40, "seed": 7}}


def test_it_answers_by_its_legacy_ports(agent: Service) -> None:
    """Wherever they lead: a test names the port that clients know."""
    assert agent.zmq(5570, TEXT)["result"]["text"] == "water missed a bright it on the on\nthe b"
    assert agent.http(6570, "/health").value["service"] == "model_manager_agent"
    assert agent.http(6570, "nope").code == 404
    assert agent.address(5570).port != 5570
    assert f"5570 at {agent.address(5570)}" in repr(agent)


def test_it_takes_what_a_step_of_a_suite_says(agent: Service) -> None:
    """As keywords, or as the settings' own value."""
    response = agent.ask(to="zmq://:5570", request=TEXT, socket="dealer", timeout_s=2)
    assert response.value["status"] == "ok"
    assert agent.ask(Message(to="zmq://:5570", request=TEXT)).value == response.value


def test_two_colours_can_be_compared_with_nothing_but_equals(agent: Service, suite: Service) -> None:
    """That is all that many tests need."""
    assert agent.zmq(5570, TEXT)["result"] == suite.zmq(5570, TEXT)["result"]


def test_several_threads_may_ask(agent: Service) -> None:
    """A ZeroMQ socket belongs to one thread; each has its own."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: agent.zmq(5570, TEXT)["result"]["text"], range(40)))
    assert len(set(answers)) == 1


def test_no_answer_says_who_and_where_with_its_log() -> None:
    """Two that do not answer must never be equal to one another."""
    (port,) = free_ports(1)
    gone = Service("gone", {5570: Address("127.0.0.1", port)}, SETTINGS, lambda _: ["it ended"])
    for ask in (lambda: gone.zmq(5570, {}, timeout_s=0.2), lambda: gone.tcp(5570, {}), lambda: gone.http(5570)):
        with pytest.raises(ProbeError, match="gone did not answer") as caught:
            ask()
        assert caught.value.evidence == ("log: it ended",)
    gone.close()


def test_a_port_that_leads_nowhere_is_named(agent: Service) -> None:
    """With those that lead somewhere."""
    with pytest.raises(UsageError, match="5571 leads nowhere"):
        agent.zmq(5571, TEXT)


@pytest.mark.parametrize("said", [{"to": "zmq://:5570", "reqest": {}}, {"to": "ftp://:5570"}, {"request": {}}])
def test_what_is_no_question_is_refused(agent: Service, said: dict) -> None:
    """A mistyped keyword would ask something else."""
    with pytest.raises(UsageError):
        agent.ask(**said)


def test_its_log_is_at_hand(agent: Service) -> None:
    """As many lines as asked for."""
    assert agent.logs() == "it began\nit ended"
    assert agent.logs(1) == "it ended"
