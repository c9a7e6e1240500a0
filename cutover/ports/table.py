"""One row for each port that a service declares, publishes or listens on, from compose file to who answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cutover.model import Container, ContainerState, Listener, PortBinding, Protocol
from cutover.ports.host import proxy_target
from cutover.ports.inside import Inside, Source
from cutover.ports.published import overlap

COMMAND_CHARS = 48
NOT_MADE = "no container"


@dataclass(frozen=True, slots=True)
class Declared:
    """A port as the compose file declares it; `published` is text: one port, a range, or "" where Docker chooses."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: Protocol = Protocol.TCP

    def __str__(self) -> str:
        host = f"{self.host_ip}:" if self.host_ip else ""
        return f"{host}{self.published or 'any'}->{self.target}{_suffix(self.protocol)}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as it is now. `speaks` is what was heard on its TCP ports, by port inside, in words."""

    container: Container
    inside: Inside
    speaks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A port of a service. What is empty is not so; `bound` is who holds the host port, `inside` who listens there."""

    service: str
    container: str
    state: str
    target: int
    protocol: Protocol
    declared: str = ""
    published: PortBinding | None = None
    wanted: PortBinding | None = None
    bound: tuple[str, ...] = ()
    inside: tuple[Listener, ...] = ()
    unreadable: str = ""
    speaks: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return it as a table shows it."""
        return (
            self.service,
            self.state,
            self.declared,
            str(self.published) if self.published else f"(wants {self.wanted})" if self.wanted else "",
            "; ".join(self.bound),
            self._inside(),
            self.speaks,
        )

    def _inside(self) -> str:
        if self.inside:
            return "; ".join(dict.fromkeys(_listener(x) for x in self.inside))
        if self.unreadable:
            return f"unknown: {self.unreadable}"
        return f"nobody on {self.target}{_suffix(self.protocol)}" if self.state == ContainerState.RUNNING else ""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "service": self.service,
            "container": self.container or None,
            "state": self.state,
            "target": self.target,
            "protocol": str(self.protocol),
            "declared": self.declared or None,
            "published": _binding(self.published),
            "wanted": _binding(self.wanted),
            "bound": list(self.bound),
            "inside": [
                {"address": x.address, "port": x.port, "family": _family(x), "pid": x.pid, "command": x.command}
                for x in self.inside
            ],
            "unreadable": self.unreadable or None,
            "speaks": self.speaks or None,
        }


COLUMNS = ("service", "state", "declared", "published", "bound on the host", "listens inside", "speaks")


def declared(service: Mapping[str, Any]) -> tuple[Declared, ...]:
    """Return what a service of Compose's canonical model declares under `ports`; a protocol is meant in any case.

    One that Docker does not know is left out: it refuses the whole service.
    """
    return tuple(
        Declared(
            int(port["target"]),
            str(port.get("published") or ""),
            str(port.get("host_ip") or ""),
            Protocol(str(port.get("protocol") or "tcp").lower()),
        )
        for port in service.get("ports") or ()
        if str(port.get("protocol") or "tcp").lower() in set(Protocol)
    )


def rows(
    services: Mapping[str, Sequence[Declared]],
    seen: Iterable[Seen],
    everyone: Sequence[Container],
    host: Sequence[Listener],
) -> list[Row]:
    """Return the rows of these containers, and of services that have none.

    `everyone` are all containers of the Engine, `host` the listeners of this machine with their owners.
    """
    found: list[Row] = []
    present = set()
    for one in seen:
        present.add(one.container.service)
        found += _rows(one, services.get(one.container.service, ()), everyone, host)
    for service in services.keys() - present:
        found += [
            Row(service, "", NOT_MADE, d.target, d.protocol, str(d), bound=_bound_text(d, everyone, host))
            for d in services[service]
        ]
    return sorted(found, key=lambda r: (r.service, r.container, r.target, r.protocol, str(r.published or r.wanted)))


