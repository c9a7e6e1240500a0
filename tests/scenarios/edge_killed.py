"""Run cutover and SIGKILL it before its N-th act on the world: `python -m tests.scenarios.edge_killed N KIND swap`.

An act is a call to the Engine or to Compose that changes something, a word to a helper or to the edge, a file that is
written. KIND is the kind of step from which acts are counted, `-` for the beginning. It says before what it was killed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys

from docker.api import APIClient

import cutover.files
import cutover.flow.edge_record
import cutover.flow.edge_upgrade
import cutover.flow.steps.edge
import cutover.flow.steps.files
from cutover.cli.main import main
from cutover.edge.brokerface import BrokerFace
from cutover.edge.haproxy.runtime import RuntimeSocket
from cutover.engine.helpers import Talk
from cutover.engine.stack import Stack
from cutover.flow.journal import Journal, Kind

TELLING = ("aim", "clear", "switch", "share", "hold", "release", "write")
_count = 0
_counting = False


def acts(owner, name, what):
    """Count each call of a function as an act."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def counted(*args, **more):
        global _count  # noqa: PLW0603  (this process does nothing else)
        if _counting:
            _count += 1
            if _count == ARGUMENT:
                said = next((str(a)[:90] for a in args if isinstance(a, str)), "")
                os.write(2, f"killed before act {_count}: {what} {said}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **more)

    setattr(owner, name, counted)


def written(self, kind, step="", /, **data):
    """Write a record, and begin to count where it is the one."""
    global _counting  # noqa: PLW0603
    _write(self, kind, step, **data)
    _counting = _counting or (kind is Kind.INTENT and data.get("kind") == FROM)


if __name__ == "__main__":
    ARGUMENT, FROM = int(sys.argv.pop(1)), sys.argv.pop(1)
    _counting, _write = FROM == "-", Journal.write
    Journal.write = written
    for verb in ("_post", "_put", "_delete"):
        acts(APIClient, verb, verb[1:])
    for word in ("say", "hear"):
        acts(Talk, word, f"helper {word}")
    for word in ("create", "up"):
        acts(Stack, word, f"compose {word}")
    for word in TELLING:
        acts(BrokerFace, word, f"broker {word}")
    acts(RuntimeSocket, "tell", "haproxy")
    for module in (cutover.flow.edge_record, cutover.flow.steps.edge, cutover.flow.steps.files):
        acts(module, "write_atomic", "write")
    for module in (cutover.flow.edge_upgrade, cutover.flow.steps.edge):
        acts(module, "save", "save")
    main()
