"""What is known about one name on one side, and who said so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cutover.validate.surface.source import Method, Reading, is_route


class State(StrEnum):
    """What a reply says about a method: `SILENT` asked, and no answer came; `UNASKED` was not asked."""

    PRESENT = "present"
    STUBBED = "stubbed"
    UNKNOWN = "unknown"
    SILENT = "silent"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for a method; `told` is what was answered, in a few words, or why it was not asked."""

    state: State
    told: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """All that is known about one colour.

    `asked` by name; `listed` are the names that the service itself lists, in an unknown-method reply or as OpenAPI, and
    who listed them; `recorded` those that its clients were seen to use and that it knew. `reading` is None where there
    is no source, `reached` says whether it answered at all, `has_openapi` whether it has OpenAPI, `lists_all` whether
    its own list is more than examples.
    """

    colour: str
    reading: Reading | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
    listed: Mapping[str, str] = field(default_factory=dict)
    recorded: frozenset[str] = frozenset()
    reached: bool = False
    has_openapi: bool = False
    lists_all: bool = True

    def of(self, name: str) -> Evidence:
        """Return what is known about one name."""
        places = self.reading.named().get(name, ()) if self.reading else ()
        return Evidence(
            places=places,
            asked=self.asked.get(name, Asked(State.UNASKED)),
            listed=self.listed.get(name, ""),
            recorded=name in self.recorded,
            has_source=self.reading is not None and self.reading.files > 0,
            has_list=self.has_openapi
            if is_route(name)
            else self.lists_all and any(not is_route(n) for n in self.listed),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one colour's sources say about one name."""

    places: tuple[Method, ...]
    asked: Asked
    listed: str = ""
    recorded: bool = False
    has_source: bool = False
    has_list: bool = False

    @property
    def answered(self) -> bool:
        """Say whether the service itself was asked and said something about it."""
        return self.asked.state not in {State.UNASKED, State.SILENT}

    @property
    def sure(self) -> bool:
        """Say whether this is a method beyond doubt."""
        return self.answered or bool(self.listed) or self.recorded or any(m.sure for m in self.places)

    @property
    def present(self) -> bool:
        """Say whether there is such a method, finished or not. What the service itself says counts most."""
        if self.answered:
            return self.asked.state is not State.UNKNOWN
        return bool(self.listed or self.recorded or self.places)

    @property
    def stub(self) -> str:
        """Return why the method counts as a stub, "" if it does not."""
        if self.asked.state is State.STUBBED:
            return f"answers {self.asked.told}"
        sure = [m for m in self.places if m.sure]
        if self.present and sure and all(m.stubbed for m in sure):
            return f"{sure[0].reason} ({sure[0].place})"
        return ""

    @property
    def decided(self) -> bool:
        """Say whether its absence would have been noticed."""
        return self.answered or self.has_source or self.has_list

    @property
    def sources(self) -> tuple[str, ...]:
        """Return which sources speak of it: asked, listed, source, recorded."""
        told = {
            "asked": self.answered,
            "listed": bool(self.listed),
            "source": bool(self.places),
            "recorded": self.recorded,
        }
        return tuple(name for name, says in told.items() if says)

    def words(self) -> tuple[str, ...]:
        """Return what each source says, a fact a line."""
        said = []
        if self.asked.state is not State.UNASKED or self.asked.told:
            said.append(f"{'not asked' if self.asked.state is State.UNASKED else 'asked'}: {self._told()}")
        if self.listed:
            said.append(f"listed: {self.listed}")
        said += [f"source: {m.place} ({_seen(m)})" for m in sorted(self.places, key=lambda m: not m.sure)[:4]]
        if self.has_list and not self.listed:
            said.append("listed: it lists others, and not this one")
        if self.has_source and not self.places:
            said.append("source: not there")
        if self.recorded:
            said.append("recorded: clients use it")
        return tuple(said)

    def _told(self) -> str:
        if self.asked.state is State.UNASKED:
            return self.asked.told
        return f"{self.asked.state}{', ' + self.asked.told if self.asked.told else ''}"


def _seen(method: Method) -> str:
    """Return how a method was seen in the source, and how sure that is."""
    notes = [str(method.how), method.reason, "" if method.sure else "may be something else"]
    return ", ".join(filter(None, notes))
