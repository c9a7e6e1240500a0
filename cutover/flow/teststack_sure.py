"""Why a test stack will never be ready, seen before its deadline: only what no amount of loading can cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cutover.clock import Clock
from cutover.model import Certainty, Finding
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Facts

SURE = frozenset({"port-mismatch"})
"""A service that listens where its own settings say, and not where Docker leads, has made up its mind."""
LOOK_EVERY_S = 2.0
TIMES = 3


@dataclass
class Sure:
    """Looks now and then, and says so once the same certain finding was seen a few times in a row."""

    look: Callable[[], Facts]
    clock: Clock
    next_look: float = 0.0
    seen: Finding | None = None
    times: int = 0

    def __call__(self) -> str | None:
        """Return why it makes no sense to wait any longer, None where it may."""
        if self.clock.monotonic() < self.next_look:
            return None
        found = next((f for f in diagnose(self.look()) if f.code in SURE and f.sure is Certainty.CERTAIN), None)
        self.next_look = self.clock.monotonic() + LOOK_EVERY_S
        self.times = self.times + 1 if found is not None and found == self.seen else int(found is not None)
        self.seen = found
        return found.message.removesuffix(".") if found is not None and self.times >= TIMES else None
