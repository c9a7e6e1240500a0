"""A FIFO that a container is given: on the Engine's own machine bytes travel through it without the Engine.

Through the Engine's attached connection every byte passes the container's shim and the Engine in small pieces:
105 MB/s where the FIFO gave 335 (Engine 20.10, two busy processors, one volume of 0.6 GB). The FIFO has no name any
more once the container has it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PIPE_BYTES = 1 << 20
"""As much as a pipe may hold for a user without privileges (pipe(7), pipe-max-size)."""


class Fifo:
    """Our end of a FIFO: what a container writes is read (`fed` false), or it is given what it reads."""

    def __init__(self, *, fed: bool) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="cutover-"))
        self.path = self._folder / "fifo"
        os.mkfifo(self.path)
        self.path.chmod(0o666)  # the container's root may be nobody here; only the folder's owner gets this far
        self._handle = os.open(self.path, os.O_PATH)
        self.descriptor = -1
        if not fed:
            self._open(os.O_RDONLY)

    def _open(self, flags: int) -> None:
        self.descriptor = os.open(f"/proc/self/fd/{self._handle}", flags | os.O_NONBLOCK)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def opened_by_reader(self) -> bool:
        """Open our end where the container has opened the other, and say whether it is open."""
        if self.descriptor < 0:
            try:
                self._open(os.O_WRONLY)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
        return self.descriptor >= 0

    def hide(self) -> None:
        """Take its name away: who has it, has it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def end(self) -> None:
        """Close our end: a reader comes to the end."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Close everything."""
        self.hide()
        self.end()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
