"""One colour, asked as its clients ask it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from cutover.config import Message, Settings
from cutover.errors import ProbeError, UsageError
from cutover.validate.talk import Address, Line, Response, question_of

LOG_LINES = 8
ReadLog = Callable[[int], list[str]]


class Service:
    """Green or blue. Ports are always the legacy ones; `address` says where this colour answers for one.

    May be asked by several threads: each has connections of its own.
    """

    def __init__(self, name: str, addresses: Mapping[int, Address], settings: Settings, read_log: ReadLog) -> None:
        self.name = name
        self.settings = settings
        self._addresses = dict(addresses)
        self._read_log = read_log
        self._mine = threading.local()
        self._lines: list[Line] = []

    def __repr__(self) -> str:
        """Show who it is and where, as a failed assertion should."""
        where = ", ".join(f"{port} at {address}" for port, address in self._addresses.items())
        return f"<{self.name}: {where}>"

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the legacy ports for which it answers somewhere."""
        return tuple(self._addresses)

    def address(self, legacy_port: int) -> Address:
        """Return where it answers for a legacy port.

        Raises:
            UsageError: the port leads nowhere.

        """
        return self._line().address_of(question_of(Message(to=f"tcp://:{legacy_port}")))

    def ask(self, message: Message | None = None, **said: Any) -> Response:
        """Return what came of a question, whatever it was: `ask(to="zmq://:5570", request={...}, timeout_s=2)`.

        Takes what a step or a case of cutover.yaml says, or one of those.

        Raises:
            UsageError: no such key, no such port, or a request that cannot be sent.

        """
        return self._line().ask(question_of(message or message_of(said)))

    def zmq(self, port: int, request: Any = None, **said: Any) -> Any:
        """Return the decoded reply to a ZeroMQ request.

        Raises:
            ProbeError: none came, or none that can be read, with the end of the service's log.

        """
        return self._answer(f"zmq://:{port}", request, said)

    def tcp(self, port: int, request: Any = None, **said: Any) -> Any:
        """Return the decoded reply to what is sent over TCP.

        Raises:
            ProbeError: none came, or none that can be read, with the end of the service's log.

        """
        return self._answer(f"tcp://:{port}", request, said)

    def http(self, port: int, path: str = "/", request: Any = None, **said: Any) -> Response:
        """Return the response to a GET of a path, or a POST where there is a request: `code`, `value`, `headers`.

        Raises:
            ProbeError: none came, with the end of the service's log.

        """
        to = f"http://:{port}/{path.removeprefix('/')}"
        response = self.ask(to=to, request=request, **said)
        return response if response.answered else self._complain(to, response)

    def logs(self, tail: int = 50) -> str:
        """Return the last lines of its log."""
        return "\n".join(self._read_log(tail))

    def close(self) -> None:
        """Let go of every connection, those of other threads included."""
        while self._lines:
            self._lines.pop().close()
        self._mine = threading.local()

    def _answer(self, to: str, request: Any, said: Mapping[str, Any]) -> Any:
        response = self.ask(to=to, request=request, **said)
        if response.kind != "answer":
            self._complain(to, response)
        return response.value

    def _complain(self, to: str, response: Response) -> Response:
        raise ProbeError(
            "no-answer",
            f"{self.name} did not answer {to}: {response.kind}{f', {response.detail}' if response.detail else ''}",
            evidence=[f"log: {line}" for line in self._read_log(LOG_LINES)],
        )

    def _line(self) -> Line:
        line: Line | None = getattr(self._mine, "line", None)
        if line is None:
            line = self._mine.line = Line(self._addresses)
            self._lines.append(line)
        return line


def message_of(said: Mapping[str, Any]) -> Message:
    """Return a message that was written as keyword arguments.

    Raises:
        UsageError: it says something unknown or wrong.

    """
    try:
        return Message.model_validate(dict(said))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise UsageError("bad-question", f"This is no question: {wrong[0]}", evidence=wrong[1:]) from error
