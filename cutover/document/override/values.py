"""What an override is asked for and what it comes to: frozen values, shared by everything here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutover.model import Protocol

Service = Mapping[str, Any]
Model = Mapping[str, Any]
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class OverrideRequest:
    """What the user wants of a test stack; every default means "as it comes".

    `service` is what is to be tried (blue where nobody says), `origin` the service to start from where it is another
    one. `maps` moves ports, `OLD:NEW`. `also` names places that are to move though they do not look like a port.
    `own`, `read_only` and `share` name mounts by their target. `gpus` is a count, `gpu_ids` are device ids.
    """

    service: str | None = None
    origin: str | None = None
    image: str | None = None
    from_image: bool = False
    name: str | None = None
    maps: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    keep_target: bool = False
    environment: tuple[tuple[str, str | None], ...] = field(default=(), repr=False)
    command: tuple[str, ...] | None = None
    own: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    gpus: int | None = None
    gpu_ids: tuple[str, ...] = ()
    no_gpu: bool = False
    avoid: tuple[Path, ...] = ()
    path: Path | None = None


@dataclass(frozen=True, slots=True, order=True)
class WantedPort:
    """A legacy port that is to be tried, and where the service listens for it inside."""

    legacy: int
    target: int
    protocol: Protocol = Protocol.TCP


@dataclass(frozen=True, slots=True, order=True)
class TestPort:
    """One row of the port table: clients know `legacy`; the test stack answers on `published` of the loopback.

    `target` is the port inside, `origin_target` what it is in the service that it was derived from.
    """

    __test__ = False  # no test case, whatever pytest thinks of its name

    legacy: int
    published: int
    target: int
    protocol: Protocol = Protocol.TCP
    origin_target: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {
            "legacy": self.legacy,
            "published": self.published,
            "target": self.target,
            "protocol": str(self.protocol),
        }


@dataclass(frozen=True, slots=True)
class Override:
    """A file that adds one service, the test stack, to a project.

    `expected` is what Compose must make of that service, `expected_volumes` of its own volumes: values of the user's
    files are in there, never show it. `warnings` are places that look like a port and were left alone, and the like;
    `notes` say what was derived. `private` says that a secret stands in the text, so that its owner alone may read it.
    """

    service: str
    origin: str | None
    text: str = field(repr=False)
    ports: tuple[TestPort, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    expected: Service = field(default_factory=dict, repr=False)
    expected_volumes: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under one of Compose's tags: `!override` instead of merging, `!reset` to leave out."""

    tag: str
    value: object = None


RESET = Tagged("!reset")


def instead(value: object) -> Tagged:
    """Return a value that takes the place of what would be inherited."""
    return Tagged("!override", value)
