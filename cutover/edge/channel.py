"""A connection to a Unix socket whose path may be longer than the 107 bytes that the kernel takes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cutover.errors import EdgeError


@contextmanager
def connected(path: Path, *, timeout_s: float = 2.0) -> Iterator[socket.socket]:
    """Open a stream connection to a Unix socket, through its folder's descriptor.

    Raises:
        EdgeError: nobody listens there, or this user may not connect.

    """
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout_s)
            try:
                channel.connect(f"/proc/self/fd/{folder}/{path.name}")
            except OSError as error:
                raise _refused(path, error) from error
            yield channel
    finally:
        os.close(folder)


def _refused(path: Path, error: OSError) -> EdgeError:
    return EdgeError(
        "edge-silent",
        f"The edge does not answer on its control socket: {error.strerror or error}.",
        evidence=[str(path)],
        hint="cutover edge status",
    )
