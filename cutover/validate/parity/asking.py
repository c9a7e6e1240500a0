"""One question to both colours, over connections that stay open: one after the other, or both at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Self

from cutover.config import Mode
from cutover.validate.talk import Address, Line, Question, Response

Addresses = Mapping[int, Address]


class Pair:
    """Asks green and blue; belongs to one thread.

    In turn, who is asked first alternates, so that neither has the advantage of a cache that the other one filled. At
    once, blue's line lives in a thread of its own.
    """

    def __init__(self, green: Addresses, blue: Addresses, mode: Mode) -> None:
        self._green, self._blue = Line(green), Line(blue)
        self._mode = mode
        self._stack = ExitStack()
        self._aside: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._stack.callback(self._green.close)
        if self._mode is Mode.PARALLEL:
            self._aside = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="parity-blue"))
            self._stack.callback(lambda: self._aside and self._aside.submit(self._blue.close).result())
        else:
            self._stack.callback(self._blue.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def own(self, question: Question) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        """Return under which addresses green and blue know themselves: the real one, and that of the legacy port."""
        found = (self._green.address_of(question), self._blue.address_of(question))
        green, blue = ((address, Address(address.host, question.port)) for address in found)
        return green, blue

    def ask(self, question: Question, turn: int) -> tuple[Response, Response]:
        """Return green's and blue's response; in an odd turn blue is asked first.

        Raises:
            UsageError: the question's port leads nowhere.

        """
        if self._aside:
            blue = self._aside.submit(self._blue.ask, question)
            return self._green.ask(question), blue.result()
        if turn % 2:
            response = self._blue.ask(question)
            return self._green.ask(question), response
        return self._green.ask(question), self._blue.ask(question)
