"""What a HAProxy edge has been told, kept beside its files: the next process of cutover has to know it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.edge.shape import Hold, Slot, Target, Targets
from cutover.errors import EdgeError, UsageError
from cutover.files import UNREADABLE, write_atomic

FILE = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """Where the slots lead, which is active, what share the other gets, and whether requests wait.

    `ways` are the slots that may get requests when the active one dies: those that were active before. A slot that is
    only aimed is not proven, and gets nothing. `alone` says how requests wait that the active slot could not take,
    while nobody else can.
    """

    active: Slot = Slot.A
    slots: Mapping[Slot, Targets] = field(default_factory=dict)
    ways: frozenset[Slot] = frozenset()
    share_percent: float = 0.0
    hold: Hold | None = None
    alone: Hold | None = None

    def leads(self, slot: Slot) -> Targets:
        """Return where a slot leads; empty where nowhere."""
        return self.slots.get(slot, {})

    def takes(self, slot: Slot) -> bool:
        """Say whether a slot may get the requests of the other when that dies."""
        return slot is self.active or (self.alone is None and (slot in self.ways or self.share_percent > 0))

    def aimed(self, slot: Slot, targets: Targets) -> State:
        """Return the state with a slot that leads elsewhere; it has to prove itself again unless nothing changed."""
        ways = self.ways if self.leads(slot) == targets else self.ways - {slot}
        return replace(self, slots={**self.slots, slot: dict(targets)}, ways=ways)

    def switched(self, slot: Slot) -> State:
        """Return the state with another active slot; the one before is the way back."""
        ways = {s for s in (*self.ways, self.active, slot) if self.leads(s)}
        return replace(self, active=slot, ways=frozenset(ways), share_percent=0.0)


def load(folder: Path) -> State:
    """Return the state of the edge in a folder.

    Raises:
        EdgeError: there is none, or it cannot be read.

    """
    path = folder / FILE
    try:
        return _parsed(json.loads(path.read_bytes()))
    except (OSError, *UNREADABLE, UsageError) as error:
        raise EdgeError(
            "edge-state-unreadable",
            f"What the edge was told last cannot be read: {error}.",
            evidence=[str(path)],
            hint="cutover edge status",
        ) from error


def save(folder: Path, state: State) -> None:
    """Write the state."""
    write_atomic(folder / FILE, written(state), mode=0o600)


def written(state: State) -> bytes:
    """Return the state as it is written."""
    told = {
        "active": state.active,
        "slots": {slot: {str(p): asdict(t) for p, t in targets.items()} for slot, targets in state.slots.items()},
        "ways": sorted(state.ways),
        "share_percent": state.share_percent,
        "hold": asdict(state.hold) if state.hold else None,
        "alone": asdict(state.alone) if state.alone else None,
    }
    return json.dumps(told, indent=1).encode() + b"\n"


def _parsed(told: dict[str, Any]) -> State:
    slots = {Slot(s): {int(p): Target(**t) for p, t in targets.items()} for s, targets in told["slots"].items()}
    return State(
        active=Slot(told["active"]),
        slots=slots,
        ways=frozenset(Slot(s) for s in told["ways"]),
        share_percent=_share(told["share_percent"]),
        hold=Hold.told(told["hold"]) if told["hold"] else None,
        alone=Hold.told(told["alone"]) if told.get("alone") else None,
    )


def _share(told: Any) -> float:
    share = float(told)
    if not 0 <= share <= 100:  # noqa: PLR2004  (NaN neither)
        raise ValueError(f"{told} is no share")
    return share
