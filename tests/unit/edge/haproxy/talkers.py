"""A control socket that answers as HAProxy does, and as it should not."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Answering:
    """Answers each connection with what `answer` makes of its line; None: not at all. `heard` is every line."""

    def __init__(self, path, answer):
        self.heard = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._end, self._over = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        """Stop."""
        self._end.close()
        self._thread.join()
        self._listener.close()
        self._over.close()

    def commands(self):
        """Return every command that was heard, and forget them."""
        heard, self.heard = self.heard, []
        return [command for line in heard for command in line.strip().split("; ")]

    def _run(self):
        while self._over not in select.select([self._listener, self._over], [], [])[0]:
            channel, _ = self._listener.accept()
            with channel, contextlib.suppress(OSError):
                self.heard.append(channel.recv(65536).decode())
                said = self._answer(self.heard[-1])
                if said is None:
                    select.select([channel], [], [], 5)  # until the other side hangs up
                else:
                    channel.sendall(said.encode())
