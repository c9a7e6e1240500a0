"""A parked container's way to the outside: Docker's own default route leads over the park network, to nobody.

A routing table of its own, asked after everything in Docker's but the default route. Not a route in Docker's own table:
Docker refuses to connect a container to a network whose addresses any route but the default one has.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from cutover.engine.daemon import Daemon
from cutover.engine.helpers import PROJECT_LABEL, ROLE_LABEL
from cutover.engine.translate import translated
from cutover.errors import EngineError
from cutover.model import Container

FAMILIES = (("-4", "Gateway"), ("-6", "IPv6Gateway"))
TABLE = 25570
BEFORE, AFTER = TABLE, TABLE + 1
"""Priorities of the two rules, between those of the kernel."""


def give_way_out(daemon: Daemon, image: str, container: Container, park_network: str) -> bool:
    """Give a parked container its way to the outside again; False where none of its networks has one.

    It lasts until `take_way_out`, or as long as the container runs. `image` has `ip`.

    Raises:
        EngineError: the Engine refused, or the route cannot be set.

    """
    with translated(f"Reading container {container.name}"):
        found = daemon.api.inspect_container(container.id)["NetworkSettings"]["Networks"]
    ends = [end for name, end in sorted(found.items()) if name != park_network]
    acts = []
    for family, key in FAMILIES:
        gateway = next((ip_address(end[key]) for end in ends if end.get(key)), None)
        if gateway:
            acts += [
                *_forget(family),
                f"ip {family} route replace default via {gateway} table {TABLE}",
                f"ip {family} rule add pref {BEFORE} lookup main suppress_prefixlength 0",
                f"ip {family} rule add pref {AFTER} lookup {TABLE}",
            ]
    if acts:
        _run(daemon, image, container, acts)
    return bool(acts)


def take_way_out(daemon: Daemon, image: str, container: Container) -> None:
    """Leave the way out to Docker again; nothing is wrong where it never was another.

    Raises:
        EngineError: the Engine refused.

    """
    _run(daemon, image, container, forgetting())


def forgetting() -> list[str]:
    """Return the commands that leave the way out to Docker again; none fails where it never was another."""
    return [act for family, _ in FAMILIES for act in _forget(family)]


def _forget(family: str) -> Sequence[str]:
    rules = [f"ip {family} rule del pref {pref} 2>/dev/null || true" for pref in (BEFORE, AFTER)]
    return [*rules, f"ip {family} route flush table {TABLE} 2>/dev/null || true"]


def _run(daemon: Daemon, image: str, container: Container, acts: Sequence[str]) -> None:
    if daemon.image_id(image) is None:  # else the library asks a registry for it
        raise EngineError("image-missing", f"There is no image {image}.", hint="cutover edge build")
    daemon.run_once(
        image,
        ["sh", "-ec", "; ".join(acts)],
        network_mode=f"container:{container.id}",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        labels={PROJECT_LABEL: container.project, ROLE_LABEL: "way-out"},
    )
