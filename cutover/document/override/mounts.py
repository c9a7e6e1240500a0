"""Volumes of a test stack: blue must not write green's data."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from cutover.document.override.values import Model, OverrideRequest, Service
from cutover.errors import UsageError

Entry = dict[str, Any]


class Fate(StrEnum):
    """What becomes of a mount."""

    KEEP = "as it is"
    READ_ONLY = "read-only"
    OWN = "a volume of its own"


@dataclass(slots=True)
class Mounts:
    """The entries that differ from the origin's (Compose merges mounts by their target), and new volumes."""

    entries: list[Entry] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def separate(model: Model, origin: str, request: OverrideRequest, name: str) -> Mounts:
    """Return the mounts that the test stack has instead of the origin's.

    Raises:
        UsageError: an option names a mount that the service does not have.

    """
    service: Service = model["services"][origin]
    mounts = [m for m in service.get("volumes") or () if isinstance(m, Mapping)]
    _see_options(request, [str(m.get("target")) for m in mounts])
    found = Mounts()
    for mount in mounts:
        source, target = str(mount.get("source") or ""), str(mount.get("target"))
        fate, why = _fate(mount, _others(model, origin, source), request)
        if fate is Fate.OWN:
            volume = f"{name}_{_slug(source if mount.get('type') == 'volume' else PurePosixPath(target).name)}"
            while volume in found.volumes:
                volume += "_"
            found.volumes.append(volume)
            found.entries.append({"type": "volume", "source": volume, "target": target})
        elif fate is Fate.READ_ONLY:
            found.entries.append({**mount, "read_only": True})
        if why:
            found.notes.append(f"{target} is {fate}: {why}")
        if source.endswith(".sock"):
            found.warnings.append(f"{target} is a socket: read-only does not protect whoever listens on it")
    return found


def from_others(service: Service) -> list[str] | None:
    """Return `volumes_from` with every source read-only, None where there is none that can be written."""
    sources = [str(s) for s in service.get("volumes_from") or ()]
    safe = [f"{s.removesuffix(':rw')}" + ("" if s.endswith(":ro") else ":ro") for s in sources]
    return safe if safe != sources else None


def beside(entry: Entry, folder: Path) -> Entry:
    """Return a mount with its path relative to the project's folder, where it lies in there."""
    path = Path(str(entry.get("source") or ""))
    if entry.get("type") != "bind" or not path.is_relative_to(folder):
        return entry
    return {**entry, "source": f"./{path.relative_to(folder)}"}


def _fate(mount: Mapping[str, Any], others: Sequence[str], request: OverrideRequest) -> tuple[Fate, str]:
    target = str(mount.get("target"))
    told = (
        (request.share, Fate.KEEP, "--share; the test stack can write it"),
        (request.read_only, Fate.READ_ONLY, "--read-only"),
        (request.own, Fate.OWN, "--own; it starts empty"),
    )
    for named, fate, why in told:
        if target in named:
            return fate, why
    return _safe(mount, others)


def _safe(mount: Mapping[str, Any], others: Sequence[str]) -> tuple[Fate, str]:
    """Return what becomes of a mount that nobody names: whatever keeps the test stack from writing it."""
    kind, source = mount.get("type"), mount.get("source")
    if kind not in {"bind", "volume"} or not source or mount.get("read_only"):
        return Fate.KEEP, ""
    if kind == "bind":
        return Fate.READ_ONLY, "a folder of the host; --own or --share change that"
    if others:
        return Fate.READ_ONLY, f"{', '.join(others)} uses it too; --own or --share change that"
    return Fate.OWN, "nobody else uses it; it starts empty; --read-only or --share change that"


def _others(model: Model, origin: str, source: str) -> list[str]:
    return [other for other, s in sorted(model["services"].items()) if other != origin and source in _sources(s)]


def _sources(service: Service) -> Iterator[str]:
    for mount in service.get("volumes") or ():
        if isinstance(mount, Mapping) and mount.get("type") == "volume" and mount.get("source"):
            yield str(mount["source"])


def _see_options(request: OverrideRequest, targets: Sequence[str]) -> None:
    for option, named in (("--own", request.own), ("--read-only", request.read_only), ("--share", request.share)):
        for target in named:
            if target not in targets:
                near = difflib.get_close_matches(target, targets, n=1)
                did = f"; did you mean {near[0]}?" if near else "."
                raise UsageError(
                    "unknown-mount",
                    f"{option} {target}: the service mounts nothing there{did}",
                    evidence=[f"mounts: {', '.join(targets) or 'none'}"],
                )
    twice = [t for t in targets if (t in request.own) + (t in request.read_only) + (t in request.share) > 1]
    if twice:
        raise UsageError("mount-twice", f"{twice[0]} can be only one of --own, --read-only and --share.")


def _slug(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]+", "_", text).strip("_.-") or "data"
