"""One client, a process of its own: its plan as a line of JSON on stdin, its log on stdout when stdin ends.

Open loop: each request is sent when it is due, whatever became of those before it, and timed from when it was due. A
client that waits for an answer before it asks again would ask less often while nobody answers, and so hide it
(coordinated omission).
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from threading import Thread

from benching.ask_http import HttpKept, HttpNew
from benching.ask_stream import Streams
from benching.ask_zmq import ZmqReq
from benching.asked import LOST, OK, Kind, Log, Plan, Request
from benching.asking import Asker, FailedError, failure

Stopper = Callable[[asyncio.AbstractEventLoop, asyncio.Event], None]
"""Begins to watch for the end, and sets the event when it is there."""

TOO_LATE_S = 1.0
"""A client that is so late has a machine that is too busy; to send it all at once would make it busier still."""
ASKERS: dict[Kind, type[Asker]] = {
    Kind.HTTP_NEW: HttpNew,
    Kind.HTTP_KEPT: HttpKept,
    Kind.ZMQ: ZmqReq,
    Kind.TCP: Streams,
}


def main() -> None:
    """Ask until stdin ends, wait for what is on its way, tell."""
    plan = Plan.from_dict(json.loads(sys.stdin.readline()))
    gc.disable()  # its pauses would be told as the server's
    log = asyncio.run(load(plan, _until_stdin_ends))
    json.dump(log.as_dict(), sys.stdout)


async def load(plan: Plan, stopper: Stopper) -> Log:
    """Ask by the plan until the stopper says so."""
    log = Log(plan.kind)
    asker = ASKERS[plan.kind](plan, log)
    stop = asyncio.Event()
    stopper(asyncio.get_running_loop(), stop)
    await asker.open()
    try:
        running: set[asyncio.Task[None]] = set()
        number = 0
        while not stop.is_set():
            due = plan.begin_s + number / plan.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            log.lags_s.append(time.monotonic() - due)
            if log.lags_s[-1] < TOO_LATE_S:
                task = asyncio.create_task(_one(asker, number, due))
                running.add(task)
                task.add_done_callback(running.discard)
            else:
                log.unsent += 1
            number += 1
        if running:
            await asyncio.wait(running, timeout=plan.patience_s + 1)
    finally:
        await asker.close()
    log.requests.sort(key=lambda r: r.due_s)
    return log


async def _one(asker: Asker, number: int, due: float) -> None:
    who, plan = "", asker.plan
    host = plan.hosts[number % len(plan.hosts)]
    try:
        async with asyncio.timeout(plan.patience_s):  # from the sending: what a late client did not send is not lost
            who = await asker.ask(f"{plan.kind}-{number}", host)
        outcome = OK
    except TimeoutError:
        outcome = LOST
    except FailedError as error:
        outcome = str(error)
    except OSError as error:
        outcome = failure(error)
    asker.log.requests.append(Request(plan.kind, due, time.monotonic(), outcome, who, host))


def _until_stdin_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
