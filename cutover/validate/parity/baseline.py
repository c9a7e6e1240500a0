"""The accuracy of an earlier run, kept in a file: what blue has to reach where green is not the measure.

`cutover parity --save-baseline FILE` writes green's accuracy, `--baseline FILE` holds blue against it, for instance
when green has been retired, or against the first version ever measured and not the last one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cutover import files
from cutover.config import Case
from cutover.errors import UsageError
from cutover.validate.parity.accuracy import scored

VERSION = 1
SHARES = ("exact", "similarity", "correct")


def save_baseline(path: Path, figures: dict[str, Any], cases: Iterable[Case]) -> None:
    """Write green's accuracy as the file to be held against later; `figures` are of a verdict.

    Raises:
        UsageError: no case says what is `expected`.

    """
    cases = tuple(cases)
    refuse_without_accuracy(path, cases)
    content = {
        "baseline": VERSION,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cases": fingerprint(cases),
        "accuracy": figures["accuracy"]["green"],
    }
    files.write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())


def refuse_without_accuracy(path: Path, cases: Iterable[Case]) -> None:
    """Refuse a baseline that would hold nothing.

    Raises:
        UsageError: no case says what is `expected`.

    """
    if not any(map(scored, cases)):
        raise UsageError(
            "no-accuracy",
            f"{path} would hold nothing: no case says what is `expected`, so there is no accuracy.",
            hint="- {request: {...}, expected: Paris, answer: $.result.text}",
        )


def read_baseline(path: Path) -> dict[str, Any]:
    """Return a baseline.

    Raises:
        UsageError: it is not there, or is none.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        accuracy = content["accuracy"]
        whole = content["baseline"] == VERSION and all(0 <= float(accuracy[share]) <= 1 for share in SHARES)
    except FileNotFoundError as error:
        raise UsageError("no-such-file", f"{path} is not there.", hint="cutover parity --save-baseline FILE") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        told = f"{path} is no baseline: {type(error).__name__}: {error}."
        raise UsageError("no-baseline", told, hint="cutover parity --save-baseline FILE writes one") from error
    if not whole:
        raise UsageError("no-baseline", f"{path} is no baseline of version {VERSION}.", hint="write it again")
    return dict(content)


def fingerprint(cases: Iterable[Case]) -> str:
    """Return what the scored cases ask and expect, as one SHA-256: accuracies of other cases are no measure."""
    asked = sorted(json.dumps([c.to, c.request, c.expected], sort_keys=True, default=repr) for c in cases if scored(c))
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()
