"""How a plan uses the edge, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cutover.edge.shape import EdgePort, Slot
from cutover.flow.edge_record import port_as_dict, port_from_dict


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """How a swap uses the edge.

    `adopt`: there is none yet, and it takes the ports over from green; `redirect`: without a gap (design: adoption).
    `green_slot` is where green is or will be. `share_percent` is a canary's first step, None for a whole swap. `notes`
    is what a person should know of it beforehand.
    """

    adopt: bool
    redirect: bool
    generation: int
    image: str
    networks: tuple[str, ...]
    ports: tuple[EdgePort, ...]
    green_slot: Slot
    exclusive: bool = False
    share_percent: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def blue_slot(self) -> Slot:
        """Return the slot that blue gets."""
        return self.green_slot.other

    def as_dict(self) -> dict[str, Any]:
        """Return what the journal keeps."""
        return {
            "adopt": self.adopt,
            "redirect": self.redirect,
            "generation": self.generation,
            "image": self.image,
            "networks": list(self.networks),
            "ports": [port_as_dict(p) for p in self.ports],
            "green_slot": str(self.green_slot),
            "exclusive": self.exclusive,
            "share_percent": self.share_percent,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EdgePlan:
        """Read what `as_dict` wrote."""
        return cls(
            adopt=data["adopt"],
            redirect=data["redirect"],
            generation=data["generation"],
            image=data["image"],
            networks=tuple(data["networks"]),
            ports=tuple(port_from_dict(p) for p in data["ports"]),
            green_slot=Slot(data["green_slot"]),
            exclusive=data["exclusive"],
            share_percent=data["share_percent"],
        )
