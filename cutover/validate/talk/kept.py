"""A TCP connection that is kept for the next question as long as the peer keeps it."""

from __future__ import annotations

import select
from abc import ABC, abstractmethod

from cutover.clock import Deadline
from cutover.probes.reply import Failure, NoReplyError
from cutover.probes.wire import Wire, connect
from cutover.validate.talk.answer import Raw, answer
from cutover.validate.talk.base import Address, Question, Response


class KeptConnection(ABC):
    """Opens, keeps and reopens; `_once` puts one question on `self.wire`.

    A peer may hang up after each answer, and its FIN may come after our next question went out. So a question that met
    a silent hang-up is put once more on a new connection, but only if the old one had answered just once: one that
    answered twice is a peer that keeps connections, and its hang-up is news.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._wire: Wire | None = None
        self._answers = 0
        self._keeps = True
        self.heard = False

    def ask(self, question: Question) -> Response:
        """Put one question; never raises for what the service does or does not do."""
        return answer(self._exchange, question)

    def close(self) -> None:
        """Let go of the socket, with nothing lingering."""
        if self._wire is not None:
            self._wire.close()
        self._wire = None
        self._answers = 0

    @abstractmethod
    def _once(self, wire: Wire, question: Question) -> Raw:
        """Put a question on an open connection; set `heard` when the first byte came, `close` where it is of no use."""

    def _secured(self, wire: Wire) -> Wire:
        return wire

    def _exchange(self, question: Question, deadline: Deadline) -> Raw:
        if self._wire is not None and _has_news(self._wire):
            self.close()
        may_be_stale = self._wire is not None and self._answers == 1
        try:
            return self._try(question, deadline)
        except NoReplyError as error:
            if not may_be_stale or self.heard or error.failure is not Failure.CLOSED or deadline.passed:
                raise
            self._keeps = False
            return self._try(question, deadline)

    def _try(self, question: Question, deadline: Deadline) -> Raw:
        self.heard = False
        try:
            raw = self._once(self._open(deadline), question)
        except BaseException:
            self.close()
            raise
        self._answers += 1
        if not self._keeps:
            self.close()
        return raw

    def _open(self, deadline: Deadline) -> Wire:
        if self._wire is None:
            self._answers = 0
            self._wire = connect(self._address.host, self._address.port, deadline)
            self._wire = self._secured(self._wire)
        self._wire.deadline = deadline
        return self._wire


def _has_news(wire: Wire) -> bool:
    """Say whether a connection on which nothing is awaited has something to read: its end, or what nobody asked for."""
    poll = select.poll()
    poll.register(wire.sock, select.POLLIN)
    return bool(poll.poll(0))
