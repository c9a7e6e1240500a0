"""Whether a connection that we open on a host port arrives in a container."""

from __future__ import annotations

from cutover.clock import Deadline
from cutover.model import Container
from cutover.ports.inside import sockets_of
from cutover.ports.witness import Witness, host_addresses, witness_connection

TIMEOUT_S = 5.0


def witness(container: Container, host: str, port: int, target: int) -> Witness | None:
    """Return how our own connection to `host:port` was seen in the container; None where nothing can be seen at all."""
    if sockets_of(container) is None:
        return None
    everywhere = any(b.host_port == port and not b.host_ip for b in container.wanted)
    return witness_connection(
        host,
        port,
        lambda: sockets_of(container) or (),
        target,
        Deadline(TIMEOUT_S),
        alternatives=host_addresses(container) if everywhere else (),
    )
