"""Two managers of the demonstration stack as processes: green as it is, blue with faults that show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cutover.config import load
from cutover.testing import Service
from cutover.validate.talk import Address
from tests.unit.compose.running import running

SETTINGS = load(Path(__file__).parents[3] / "compose" / "cutover.yaml")
Start = Callable[..., Service]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Give a function that starts a manager and returns it as a service: `start("suite", FAIL="stub")`."""
    with ExitStack() as closing:

        def start(name: str, **env: str) -> Service:
            made = closing.enter_context(running(name, **env))
            addresses = {5570: Address("127.0.0.1", made.port), 6570: Address("127.0.0.1", made.health_port)}
            service = Service(
                f"model_manager_{name}", addresses, SETTINGS, lambda tail: ["it began", "it ended"][-tail:]
            )
            closing.callback(service.close)
            return service

        yield start


@pytest.fixture(scope="module")
def agent(start: Start) -> Service:
    """Give green."""
    return start("agent")


@pytest.fixture(scope="module")
def suite(start: Start) -> Service:
    """Give blue, without a fault."""
    return start("suite")
