"""Proof of who holds a connection: what we opened from here is looked for in the container's own socket table.

Nothing is sent, so nothing is asked of the service, and it holds for any protocol. What was seen with Docker Engine
20.10 (iptables, userland proxy on), two containers with short, long and kept-alive connections to both:

| opened to | what the container sees | proof |
| --- | --- | --- |
| the IPv4 address of a network card | our own address and source port, at once | EXACT |
| the gateway of its own bridge | the same, but for ports that docker-proxy used in the last minutes | EXACT, mostly |
| the gateway of another Docker bridge | masqueraded: another address, often another port | COUNTED |
| 127.0.0.1, [::1], IPv6 on an IPv4-only network | the bridge's gateway and a port of docker-proxy | PROXIED |
| the same without the right to read docker-proxy | some new connections | COUNTED |

docker-proxy dials from the gateway's address too; after heavy load on it 12 of 20 connections to the gateway came in
under another source port (most likely conntrack still remembered ours), so a few are tried and network cards come
first. EXACT cannot be wrong. PROXIED finds the docker-proxy process that accepted our connection, then one of that
process's own connections in the container's table; a docker-proxy serves one published port and one container. It
takes 0.1 s, 1 s on a machine with nine times more to run than cores, and then missed 1 of 60. COUNTED opens several
connections and demands that as many appear, stay while ours are open, and are gone once ours are; under load it missed
27 of 60, and other clients can look like that, so it is only a hint. Of 330 questions to the wrong container, half of
them under load, none found a proof.

A service that greets and hangs up at once leaves its end in FIN_WAIT2 and docker-proxy's in CLOSE_WAIT for as long as
ours is open (seen; TIME_WAIT comes only once ours is closed), so EXACT and PROXIED take what is being closed as well.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cutover.clock import Deadline
from cutover.model import Container
from cutover.ports.host import host_sockets, target_of
from cutover.ports.owners import command_of, owners, pids
from cutover.ports.sockets import Socket, State, connections

ReadSockets = Callable[[], Sequence[Socket]]
Ends = tuple[str, int, str, int]
"""A connection as the one who dialled it sees it: its own address and port, and those that it dialled."""

_TRIES = 3
_ROUNDS = (3, 5)
_POLL_S = 0.01
_STAY_S = 0.05
_PROXY_S = 2.0
_COME_S = 0.5
_CERTAIN = 3
_BRIDGES = ("docker", "br-", "veth")


class Proof(StrEnum):
    """How sure it is that the connection ended in the container, the surest first."""

    EXACT = "exact"
    PROXIED = "proxied"
    COUNTED = "counted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """Who was seen to hold a connection to `via`; `detail` is the evidence in one sentence.

    `settled` says of NONE that somebody else was seen to hold it.
    """

    proof: Proof
    via: str
    detail: str
    settled: bool = False

    @property
    def sure(self) -> bool:
        """Say whether the proof cannot be somebody else's connection."""
        return self.proof in (Proof.EXACT, Proof.PROXIED)


def connections_from(
    sockets: Iterable[Socket], *, remote_port: int, remote: str | None = None, local_port: int | None = None
) -> list[Socket]:
    """Return the connections of a socket table whose far end is `remote_port`, of any address or of `remote`.

    Connections that are being closed count: a service that hangs up at once still took ours.
    """
    return [
        s
        for s in sockets
        if s.peer_port == remote_port
        and s.state is not State.LISTEN
        and remote in (None, s.peer)
        and local_port in (None, s.port)
    ]


def witness_connection(
    host: str,
    port: int,
    read_sockets: ReadSockets,
    container_port: int,
    deadline: Deadline,
    *,
    alternatives: Sequence[str] = (),
    read_host: ReadSockets | None = None,
) -> Witness:
    """Open connections to `host:port` and look for them in a container's table; return the surest proof found.

    `read_sockets` reads the container's table afresh, `container_port` is where it listens. `alternatives` are further
    addresses of this host on which the same binding answers (`host_addresses()` where it is bound to all of them):
    they are tried first, for through one of them the proof can be EXACT where `host` is loopback. `read_host` reads
    this host's own table.
    """
    look = _Look(port, read_sockets, container_port, deadline, read_host or host_sockets)
    tried = []
    for via in dict.fromkeys((*alternatives, host)):
        tried.append(look.through(via))
        if tried[-1].proof is Proof.EXACT or deadline.passed:
            break
    surest = min(tried, key=lambda witness: list(Proof).index(witness.proof))
    return surest if surest.proof is not Proof.NONE or tried[-1].settled else look.count(host, tried[-1])


def host_addresses(container: Container) -> list[str]:
    """Return this host's IPv4 addresses from which a connection reaches a container unrewritten, the surest first.

    These are those of network cards, then the gateways of its own bridges. Other Docker bridges are left out: Docker
    masquerades them.
    """
    import psutil  # noqa: PLC0415  (20 ms that not every command needs to pay)

    near, far = set(), set()
    for card, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if entry.family is not socket.AF_INET or entry.address.startswith("127."):
                continue
            if any(_same_network(entry.address, endpoint.ip, entry.netmask) for endpoint in container.endpoints):
                near.add(entry.address)
            elif not card.startswith(_BRIDGES):
                far.add(entry.address)
    return sorted(far) + sorted(near)


def _same_network(one: str, other: str, netmask: str | None) -> bool:
    try:
        words = [int.from_bytes(socket.inet_aton(text)) for text in (one, other, netmask or "255.255.255.255")]
    except OSError:
        return False
    return words[0] & words[2] == words[1] & words[2]


