"""Run cutover and SIGKILL it after the N-th record of its journal: `python -m tests.scenarios.killed N swap`."""

from __future__ import annotations

import os
import signal
import sys

from cutover.cli.main import main
from cutover.flow.journal import Journal

ARGUMENT = int(sys.argv.pop(1))
_write, _count = Journal.write, [0]


def write(self, *args, **data):
    """Write, and die when it was the one."""
    _write(self, *args, **data)
    _count[0] += 1
    if _count[0] == ARGUMENT:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Journal.write = write
    main()
