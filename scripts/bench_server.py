"""The service that the bench loads, in the demonstration's image: HTTP 6570, ZeroMQ REP 5570, echoed TCP lines 7570.

Every answer names who gave it and the ID that was asked. Every ID is also written down, in SEEN: one that stands there
twice was worked on twice, which a client that got one answer cannot know.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import zmq

NAME = os.environ["NAME"]
LINGER_S = 0.2
"""How long a connection lives after SIGTERM: whoever is being answered gets the answer."""

_seen: list[str] = []
_open: set[asyncio.BaseTransport] = set()


class Lines(asyncio.Protocol):
    """Echoes each line with the name before it."""

    def __init__(self) -> None:
        self._rest = b""
        self._to: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._to = transport
        _open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        assert self._to is not None
        _open.discard(self._to)

    def data_received(self, data: bytes) -> None:
        """Answer every whole line."""
        assert self._to is not None
        *lines, self._rest = (self._rest + data).split(b"\n")
        _seen.extend(line.decode("ascii", "replace") for line in lines)
        self._to.write(b"".join(b"%s %s\n" % (NAME.encode(), line) for line in lines))


class Http(Lines):
    """Answers every GET with who it is and the `id` of the query; keeps connections, unless told to close."""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request (none has a body)."""
        assert self._to is not None
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            line, _, fields = head.decode("latin-1").partition("\r\n")
            path, _, version = line.partition(" ")[2].rpartition(" ")
            keep = version == "HTTP/1.1" and "connection: close" not in fields.lower()
            asked = path.partition("?id=")[2]
            if asked:
                _seen.append(asked)
            body = json.dumps({"status": "ok", "name": NAME, "id": asked}).encode()
            self._to.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
                % (len(body), b"" if keep else b"Connection: close\r\n", body)
            )
            if not keep:
                self._to.close()


def answer_zmq() -> None:
    """Answer one message after the other."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
    socket.bind("tcp://0.0.0.0:5570")
    while True:
        asked = json.loads(socket.recv()).get("id", "")
        if asked:
            _seen.append(asked)
        socket.send(json.dumps({"status": "ok", "name": NAME, "id": asked}).encode())


def write_down(file: Path) -> None:
    """Append what was asked since the last time."""
    taken = _seen[:]
    del _seen[: len(taken)]
    if taken:
        with file.open("a", encoding="ascii") as out:
            out.write("".join(f"{each}\n" for each in taken))


async def main() -> None:
    """Load, listen, answer until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    file = Path(os.environ["SEEN"], NAME) if "SEEN" in os.environ else None
    servers = [await loop.create_server(kind, "0.0.0.0", port) for kind, port in ((Http, 6570), (Lines, 7570))]
    Thread(target=answer_zmq, daemon=True).start()
    sys.stdout.write(f"{NAME} listens\n")
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), 0.1)
        except TimeoutError:
            if file is not None:
                write_down(file)
    for server in servers:
        server.close()
    await asyncio.sleep(LINGER_S)
    for transport in list(_open):
        transport.close()
    if file is not None:
        write_down(file)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # while it loads
    time.sleep(float(os.environ.get("LOAD_S", "0")))
    asyncio.run(main())
