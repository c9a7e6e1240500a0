"""What the broker is told: broker.json (what it is, read once) and state.json (what it was told last)."""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SLOTS = ("a", "b")
MODES = ("zmq-rep", "zmq-router", "zmq-pub", "zmq-pull", "zmq-push")


class WordsError(Exception):
    """What it was told makes no sense; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a colour answers: its container's name, the address of that at the time it was told, and the port."""

    name: str
    address: str
    port: int

    @classmethod
    def read(cls, data: object) -> Target:
        """Return what a JSON object says."""
        found = _fields(data, name=str, address=str, port=int)
        if not 0 < found["port"] < 65536:  # noqa: PLR2004
            raise WordsError(f"{found['port']} is no port")
        try:
            ipaddress.ip_address(found["address"])
        except ValueError as error:
            raise WordsError(f"{found['address']!r} is no address") from error
        return cls(**found)

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {"name": self.name, "address": self.address, "port": self.port}


@dataclass(frozen=True, slots=True)
class Hold:
    """How requests wait: how many at most, for how long (seconds), and how fast they are let go afterwards."""

    limit: int = 1000
    timeout_s: float = 120.0
    release_per_s: float = 500.0

    @classmethod
    def read(cls, data: object) -> Hold:
        """Return what a JSON object says."""
        found = _fields(data, limit=int, timeout_s=float, release_per_s=float)
        if min(found.values()) <= 0:
            raise WordsError("a hold is bounded by numbers above 0")
        return cls(**found)

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {"limit": self.limit, "timeout_s": self.timeout_s, "release_per_s": self.release_per_s}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of the messages: see `edge.zmq` of cutover.yaml."""

    codec: str = "json"
    method: str = "method"
    replay: tuple[str, ...] = ()
    lost_reply: Any = None
    overflow_reply: Any = None
    error_if: Mapping[str, Any] = field(default_factory=dict)
    answer_timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of broker.json.

    `window` is how many requests a REP may have in hand: it works at one, and what waits here is not lost with it.
    `order_s` is how long an answer waits for an older one that a ROUTER may never give (one-way messages).
    """

    ports: Mapping[int, str]
    rules: Rules = Rules()
    hold: Hold = Hold()
    sticky: bool = False
    bind: str = "*"
    max_message_bytes: int = 64 * 1024 * 1024
    heartbeat_s: float = 0.2
    heartbeat_timeout_s: float = 0.6
    window: int = 256
    order_s: float = 30.0

    @classmethod
    def read(cls, data: object) -> Settings:
        """Return what the JSON of broker.json says.

        Raises:
            WordsError: it cannot be meant.

        """
        told = dict(_object(data, "broker.json"))
        ports = {_port(port): str(mode) for port, mode in _object(told.pop("ports", None), "ports").items()}
        if unknown := [mode for mode in ports.values() if mode not in MODES]:
            raise WordsError(f"no mode is called {unknown[0]!r}")
        try:
            rules = dict(_object(told.pop("rules", {}), "rules"))
            rules["replay"] = tuple(rules.get("replay", ()))
            hold = Hold.read(told.pop("hold", Hold().as_dict()))
            return cls(ports=ports, rules=_sound(Rules(**rules)), hold=hold, **told)
        except TypeError as error:
            raise WordsError(f"broker.json: {error}") from error


@dataclass(frozen=True, slots=True)
class State:
    """What the broker was told last; all that a restart needs."""

    slots: Mapping[str, Mapping[int, Target]] = field(default_factory=dict)
    active: str = "a"
    share: float = 0.0
    hold: Hold | None = None

    @classmethod
    def read(cls, data: object) -> State:
        """Return what the JSON of state.json says.

        Raises:
            WordsError: it cannot be meant.

        """
        told = _object(data, "state.json")
        slots = {
            slot: {_port(port): Target.read(target) for port, target in _object(targets, slot).items()}
            for slot, targets in _object(told.get("slots", {}), "slots").items()
            if slot in SLOTS
        }
        active = told.get("active", "a")
        if active not in SLOTS:
            raise WordsError(f"no slot is called {active!r}")
        hold = told.get("hold")
        share = _fields({"share": told.get("share", 0.0)}, share=float)["share"]
        return cls(slots, active, share, None if hold is None else Hold.read(hold))

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {
            "slots": {
                slot: {str(port): target.as_dict() for port, target in targets.items()}
                for slot, targets in self.slots.items()
            },
            "active": self.active,
            "share": self.share,
            "hold": self.hold.as_dict() if self.hold else None,
        }


def other(slot: str) -> str:
    """Return the other slot."""
    return "b" if slot == "a" else "a"


def load(path: Path) -> object:
    """Return the JSON in a file.

    Raises:
        WordsError: it is not there, or no JSON.

    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise WordsError(f"{path.name} cannot be read: {error}") from error


def _object(data: object, what: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise WordsError(f"{what} is no JSON object")
    return data


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536):  # noqa: PLR2004
        raise WordsError(f"{text[:20]!r} is no port")
    return int(text)


def _sound(rules: Rules) -> Rules:
    """Return rules whose parts are of the kinds that they have to be."""
    texts = [rules.codec, rules.method, *rules.replay]
    if not all(isinstance(text, str) for text in texts) or not isinstance(rules.error_if, dict):
        raise WordsError("rules: codec, method and each of replay is a text, error_if an object")
    return rules


def _fields(data: object, **kinds: type) -> dict[str, Any]:
    told = _object(data, "it")
    found = {}
    for name, kind in kinds.items():
        value = told.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise WordsError(f"{name} should be a {kind.__name__}")
        try:
            found[name] = kind(value)
        except OverflowError as error:
            raise WordsError(f"{name} is beyond all measure") from error
        if found[name] != found[name] or found[name] in (math.inf, -math.inf):
            raise WordsError(f"{name} is no number")
    return found
