"""Persistent ZeroMQ REQ sockets: one that waits is not asked again, one that lost its request is thrown away."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import zmq
import zmq.asyncio

from benching.asked import LOST, TWICE, WRONG, Log, Plan
from benching.asking import Asker, FailedError

RECONNECT_MS = 20
"""libzmq's own 100 ms would measure its patience and not the port's silence."""
MOST = 1000
"""libzmq gives 1023 sockets a context; a request that finds none free waits, and its time runs."""

Socket = zmq.asyncio.Socket


class ZmqReq(Asker):
    """As many sockets as requests wait at once: so the schedule holds although each socket waits for its answer."""

    def __init__(self, plan: Plan, log: Log) -> None:
        super().__init__(plan, log)
        self._context = zmq.asyncio.Context()
        self._idle: dict[str, deque[Socket]] = {host: deque() for host in plan.hosts}
        self._room = asyncio.Semaphore(MOST)

    async def open(self) -> None:
        """Make the sockets, and have each answered once: a REQ socket connects behind one's back."""
        for number in range(max(self.plan.connections, len(self.plan.hosts))):
            host = self.plan.hosts[number % len(self.plan.hosts)]
            line = self._connect(host)
            await line.send(b"{}")
            await asyncio.wait_for(line.recv(), 5)
            self._idle[host].append(line)

    async def ask(self, ident: str, host: str) -> str:
        """Ask on the socket that rested longest."""
        async with self._room:
            line = self._idle[host].popleft() if self._idle[host] else self._connect(host)
            try:
                await line.send(json.dumps({"id": ident, "method": "who"}).encode())
                answer = json.loads(await line.recv())
            except BaseException:
                self.log.broken += 1
                line.close(linger=0)
                raise
            self._idle[host].append(line)
            return read(answer, ident)

    async def close(self) -> None:
        """Close what rests."""
        for line in (line for lines in self._idle.values() for line in lines):
            line.close(linger=0)
        self._context.destroy(linger=0)

    def _connect(self, host: str) -> Socket:
        line: Socket = self._context.socket(zmq.REQ)
        line.linger = 0
        line.ipv6 = ":" in host
        line.reconnect_ivl = RECONNECT_MS
        line.connect(f"tcp://[{host}]:{self.plan.port}" if ":" in host else f"tcp://{host}:{self.plan.port}")
        return line


def read(answer: dict[str, Any], ident: str) -> str:
    """Return who answered, if it is the answer to this request; an older one came twice, or to the wrong client."""
    if answer.get("id") == ident:
        return str(answer["name"])
    if answer.get("code") == "cutover-lost":
        raise FailedError(LOST)
    if "id" not in answer:
        raise FailedError(f"error {answer.get('code', answer.get('error', ''))}")
    number = [int(each.rpartition("-")[2]) for each in (str(answer["id"]), ident) if each.rpartition("-")[2].isdigit()]
    raise FailedError(TWICE if len(number) == 2 and number[0] < number[1] else WRONG)
