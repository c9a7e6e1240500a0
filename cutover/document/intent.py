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
class TakenEntry:
    """One entry that was taken: its `lines`, dash first, the comments that went with it, and what it published."""

    lines: tuple[str, ...]
    bindings: tuple[PortBinding, ...]


@dataclass(frozen=True, slots=True)
class TakenFrom:
    """Where entries stood in one file: `before` are the lines behind the key `after` ("": first), `left` what is left.

    Both as they stand in the file, whose keys of the service begin at `column`; None where they cannot be told apart
    from the rest by lines.
    """

    file: str
    entries: tuple[TakenEntry, ...]
    after: str = ""
    column: int = 0
    before: tuple[str, ...] | None = None
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortTake:
    """Ports leave `service` and go to no other: the text of their entries is kept, by file, so that it can return."""

    service: str
    places: tuple[TakenFrom, ...]

    @property
    def bindings(self) -> tuple[PortBinding, ...]:
        """Return what the service published with them."""
        return tuple(b for place in self.places for entry in place.entries for b in entry.bindings)

    @property
    def published(self) -> tuple[tuple[int, Protocol], ...]:
        """Return the host ports that were taken, each with its protocol, none twice."""
        return tuple(dict.fromkeys((b.host_port, b.protocol) for b in self.bindings))

    def inverse(self) -> Inverse:
        """Return the giving back."""
        return Inverse("give_ports", {"service": self.service, "places": [_place(place) for place in self.places]})


@dataclass(frozen=True, slots=True)
class ImageChange:
    """The image of `service`, said by `file`, goes from `before` to `after`; `text` is how `before` was written."""

    service: str
    file: str
    before: str
    after: str
    text: str

    def inverse(self) -> Inverse:
        """Return the change back."""
        names = ("service", "file", "before", "after", "text")
        return Inverse("set_image", {name: getattr(self, name) for name in names})


Intent = PortMove | PortTake | ImageChange


@dataclass(frozen=True, slots=True)
class Inverse:
    """The edit that takes another one back, on a file that may have changed elsewhere since: JSON-ready."""

    operation: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {"operation": self.operation, "arguments": dict(self.arguments)}


def _place(place: TakenFrom) -> dict[str, object]:
    return {
        "file": place.file,
        "entries": [_entry(entry) for entry in place.entries],
        "after": place.after,
        "column": place.column,
        "before": None if place.before is None else list(place.before),
        "left": list(place.left),
    }


def _entry(entry: TakenEntry) -> dict[str, object]:
    bindings = [[b.host_ip, b.host_port, b.target, str(b.protocol)] for b in entry.bindings]
    return {"lines": list(entry.lines), "bindings": bindings}
