"""What an Engine has that may have been left: containers, images and networks in three listings; and their removal.

Nothing here is removed by force: what got used in the meantime is the Engine's to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import docker.errors

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated

STOPPED = {"created", "exited", "dead"}
_NO_NAME = "<none>"
_FORBIDDEN, _IN_USE = 403, 409


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container; `project` and `service` are Compose's, `networks` the names and IDs of those that it is on.

    `created` is in Unix seconds. One that never ran has names of networks only.
    """

    id: str
    name: str
    running: bool
    project: str = ""
    service: str = ""
    image_id: str = ""
    networks: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image; `parent` is the ID of the one that the classic builder built it on."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    parent: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """One network."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)


def container_facts(daemon: Daemon) -> tuple[ContainerFacts, ...]:
    """Return all containers, whatever state they are in."""
    with translated("Listing containers"):
        return tuple(_container(c) for c in daemon.api.containers(all=True))


def image_facts(daemon: Daemon) -> tuple[ImageFacts, ...]:
    """Return all images, those without a name included."""
    with translated("Listing images"):
        return tuple(_image(i) for i in daemon.api.images(all=True))


def network_facts(daemon: Daemon) -> tuple[NetworkFacts, ...]:
    """Return all networks."""
    with translated("Listing networks"):
        return tuple(NetworkFacts(n["Id"], n["Name"], n.get("Labels") or {}) for n in daemon.api.networks())


def size_of_container(daemon: Daemon, container_id: str) -> int:
    """Return how many bytes a container wrote into itself, 0 where it is gone."""
    with translated(f"Measuring container {container_id[:12]}"):
        found = daemon.api.containers(all=True, size=True, filters={"id": container_id})
    return sum(int(c.get("SizeRw") or 0) for c in found)


def remove_container(daemon: Daemon, container_id: str) -> bool:
    """Remove a stopped container, none of its volumes; say whether it is gone for it, False where it runs now."""
    return _removed(f"Removing container {container_id[:12]}", daemon.api.remove_container, container_id)


def remove_image(daemon: Daemon, image_id: str) -> bool:
    """Remove an image that has one name at most and no user; say whether it is gone for it.

    By its ID, so that the Engine refuses where it got a name in another repository; what it was built on stays.
    """
    return _removed(f"Removing image {image_id[:19]}", daemon.api.remove_image, image_id, noprune=True)


def remove_network(daemon: Daemon, network_id: str) -> bool:
    """Remove a network by its ID; say whether it is gone for it, False where somebody joined it."""
    return _removed(f"Removing network {network_id[:12]}", daemon.api.remove_network, network_id)


def _removed(action: str, remove: Any, *args: Any, **options: Any) -> bool:
    with translated(action):
        try:
            remove(*args, **options)
        except docker.errors.NotFound:
            return True
        except docker.errors.APIError as error:
            if error.status_code in (_FORBIDDEN, _IN_USE):
                return False
            raise
    return True


def _container(entry: Mapping[str, Any]) -> ContainerFacts:
    labels = entry.get("Labels") or {}
    networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    return ContainerFacts(
        entry["Id"],
        next(iter(entry.get("Names") or ()), entry["Id"][:12]).lstrip("/"),
        entry.get("State") not in STOPPED,
        labels.get("com.docker.compose.project", ""),
        labels.get("com.docker.compose.service", ""),
        entry.get("ImageID") or "",
        frozenset(filter(None, (*networks, *(n.get("NetworkID") for n in networks.values())))),
        labels,
        float(entry.get("Created") or 0),
    )


def _image(entry: Mapping[str, Any]) -> ImageFacts:
    tags = tuple(t for t in entry.get("RepoTags") or () if not t.startswith(_NO_NAME))
    digests = tuple(d for d in entry.get("RepoDigests") or () if not d.startswith(_NO_NAME))
    return ImageFacts(entry["Id"], tags, digests, entry.get("ParentId") or "", int(entry.get("Size") or 0))
