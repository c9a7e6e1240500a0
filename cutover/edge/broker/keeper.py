"""state.json on disk, written by a thread of its own: a disk that takes 50 ms to sync must not stop messages."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from cutover.edge.broker.loop import Loop, log
from cutover.edge.broker.words import State, load

NAME = "state.json"
Done = Callable[[str | None], object]
"""Called in the loop with None, or with why it could not be written."""


class Keeper:
    """Remembers what the broker was told, so that a restart comes up with it."""

    def __init__(self, loop: Loop, folder: Path) -> None:
        self._loop = loop
        self._path = folder / NAME
        self._asked: queue.SimpleQueue[tuple[bytes, Done]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="keeper", daemon=True).start()

    def load(self) -> State:
        """Return what was kept last; nothing was told where there is none.

        Raises:
            WordsError: it cannot be read.

        """
        return State.read(load(self._path)) if self._path.exists() else State()

    def keep(self, state: State, done: Done) -> None:
        """Write it to disk, and say when it is there."""
        self._asked.put((json.dumps(state.as_dict(), indent=1).encode() + b"\n", done))

    def _work(self) -> None:
        while True:
            content, done = self._asked.get()
            why: str | None = None
            try:
                _write(self._path, content)
            except OSError as error:
                why = error.strerror or str(error)
                log(f"{NAME} cannot be written: {why}")
            self._loop.hand_in(lambda done=done, why=why: done(why))  # type: ignore[misc]


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
