"""All the connections that one thread needs to ask one colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self, assert_never

from cutover.errors import UsageError
from cutover.validate.talk.base import Address, Connection, Kind, Question, Response

if TYPE_CHECKING:
    import zmq


Explain = Callable[[Question, Address, Response], list[str]]
"""Says why a question was asked in vain."""


class Line:
    """Asks one colour; `addresses` says where it answers for each legacy port, `explain` why it does not.

    Connections are opened when they are needed, kept, and opened again after a failure. Belongs to one thread.
    """

    def __init__(self, addresses: Mapping[int, Address], explain: Explain | None = None) -> None:
        self._addresses = dict(addresses)
        self._explain = explain
        self._connections: dict[tuple[object, ...], Connection] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, question: Question) -> Response:
        """Return what came of a question; a service that does not answer raises nothing.

        Raises:
            UsageError: the question's port leads nowhere.

        """
        return self.prepare(question).ask(question)

    def prepare(self, question: Question) -> Connection:
        """Return the connection for a question, unopened if it is new: no time of the question is spent on making it.

        Raises:
            UsageError: the question's port leads nowhere.

        """
        address = self.address_of(question)
        key = (question.kind, address, question.socket, question.verify, question.keep)
        if key not in self._connections:
            self._connections[key] = self._connect(question, address)
        return self._connections[key]

    def why(self, question: Question, response: Response) -> list[str]:
        """Return what explains that no answer came, as evidence; [] where nobody can say."""
        return self._explain(question, self.address_of(question), response) if self._explain is not None else []

    def address_of(self, question: Question) -> Address:
        """Return where a question goes: to the host that it names, else to where its port leads.

        Raises:
            UsageError: its port leads nowhere.

        """
        if question.host:
            return Address(question.host, question.port)
        if question.port not in self._addresses:
            ports = ", ".join(f"{port} (at {address})" for port, address in sorted(self._addresses.items()))
            raise UsageError(
                "no-such-port",
                f"Port {question.port} leads nowhere here.",
                evidence=[f"ports that lead somewhere: {ports or 'none'}"],
                hint="`to:` names a legacy port: one that green publishes on the host; cutover ports",
            )
        return self._addresses[question.port]

    def close(self) -> None:
        """Let go of every socket, with nothing lingering."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def _connect(self, question: Question, address: Address) -> Connection:
        match question.kind:
            case Kind.ZMQ:
                return self._zmq(question, address)
            case Kind.HTTP | Kind.HTTPS:
                from cutover.validate.talk.http import HttpConnection  # noqa: PLC0415  (httpcore costs 80 ms)

                return HttpConnection(address, secure=question.kind is Kind.HTTPS, verify=question.verify)
            case Kind.TCP:
                from cutover.validate.talk.tcp import TcpConnection  # noqa: PLC0415

                return TcpConnection(address)
            case _:
                assert_never(question.kind)

    def _zmq(self, question: Question, address: Address) -> Connection:
        import zmq  # noqa: PLC0415  (libzmq costs 24 ms)

        from cutover.validate.talk.zeromq import ZmqConnection  # noqa: PLC0415

        if self._context is None:
            self._context = zmq.Context()
        return ZmqConnection(address, question.socket, self._context)
