"""Ways for the suite to be broken, for tests: FAIL=one of these; nothing by default.

| FAIL | what happens |
| --- | --- |
| `exit` | loads, then exits with 1 before it listens |
| `never_healthy` | answers, and always says that it is loading: health 503 |
| `wrong_answer` | health is well over HTTP; on 5570 every status is `wrong` and every text reversed |
| `wrong_identity` | all is well, but it says that it is somebody else |
| `silent` | listens on 5570 and answers nobody; health is well |
| `loopback` | listens inside its container only |
| `slow` | every answer on 5570 takes SLOW_S (2) seconds |
| `crash_later` | works for CRASH_AFTER_S (5) seconds after loading, then exits with 1 |
"""

from __future__ import annotations

import json
import os
import sys
import time
from enum import StrEnum
from threading import Event, Timer
from typing import Any

from language_stack.manager import Manager


class Fault(StrEnum):
    NONE = ""
    EXIT = "exit"
    NEVER_HEALTHY = "never_healthy"
    WRONG_ANSWER = "wrong_answer"
    WRONG_IDENTITY = "wrong_identity"
    SILENT = "silent"
    LOOPBACK = "loopback"
    SLOW = "slow"
    CRASH_LATER = "crash_later"


class Faulty:
    """A manager with one fault, or none."""

    def __init__(self, manager: Manager, fault: Fault) -> None:
        self._manager = manager
        self._fault = fault
        self.take_over = manager.take_over
        if fault is Fault.WRONG_IDENTITY:
            manager.service = "somebody_else"

    def break_if_told(self) -> None:
        if self._fault is Fault.EXIT:
            sys.exit("cannot read the weights: No such file or directory")
        if self._fault is Fault.CRASH_LATER:
            Timer(float(os.environ.get("CRASH_AFTER_S", "5")), os._exit, (1,)).start()

    def health(self) -> dict[str, Any]:
        health = self._manager.health()
        return {**health, "status": "loading"} if self._fault is Fault.NEVER_HEALTHY else health

    def answer(self, frames: list[bytes]) -> bytes:
        if self._fault is Fault.SILENT:
            Event().wait()
        if self._fault is Fault.SLOW:
            time.sleep(float(os.environ.get("SLOW_S", "2")))
        reply = self._manager.answer(frames)
        if self._fault in {Fault.NEVER_HEALTHY, Fault.WRONG_ANSWER}:
            return json.dumps(self._bend(json.loads(reply))).encode()
        return reply

    def _bend(self, reply: dict[str, Any]) -> dict[str, Any]:
        if self._fault is Fault.NEVER_HEALTHY:
            return {**reply, "status": "loading"}
        result = reply.get("result", {})
        if "text" in result:
            result["text"] = result["text"][::-1]
        return {**reply, "status": "wrong"}
