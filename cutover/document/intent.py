"""What an edit was meant to do, as data that a journal can keep and an inverse can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.model import PortBinding, Protocol


@dataclass(frozen=True, slots=True)
class PortMove:
    """Ports go from `source` to `target`: `bindings` as the source publishes them, `retarget` inside the container."""

    source: str
    target: str
    bindings: tuple[PortBinding, ...]
    retarget: tuple[tuple[int, int], ...] = ()

    @property
    def published(self) -> tuple[tuple[int, Protocol], ...]:
        """Return the host ports that moved, each with its protocol, none twice."""
        return tuple(dict.fromkeys((b.host_port, b.protocol) for b in self.bindings))

    def target_of(self, binding: PortBinding) -> int:
        """Return the container port that a binding leads to after the move."""
        return dict(self.retarget).get(binding.target, binding.target)

    def inverse(self) -> Inverse:
        """Return the move back."""
        back = {new: old for old, new in self.retarget}
        return Inverse(
            "move_ports",
            {
                "source": self.target,
                "target": self.source,
                "published": [[port, str(protocol)] for port, protocol in self.published],
                "retarget": [[new, old] for new, old in back.items()],
            },
        )


@dataclass(frozen=True, slots=True)
class Inverse:
    """The edit that takes another one back, on a file that may have changed elsewhere since: JSON-ready."""

    operation: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {"operation": self.operation, "arguments": dict(self.arguments)}
