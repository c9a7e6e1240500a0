"""The six methods, with a registry that can go away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from language_stack.faults import Fault, Faulty
from language_stack.manager import Manager
from language_stack.ngram import CountingModel
from language_stack.protocol import RefusedError


class Shelf:
    """A registry in memory."""

    def __init__(self) -> None:
        self.there = True
        self.wants: set[str] = set()

    def reachable(self) -> bool:
        """Say whether it was switched off."""
        return self.there

    def orders(self) -> dict[str, int]:
        """Return two models."""
        if not self.there:
            raise RefusedError("registry_unavailable", "redis does not answer")
        return {"chars-2": 2, "chars-4": 4}

    def wanted(self) -> set[str]:
        """Return what is to be loaded."""
        return set(self.wants)

    def want(self, name: str) -> None:
        """Remember."""
        self.wants.add(name)

    def unwant(self, name: str) -> None:
        """Forget."""
        self.wants.discard(name)


@pytest.fixture
def shelf() -> Shelf:
    """Nothing is wanted yet."""
    return Shelf()


@pytest.fixture
def manager(shelf: Shelf) -> Manager:
    """Return one that has started."""
    manager = Manager("model_manager_agent", shelf, CountingModel, "chars-4")
    manager.take_over()
    return manager


def ask(manager: Manager | Faulty, method: str, **params: Any) -> dict[str, Any]:
    """Send a request the way it comes from the wire."""
    reply: dict[str, Any] = json.loads(manager.answer([json.dumps({"method": method, "params": params}).encode()]))
    return reply


def test_health_tells_who_answers(manager: Manager) -> None:
    """Both colours say the same, but for their name."""
    health = ask(manager, "health_check")
    assert (health["status"], health["service"]) == ("ok", "model_manager_agent")


def test_models_are_listed_loaded_used_and_unloaded(manager: Manager, shelf: Shelf) -> None:
    """The registry remembers what is loaded, for the successor."""
    assert [m["loaded"] for m in ask(manager, "list_models")["result"]["models"]] == [False, True]
    assert ask(manager, "generate_text", model="chars-2")["error"]["code"] == "not_loaded"
    assert ask(manager, "load_model", model="chars-2")["result"]["loaded"] == ["chars-2", "chars-4"]
    assert shelf.wants == {"chars-2", "chars-4"}
    assert len(ask(manager, "generate_text", model="chars-2", length=7)["result"]["text"]) == 7
    assert ask(manager, "unload_model", model="chars-2")["result"]["loaded"] == ["chars-4"]
    assert shelf.wants == {"chars-4"}


def test_a_successor_takes_over_what_was_loaded(manager: Manager, shelf: Shelf) -> None:
    """Otherwise its first clients would get `not_loaded`."""
    ask(manager, "load_model", model="chars-2")
    successor = Manager("model_manager_suite", shelf, CountingModel, "chars-4")
    successor.take_over()
    assert successor.health()["models"] == ["chars-2", "chars-4"]


def test_without_its_registry_it_is_degraded_and_still_generates(manager: Manager, shelf: Shelf) -> None:
    """What is in memory needs nobody; what needs redis says so."""
    shelf.there = False
    assert ask(manager, "health_check")["status"] == "degraded"
    assert ask(manager, "list_models")["error"]["code"] == "registry_unavailable"
    assert ask(manager, "generate_text")["status"] == "ok"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("sing", {}, "unknown_method"),
        ("load_model", {"model": "gpt"}, "unknown_model"),
        ("load_model", {"model": 4}, "bad_params"),
        ("unload_model", {"model": "chars-2"}, "not_loaded"),
        ("generate_text", {"length": 10**6}, "bad_params"),
        ("generate_text", {"seed": -1}, "bad_params"),
    ],
)
def test_what_cannot_be_done_gets_an_error_reply(
    manager: Manager, method: str, params: dict[str, Any], code: str
) -> None:
    """With a code for programs."""
    reply = ask(manager, method, **params)
    assert (reply["status"], reply["error"]["code"]) == ("error", code)


def test_a_defect_of_its_own_is_answered_too(manager: Manager, capsys: pytest.CaptureFixture[str]) -> None:
    """A REP socket that does not answer is lost to its client; the reason goes to the log."""
    manager._registry = None  # type: ignore[assignment]
    assert ask(manager, "list_models")["error"]["code"] == "internal"
    assert "AttributeError" in capsys.readouterr().err


def test_the_status_counts_requests(manager: Manager) -> None:
    """By method; what is unknown is not counted under a name that a client chose."""
    ask(manager, "generate_text")
    ask(manager, "x" * 50)
    assert ask(manager, "get_status")["result"]["requests"] == {"generate_text": 1, "get_status": 1}


def test_without_a_fault_nothing_is_bent(manager: Manager) -> None:
    """The knobs are for tests; off is the default."""
    faulty = Faulty(manager, Fault(""))
    faulty.break_if_told()
    assert ask(faulty, "generate_text") == ask(manager, "generate_text")
    assert faulty.health()["status"] == "ok"


def test_the_faults_do_what_they_say(manager: Manager) -> None:
    """A fault that does nothing would let a failure test pass for no reason."""
    right = ask(manager, "generate_text")["result"]["text"]
    wrong = ask(Faulty(manager, Fault.WRONG_ANSWER), "generate_text")
    assert (wrong["status"], wrong["result"]["text"]) == ("wrong", right[::-1])
    assert Faulty(manager, Fault.NEVER_HEALTHY).health()["status"] == "loading"
    with pytest.raises(SystemExit, match="weights"):
        Faulty(manager, Fault.EXIT).break_if_told()
    assert ask(Faulty(manager, Fault.WRONG_IDENTITY), "health_check")["service"] == "somebody_else"
