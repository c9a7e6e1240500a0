"""The listeners on this host and who holds them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cutover.model import Listener, Protocol
from cutover.ports.owners import tidy_command

_PROXY = re.compile(r"(?:\S*/)?docker-proxy\s")
_PROXY_TO = re.compile(r"-container-ip\s+(?P<ip>\S+)\s+-container-port\s+(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class ProxyTarget:
    """Where a docker-proxy process sends what it accepts."""

    ip: str
    port: int


def host_listeners() -> list[Listener]:
    """Return TCP listeners and bound UDP sockets of this network namespace, in the order of port and address.

    Owners are known for processes that the caller may inspect: all of them for root, else only the caller's own.
    """
    import psutil  # noqa: PLC0415  (20 ms that not every command needs to pay)

    found = {}
    for connection in psutil.net_connections("inet"):
        protocol = Protocol.TCP if connection.type.name == "SOCK_STREAM" else Protocol.UDP
        waiting = connection.status == psutil.CONN_LISTEN or (protocol is Protocol.UDP and not connection.raddr)
        if waiting and connection.laddr:
            key = (connection.laddr.port, connection.laddr.ip, protocol, connection.pid or 0)
            found[key] = connection.pid
    return [
        Listener(ip, port, protocol, pid=pid, command=_command(pid) if pid else None)
        for (port, ip, protocol, _), pid in sorted(found.items())
    ]


def proxy_target(listener: Listener) -> ProxyTarget | None:
    """Return where a listener forwards to if it is Docker's userland proxy, None if it is not or is not known."""
    return target_of(listener.command or "")


def target_of(command: str) -> ProxyTarget | None:
    """Return where a command line says that docker-proxy forwards to, None if it is no docker-proxy."""
    found = _PROXY_TO.search(command) if _PROXY.match(command) else None
    return ProxyTarget(found["ip"], int(found["port"])) if found else None


def _command(pid: int) -> str | None:
    import psutil  # noqa: PLC0415

    try:
        return tidy_command(psutil.Process(pid).cmdline()) or None
    except psutil.Error:
        return None
