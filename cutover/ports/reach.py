"""At which address this host reaches a container: bridge networks yes; macvlan, ipvlan and other hosts' networks no."""

from __future__ import annotations

import socket

from cutover.model import Container

NOWHERE = "192.0.2.1"
"""An address that nobody has (RFC 5737): what is sent there takes the default route."""
DISCARD = 9


def own_address(container: Container) -> str | None:
    """Return the address of a container that this host reaches over an interface of its own, None if there is none.

    An address without such a route goes out by the default route: whoever answers there is somebody else.
    """
    default = _source(NOWHERE)
    for endpoint in container.endpoints:
        source = _source(endpoint.ip) if endpoint.ip else None
        if source is not None and source != default:
            return endpoint.ip
    return None


def _source(address: str) -> str | None:
    """Return the address from which this host would send there; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, DISCARD))
        except OSError:
            return None
        return str(sock.getsockname()[0])
