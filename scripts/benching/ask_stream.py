"""Long TCP connections on which numbered lines are echoed; several lines may be on their way on each."""

from __future__ import annotations

import asyncio
from collections import deque

from benching.asked import TWICE, WRONG, Log, Plan, Request
from benching.asking import Asker, FailedError


class Stream:
    """One connection and the lines that wait for their echo on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.strays: list[str] = []
        self._reader = reader
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._done: deque[str] = deque(maxlen=1000)
        self._task = asyncio.create_task(self._read())

    @property
    def ended(self) -> bool:
        """Say whether nothing more comes."""
        return self._task.done()

    async def ask(self, ident: str) -> str:
        """Send a line and return who echoed it."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[ident] = answer
        try:
            self.writer.write(f"{ident}\n".encode())
            return await answer
        finally:
            self._waiting.pop(ident, None)

    async def close(self) -> None:
        """Close it."""
        self._task.cancel()
        self.writer.close()

    async def _read(self) -> None:
        ending: Exception = FailedError("closed")
        try:
            while line := await self._reader.readline():
                self._echo(line)
        except OSError as error:
            ending = error
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ending)

    def _echo(self, line: bytes) -> None:
        who, _, ident = line.decode("ascii", "replace").strip().partition(" ")
        waiting = self._waiting.get(ident)
        if waiting is None or waiting.done():
            self.strays.append(TWICE if ident in self._done else WRONG)
            return
        self._done.append(ident)
        waiting.set_result(who)


class Streams(Asker):
    """A few streams; one that ended counts as broken, and the next line opens another."""

    def __init__(self, plan: Plan, log: Log) -> None:
        super().__init__(plan, log)
        self._streams: dict[str, deque[Stream]] = {host: deque() for host in plan.hosts}
        self._wanted = max(1, plan.connections // len(plan.hosts))
        self._opening = {host: asyncio.Lock() for host in plan.hosts}

    async def open(self) -> None:
        """Make the connections."""
        for host, streams in self._streams.items():
            while len(streams) < self._wanted:
                streams.append(await self._connect(host))

    async def ask(self, ident: str, host: str) -> str:
        """Ask on the next stream in turn."""
        stream = await self._next(host)
        try:
            return await stream.ask(ident)
        finally:
            self._note_strays(stream, host)

    async def close(self) -> None:
        """Close them all."""
        for host, streams in self._streams.items():
            for stream in streams:
                self._note_strays(stream, host)
                await stream.close()

    async def _next(self, host: str) -> Stream:
        streams = self._streams[host]
        for stream in [s for s in streams if s.ended]:
            self.log.broken += 1
            streams.remove(stream)
            await stream.close()
        # One at a time, not one for each line that is due meanwhile; those take the streams that there are.
        if len(streams) < self._wanted and not (streams and self._opening[host].locked()):
            async with self._opening[host]:
                if len(streams) < self._wanted:
                    streams.append(await self._connect(host))
        streams.rotate(1)
        return streams[0]

    async def _connect(self, host: str) -> Stream:
        return Stream(*await asyncio.open_connection(host, self.plan.port))

    def _note_strays(self, stream: Stream, host: str) -> None:
        now = asyncio.get_running_loop().time()
        self.log.requests += [Request(self.plan.kind, now, now, stray, "", host) for stray in stream.strays]
        stream.strays.clear()
