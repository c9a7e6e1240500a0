"""What every kind of client is to the schedule: something that asks; and how its failures are named."""

from __future__ import annotations

from abc import ABC, abstractmethod

from benching.asked import Log, Plan


class FailedError(Exception):
    """A request failed; the message is the outcome's name."""


class Asker(ABC):
    """Asks with an ID, of whichever host it is told to, as often at once as it is called."""

    def __init__(self, plan: Plan, log: Log) -> None:
        self.plan = plan
        self.log = log

    @abstractmethod
    async def open(self) -> None:
        """Make the lasting connections, if there are any."""

    @abstractmethod
    async def ask(self, ident: str, host: str) -> str:
        """Return who answered.

        Raises:
            FailedError: the answer was not that of this request.
            OSError: there was no connection, or it ended.

        """

    @abstractmethod
    async def close(self) -> None:
        """Close what is open."""


def failure(error: OSError) -> str:
    """Return a failure's name."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    return type(error).__name__ if error.errno is None else f"error {error.errno}"
