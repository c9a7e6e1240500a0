"""GPU reservations (Compose specification, `deploy.resources.reservations.devices`)."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.document.document import Document
from cutover.document.edit import Edit
from cutover.document.render import Data
from cutover.document.source import Kind, Node
from cutover.document.values import append_item
from cutover.errors import UsageError

_BELOW_SERVICE = ("deploy", "resources", "reservations", "devices")


def add_gpu_reservation(
    document: Document,
    service: str,
    *,
    driver: str = "nvidia",
    count: int | str | None = None,
    device_ids: Sequence[str] | None = None,
    capabilities: Sequence[str] = ("gpu",),
) -> Edit:
    """Reserve GPUs for a service: `count` of them (a number or "all"), or those with `device_ids`; neither means all.

    Raises:
        UsageError: both `count` and `device_ids` are given.
        EditRefusedError: `gpu-already-reserved`, or as `values.append_item`.

    """
    if count is not None and device_ids is not None:
        raise UsageError("count-or-device-ids", "Docker takes a count of GPUs or their ids, not both.")
    node = document.service(service).node
    for device in _devices(node):
        raise document.refuse("gpu-already-reserved", f"service {service!r} reserves a GPU already.", device)
    which: dict[str, Data] = {"device_ids": list(device_ids)} if device_ids is not None else {"count": count or "all"}
    reservation: dict[str, Data] = {"driver": driver, **which, "capabilities": list(capabilities)}
    return append_item(document, ("services", service, *_BELOW_SERVICE), reservation)


def _devices(node: Node | None) -> list[Node]:
    """Return the device reservations of a service that ask for a GPU."""
    for key in _BELOW_SERVICE:
        node = node.get(key) if node is not None and node.kind is Kind.MAPPING else None
    items = node.items if node is not None else []
    return [item for item in items if any(found.value == "gpu" for found in _items(item, "capabilities"))]


def _items(node: Node, key: str) -> list[Node]:
    found = node.get(key) if node.kind is Kind.MAPPING else None
    return found.items if found is not None else []
