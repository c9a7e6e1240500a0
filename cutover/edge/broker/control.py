"""The control socket: JSON lines over AF_UNIX, one request, one reply. A client that is slow or mad delays nobody."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cutover.edge.broker.loop import Loop

LINE_BYTES = 1024 * 1024
MOST = 16
"""So many control clients at a time; of more, the one that was here first is dismissed."""

Reply = Callable[[dict[str, Any]], None]
Obey = Callable[[dict[str, Any], Reply], None]
"""Carries out a request; the reply may come later."""


class Control:
    """Listens in the broker's folder, for its owner only."""

    def __init__(self, loop: Loop, folder: Path, obey: Obey) -> None:
        self._loop = loop
        self._obey = obey
        self._clients: dict[int, _Client] = {}
        self._path = folder / "control.sock"
        self._socket = _listening(folder, self._path.name)
        loop.watch(self._socket.fileno(), self._accept)

    def close(self) -> None:
        """Listen no more."""
        for client in list(self._clients.values()):
            client.close()
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                channel, _ = self._socket.accept()
                if len(self._clients) >= MOST:
                    next(iter(self._clients.values())).close()
                self._clients[channel.fileno()] = _Client(self._loop, channel, self._obey, self._clients)


class _Client:
    """One connection: what it said so far, and what it has not read yet."""

    def __init__(self, loop: Loop, channel: socket.socket, obey: Obey, among: dict[int, _Client]) -> None:
        channel.setblocking(False)
        self._loop, self._channel, self._obey, self._among = loop, channel, obey, among
        self._descriptor = channel.fileno()
        self._said = b""
        self._unread = b""
        self._busy = False
        self._closed = False
        loop.watch(self._descriptor, self._ready)

    def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._among.pop(self._descriptor, None)
            self._loop.forget(self._descriptor)
            self._channel.close()

    def _ready(self) -> None:
        if self._unread:
            self._write()
            return
        try:
            said = self._channel.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self._said += said
        if not said or len(self._said) > LINE_BYTES:
            self.close()
        else:
            self._next()

    def _next(self) -> None:
        """Carry out the next line, when the one before was answered and the answer read."""
        if self._busy or self._unread or b"\n" not in self._said:
            return
        line, _, self._said = self._said.partition(b"\n")
        self._busy = True
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if isinstance(request, dict):
            self._obey(request, self._reply)
        else:
            self._reply({"ok": False, "error": "a request is a JSON object on a line"})

    def _reply(self, reply: dict[str, Any]) -> None:
        self._busy = False
        if not self._closed:
            self._unread = json.dumps(reply).encode() + b"\n"
            self._write()

    def _write(self) -> None:
        try:
            sent = self._channel.send(self._unread)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._unread = self._unread[sent:]
        self._loop.watch(self._descriptor, self._ready, write=bool(self._unread))
        if not self._unread and self._said:
            self._loop.soon(self._next)  # not by calling: a thousand lines at once would be a thousand calls deep


def _listening(folder: Path, name: str) -> socket.socket:
    """Return a socket of mode 0600 in a folder whose path may be longer than an address of AF_UNIX."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    old = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=descriptor)
        listening.bind(f"/proc/self/fd/{descriptor}/{name}")
        listening.listen(128)
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(old)
        os.close(descriptor)
    return listening
