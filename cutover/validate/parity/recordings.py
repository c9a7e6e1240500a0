"""Recordings of live traffic (`cutover record`), read as cases.

One JSON object a line. The first says what the file is: `{"recording": 1, "at": "...", ...}`; every other one is an
exchange: `{"case": {...}, "reply": {...}, "at": "2025-01-01T00:00:00Z", "elapsed_s": 0.004}`, where `case` holds the
keys of a case in cutover.yaml. A line without `case` is taken for a case itself, so that a list of cases can be
written by any tool; only `case` is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cutover.config import Case, validated
from cutover.errors import UsageError

VERSION = 1


def read_recording(path: Path) -> Iterator[tuple[int, Case]]:
    """Yield (line, case) for each exchange of a recording, while it is read.

    Raises:
        UsageError: it cannot be read, is of a later version, or a line is damaged; with file and line.

    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from _read(path, number, line)
    except FileNotFoundError as error:
        raise UsageError("no-such-file", f"{path} is not there.", hint="cutover record writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        hint = "is it a recording in UTF-8, as cutover record writes it, and may this user read it?"
        raise UsageError("recording-unreadable", f"{path} cannot be read: {error}", hint=hint) from error


def _read(path: Path, number: int, line: str) -> Iterator[tuple[int, Case]]:
    content = _parsed(path, number, line)
    if "recording" in content:
        if content["recording"] != VERSION:
            message = f"{path}:{number}: a recording of version {content['recording']!r}; this cutover reads {VERSION}."
            raise UsageError("recording-version", message, hint="record it again, or use the cutover that wrote it")
        return
    yield number, _case(path, number, content)


def _parsed(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number, f"not JSON: {error}", line) from error
    if not isinstance(content, dict):
        raise _damaged(path, number, "not a JSON object", line)
    return content


def _case(path: Path, number: int, content: Mapping[str, Any]) -> Case:
    try:
        return validated(Case, content, path, within=("case",) if "case" in content else ())
    except UsageError as error:
        problem = error.message.partition(": ")[2]
        raise UsageError(
            "damaged-line",
            f"{path}:{number}: {problem}",
            evidence=error.evidence,
            hint="cutover schema prints the keys of a case",
        ) from error


def _damaged(path: Path, number: int, problem: str, line: str) -> UsageError:
    """Return the error without the line's text: what was recorded may hold what nobody masked."""
    return UsageError(
        "damaged-line",
        f"{path}:{number}: {problem}.",
        evidence=[f"{len(line.encode())} bytes in this line"],
        hint="a recording that was cut off ends in half a line: delete it, the rest is good",
    )
