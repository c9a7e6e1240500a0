"""What a target is, and what a user may be told of bad input."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from cutover.errors import CutoverError

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
SLOWEST_S = 1.0
"""Of one input, in processor time: a busy machine is nobody's hang."""
LONGEST = 20_000
"""Characters of a message, and of a line of evidence: more is no sentence."""


class BrokenError(AssertionError):
    """What must hold of any input did not hold of this one."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of ours. `run` raises where it does not hold; `seeds` are good input, `words` what it consists of.

    More than `most_bytes` is not tried: reading takes time in proportion, and nobody's file is so long.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    most_bytes: int = 100_000

    def __call__(self, data: bytes) -> None:
        """Run it within the time that an input may take.

        Raises:
            BrokenError: it took longer.
            Exception: whatever got past the reader.

        """
        if len(data) > self.most_bytes:
            return
        begun = time.process_time()
        self.run(data)
        took_s = time.process_time() - begun
        if took_s > SLOWEST_S:
            raise BrokenError(f"took {took_s:.1f} s for {len(data)} bytes")


def see(holds: object, what: str) -> None:
    """Raise where something does not hold; asserts are taken out by `python -O`."""
    if not holds:
        raise BrokenError(what)


def told(call: Callable[[], T], *also: type[Exception]) -> T | None:
    """Return what a reader gives, None where it refuses in words that are fit for people, or with one of `also`."""
    try:
        return call()
    except CutoverError as error:
        see(error.reference.strip() and error.message.strip(), "an error without reference or message")
        see(error.hint, f"{error.reference}: no next command")
        see(len(error.message) < LONGEST, f"{error.reference}: a message of {len(error.message)} characters")
        see(all(len(line) < LONGEST for line in error.evidence), f"{error.reference}: a line of evidence is too long")
        json.dumps(error.as_dict())
    except also:
        pass
    return None


@cache
def scratch() -> Path:
    """Return a folder in memory, where there is one, that goes with this process."""
    memory = Path("/dev/shm")
    held = tempfile.TemporaryDirectory(prefix="cutover-fuzz-", dir=memory if os.access(memory, os.W_OK) else None)
    _HELD.append(held)
    return Path(held.name)


def file_with(data: bytes, name: str) -> Path:
    """Return a file with this content."""
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def text_of(data: bytes) -> str:
    """Return bytes as text as the command line has it: what is no UTF-8 becomes surrogates."""
    return data.decode("utf-8", "surrogateescape")


_HELD: list[tempfile.TemporaryDirectory[str]] = []
