"""HTTP/1.1 on a new connection for each request, or on connections that are kept."""

from __future__ import annotations

import asyncio
import json
from collections import deque

import h11

from benching.asked import TWICE, WRONG, Log, Plan
from benching.asking import Asker, FailedError

PIECE = 65536


class Line:
    """One connection: bytes and h11's state machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.state = h11.Connection(h11.CLIENT)
        self.asked = False

    @classmethod
    async def to(cls, host: str, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection(host, port))

    @property
    def closed(self) -> bool:
        """Say whether the server has closed it; a request written now would be lost for no fault of anybody."""
        return self.reader.at_eof() or self.reader.exception() is not None or self.writer.is_closing()

    async def ask(self, ident: str, *, keep: bool) -> str:
        """Send one request and return who answered it."""
        self.asked = True
        fields = [("Host", "bench"), *([] if keep else [("Connection", "close")])]
        self._send(h11.Request(method="GET", target=f"/who?id={ident}", headers=fields))
        self._send(h11.EndOfMessage())
        status, body = 0, b""
        while True:
            match await self._event():
                case h11.Response(status_code=status):
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    break
                case h11.ConnectionClosed():
                    raise FailedError("closed")
        if status != 200:
            raise FailedError(f"status {status}")
        if self.state.trailing_data[0]:
            raise FailedError(TWICE)
        return read(body, ident)

    def again(self) -> bool:
        """Make ready for the next request; False if this was the last."""
        if self.state.our_state is not h11.DONE or self.state.their_state is not h11.DONE:
            return False
        self.state.start_next_cycle()
        self.asked = False
        return True

    def close(self) -> None:
        """Close it."""
        self.writer.close()

    def _send(self, event: h11.Event) -> None:
        self.writer.write(self.state.send(event) or b"")

    async def _event(self) -> h11.Event:
        while True:
            try:
                event = self.state.next_event()
                if event is h11.NEED_DATA:
                    self.state.receive_data(await self.reader.read(PIECE))
                    continue
            except h11.RemoteProtocolError:
                raise FailedError("closed" if self.reader.at_eof() else "garbled") from None
            assert not isinstance(event, type)
            return event


def read(body: bytes, ident: str) -> str:
    """Return who answered, if it is the answer to this request."""
    try:
        answer = json.loads(body)
        if answer["id"] != ident:
            raise FailedError(WRONG)
        return str(answer["name"])
    except (ValueError, KeyError, TypeError):
        raise FailedError("garbled") from None


class HttpNew(Asker):
    """A new connection for each request."""

    async def open(self) -> None:
        """Nothing lasts."""

    async def close(self) -> None:
        """Nothing is left open."""

    async def ask(self, ident: str, host: str) -> str:
        """Connect, ask, close."""
        line = await Line.to(host, self.plan.port)
        try:
            return await line.ask(ident, keep=False)
        except (FailedError, OSError):
            self.log.broken += 1
            raise
        finally:
            line.close()


class HttpKept(Asker):
    """Connections that are kept; where all are in use, one more is made and kept too."""

    def __init__(self, plan: Plan, log: Log) -> None:
        super().__init__(plan, log)
        self._idle: dict[str, deque[Line]] = {host: deque() for host in plan.hosts}

    async def open(self) -> None:
        """Make the connections."""
        for number in range(max(self.plan.connections, len(self.plan.hosts))):
            host = self.plan.hosts[number % len(self.plan.hosts)]
            self._idle[host].append(await Line.to(host, self.plan.port))

    async def ask(self, ident: str, host: str) -> str:
        """Ask on the connection that rested longest."""
        line = await self._take(host)
        try:
            who = await line.ask(ident, keep=True)
        except BaseException:
            self.log.broken += 1
            line.close()
            raise
        if line.again():
            self._idle[host].append(line)
        else:
            self.log.reopened += 1
            line.close()
        return who

    async def close(self) -> None:
        """Close what rests."""
        for line in (line for lines in self._idle.values() for line in lines):
            line.close()

    async def _take(self, host: str) -> Line:
        while self._idle[host]:
            line = self._idle[host].popleft()
            if not line.closed:
                return line
            self.log.reopened += 1
            line.close()
        return await Line.to(host, self.plan.port)
