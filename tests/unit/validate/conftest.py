"""Real servers, as the probes' tests have them, and lines to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cutover.config import Message
from cutover.validate.talk import Address, Line, Response, question_of
from tests.unit.probes.conftest import closed_port, http_server, over, raw_server, zmq_server  # noqa: F401

PORT = 5570
Ask = Callable[..., Response]


@pytest.fixture
def line_to() -> Iterator[Callable[[int], Line]]:
    """Give lines on which legacy port 5570 leads to a port of this machine."""
    lines: list[Line] = []

    def start(port: int) -> Line:
        lines.append(Line({PORT: Address("127.0.0.1", port)}))
        return lines[-1]

    yield start
    for line in lines:
        line.close()


@pytest.fixture
def ask_at(line_to: Callable[[int], Line]) -> Callable[[int, str], Ask]:
    """Give a function that asks over one kept line: `ask_at(port, "zmq")(request, timeout_s=1)`."""

    def to(port: int, scheme: str, path: str = "") -> Ask:
        line = line_to(port)

        def ask(request: object = None, **said: object) -> Response:
            message = Message.model_validate({"to": f"{scheme}://:{PORT}{path}", "request": request, **said})
            return line.ask(question_of(message))

        return ask

    return to
