"""Run cutover beside a thief: he takes the test ports between their release and Docker's bind, THEFTS times."""

from __future__ import annotations

import socket
import sys

from cutover.cli.main import main
from cutover.flow import teststack_start

THEFTS = int(sys.argv.pop(1))
_start, _stolen = teststack_start._start, []


def start(session, target, container):
    """Have the ports taken just before Docker would bind them."""
    if len(_stolen) < THEFTS:
        _stolen.append([socket.create_server((b.host_ip, b.host_port)) for b in target.bindings])
    _start(session, target, container)


if __name__ == "__main__":
    teststack_start._start = start
    main()
