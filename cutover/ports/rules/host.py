"""The host's side: who else has the port, and what may take it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.model import Certainty, Container, Finding, PortBinding, Severity
from cutover.ports.facts import Facts
from cutover.ports.published import Conflict
from cutover.ports.rules.common import error

BIND_FAILED = re.compile(r"already allocated|address already in use|bind", re.IGNORECASE)


def host_port_held(facts: Facts) -> Iterator[Finding]:
    """Say who holds a host port that it wants and has not."""
    later = facts.gone and not BIND_FAILED.search(facts.engine_error) and not facts.container.on_host
    for conflict in facts.conflicts:
        engine = (f"engine: {facts.engine_error}",) if facts.engine_error else ()
        message = f"{facts.container.name} cannot have host port {conflict.wanted.host_port}: {conflict}."
        if later:  # it ran with its port, and ended of something else
            cure = "mend why it ended first; only one of the two can have the port then"
            yield Finding(_code(conflict), Severity.WARNING, message, engine, cure)
        else:
            yield error(_code(conflict), message, engine, _cure(conflict))


def _code(conflict: Conflict) -> str:
    if conflict.container is not None:
        return "host-port-container"
    return "stale-proxy" if conflict.stale_proxy else "host-port-foreign"


def _cure(conflict: Conflict) -> str:
    if conflict.container is not None:
        return f"docker stop {conflict.container.name}, or publish another host port"
    if conflict.stale_proxy:
        return "restart the Engine: it has lost sight of that docker-proxy"
    pid = conflict.listener.pid if conflict.listener else None
    return f"end that process{f' (PID {pid})' if pid else ''}, or publish another host port"


def firewall(facts: Facts) -> Iterator[Finding]:
    """Say which rules drop what is on its way to it; this host itself may still be answered."""
    if not facts.firewall or not facts.container.running:
        return
    plain = [drop for drop in facts.firewall if drop.plain]
    shown = plain or list(facts.firewall)
    what = "drops what other machines send" if plain else "has rules that may drop what is sent"
    yield Finding(
        "firewall-drops",
        Severity.ERROR if plain else Severity.WARNING,
        f"The host's firewall {what} to {facts.container.name}.",
        tuple(f"{drop.tool}: {drop.rule}" for drop in shown),
        f"see what else the chain has, and let the port through before: {shown[0].listing}",
        Certainty.CERTAIN if plain else Certainty.POSSIBLE,
    )


def ephemeral(facts: Facts) -> Iterator[Finding]:
    """Warn of a fixed host port in the range from which the kernel takes ports for outgoing connections."""
    if facts.ephemeral is None:
        return
    low, high = facts.ephemeral
    for binding in fixed(facts.container):
        if low <= binding.host_port <= high:
            yield Finding(
                "host-port-ephemeral",
                Severity.WARNING,
                f"Host port {binding.host_port} of {facts.container.name} is in the kernel's range for outgoing "
                "connections: any of them may have it when the container is started.",
                (f"/proc/sys/net/ipv4/ip_local_port_range: {low} {high}",),
                f"publish a port below {low}, or sysctl net.ipv4.ip_local_reserved_ports={binding.host_port}",
            )


def one_address(facts: Facts) -> Iterator[Finding]:
    """Say that a port is bound to one address of the host: others are refused there."""
    for binding in sorted(set(facts.container.published)):
        if binding.host_ip:
            yield Finding(
                "one-address",
                Severity.INFO,
                f"Host port {binding.host_port} of {facts.container.name} is bound to {binding.host_ip} only: at any "
                "other address of the host it is refused.",
                (f"published: {binding}",),
                f"to open it to everybody: {binding.host_port}:{binding.target} without an address",
            )


def fixed(container: Container) -> list[PortBinding]:
    """Return the bindings whose host port was asked for, by number."""
    return sorted(set(container.wanted))
