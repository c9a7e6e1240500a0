"""Free host ports on which blue is tried beside green, and how they are kept from everybody else until Docker has them.

A bound socket keeps everybody out, Docker too, so it has to be let go before a container can be started. What may not
happen between that moment and Docker's own bind is that another cutover takes the port. So each port is reserved by
name as well: the abstract unix socket `@cutover/port/<n>`, of which there can be one only, which dies with its process
and belongs to the same network namespace as the port itself (unix(7)).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cutover.errors import RefusedError
from cutover.model import Container, PortBinding, Protocol
from cutover.ports.host import host_listeners
from cutover.ports.owners import PROC, owners, pids
from cutover.ports.published import conflicts

LOWEST = 1024
HIGHEST = 65535
DEFAULT_BASE = 20000
_EPHEMERAL = Path("sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_DEFAULT = (32768, 60999)
_NAME = "cutover/port/{}"
_TAKEN = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL})
_KINDS = {Protocol.TCP: socket.SOCK_STREAM, Protocol.UDP: socket.SOCK_DGRAM}


class FreePorts:
    """Host ports that are ours: bound, so that nobody takes them, and reserved by name against every other cutover.

    The sockets never listen, so nobody who tries such a port is kept waiting: the connection is refused.
    """

    def __init__(self, ports: Sequence[int], held: contextlib.ExitStack, named: contextlib.ExitStack) -> None:
        self.ports = tuple(ports)
        self._held = held
        self._named = named

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def release(self) -> None:
        """Let go of the ports, so that Docker can bind them; no other cutover can take them before `close`."""
        self._held.close()

    def close(self) -> None:
        """Let go of the ports and of their names: a container has them, or nobody wants them any more."""
        self._held.close()
        self._named.close()


@dataclass(frozen=True, slots=True)
class _Grip:
    """What holds ports while they are being collected."""

    held: contextlib.ExitStack
    named: contextlib.ExitStack

    def ports(self, ports: Sequence[int]) -> FreePorts:
        return FreePorts(ports, self.held.pop_all(), self.named.pop_all())


@contextlib.contextmanager
def _grip() -> Iterator[_Grip]:
    with contextlib.ExitStack() as named, contextlib.ExitStack() as held:
        yield _Grip(held, named)


def allocate(
    count: int,
    *,
    containers: Iterable[Container] = (),
    taken: Iterable[int] = (),
    base: int = DEFAULT_BASE,
    proc: Path = PROC,
) -> FreePorts:
    """Return `count` distinct free host ports, from `base` upwards and round; ephemeral ones only if all else is taken.

    A port is free if TCP and UDP can be bound to it on every address, IPv4 and IPv6, no container publishes or wants
    it, stopped ones included, and no other cutover has reserved it; `taken` adds ports to stay clear of. The order
    depends on nothing else.

    Raises:
        RefusedError: there are not so many.

    """
    avoided = set(taken) | {b.host_port for c in containers for b in (*c.published, *c.wanted)}
    ports: list[int] = []
    with _grip() as grip:
        for port in _candidates(base, ephemeral_range(proc)):
            if len(ports) == count:
                break
            if port not in avoided and _take(port, grip):
                ports.append(port)
        if len(ports) < count:
            raise RefusedError("no-free-port", f"{count} free host ports are wanted, but there are only {len(ports)}.")
        return grip.ports(ports)


def hold(
    wanted: Iterable[PortBinding | int],
    *,
    containers: Sequence[Container] = (),
    names: bool = True,
    proc: Path = PROC,
) -> FreePorts:
    """Hold exactly these host ports, a number for TCP on every address, until they are released.

    Without `names` they are bound and not reserved: for whoever has the names already.

    Raises:
        RefusedError: `port-taken`: somebody has one; the evidence says who, as far as can be seen.

    """
    bindings = [PortBinding("", w, w) if isinstance(w, int) else w for w in wanted]
    with _grip() as grip:
        for port in dict.fromkeys(b.host_port for b in bindings):
            if names and not _reserve(port, grip.named):
                raise _refused(port, [f"port {port} is reserved by {_reserver(port, proc)}"])
        for binding in bindings:
            if not _bind_one(binding, grip.held):
                found = conflicts([binding], containers, host_listeners(proc))
                raise _refused(binding.host_port, [*map(str, found)] or [f"{binding} cannot be bound"])
        return grip.ports([b.host_port for b in bindings])


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


def _take(port: int, grip: _Grip) -> bool:
    """Reserve a port and bind it for every family and protocol, or leave it as it was."""
    with contextlib.ExitStack() as named, contextlib.ExitStack() as tried:
        if not _reserve(port, named):
            return False
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind in _KINDS.values():
                if not _bind(tried, family, kind, ("::" if family is socket.AF_INET6 else "", port)):
                    return False
        grip.held.push(tried.pop_all())
        grip.named.push(named.pop_all())
    return True


def _bind_one(binding: PortBinding, held: contextlib.ExitStack) -> bool:
    """Bind what Docker is going to bind; False where that is taken, or its address is not this machine's."""
    kind = _KINDS.get(binding.protocol)
    if kind is None:
        return True
    hosts = [binding.host_ip] if binding.host_ip else ["", "::"]
    families = [socket.AF_INET6 if ":" in host else socket.AF_INET for host in hosts]
    return all(_bind(held, f, kind, (h, binding.host_port)) for f, h in zip(families, hosts, strict=True))


def _reserve(port: int, named: contextlib.ExitStack) -> bool:
    """Take the name of a port; False where another cutover has it."""
    with contextlib.ExitStack() as tried:
        sock = tried.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            sock.bind("\0" + _NAME.format(port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        named.push(tried.pop_all())
    return True


def _reserver(port: int, proc: Path) -> str:
    """Return which process has a port's name, as far as this user may see it."""
    try:
        lines = (proc / "net" / "unix").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    inodes = {int(f[6]) for f in map(str.split, lines) if f[7:] == ["@" + _NAME.format(port)]}
    found = owners(pids(proc), proc, wanted=frozenset(inodes)) if inodes else {}
    by = next((found[i] for i in inodes if i in found), None)
    return f"process {by.pid} ({by.command})" if by else "another cutover"


def _refused(port: int, evidence: list[str]) -> RefusedError:
    return RefusedError(
        "port-taken",
        f"Host port {port} is not free.",
        evidence=evidence,
        hint="choose another port, or let cutover choose: cutover override --force",
    )


def _bind(
    stack: contextlib.ExitStack, family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[str, int]
) -> bool:
    """Bind a socket; False where that is taken. Without IPv6 on this machine there is nothing to hold.

    Connections that were closed a moment ago keep a port from a plain bind for a minute (TIME_WAIT) and do not keep
    Docker from it, which binds with SO_REUSEADDR: so it is tried with that as well. A listener is in the way of both.
    """
    tries = (False, True) if kind is socket.SOCK_STREAM else (False,)
    return any(_bound(stack, family, kind, address, reuse=reuse) for reuse in tries)


def _bound(
    stack: contextlib.ExitStack,
    family: socket.AddressFamily,
    kind: socket.SocketKind,
    address: tuple[str, int],
    *,
    reuse: bool,
) -> bool:
    with contextlib.ExitStack() as tried:
        try:
            sock = tried.enter_context(socket.socket(family, kind))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            if family is socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        except OSError as error:
            if family is socket.AF_INET6 and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return True
            if error.errno in _TAKEN:
                return False
            raise  # no more file descriptors: that says nothing of the port
        stack.push(tried.pop_all())
    return True
