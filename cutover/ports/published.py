"""Which container or process holds a host port, and what stands in the way of a binding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cutover.model import Container, Listener, PortBinding, Protocol
from cutover.ports.host import ProxyTarget, proxy_target

_ALL_V4 = frozenset({"", "0.0.0.0", "*"})  # noqa: S104  (nothing is bound here)
_ALL_V6 = frozenset({"", "::", "*"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """A wanted binding that somebody else holds: a container, or a process of the host (`listener`)."""

    wanted: PortBinding
    container: Container | None = None
    held: PortBinding | None = None
    listener: Listener | None = None

    def __str__(self) -> str:
        if self.container is not None:
            service = f" (service {self.container.service})" if self.container.service else ""
            return f"{self.wanted} is held by container {self.container.name}{service}, which publishes {self.held}"
        return f"{self.wanted} is held by {_process(self.listener)}"

    @property
    def stale_proxy(self) -> bool:
        """Say whether a docker-proxy holds it that leads to no container."""
        return self.listener is not None and proxy_target(self.listener) is not None


def published(containers: Iterable[Container]) -> dict[tuple[int, Protocol], list[tuple[PortBinding, Container]]]:
    """Return who publishes what now: (host port, protocol) -> each binding with its container, in a stable order."""
    found: dict[tuple[int, Protocol], list[tuple[PortBinding, Container]]] = {}
    for container in sorted(containers, key=lambda c: c.name):
        for binding in sorted(container.published):
            found.setdefault((binding.host_port, binding.protocol), []).append((binding, container))
    return found


def conflicts(
    wanted: Iterable[PortBinding],
    containers: Sequence[Container],
    host_listeners: Sequence[Listener],
    *,
    leaving: frozenset[str] = frozenset(),
) -> list[Conflict]:
    """Return what holds each wanted binding; `leaving` are ids of containers that will have let go by then.

    A docker-proxy is named as its container; one that leads to no known container is a conflict of its own. A listener
    without a known owner on a port that a container publishes is taken for Docker's.
    """
    return [conflict for binding in wanted for conflict in _conflicts(binding, containers, host_listeners, leaving)]


def overlap(one: str, other: str) -> bool:
    """Say whether two host addresses cannot both be bound: "" is every address, "0.0.0.0" IPv4's, "::" IPv6's."""
    return any(
        (one in every or other in every or one == other) and one in family and other in family
        for every, family in ((_ALL_V4, _V4()), (_ALL_V6, _V6()))
    )


class _V4:
    def __contains__(self, address: str) -> bool:
        return ":" not in address


class _V6:
    def __contains__(self, address: str) -> bool:
        return ":" in address or address in _ALL_V6


def _conflicts(
    wanted: PortBinding, containers: Sequence[Container], host_listeners: Sequence[Listener], leaving: frozenset[str]
) -> Iterator[Conflict]:
    docker = [(b, c) for b, c in published(containers).get((wanted.host_port, wanted.protocol), ())]
    for binding, container in docker:
        if container.id not in leaving and overlap(wanted.host_ip, binding.host_ip):
            yield Conflict(wanted, container=container, held=binding)
    known = _targets(containers)
    for listener in host_listeners:
        if (listener.port, listener.protocol) != (wanted.host_port, wanted.protocol):
            continue
        of_docker = proxy_target(listener) in known or (listener.pid is None and bool(docker))
        if not of_docker and _blocks(listener, wanted):
            yield Conflict(wanted, listener=listener)


def _targets(containers: Iterable[Container]) -> set[ProxyTarget | None]:
    return {
        ProxyTarget(endpoint.ip, binding.target)
        for container in containers
        for endpoint in container.endpoints
        for binding in container.published
    }


def _blocks(listener: Listener, wanted: PortBinding) -> bool:
    """Take a foreign socket on "::" for one that holds IPv4 too, as most do: `/proc` does not say IPV6_V6ONLY."""
    both = listener.address == "::" and proxy_target(listener) is None
    return overlap("" if both else listener.address, wanted.host_ip)


def _process(listener: Listener | None) -> str:
    if listener is None or listener.pid is None:
        return "a process that only root can see"
    stale = ", a docker-proxy that leads to no container" if proxy_target(listener) else ""
    return f"process {listener.pid} ({listener.command or 'command unknown'}){stale}"
