"""The places at which a run of cutover can be killed: before and after every record, Engine call and file written.

Armed in the process that runs the verb. Places are counted in the order in which they are come by; at the one that was
asked for, the process says where it is and gets a signal: SIGKILL, alone or with its group, or SIGSTOP.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker.api import APIClient

from cutover.edge.brokerface import BrokerFace
from cutover.edge.haproxy.runtime import RuntimeSocket
from cutover.engine.helpers import Talk
from cutover.engine.stack import Stack
from cutover.flow.journal import Journal

TELLING = ("aim", "clear", "switch", "share", "hold", "release", "write")
HEX = re.compile(r"[0-9a-f]{12,64}")


def arm(place: int | None, told: int, number_of_signal: int, *, group: bool = False) -> None:
    """Count every place from now on; be signalled at number `place`, whose label is written to the descriptor `told`.

    With no place every label is written, one a line.
    """
    lock, numbers = threading.Lock(), itertools.count(1)

    def pass_by(label: str) -> None:
        with lock:
            number = next(numbers)
            if place is None or number == place:
                os.write(told, f"{label}\n".encode())
            if number == place:
                if group:
                    os.killpg(0, number_of_signal)
                os.kill(os.getpid(), number_of_signal)

    for verb in ("_get", "_post", "_put", "_delete"):
        _watch(APIClient, verb, pass_by, lambda self, url, *a: f"engine {verb_of(url)}", verb[1:])
    for word in ("say", "hear"):
        _watch(Talk, word, pass_by, lambda self, *a: f"helper {self.helper.role}", word)
    _watch(Stack, "ask", pass_by, lambda self, *a: f"compose {' '.join(a[:2])}")
    _watch(Stack, "_up", pass_by, lambda self, *a: f"compose up {a[0]}")
    for word in TELLING:
        _watch(BrokerFace, word, pass_by, lambda *a: "broker", word)
    _watch(RuntimeSocket, "tell", pass_by, lambda self, *a: "haproxy")
    _watch(Journal, "write", pass_by, lambda self, kind, step="": f"journal {kind} {step}")
    _watch(os, "fsync", pass_by, lambda *a: "fsync")
    _watch(Path, "replace", pass_by, lambda self, to: f"rename to {Path(to).name}")


def verb_of(url: str) -> str:
    """Return the path of an Engine call without what differs from run to run."""
    path = re.sub(r"^[a-z+]+://[^/]+/v[0-9.]+", "", url)
    return HEX.sub("ID", path)


def _watch(owner: Any, name: str, pass_by: Callable[[str], None], label: Callable[..., str], word: str = "") -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*args: Any, **more: Any) -> Any:
        said = " ".join(filter(None, (label(*args), word)))
        pass_by(f"before {said}")
        result = original(*args, **more)
        pass_by(f"after {said}")
        return result

    setattr(owner, name, watched)
