"""A parked container's way to the outside: Docker's own default route leads over the park network, to nobody."""

from __future__ import annotations

from ipaddress import ip_address

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.model import Container

HALVES = (("-4", "Gateway", ("0.0.0.0/1", "128.0.0.0/1")), ("-6", "IPv6Gateway", ("::/1", "8000::/1")))


def give_way_out(daemon: Daemon, image: str, container: Container, park_network: str) -> bool:
    """Give a parked container its way to the outside again; False where none of its networks has one.

    Two routes that are half of all addresses each come before the default route, and stand in nobody's way when Docker
    sets that anew. They last as long as the container runs. `image` has `ip`.

    Raises:
        EngineError: the Engine refused, or the route cannot be set.

    """
    with translated(f"Reading container {container.name}"):
        found = daemon.api.inspect_container(container.id)["NetworkSettings"]["Networks"]
    ends = [end for name, end in sorted(found.items()) if name != park_network]
    acts = []
    for family, key, halves in HALVES:
        gateway = next((ip_address(end[key]) for end in ends if end.get(key)), None)
        acts += [f"ip {family} route replace {half} via {gateway}" for half in halves if gateway]
    if not acts:
        return False
    daemon.run_once(
        image,
        ["sh", "-ec", "; ".join(acts)],
        network_mode=f"container:{container.id}",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        security_opt=["no-new-privileges:true"],
    )
    return True
