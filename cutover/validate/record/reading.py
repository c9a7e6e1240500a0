"""Reading a recording: a header, and a line for each exchange. A damaged line is named and left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutover.errors import UsageError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its reply as they were recorded, secrets masked. `masked` says that something was."""

    case: Mapping[str, Any]
    reply: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    elapsed_s: float = 0.0
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds; `unreadable` names the lines that were left out."""

    header: Mapping[str, Any]
    exchanges: tuple[Exchange, ...]
    unreadable: tuple[str, ...] = ()


def read_recording(path: Path) -> Recording:
    """Return what a recording holds.

    Raises:
        UsageError: it cannot be read, is none, or was made by a newer cutover.

    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        message = f"The recording {path} cannot be read: {error.strerror}."
        raise UsageError("recording-unreadable", message, hint="cutover record -o FILE makes one") from error
    header = _object(lines[0]) if lines else None
    if header is None or "recording" not in header:
        hint = 'cutover record -o FILE makes one; its first line is {"recording": 1, ...}'
        raise UsageError("no-recording", f"{path} is no recording.", hint=hint)
    if header["recording"] != VERSION:
        message = f"{path} is a recording of version {header['recording']!r}; this cutover reads version {VERSION}."
        raise UsageError("recording-version", message, hint="record it again, or use the cutover that made it")
    exchanges, unreadable = [], []
    for number, line in enumerate(lines[1:], start=2):
        found = _exchange(line) if line.strip() else None
        if found:
            exchanges.append(found)
        elif line.strip():
            unreadable.append(f"{path}:{number}: no exchange (cut short, or edited)")
    return Recording(header, tuple(exchanges), tuple(unreadable))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _exchange(line: bytes) -> Exchange | None:
    value = _object(line)
    if value is None:
        return None
    case, reply = value.get("case"), value.get("reply")
    if not isinstance(case, dict):
        return None
    elapsed = value.get("elapsed_s")
    return Exchange(
        case=case,
        reply=reply if isinstance(reply, dict) else {},
        at=str(value.get("at", "")),
        elapsed_s=_seconds(elapsed),
        masked=bool(value.get("masked")),
    )


def _seconds(told: object) -> float:
    """Return a duration, 0 for what is none: more digits than a number of seconds can have are not."""
    try:
        return float(told) if isinstance(told, int | float) else 0.0
    except OverflowError:
        return 0.0
