"""The GPU reservation of a test stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.document.override.values import OverrideRequest, Service

NVIDIA = "nvidia"
GPU = "gpu"


def reservation(service: Service, request: OverrideRequest) -> list[dict[str, Any]] | None:
    """Return the devices to reserve instead of the origin's, None where nobody asks for others."""
    if request.gpus is not None or request.gpu_ids:
        chosen = {"device_ids": list(request.gpu_ids)} if request.gpu_ids else {"count": request.gpus}
        return [*_without_gpu(service), {"driver": NVIDIA, **chosen, "capabilities": [GPU]}]
    if request.no_gpu:
        kept = _without_gpu(service)
        return kept if kept != reserved(service) else None
    return None


def reserved(service: Service) -> list[dict[str, Any]]:
    """Return the devices that a service of the canonical model reserves."""
    resources = (service.get("deploy") or {}).get("resources") or {}
    return [dict(d) for d in (resources.get("reservations") or {}).get("devices") or ()]


def device_files(service: Service) -> list[Any] | None:
    """Return `devices:` without the GPU's, None where there is no GPU among them."""
    devices = list(service.get("devices") or ())
    kept = [d for d in devices if not _is_gpu_file(d)]
    return kept if len(kept) < len(devices) else None


def _without_gpu(service: Service) -> list[dict[str, Any]]:
    return [d for d in reserved(service) if not _is_gpu(d)]


def _is_gpu(device: Mapping[str, Any]) -> bool:
    ids = [str(i) for i in device.get("device_ids") or ()]
    named = any(i.startswith(f"{NVIDIA}.com/") for i in ids)
    return GPU in (device.get("capabilities") or ()) or device.get("driver") == NVIDIA or named


def _is_gpu_file(device: Any) -> bool:
    source = str(device.get("source") if isinstance(device, Mapping) else device)
    return source.startswith((f"/dev/{NVIDIA}", f"{NVIDIA}.com/"))
