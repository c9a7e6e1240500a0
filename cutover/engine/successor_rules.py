"""When a second container of a service cannot run beside the first one, and what a person should know where it can.

Two containers of one service share its name, its networks and its named volumes. What only one of them can have is
refused here, before anything is touched, with the strategy that does without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutover.errors import RefusedError
from cutover.model import Container, Finding, Severity

Model = Mapping[str, Any]


def see_successor(
    model: Model, service: str, containers: Sequence[Container], *, alone: bool = False
) -> tuple[Finding, ...]:
    """See that a second container of the service can be beside the one there is; return what is to be known of it.

    `model` is what `docker compose config` makes of the files as they are to be, `containers` what the service has.
    `alone`: the first one stops before the second one starts, so that an address may be the same.

    Raises:
        RefusedError: it cannot: `successor-...`, with the reason and the alternative.

    """
    definition = (model.get("services") or {}).get(service)
    if definition is None:
        raise RefusedError(
            "service-unknown", f"The project has no service {service!r}.", hint="docker compose config --services"
        )
    for reference, reason, way_out in _obstacles(model, service, definition, containers, alone=alone):
        raise RefusedError(
            f"successor-{reference}",
            f"A second container of {service!r} cannot run beside the first one: {reason}.",
            hint=way_out,
        )
    return tuple(_known(model, service, definition))


def expected_name(model: Model, service: str, number: str) -> str:
    """Return the name that Compose gives the container `number` of a service (compose, `getContainerName`)."""
    own = model["services"][service].get("container_name")
    return str(own or f"{model['name']}-{service}-{number}")


def _obstacles(
    model: Model, service: str, definition: Model, containers: Sequence[Container], *, alone: bool
) -> Iterator[tuple[str, str, str]]:
    elsewise = f"docker compose up -d {service}, which stops the old one first"
    if len(containers) != 1:
        names = ", ".join(c.name for c in containers) or "none"
        yield "count", f"it has {len(containers)} containers ({names}), not one", f"docker compose up -d {service}"
    replicas = (definition.get("deploy") or {}).get("replicas")
    scale = definition.get("scale")
    if any(count not in (None, 1) for count in (scale, replicas)):
        yield "scaled", "the files scale it, and cutover rolls services of one container", "scale it to 1 first"
    if definition.get("provider"):
        yield "provider", "a provider runs it, not the Engine", elsewise
    if not alone:
        yield from _network_obstacles(service, definition)
    if definition.get("post_start"):
        yield "hooks", "it has post_start hooks, which only docker compose runs", elsewise
    for name, why in _sharers(model, service, definition):
        yield "shared", f"{name!r} {why} of its container and would lose it", elsewise


def _network_obstacles(service: str, definition: Model) -> Iterator[tuple[str, str, str]]:
    elsewise = f"cutover swap --service {service} --strategy recreate, which stops the old one first"
    mode = str(definition.get("network_mode") or "")
    if mode == "host" or mode.startswith(("service:", "container:")):
        yield "network", f"with network_mode: {mode} both would listen on the same ports", elsewise
    if definition.get("mac_address"):
        yield "address", "it has a mac_address of its own", elsewise
    for name, options in (definition.get("networks") or {}).items():
        fixed = [key for key in ("ipv4_address", "ipv6_address", "mac_address") if (options or {}).get(key)]
        if fixed:
            way = f"remove {fixed[0]} (names lead to it as well), or {elsewise}"
            yield "address", f"it has a fixed {fixed[0]} on network {name!r}", way


def _sharers(model: Model, service: str, definition: Model) -> Iterator[tuple[str, str]]:
    """Yield the services that live in this one's container or volumes, by its ID."""
    targets = {f"service:{service}", f"container:{definition.get('container_name') or '/'}"}
    for name, other in model["services"].items():
        if name == service:
            continue
        for key in ("network_mode", "ipc", "pid"):
            if other.get(key) in targets:
                yield name, f"shares the {key.removesuffix('_mode')} namespace"
        if any(str(entry).partition(":")[0] == service for entry in other.get("volumes_from") or ()):
            yield name, "takes the volumes"


def _known(model: Model, service: str, definition: Model) -> Iterator[Finding]:
    for name, other in model["services"].items():
        needs = (other.get("depends_on") or {}).get(service) or {}
        if needs.get("restart"):
            yield Finding(
                "dependant-not-restarted",
                Severity.WARNING,
                f"{name} asks to be restarted when {service} is (depends_on: restart: true); a swap does not do that.",
                cure=f"docker compose restart {name} after the swap, if it keeps what it got from the old container",
            )
    if definition.get("pre_stop"):
        yield Finding(
            "hook-not-run",
            Severity.WARNING,
            f"{service} has pre_stop hooks, which only docker compose runs: the old container is stopped without them.",
        )
