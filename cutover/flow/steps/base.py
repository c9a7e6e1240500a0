"""The face of a step handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cutover.flow.context import Context
from cutover.flow.plan import Step

Prior = Mapping[str, Any]


class Handler(Protocol):
    """One kind of step. `prior` is what was before, as the journal keeps it; `undo` must bear being called twice."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Return what `undo` needs to know of the state before; changes nothing."""
        ...

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Do it."""
        ...

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether it is done, judged by the state of things and not by memory."""
        ...

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Take it back, whether it was applied wholly, half, or not at all."""
        ...


def undoes_nothing(handler: Handler) -> bool:
    """Say whether a handler has nothing to take back, so that nobody need be told that it did."""
    return getattr(type(handler), "undo", None) is Passive.undo


class Passive:
    """A step that only looks: nothing to observe, nothing to take back."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Return nothing."""
        del ctx, step
        return {}

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say that looking leaves nothing to check."""
        del ctx, step, prior
        return True

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Take nothing back."""
        del ctx, step, prior
