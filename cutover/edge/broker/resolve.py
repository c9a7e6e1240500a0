"""Names to addresses, in a thread of its own: Docker's resolver may take seconds over a stopped container's name."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable

from cutover.edge.broker.loop import Loop

Answer = Callable[[str | None], object]


class Resolver:
    """Asks one name after the other; the loop gets each answer, None where there is no address."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._asked: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="resolver", daemon=True)
        self._thread.start()

    def ask(self, name: str, answer: Answer) -> None:
        """Have the loop call `answer` with the address of a name."""
        self._asked.put((name, answer))

    def _work(self) -> None:
        while True:
            name, answer = self._asked.get()
            address = _address(name)
            self._loop.hand_in(lambda answer=answer, address=address: answer(address))  # type: ignore[misc]


def _address(name: str) -> str | None:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return min((str(info[4][0]) for info in found), key=lambda address: ":" in address) if found else None
