"""HAProxy and the broker as one edge: what is asked is asked of both, what is told is joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cutover.edge.face import Face
from cutover.edge.shape import Hold, PortStats, Sample, Slot, Targets

T = TypeVar("T")


class Both:
    """Several faces as one; they are told at the same time, so that all ports flip together."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)

    def write(self, targets: Mapping[Slot, Targets], active: Slot) -> None:
        """Write what the containers of a new edge read when they start."""
        for face in self._faces:
            face.write(targets, active)

    def aim(self, slot: Slot, targets: Targets) -> None:
        """Have a slot lead to a container, in every face."""
        self._each(lambda face: face.aim(slot, targets))

    def clear(self, slot: Slot) -> None:
        """Have a slot lead nowhere."""
        self._each(lambda face: face.clear(slot))

    def down(self, slot: Slot) -> Mapping[int, str]:
        """Return the ports on which the slot is not seen alive, with why."""
        return {port: why for found in self._each(lambda face: face.down(slot)) for port, why in found.items()}

    def switch(self, slot: Slot) -> None:
        """Send every new request to a slot."""
        self._each(lambda face: face.switch(slot))

    def share(self, slot: Slot, percent: float) -> None:
        """Send this share of new requests to a slot."""
        self._each(lambda face: face.share(slot, percent))

    def hold(self, hold: Hold) -> None:
        """Let requests wait."""
        self._each(lambda face: face.hold(hold))

    def release(self, *, alone: Hold | None = None) -> None:
        """Let them go; `alone`: what the active slot cannot take waits."""
        self._each(lambda face: face.release(alone=alone))

    def part(self, *, on: bool) -> None:
        """Have each answer be the last on its connection."""
        self._each(lambda face: face.part(on=on))

    def in_flight(self, slot: Slot) -> int:
        """Return how many requests a slot has not answered."""
        return sum(self._each(lambda face: face.in_flight(slot)))

    def stats(self) -> Mapping[int, PortStats]:
        """Return the counters of every port."""
        return {port: stats for found in self._each(lambda face: face.stats()) for port, stats in found.items()}

    def samples(self) -> list[Sample]:
        """Return what was answered since the last call."""
        return [sample for found in self._each(lambda face: face.samples()) for sample in found]

    def _each(self, act: Callable[[Face], T]) -> list[T]:
        if len(self._faces) == 1:
            return [act(self._faces[0])]
        with ThreadPoolExecutor(max_workers=len(self._faces)) as pool:
            return list(pool.map(act, self._faces))
