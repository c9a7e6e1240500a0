"""One face for HAProxy, the broker, and both together: what a swap asks of an edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cutover.edge.shape import Hold, PortStats, Sample, Slot, Targets


class Face(Protocol):
    """An edge that runs. Every method raises EdgeError where it does not answer or refuses; all are idempotent.

    What is told lasts: a container of the edge that is restarted comes up with it.
    """

    def write(self, targets: Mapping[Slot, Targets], active: Slot) -> None:
        """Write what the containers of a new edge read when they start, into a folder that may not be there yet."""
        ...

    def aim(self, slot: Slot, targets: Targets) -> None:
        """Have a slot lead to a container; no request goes there before `switch` or `share`."""
        ...

    def clear(self, slot: Slot) -> None:
        """Have a slot lead nowhere: it is nobody's way back any more."""
        ...

    def down(self, slot: Slot) -> Mapping[int, str]:
        """Return the ports on which the edge does not see the slot's container alive, with why; empty: all is well."""
        ...

    def switch(self, slot: Slot) -> None:
        """Send every new request on every port to a slot; the other, where it is aimed, is the way back if it dies."""
        ...

    def share(self, slot: Slot, percent: float) -> None:
        """Send this share of new requests to a slot that is not active, the rest to the active one; 0 ends it."""
        ...

    def hold(self, hold: Hold) -> None:
        """Let requests wait from now on instead of forwarding them."""
        ...

    def release(self, *, alone: Hold | None = None) -> None:
        """Let the requests that wait go, at the pace of the hold, and hold no more.

        `alone`: while nobody stands beside the active slot, what it cannot take waits on these terms instead of
        failing, until the next `release`.
        """
        ...

    def part(self, *, on: bool) -> None:
        """Have clients open another connection for their next request, HTTP only: each answer is the last on its own.

        For an edge that is about to lose its ports; unlike the rest this does not last.
        """
        ...

    def in_flight(self, slot: Slot) -> int:
        """Return how many requests a slot has been given and not answered (HTTP, ZeroMQ; TCP does not count)."""
        ...

    def stats(self) -> Mapping[int, PortStats]:
        """Return the counters of every port."""
        ...

    def samples(self) -> list[Sample]:
        """Return what was answered since the last call, as far as the edge remembers it (the last 10,000 or more)."""
        ...
