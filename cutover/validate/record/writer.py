"""The file of a recording: private, whole lines only, on the disk when it is closed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shlex import quote
from typing import Any

from cutover.errors import RefusedError
from cutover.files import fsync_folder


class RecordingFile:
    """A new file, readable by its owner only. A line that does not fit is taken back: what is there is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._end = 0
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.fchmod(self._descriptor, 0o600)
        except FileExistsError as error:
            hint = "name another file with -o, or move this one away"
            raise RefusedError(
                "recording-exists", f"{path} is there already; it was not written over.", hint=hint
            ) from error
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}."
            raise RefusedError("recording-not-writable", message, hint="name another file with -o") from error

    def write(self, line: dict[str, Any]) -> None:
        """Add a line.

        Raises:
            RefusedError: the disk is full; the file ends with its last whole line.

        """
        content = json.dumps(line, separators=(",", ":"), default=str).encode("ascii") + b"\n"
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            raise RefusedError(
                "recording-cut-short",
                f"{self.path} cannot be written any further: {error.strerror}.",
                evidence=[f"it ends with exchange {max(0, self.lines - 1)}, whole"],
                hint=f"df -h {quote(str(self.path.parent))}",
            ) from error
        self._end += len(content)
        self.lines += 1

    def close(self) -> None:
        """Put it on the disk for good."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
        fsync_folder(self.path.parent)
