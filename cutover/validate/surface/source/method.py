"""What is found in a source: methods, each with its place; and files that could not be read, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class How(StrEnum):
    """What made us take a name for a method."""

    TABLE = "dispatch table"
    COMPARISON = "comparison"
    DECORATOR = "decorator"
    REGISTERED = "registration"
    CLASS = "public method"
    PREFIX = "getattr"
    HTTP = "http.server"


@dataclass(frozen=True, slots=True)
class Method:
    """A method, found in the source at `file`:`line` (from 1).

    `stubbed` says that its handler does nothing yet, `reason` how that is seen. `sure` is False where the name may
    well be something else (`if kind.type == "circle"`): such a one warns and fails nothing.
    """

    name: str
    how: How
    file: str
    line: int
    stubbed: bool = False
    reason: str = ""
    sure: bool = True

    @property
    def place(self) -> str:
        """Return `file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was not read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source told: `files` counts those that were read."""

    methods: tuple[Method, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files: int = 0

    def named(self) -> dict[str, tuple[Method, ...]]:
        """Return the methods by name, in the order in which they were found."""
        found: dict[str, list[Method]] = {}
        for method in self.methods:
            found.setdefault(method.name, []).append(method)
        return {name: tuple(places) for name, places in found.items()}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: names of keys that hold a method's name, and classes whose public methods count."""

    keys: tuple[str, ...] = ("action", "method", "command", "type", "op")
    classes: tuple[str, ...] = ()


HTTP_VERBS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
