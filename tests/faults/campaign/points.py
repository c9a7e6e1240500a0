"""The places at which a run of cutover can be killed: before and after every record, Engine call and file written.

Armed in the process that runs the verb. Places are counted in the order in which they are come by; at the one that was
asked for, the process says where it is and gets a signal: SIGKILL, alone or with all that it has started, or SIGSTOP.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from docker.api import APIClient

from cutover.edge.brokerface import BrokerFace
from cutover.edge.haproxy.runtime import RuntimeSocket
from cutover.engine.helpers import Talk
from cutover.engine.stack import Stack
from cutover.flow.journal import Journal

TELLING = ("aim", "clear", "switch", "share", "hold", "release", "write")
HEX = re.compile(r"[0-9a-f]{12,64}")
READS = re.compile(r" get$|compose (config|ps|version|images)\b")
"""What only looks: killed before or after it, the world is the same."""
IN_CALL = re.compile(
    r"before (engine .* (post|put|delete)$|compose (?!config|ps|version|images)|haproxy|broker|helper)"
)
"""What begins to change something, and may be cut off in the middle."""


def arm(place: int | None, told: int, number_of_signal: int, *, everything: bool = False, delay_s: float = 0.0) -> None:
    """Count every place from now on; be signalled at number `place`, whose label is written to the descriptor `told`.

    With no place every label is written, one a line. `delay_s` is how much later the signal comes: in the middle of
    the call that begins there, if it lasts so long.
    """
    lock, numbers = threading.Lock(), itertools.count(1)

    def strike() -> None:
        if everything:
            kill_all(os.getpid())
        os.kill(os.getpid(), number_of_signal)

    def pass_by(label: str) -> None:
        with lock:
            number = next(numbers)
            if place is None or number == place:
                os.write(told, f"{label}\n".encode())
            if number == place and delay_s:
                threading.Timer(delay_s, strike).start()
            elif number == place:
                strike()

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


def kill_all(pid: int) -> None:
    """Kill a process and all that it has started, Compose in a session of its own too: as the end of a cgroup does."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(pid).children(recursive=True)
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
        for each in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def telling(labels: Iterable[str]) -> Iterator[int]:
    """Yield the places that differ: between two that only look, the world is the same."""
    looked = False
    for number, label in enumerate(labels, start=1):
        looks = READS.search(label) is not None
        if not (looks and looked):
            yield number
        looked = looks


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
