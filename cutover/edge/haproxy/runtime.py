"""HAProxy's runtime socket: words in, words out; what it refuses and where it is silent becomes an EdgeError."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cutover.edge.channel import connected
from cutover.errors import EdgeError

ANSWER_BYTES: Final = 64 * 1024 * 1024
"""More than this is no answer: the ring of samples holds 4 MiB."""
# HAProxy answers a change with an empty line; these are the changes that it comments. Seen in 2.6, 2.8 and 3.0 sources.
CHANGED: Final = re.compile(
    r"(IP changed from|no need to change the (addr|port|FQDN|FDQN)|port changed from|\S+ changed its FQDN from)"
)


class RuntimeSocket:
    """The control socket of a running HAProxy; each call is a connection of its own."""

    def __init__(self, path: Path, *, timeout_s: float = 2.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def tell(self, *commands: str) -> None:
        """Have changes made, in this order, in one go: HAProxy reads them as one line.

        Raises:
            EdgeError: HAProxy refused one of them (those before it are in force), or does not answer.

        """
        if not commands:
            return
        answer = self.ask("; ".join(_one(command) for command in commands))
        refused = [line for line in answer.splitlines() if line.strip() and not CHANGED.match(line)]
        if refused:
            raise EdgeError(
                "edge-refused",
                f"HAProxy refused a change: {refused[0]}",
                evidence=[*(f"told: {command}" for command in commands), *(f"said: {line}" for line in refused[:5])],
                hint="cutover edge status",
            )

    def ask(self, command: str) -> str:
        """Return what HAProxy answers to one line.

        Raises:
            EdgeError: it does not answer in time, or hangs up without a word.

        """
        answer = bytearray()
        with connected(self._path, timeout_s=self._timeout_s) as channel:
            try:
                channel.sendall(f"{command}\n".encode())
                while chunk := channel.recv(1 << 16):
                    answer += chunk
                    if len(answer) > ANSWER_BYTES:
                        raise self._silent(command, "it does not stop talking")
            except OSError as error:
                raise self._silent(command, str(error) or type(error).__name__) from error
        if not answer:  # even "done" is an empty line
            raise self._silent(command, "it hung up without a word")
        return answer.decode("utf-8", "replace")

    def _silent(self, command: str, why: str) -> EdgeError:
        return EdgeError(
            "edge-silent",
            f"HAProxy does not answer on its control socket: {why}.",
            evidence=[str(self._path), f"asked: {command[:200]}"],
            hint="cutover edge status",
        )


def _one(command: str) -> str:
    """Refuse what HAProxy would read as two commands: a bug here, for every name was validated before."""
    if re.search(r"[;\n\r\\]", command) or not command.isprintable():
        raise ValueError(f"{command!r} is not one command")
    return command
