"""What got past a reader: told apart by where it came from, and made as small as it goes."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable

from tests.fuzz.target import ROOT, BrokenError

Run = Callable[[bytes], None]


def wrong_with(run: Run, data: bytes) -> str | None:
    """Return what is wrong with a target for this input, the same words for the same fault; None: nothing."""
    try:
        run(data)
    except Exception as error:  # noqa: BLE001  (whatever comes out is the finding)
        return signature(error)
    return None


def signature(error: BaseException) -> str:
    """Return what tells one fault from another: the kind of error, and the last line of ours that it passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(ROOT))]
    ours = [f for f in frames if "/cutover/" in f.filename] if not isinstance(error, BrokenError) else frames[-2:-1]
    last = (ours or frames)[-1] if frames else None
    where = f"{last.filename.removeprefix(f'{ROOT}/')}:{last.lineno} {last.name}" if last else "?"
    if isinstance(error, RecursionError):
        where = next(
            (f"{f.filename.removeprefix(f'{ROOT}/')} {f.name}" for f in frames if "/cutover/" in f.filename), where
        )
    words = str(error).partition(":")[0][:60] if isinstance(error, BrokenError) and "took" not in str(error) else ""
    return f"{type(error).__name__} at {where} {words}".strip()


def name_of(found: str) -> str:
    """Return a file name for a finding."""
    return hashlib.sha256(found.encode()).hexdigest()[:12]


def smallest(run: Run, data: bytes, found: str, *, seconds: float = 15.0) -> bytes:
    """Return the shortest input that was found to have the same fault (ddmin, until the time is up)."""
    end = time.monotonic() + seconds
    size = max(1, len(data) // 2)
    while size and time.monotonic() < end:
        at, shorter = 0, False
        while at < len(data) and time.monotonic() < end:
            left = data[:at] + data[at + size :]
            if wrong_with(run, left) == found:
                data, shorter = left, True
            else:
                at += size
        if not shorter or size > len(data):
            size //= 2
    return data