def _rows(
    one: Seen, service: Sequence[Declared], everyone: Sequence[Container], host: Sequence[Listener]
) -> Iterator[Row]:
    container, left = one.container, list(service)
    state = "parked" if container.parked else str(container.state)

    def row(target: int, protocol: Protocol, **more: Any) -> Row:
        here = tuple(x for x in one.inside.listeners if (x.port, x.protocol) == (target, protocol))
        unreadable = one.inside.reason if one.inside.source is Source.NONE and container.running else ""
        speaks = one.speaks.get(target, "") if protocol is Protocol.TCP else ""
        return Row(
            container.service, container.name, state, target, protocol,
            inside=here, unreadable=unreadable, speaks=speaks, **more,
        )  # fmt: skip

    shown = set()
    for binding in sorted(set(container.wanted) | set(container.published)):
        asked = next((d for d in left if _is(d, binding)), None)
        if asked is not None and "-" not in asked.published:
            left.remove(asked)
        shown.add((binding.target, binding.protocol))
        yield row(
            binding.target,
            binding.protocol,
            declared=str(asked or ""),
            published=binding if binding in container.published else None,
            wanted=None if binding in container.published else binding,
            # What Docker has bound for it nobody else can hold: a random port has another number on IPv6.
            bound=(container.name,) if binding in container.published else bound(binding, everyone, host),
        )
    for d in left:
        if (d.target, d.protocol) not in shown or "-" not in d.published:
            shown.add((d.target, d.protocol))
            yield row(d.target, d.protocol, declared=str(d), bound=_bound_text(d, everyone, host))
    for target, protocol in sorted({(x.port, x.protocol) for x in one.inside.listeners} - shown):
        yield row(target, protocol)


def _is(asked: Declared, binding: PortBinding) -> bool:
    if (asked.target, asked.protocol) != (binding.target, binding.protocol):
        return False
    first, _, last = asked.published.partition("-")
    same = asked.host_ip in {binding.host_ip, "0.0.0.0", "::"} or (not asked.host_ip and not binding.host_ip)  # noqa: S104
    return same and (not first or int(first) <= binding.host_port <= int(last or first))


def bound(binding: PortBinding, everyone: Sequence[Container], host: Sequence[Listener]) -> tuple[str, ...]:
    """Return who holds a host port now: containers by name, other processes with PID and command."""
    held = [
        c.name
        for c in everyone
        for b in c.published
        if (b.host_port, b.protocol) == (binding.host_port, binding.protocol) and overlap(b.host_ip, binding.host_ip)
    ]
    ours = {(e.ip, b.target) for c in everyone for e in c.endpoints for b in c.published}
    for x in host:
        if (x.port, x.protocol) != (binding.host_port, binding.protocol):
            continue
        to = proxy_target(x)
        if (to is not None and (to.ip, to.port) in ours) or (x.pid is None and held):
            continue
        if overlap("" if x.address == "::" and to is None else x.address, binding.host_ip):
            held.append(_foreign(x, stale=to is not None))
    return tuple(dict.fromkeys(held))


def _bound_text(asked: Declared, everyone: Sequence[Container], host: Sequence[Listener]) -> tuple[str, ...]:
    if not asked.published.isdigit():
        return ()
    return bound(PortBinding(asked.host_ip, int(asked.published), asked.target, asked.protocol), everyone, host)


def _foreign(listener: Listener, *, stale: bool) -> str:
    if listener.pid is None:
        return "a process that only root can see"
    command = (listener.command or "command unknown")[:COMMAND_CHARS]
    return f"process {listener.pid} ({command}){', a docker-proxy that leads to no container' if stale else ''}"


def _listener(x: Listener) -> str:
    where = f"[{x.address}]" if ":" in x.address else x.address
    command = f" ({x.command[:COMMAND_CHARS]})" if x.command else ""
    return f"{where}:{x.port}{_suffix(x.protocol)}{command}"


def _family(x: Listener) -> str:
    return "IPv6" if ":" in x.address else "IPv4"


def _suffix(protocol: Protocol) -> str:
    return "" if protocol is Protocol.TCP else f"/{protocol}"


def _binding(binding: PortBinding | None) -> dict[str, Any] | None:
    if binding is None:
        return None
    return {"host_ip": binding.host_ip, "host_port": binding.host_port, "target": binding.target}