@dataclass(frozen=True, slots=True)
class _Look:
    """One search: how to read both tables, for which port, until when."""

    port: int
    read_sockets: ReadSockets
    container_port: int
    deadline: Deadline
    read_host: ReadSockets

    def through(self, via: str) -> Witness:
        """Open a few connections to one address, one after the other, and find out who holds one of them."""
        try:
            with contextlib.ExitStack() as opened:
                for _ in range(_TRIES):
                    last = opened.enter_context(self._open(via))
                    if exact := self._exactly(via, last):
                        return exact
                return self._through_proxy(via, last)
        except OSError as error:
            return Witness(Proof.NONE, via, f"no connection to {via} port {self.port}: {error.strerror or error}")

    def count(self, via: str, fallback: Witness) -> Witness:
        """Open several connections and see whether as many come, stay and go."""
        seen = []
        for number in _ROUNDS:
            try:
                seen.append(self._appeared(via, number))
            except OSError:
                return fallback
            if seen[-1] < number:
                return fallback
        told = " and ".join(f"{count} for {number}" for count, number in zip(seen, _ROUNDS, strict=True))
        return Witness(Proof.COUNTED, via, f"{told} connections came to the container's port {self.container_port}")

    def _exactly(self, via: str, connection: socket.socket) -> Witness | None:
        own, own_port = connection.getsockname()[:2]
        held = connections_from(self.read_sockets(), remote_port=own_port, remote=own, local_port=self.container_port)
        told = f"the container's port {self.container_port} holds our connection {own}:{own_port}"
        return Witness(Proof.EXACT, via, told) if held else None

    def _through_proxy(self, via: str, first: socket.socket) -> Witness:
        """Follow our connection into docker-proxy, and docker-proxy's into the container; it may take its time."""
        own, own_port = first.getsockname()[:2]
        told = f"{via} port {self.port} accepts, but the container does not hold {own}:{own_port}"
        latest = Deadline(min(_PROXY_S, self.deadline.left_s))
        proxies = _proxies()
        before: set[Ends] = set()
        inside: set[Ends] = set()
        elsewhere = unseen = 0
        while max(elsewhere, unseen) < _CERTAIN and not latest.passed:
            host = self.read_host()
            taken = connections_from(host, remote_port=own_port, remote=own, local_port=self.port)
            if not taken or not proxies:
                break  # nobody on this host took it, or nobody that we can follow
            pid, dialled = _dialled(host, {s.inode for s in taken}, proxies)
            unseen += pid is None and all(s.inode for s in taken)  # taken by no docker-proxy, or by one we may not read
            lasting = {_ends(s) for s in connections(dialled)}
            if before & lasting - inside:  # it was there before and after, and not inside in between
                elsewhere += 1
                told = f"docker-proxy (pid {pid}) took our connection and leads to another container"
            before, inside = lasting, {_ends_from_afar(s) for s in self.read_sockets() if self._is_ours(s)}
            if inside.intersection(map(_ends, dialled)):
                proxied = f"docker-proxy (pid {pid}) took our connection and leads to port {self.container_port} inside"
                return Witness(Proof.PROXIED, via, proxied)
            _wait(_POLL_S)
        return Witness(Proof.NONE, via, told, settled=elsewhere >= _CERTAIN)

    def _appeared(self, via: str, number: int) -> int:
        """Return how many connections of the container came with ours, stayed as long as ours, and went with ours."""
        before = self._inside()
        with contextlib.ExitStack() as stack:
            for _ in range(number):
                stack.enter_context(self._open(via))
            came = self._wait_for(lambda: self._inside() - before, number)
            _wait(_STAY_S)
            came &= self._inside()
        gone = self._wait_for(lambda: came - self._inside(), number)
        return len(gone)

    def _wait_for(self, read: Callable[[], set[tuple[str, int]]], number: int) -> set[tuple[str, int]]:
        latest = Deadline(min(_COME_S, self.deadline.left_s))
        while len(found := read()) < number and not latest.passed:
            _wait(_POLL_S)
        return found

    def _inside(self) -> set[tuple[str, int]]:
        return {(s.peer, s.peer_port) for s in connections(self.read_sockets()) if s.port == self.container_port}

    def _is_ours(self, connection: Socket) -> bool:
        return connection.port == self.container_port and connection.state is not State.LISTEN

    def _open(self, via: str) -> socket.socket:
        left_s = self.deadline.left_s
        if left_s <= 0:
            raise TimeoutError("the time is up")
        return socket.create_connection((via, self.port), timeout=left_s)


def _dialled(host: Sequence[Socket], taken: set[int], proxies: list[int]) -> tuple[int | None, list[Socket]]:
    """Return the docker-proxy that holds a socket inode of `taken`, and what it dialled itself."""
    held = owners(proxies)
    pid = next((held[inode].pid for inode in taken if inode in held), None)
    own = {inode for inode, owner in held.items() if owner.pid == pid}
    accepting = {s.port for s in host if s.inode in taken}
    return pid, [s for s in host if s.inode in own and s.port not in accepting and s.state is not State.LISTEN]


def _ends(connection: Socket) -> Ends:
    return connection.address, connection.port, connection.peer, connection.peer_port


def _ends_from_afar(connection: Socket) -> Ends:
    return connection.peer, connection.peer_port, connection.address, connection.port


def _proxies() -> list[int]:
    return [pid for pid in pids() if target_of(command_of(pid))]


def _wait(seconds: float) -> None:
    time.sleep(seconds)
