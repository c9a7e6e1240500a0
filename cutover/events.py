"""What a run tells while it goes on: frozen values handed to an observer that may draw, log or ignore them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step changed its state. `duration_s` counts from its start."""

    step: str
    kind: str
    state: StepState
    title: str
    duration_s: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth telling that belongs to no step."""

    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Work of a known size goes on: `done` of `total` parts of what `title` names; `failed` of them went wrong."""

    title: str
    done: int
    total: int
    failed: int = 0


Event = StepEvent | Note | Progress


class Observer(Protocol):
    """Whoever wants to know."""

    def tell(self, event: Event) -> None:
        """Take one event; must not raise and must not block."""
        ...


class Silence:
    """An observer that tells nobody."""

    def tell(self, event: Event) -> None:
        """Drop the event."""


class Sturdy:
    """Passes events on to an observer whose failure must never fail a run: its terminal may be gone."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def tell(self, event: Event) -> None:
        """Pass one event on."""
        with contextlib.suppress(OSError, ValueError, SystemExit):  # rich ends the process when its pipe is broken
            self._observer.tell(event)
