"""The model of a project of its own, in which green and blue are tried without touching what runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cutover.errors import RefusedError
from cutover.flow.request import PortRequest

GRACE = "2s"
_KEPT = ("services", "configs", "secrets")
_DROPPED = ("build", "container_name", "ports", "profiles", "restart", "scale", "labels")

Model = Mapping[str, Any]
Targets = Mapping[int, int]
"""Legacy port -> the port inside that answers for it."""


def targets_of(model: Model, green: str, ports: tuple[PortRequest, ...]) -> tuple[Targets, Targets]:
    """Return where green and blue listen inside for each legacy port; without ports, for all that green publishes.

    Raises:
        RefusedError: a port is not published by green, or green publishes none.

    """
    published = dict(_published(model, green))
    unknown = [p.host_port for p in ports if p.host_port not in published]
    if unknown or not published:
        raise RefusedError(
            "port-not-published",
            f"{green} does not publish port {unknown[0]}." if unknown else f"{green} publishes no port.",
            evidence=[f"{green} publishes: {', '.join(map(str, published)) or 'nothing'}"],
            hint="`ports:` in cutover.yaml names host ports of green",
        )
    asked = ports or tuple(PortRequest(port) for port in published)
    greens = {p.host_port: published[p.host_port] for p in asked}
    return greens, {p.host_port: p.blue_target or greens[p.host_port] for p in asked}


def project_of_its_own(model: Model, name: str, targets: Mapping[str, Targets], labels: Mapping[str, str]) -> Model:
    """Return Compose's model cut down to some services and what they depend on, under another project's name.

    `targets` names the services; their ports are published on loopback, where the Engine finds them free, and nothing
    else is. Volumes and networks are the new project's own, mounts of the host are read-only: what runs for others
    keeps its data. Nothing is built or pulled.

    Raises:
        RefusedError: one of the services shares the host's network, so that its ports cannot be others.

    """
    services = {s: _apart(model, s, targets.get(s, {}), labels) for s in _closure(model, list(targets))}
    fresh: dict[str, Any] = {kind: {key: {} for key in model.get(kind) or {}} for kind in ("networks", "volumes")}
    return {**{k: model[k] for k in _KEPT if k in model}, **fresh, "name": name, "services": services}


def _apart(model: Model, name: str, targets: Targets, labels: Mapping[str, str]) -> dict[str, Any]:
    service = model["services"][name]
    if service.get("network_mode") == "host":
        raise RefusedError(
            "host-network",
            f"{name} is on the host's network: a second one would want the same ports.",
            hint="start green, so that blue is tried beside it with ports of its own: cutover up",
        )
    return {
        **{key: value for key, value in service.items() if key not in _DROPPED},
        "image": service.get("image") or f"{model['name']}-{name}",
        "pull_policy": "never",
        "restart": "no",
        "stop_grace_period": GRACE,
        "labels": {**(service.get("labels") or {}), **labels},
        "ports": [
            {"target": port, "host_ip": "127.0.0.1", "protocol": "tcp"} for port in sorted(set(targets.values()))
        ],
        "volumes": [_mount(v) for v in service.get("volumes") or ()],
        "networks": {name: _aliases(how) for name, how in (service.get("networks") or {}).items()},
    }


def _mount(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**volume, "read_only": True} if volume["type"] == "bind" else volume


def _aliases(network: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what is kept of a service's place on a network: its addresses belong to the other one."""
    return {key: value for key, value in (network or {}).items() if key == "aliases"}


def _closure(model: Model, names: list[str]) -> list[str]:
    """Return services with everything that they cannot start without."""
    services = model["services"]
    found: list[str] = []
    while names:
        name = names.pop()
        if name not in services:
            raise RefusedError(
                "no-such-service", f"There is no service {name!r}.", evidence=[f"services: {', '.join(services)}"]
            )
        if name not in found:
            found.append(name)
            names += _needed(services[name])
    return sorted(found)


def _needed(service: Mapping[str, Any]) -> Iterator[str]:
    depends = service.get("depends_on") or {}
    yield from (name for name, how in depends.items() if how.get("required", True))
    yield from (link.partition(":")[0] for link in service.get("links") or ())
    yield from (source.partition(":")[0] for source in service.get("volumes_from") or ())
    for shared in ("network_mode", "ipc", "pid"):
        kind, _, name = str(service.get(shared) or "").partition(":")
        if kind == "service":
            yield name


def _published(model: Model, service: str) -> Iterator[tuple[int, int]]:
    for port in (model["services"].get(service) or {}).get("ports") or ():
        if port.get("protocol", "tcp") == "tcp" and str(port.get("published", "")).isdigit():
            yield int(port["published"]), int(port["target"])
