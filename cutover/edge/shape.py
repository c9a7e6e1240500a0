"""What an edge is, as values: its ports, the two slots behind each, and what a slot leads to; validated once, here.

An edge has two slots, `a` and `b`. At each swap one of them holds green and the other is aimed at blue, so that the
names in HAProxy's configuration never change. Everything that reaches a configuration file passes through these types.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cutover.errors import UsageError
from cutover.model import PortBinding

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
PATH = re.compile(r"/[A-Za-z0-9/_.~%+,;:@=&?-]{0,1023}")
ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


class Mode(StrEnum):
    """What a port of the edge speaks. The ZeroMQ modes are named by the socket that a colour binds there."""

    HTTP = "http"
    TCP = "tcp"
    REP = "zmq-rep"
    ROUTER = "zmq-router"
    PUB = "zmq-pub"
    PULL = "zmq-pull"
    PUSH = "zmq-push"

    @property
    def zeromq(self) -> bool:
        """Say whether the broker serves it, and not HAProxy."""
        return self.value.startswith("zmq")


class Slot(StrEnum):
    """One of the two places behind the edge that can hold a colour."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Slot:
        """Return the other slot."""
        return Slot.B if self is Slot.A else Slot.A


def valid(pattern: re.Pattern[str], text: str, what: str) -> str:
    """Return a text that may stand in a configuration file.

    Raises:
        UsageError: it has a character that could end a word or a line there.

    """
    if not pattern.fullmatch(text):
        raise UsageError(
            "unsafe-name", f"{text!r} cannot be {what} behind an edge.", hint=f"allowed: {pattern.pattern}"
        )
    return text


@dataclass(frozen=True, slots=True)
class EdgePort:
    """A port on which the edge listens inside its container, and the host addresses that are published to it.

    Each binding's `target` is `port`. `check_path` is what HAProxy asks a colour for its health (HTTP only).
    """

    port: int
    mode: Mode
    bindings: tuple[PortBinding, ...]
    check_path: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a configuration file."""
        if not 0 < self.port < 65536:  # noqa: PLR2004
            raise UsageError("bad-port", f"{self.port} is no port.")
        if self.check_path is not None:
            valid(PATH, self.check_path, "the path of a health check")


@dataclass(frozen=True, slots=True)
class Target:
    """Where one edge port finds a colour: the container's name, its address at this moment, the port inside it."""

    name: str
    address: str
    port: int

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a configuration file."""
        valid(NAME, self.name, "a container's name")
        valid(ADDRESS, self.address, "an address")  # ipaddress takes any text, lines too, after fe80::1%
        ipaddress.ip_address(self.address)
        if not 0 < self.port < 65536:  # noqa: PLR2004
            raise UsageError("bad-port", f"{self.port} is no port.")


Targets = Mapping[int, Target]
"""Edge port -> where a colour answers for it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """How requests are held: how many at most per port, for how long (seconds), and how fast they are let go after."""

    limit: int = 1000
    timeout_s: float = 60.0
    release_per_s: float = 500.0

    @classmethod
    def told(cls, data: Mapping[str, Any]) -> Hold:
        """Return what JSON says.

        Raises:
            ValueError, KeyError, TypeError, OverflowError: it says no bounds.

        """
        found = cls(int(data["limit"]), float(data["timeout_s"]), float(data["release_per_s"]))
        if not all(0 < bound < math.inf for bound in (found.limit, found.timeout_s, found.release_per_s)):
            raise ValueError("a hold is bounded by numbers above 0")
        return found


@dataclass(frozen=True, slots=True)
class SlotStats:
    """Counters since the edge started. `in_flight` is requests (HTTP, ZeroMQ) or open connections (TCP) now.

    `lost` requests got an error reply because their colour died; `errors` are replies that say so (HTTP 5xx, or as
    `edge.error_if` says) and connections that failed.
    """

    aimed_at: str | None
    up: bool
    requests: int = 0
    errors: int = 0
    lost: int = 0
    replayed: int = 0
    in_flight: int = 0
    clients: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortStats:
    """One port. `active` was last switched to; `serving` gets the next request, None while nobody can.

    They differ where the edge fell back by itself. `share_percent` of the requests go to the other slot (canary).
    """

    port: int
    active: Slot
    serving: Slot | None
    slots: Mapping[Slot, SlotStats]
    share_percent: float = 0.0
    holding: bool = False
    held: int = 0
    overflowed: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request: from which slot, how long it took there (seconds), and whether it was an error."""

    port: int
    slot: Slot
    elapsed_s: float
    error: bool
