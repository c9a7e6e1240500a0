"""Recorded traffic as a source: which methods clients use, and the service knew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cutover.errors import UsageError
from cutover.model import Finding
from cutover.validate.record.reading import Exchange, read_recording
from cutover.validate.results import warning
from cutover.validate.surface.source import route

_VARIES: Final = re.compile(
    r"^(?:\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?=[\w~.-]*\d)[\w~-]{20,}|[^/]*@[^/]*|\*\*\*)$"
)
_MEANS_UNKNOWN: Final = re.compile(
    r"(?:unknown|no such|unsupported|invalid)[ _](?:method|action|command)|method[ _]not[ _]found", re.IGNORECASE
)
_WRONG: Final = frozenset({404, 405, 501})
_DEPTH: Final = 3


def recorded_methods(
    patterns: tuple[str, ...], folder: Path, keys: tuple[str, ...]
) -> tuple[frozenset[str], list[Finding]]:
    """Return the names that the recordings have, and findings about lines that could not be read.

    Raises:
        UsageError: there is no such recording, or it is none.

    """
    names: set[str] = set()
    findings: list[Finding] = []
    for path in files_of(patterns, folder):
        recording = read_recording(path)
        for exchange in recording.exchanges:
            names.update(_names(exchange, keys))
        if recording.unreadable:
            message = f"{path}: {len(recording.unreadable)} lines cannot be read and were left out"
            findings.append(warning("recording-damaged", message, *recording.unreadable[:5]))
    return frozenset(names), findings


def files_of(patterns: tuple[str, ...], folder: Path) -> Iterator[Path]:
    """Yield the files that names and patterns mean, relative to a folder.

    Raises:
        UsageError: one means no file.

    """
    for pattern in patterns:
        plain = folder / pattern
        found = [plain] if plain.is_file() else sorted(_globbed(pattern, folder))
        if not found:
            message = f"There is no recording {pattern!r} in {folder}."
            raise UsageError("no-such-recording", message, hint="cutover record -o FILE makes one")
        yield from found


def _globbed(pattern: str, folder: Path) -> Iterator[Path]:
    path = Path(pattern)
    if not any(c in pattern for c in "*?["):
        return iter(())
    return Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute() else folder.glob(pattern)


def _names(exchange: Exchange, keys: tuple[str, ...]) -> Iterator[str]:
    case = exchange.case
    parts = urlsplit(str(case.get("to") or ""))
    named = list(_in_request(case.get("request"), keys))
    if _was_unknown(exchange):
        return
    if parts.scheme in {"http", "https"}:
        verb = str(case.get("method") or ("GET" if case.get("request") is None else "POST"))
        yield route(verb, collapsed(parts.path))
    yield from named


def collapsed(path: str) -> str:
    """Return a path with its identifiers taken out: `/models/7/runs/0b1c...` is `/models/{}/runs/{}`."""
    return "/".join("{}" if _VARIES.match(part) else part for part in (path or "/").split("/"))


def _in_request(value: Any, keys: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """Yield what stands under the keys, the nearest to the top first: `{"header": {"type": "load"}}` has one."""
    if not isinstance(value, Mapping) or depth > _DEPTH:
        return
    here = [v for k in keys if isinstance(v := value.get(k), str) and v and v != "***"]
    if here:
        yield here[0]
        return
    for inner in value.values():
        yield from _in_request(inner, keys, depth + 1)


def _was_unknown(exchange: Exchange) -> bool:
    reply = exchange.reply
    return reply.get("code") in _WRONG or bool(_MEANS_UNKNOWN.search(str(reply.get("value"))[:2000]))
