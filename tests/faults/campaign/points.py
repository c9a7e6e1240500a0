"""The places at which a run of cutover can be killed: before and after every record, Engine call and file written.

Armed in the process that runs the verb. A place has a name that does not depend on how often the Engine was asked: the
record of the journal that came before, what is done there, and how often since: `after journal intent s04 > before
engine /containers/ID/start post #2.` At the one that was asked for, the process says where it is and gets a signal:
SIGKILL, alone or with all that it has started, or SIGSTOP.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import threading
from collections import Counter
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
PROJECT = re.compile(r"\bc[te](-rolled-)?[0-9a-f]{8}(?![0-9a-f])")
SEPARATOR = " > "
READS = re.compile(r" get$|compose (config|ps|version|images)\b")
"""What only looks: killed before or after it, the world is the same."""
JOURNAL = ("before journal", "after journal")
IN_CALL = re.compile(
    r"before (engine .* (post|put|delete)$|compose (?!config|ps|version|images)|haproxy|broker|helper)"
)
"""What begins to change something, and may be cut off in the middle."""


def arm(place: str, told: int, number_of_signal: int, *, everything: bool = False, delay_s: float = 0.0) -> None:
    """Name every place from now on; be signalled at the first whose name has `place` in it, and tell it to `told`.

    With "" every name is told, one a line. `delay_s` is how much later the signal comes: in the middle of the call
    that begins there, if it lasts so long.
    """
    lock, seen, marks, struck = threading.Lock(), Counter[str](), [""], list[str]()

    def strike() -> None:
        if everything:
            kill_all(os.getpid())
        os.kill(os.getpid(), number_of_signal)

    def pass_by(text: str) -> None:
        with lock:
            label = PROJECT.sub("PROJECT", text)
            if label.startswith(JOURNAL):
                seen.clear()
                marks.append(label)
            seen[label] += 1
            name = f"{marks[-1 - label.startswith(JOURNAL)]}{SEPARATOR}{label} #{seen[label]}."
            here = bool(place) and place in name and not struck
            if not place or here:
                os.write(told, f"{name}\n".encode())
            if here:
                struck.append(name)
                threading.Timer(delay_s, strike).start() if delay_s else strike()

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


def label_of(name: str) -> str:
    """Return what is done at a place."""
    return name.rpartition(SEPARATOR)[2].rpartition(" #")[0]


def telling(names: Iterable[str]) -> Iterator[str]:
    """Yield the places that differ: between two that only look, the world is the same."""
    looked = False
    for name in names:
        looks = READS.search(label_of(name)) is not None
        if not (looks and looked):
            yield name
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
