"""Bytes pass from clients to green and back as they are; a watch for each connection sees a copy of them.

Nothing is added, dropped or reordered, and a connection ends on one side as it ended on the other: a dead green gives
its clients a hang-up, a half-closed connection stays half closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol

from cutover.errors import RefusedError, UsageError
from cutover.validate.record.passed import NotOurProtocolError
from cutover.validate.talk import Address

LOOPBACK = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
_CONNECT_S = 10.0
_log = logging.getLogger(__name__)


class Watch(Protocol):
    """Sees what passes on one connection."""

    def sent(self, data: bytes) -> None:
        """Take what the client said."""
        ...

    def received(self, data: bytes) -> None:
        """Take what green said."""
        ...

    def closed(self) -> None:
        """Take note of the end."""
        ...


class Relay:
    """Listens on loopback and relays to one address, in a thread of its own, until it is stopped."""

    def __init__(self, target: Address, make_watch: Callable[[], Watch], port: int = 0) -> None:
        self._target = target
        self._make_watch = make_watch
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pairs: set[Pair] = set()
        self.connections = self.unread = self.refused = 0
        self.reason = ""
        try:
            self._listener = socket.create_server((LOOPBACK, port), backlog=512)
        except OSError as error:
            hint = "leave --listen out to take a free port"
            raise RefusedError(
                "port-taken", f"{LOOPBACK}:{port} cannot be listened on: {error.strerror}.", hint=hint
            ) from error
        except OverflowError as error:
            raise UsageError("no-port", f"{port} is no port: 1 to 65535 are.") from error
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Begin to relay."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self._listening.wait(_CONNECT_S)

    def stop(self) -> None:
        """Stop listening, hang up on whoever is still there, and return when all is closed."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        assert self._loop is not None
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(
            loop.create_server(lambda: Pair(self, self._target, self._make_watch()).client, sock=self._listener)
        )
        loop.call_soon(self._listening.set)
        try:
            loop.run_forever()
        finally:
            server.close()
            for pair in list(self._pairs):
                pair.abort()
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def joined(self, pair: Pair) -> None:
        """Count a connection that began."""
        self.connections += 1
        self._pairs.add(pair)

    def left(self, pair: Pair) -> None:
        """Forget a connection that ended."""
        self._pairs.discard(pair)

    def could_not_read(self, why: str) -> None:
        """Count a connection whose bytes pass unrecorded from now on."""
        self.unread += 1
        self.reason = self.reason or why


class Pair:
    """A client's connection and the one to green that belongs to it."""

    def __init__(self, relay: Relay, target: Address, watch: Watch) -> None:
        self._relay = relay
        self._target = target
        self._watch: Watch | None = watch
        self.client = _End(self, lambda data: self._seen(data, from_client=True))
        self.green = _End(self, lambda data: self._seen(data, from_client=False))
        self.client.other, self.green.other = self.green, self.client
        self._dialling: asyncio.Task[None] | None = None

    def opened(self) -> None:
        """Dial green for a client that has come; it is not read before green is there."""
        self._relay.joined(self)
        self.client.pause()
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    def ended(self) -> None:
        """Take note that one end is gone."""
        self._relay.left(self)
        watch, self._watch = self._watch, None
        if watch is not None:
            self._guarded(watch.closed)
        if self._dialling is not None:
            self._dialling.cancel()

    def abort(self) -> None:
        """Hang up on both."""
        self.client.abort()
        self.green.abort()
        self.ended()

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: self.green, self._target.host, self._target.port)
        except (OSError, TimeoutError):
            self._relay.refused += 1
            self.client.abort()
        else:
            self.client.resume()

    def _seen(self, data: bytes, *, from_client: bool) -> None:
        watch = self._watch
        if watch is not None:
            self._guarded(lambda: watch.sent(data) if from_client else watch.received(data))

    def _guarded(self, look: Callable[[], None]) -> None:
        """Look at what passes; whatever goes wrong there must not touch what passes."""
        try:
            look()
        except NotOurProtocolError as error:
            self._watch = None
            self._relay.could_not_read(str(error))
        except Exception as error:  # noqa: BLE001  (a bug of ours is no reason to cut off a client)
            self._watch = None
            _log.debug("watch failed", exc_info=True)
            self._relay.could_not_read(f"{type(error).__name__} in the recorder")


class _End(asyncio.Protocol):
    """One end: writes to the other what it reads, first of all."""

    def __init__(self, pair: Pair, seen: Callable[[bytes], None]) -> None:
        self._pair = pair
        self._seen = seen
        self.other: _End | None = None
        self._transport: asyncio.Transport | None = None
        self._early = b""  # Python before 3.11.4 reads once more although it was told to pause

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._early:
            transport.write(self._early)
        if self is self._pair.client:
            self._pair.opened()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)
        self._seen(data)

    def eof_received(self) -> bool:
        if self.other is not None:
            self.other.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.abort() if exc is not None else self.other.close()
        self._pair.ended()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume()

    def write(self, data: bytes) -> None:
        """Say what the other end said."""
        if self._transport is None:
            self._early += data
        else:
            self._transport.write(data)

    def write_eof(self) -> None:
        """Say that nothing more comes, and go on listening."""
        if self._transport is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()

    def pause(self) -> None:
        """Read nothing for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up when all is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once, as a peer does that died."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
