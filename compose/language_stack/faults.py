"""Ways for the suite to be broken, for tests: FAIL=one of these; nothing by default.

It does not come up, or not for long:

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

Or it is healthy, answers, and is no successor all the same:

| FAIL | what happens |
| --- | --- |
| `missing_method` | nobody wrote list_models: it is unknown |
| `renamed_key` | the text that was written is called `output`, not `text` |
| `off_by_a_thousandth` | mean_logprob is 0.001 too high |
| `reordered_list` | list_models begins with the last |
| `slower` | every answer on 5570 takes SLOWER_S (0.15) seconds more |
| `stub` | unload_model is `not implemented` |
| `error_200` | errors become OK: a model that there is not is loaded, an HTTP path that there is not gets 200 |
| `crash_third` | exits with 1 on the third request to load a model or to generate text |
| `stack_trace` | bad parameters of generate_text are answered with a traceback |

The tenth of these is no code: SUITE_PORT=5571 in Compose's environment lets the suite listen where nobody looks.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import count
from threading import Event, Timer
from typing import Any

from language_stack.manager import Manager
from language_stack.protocol import Json, RefusedError

Method = Callable[[Json], Json]
Bend = Callable[[Method], Method]


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
    MISSING_METHOD = "missing_method"
    RENAMED_KEY = "renamed_key"
    OFF_BY_A_THOUSANDTH = "off_by_a_thousandth"
    REORDERED_LIST = "reordered_list"
    SLOWER = "slower"
    STUB = "stub"
    ERROR_200 = "error_200"
    CRASH_THIRD = "crash_third"
    STACK_TRACE = "stack_trace"


class Faulty:
    """A manager with one fault, or none."""

    def __init__(self, manager: Manager, fault: Fault) -> None:
        self._manager = manager
        self._fault = fault
        self.take_over = manager.take_over
        self.elsewhere = 200 if fault is Fault.ERROR_200 else 404
        if fault is Fault.WRONG_IDENTITY:
            manager.service = "somebody_else"
        if fault is Fault.MISSING_METHOD:
            del manager.methods["list_models"]
        for name, bend in _bends(fault).items():
            manager.methods[name] = bend(manager.methods[name])

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
        if self._fault is Fault.SLOWER:
            time.sleep(float(os.environ.get("SLOWER_S", "0.15")))
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


def _bends(fault: Fault) -> Mapping[str, Bend]:
    """Return which methods are broken, and how."""
    crash = _crashing()
    bends: Mapping[Fault, Mapping[str, Bend]] = {
        Fault.RENAMED_KEY: {"generate_text": _renamed},
        Fault.OFF_BY_A_THOUSANDTH: {"generate_text": _off},
        Fault.REORDERED_LIST: {"list_models": _reordered},
        Fault.STUB: {"unload_model": _stub},
        Fault.ERROR_200: {"load_model": _always_ok},
        Fault.CRASH_THIRD: {"load_model": crash, "generate_text": crash},
        Fault.STACK_TRACE: {"generate_text": _telling},
    }
    return bends.get(fault, {})


def _renamed(right: Method) -> Method:
    return lambda params: {"output" if key == "text" else key: value for key, value in right(params).items()}


def _off(right: Method) -> Method:
    def wrong(params: Json) -> Json:
        result = right(params)
        return {**result, "mean_logprob": round(result["mean_logprob"] + 0.001, 9)}

    return wrong


def _reordered(right: Method) -> Method:
    return lambda params: {"models": right(params)["models"][::-1]}


def _stub(_right: Method) -> Method:
    def wrong(_params: Json) -> Json:
        raise RefusedError("not_implemented", "not implemented")

    return wrong


def _always_ok(right: Method) -> Method:
    def wrong(params: Json) -> Json:
        try:
            return right(params)
        except RefusedError:
            return {"model": params.get("model"), "loaded": []}

    return wrong


def _telling(right: Method) -> Method:
    def wrong(params: Json) -> Json:
        try:
            return right(params)
        except RefusedError as refusal:
            raise RefusedError(refusal.code, traceback.format_exc()) from refusal

    return wrong


def _crashing() -> Bend:
    numbers = count(1)  # of all its methods together; `next` is atomic, the workers are several

    def bend(right: Method) -> Method:
        def wrong(params: Json) -> Json:
            if next(numbers) == 3:
                print("out of memory: no room for a third cache", file=sys.stderr, flush=True)
                os._exit(1)
            return right(params)

        return wrong

    return bend
