"""Free host ports on which blue is tried beside green."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cutover.errors import RefusedError
from cutover.model import Container
from cutover.ports.owners import PROC

LOWEST = 1024
HIGHEST = 65535
DEFAULT_BASE = 20000
_EPHEMERAL = Path("sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_DEFAULT = (32768, 60999)


class FreePorts:
    """Host ports that nobody else can take until they are released: each is held by a bound socket per family.

    The sockets never listen, so nobody who tries such a port is kept waiting: the connection is refused.
    """

    def __init__(self, ports: Sequence[int], held: contextlib.ExitStack) -> None:
        self.ports = tuple(ports)
        self._held = held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the ports, so that Docker can bind them; the same ports stay in `ports`."""
        self._held.close()


def allocate(
    count: int,
    *,
    containers: Iterable[Container] = (),
    taken: Iterable[int] = (),
    base: int = DEFAULT_BASE,
    proc: Path = PROC,
) -> FreePorts:
    """Return `count` distinct free host ports, from `base` upwards and round; ephemeral ones only if all else is taken.

    A port is free if TCP and UDP can be bound to it on every address, IPv4 and IPv6, and no container publishes or
    wants it, stopped ones included; `taken` adds ports to stay clear of. The order depends on nothing else.

    Raises:
        RefusedError: there are not so many.

    """
    avoided = set(taken) | {b.host_port for c in containers for b in (*c.published, *c.wanted)}
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for port in _candidates(base, ephemeral_range(proc)):
            if len(ports) == count:
                break
            if port not in avoided and _hold(port, held):
                ports.append(port)
        if len(ports) < count:
            raise RefusedError("no-free-port", f"{count} free host ports are wanted, but there are only {len(ports)}.")
        return FreePorts(ports, held.pop_all())


def ephemeral_range(proc: Path = PROC) -> tuple[int, int]:
    """Return the first and last port that the kernel gives to outgoing connections."""
    try:
        low, high = (int(word) for word in (proc / _EPHEMERAL).read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return _EPHEMERAL_DEFAULT
    return low, high


def _candidates(base: int, ephemeral: tuple[int, int]) -> Iterator[int]:
    """Yield every port once; the kernel may hand out ephemeral ones at any moment, so these come last."""
    low, high = ephemeral
    start = min(max(base, LOWEST), HIGHEST)
    circle = [*range(start, HIGHEST + 1), *range(LOWEST, start)]
    yield from (port for port in circle if not low <= port <= high)
    yield from (port for port in circle if low <= port <= high)


def _hold(port: int, held: contextlib.ExitStack) -> bool:
    """Bind a port for every family and protocol; keep it for TCP, or nothing at all."""
    with contextlib.ExitStack() as tried:
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    _bind(tried, family, kind, port)
        except OSError:
            return False
        held.push(tried.pop_all())
    return True


def _bind(stack: contextlib.ExitStack, family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> None:
    try:
        sock = stack.enter_context(socket.socket(family, kind))
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if family is socket.AF_INET6 else "", port))
    except OSError as error:
        if family is not socket.AF_INET6 or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise  # without IPv6 on this machine there is nothing to hold
