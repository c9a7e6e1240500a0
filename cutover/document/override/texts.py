"""The texts of a service in which a port can stand: command, entrypoint, healthcheck, each variable."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.document.override.names import host_siblings, is_local
from cutover.document.override.places import Role, Spot, spots
from cutover.document.override.template import comes_to, split
from cutover.document.override.values import Service

HEALTHCHECK = "healthcheck.test"
LISTS = ("command", "entrypoint", HEALTHCHECK)
VARIABLE = "environment."


@dataclass(frozen=True, slots=True)
class Place:
    """A number in a service, `parts[part][start:end]` of the text with this key, and how people call the place."""

    key: str
    where: str
    part: int
    spot: Spot


@dataclass(frozen=True, slots=True)
class Text:
    """One text: `parts` as Compose computed them, `written` as the file has them (None where that is not known).

    A variable has one part, a command one for each argument.
    """

    key: str
    parts: tuple[str, ...] = field(repr=False)
    written: tuple[str | None, ...] = field(repr=False)

    @property
    def listed(self) -> bool:
        """Say whether it is a list of arguments."""
        return self.key in LISTS

    def places(self, own_names: Sequence[str]) -> Iterator[Place]:
        """Yield the numbers in it, each with its part; flags name the argument behind them."""
        whole = "\n".join(self.parts)
        starts = list(itertools.accumulate((len(p) + 1 for p in self.parts), initial=0))
        for spot in spots(whole, own_names, self.key.removeprefix(VARIABLE) if not self.listed else ""):
            part = bisect.bisect_right(starts, spot.start) - 1
            begin = starts[part]
            where = f"{self.key}[{part}]" if self.listed else self.key
            yield Place(self.key, where, part, replace(spot, start=spot.start - begin, end=spot.end - begin))


def texts_of(service: Service, written: Service, env: Mapping[str, str]) -> list[Text]:
    """Return the texts of a service of the canonical model; `written` is the same service, uninterpolated."""
    found = [_listed(key, service, written) for key in LISTS]
    texts = [t for t in found if t] + list(_variables(service, written))
    return [
        replace(t, written=tuple(_agreeing(w, p, env) for w, p in zip(t.written, t.parts, strict=True))) for t in texts
    ]


def places_of(service: Service, texts: Sequence[Text], own_names: Sequence[str]) -> list[Place]:
    """Return every number in a service that could be a port; the port of another host's variable is REMOTE."""
    environment = service.get("environment") or {}
    found = []
    for text in texts:
        for place in text.places(own_names):
            spot = place.spot
            if spot.role is Role.LISTENS and _of_other_host(spot.name, text, environment, own_names):
                spot = replace(spot, role=Role.REMOTE)
            found.append(replace(place, spot=spot))
    return found


def variables(service: Service) -> dict[str, Any]:
    """Return the environment of a service, be it a mapping or the list that an uninterpolated model has."""
    environment = service.get("environment") or {}
    if isinstance(environment, Mapping):
        return dict(environment)
    pairs = (str(entry).partition("=") for entry in environment)
    return {name: value if equals else None for name, equals, value in pairs}


def _agreeing(written: str | None, part: str, env: Mapping[str, str]) -> str | None:
    """Return text of the file if it comes to what Compose computed."""
    return written if written is not None and comes_to(written, env) == part else None


def _listed(key: str, service: Service, written: Service) -> Text | None:
    parts = _at(service, key)
    if not isinstance(parts, list) or not parts:
        return None
    raw = _at(written, key)
    if isinstance(raw, str):
        raw = ["CMD-SHELL", raw] if key == HEALTHCHECK else split(raw)
    same = isinstance(raw, list) and len(raw) == len(parts)
    return Text(key, tuple(map(str, parts)), tuple(map(str, raw)) if same else (None,) * len(parts))


def _at(service: Service, key: str) -> Any:
    value: Any = service
    for step in key.split("."):
        value = (value or {}).get(step)
    return value


def _variables(service: Service, written: Service) -> Iterator[Text]:
    raw = variables(written)
    for name, value in sorted(variables(service).items()):
        if value is not None:
            text = raw.get(name)
            yield Text(f"{VARIABLE}{name}", (str(value),), (None if text is None else str(text),))


def _of_other_host(name: str, text: Text, environment: Mapping[str, Any], own_names: Sequence[str]) -> bool:
    """Say whether `BACKEND_PORT` stands beside `BACKEND_HOST=backend`, `--redis-port` beside `--redis-host redis`."""
    for sibling in host_siblings(name):
        host = _after_flag(sibling, text.parts) if text.listed else environment.get(sibling)
        if host is not None and not is_local(_host_of(str(host)), own_names):
            return True
    return False


def _after_flag(flag: str, parts: Sequence[str]) -> str | None:
    for index, part in enumerate(parts):
        if part.startswith(f"{flag}="):
            return part.removeprefix(f"{flag}=")
        if part == flag and index + 1 < len(parts):
            return parts[index + 1]
    return None


def _host_of(value: str) -> str:
    rest = value.partition("://")[2] or value
    return rest.rpartition("@")[2].partition("/")[0].partition(":")[0]
