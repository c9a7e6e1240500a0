"""Does the Engine take a GPU reservation? Asked by trying, since `docker info` names runtimes and not what they can do.

A container of blue's own image is made with the reservation, and an entrypoint that does not exist, and started. The
Engine picks a device driver and the runtime runs its hooks before the entrypoint is looked for (source: moby,
`daemon/devices_linux.go`; runc, `libcontainer/standard_init_linux.go`, where hooks come before `exec.LookPath`). So if
the entrypoint is what the start fails for, the reservation was taken; no process of the image ever runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import docker.errors
from docker.types import DeviceRequest

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.errors import EngineError

ENTRYPOINT = "/cutover-asks-whether-a-gpu-can-be-reserved"
LABEL = "cutover.gpu-check"
_NO_RUNTIME = ("could not select device driver", "unknown or invalid runtime name", "unknown runtime")


@dataclass(frozen=True, slots=True)
class Device:
    """One device reservation, as Compose's canonical model has it; `count` -1 means all."""

    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("gpu",)

    @classmethod
    def from_model(cls, entry: Mapping[str, Any]) -> Device:
        """Read one entry of `deploy.resources.reservations.devices` or of `gpus`."""
        ids = tuple(map(str, entry.get("device_ids") or ()))
        count = entry.get("count", 0 if ids else -1)
        capabilities = tuple(entry.get("capabilities") or ("gpu",))
        return cls(str(entry.get("driver") or ""), -1 if count == "all" else int(count), ids, capabilities)

    def __str__(self) -> str:
        which = f"devices {', '.join(self.device_ids)}" if self.device_ids else "all" if self.count < 0 else self.count
        return f"driver {self.driver or 'any'}, {which}, capabilities {', '.join(self.capabilities)}"


class Taken(StrEnum):
    """What the Engine made of a reservation."""

    ACCEPTED = "accepted"
    NO_RUNTIME = "no-runtime"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying; `words` are the Engine's own."""

    taken: Taken
    words: str = ""


def devices_of(service: Mapping[str, Any]) -> tuple[Device, ...]:
    """Return the device reservations of a service of the canonical model that ask for a GPU."""
    resources = (service.get("deploy") or {}).get("resources") or {}
    entries = [*((resources.get("reservations") or {}).get("devices") or ()), *(service.get("gpus") or ())]
    found = (Device.from_model(e) for e in entries)
    return tuple(d for d in found if "gpu" in d.capabilities or d.driver in {"nvidia", "cdi"})


def try_reservation(daemon: Daemon, image: str, devices: Iterable[Device], runtime: str | None = None) -> Trial:
    """Make and start a container that reserves these devices and can run nothing; it is always removed.

    Raises:
        EngineError: the Engine has no such image, or does not answer.

    """
    name = f"cutover-gpu-check-{secrets.token_hex(4)}"
    requests = [
        DeviceRequest(
            driver=d.driver,
            count=0 if d.device_ids else d.count,
            device_ids=list(d.device_ids),
            capabilities=[list(d.capabilities)],
        )
        for d in devices
    ]
    api = daemon.api
    host = api.create_host_config(network_mode="none", device_requests=requests, runtime=runtime)
    with translated("Trying a GPU reservation"):
        try:
            api.create_container(
                image,
                command=[],
                name=name,
                entrypoint=[ENTRYPOINT],
                labels={LABEL: "try"},
                host_config=host,
                use_config_proxy=False,  # one in ~/.docker/config.json may have a password
            )
            api.start(name)
        except docker.errors.ImageNotFound as error:
            raise EngineError("no-image", f"There is no image {image}.", hint="docker compose build") from error
        except docker.errors.APIError as error:
            return classified(str(error.explanation or error))
        finally:
            _remove(daemon, name)
    return Trial(Taken.FAILED, f"{ENTRYPOINT} exists in {image}")


def classified(words: str) -> Trial:
    """Say what the Engine's refusal to start means.

    The entrypoint has to be named: a hook that lacks a library fails with "no such file or directory" as well.
    """
    if ENTRYPOINT in words:
        return Trial(Taken.ACCEPTED, words)
    if any(sign in words.lower() for sign in _NO_RUNTIME):
        return Trial(Taken.NO_RUNTIME, words)
    return Trial(Taken.FAILED, words)


def _remove(daemon: Daemon, name: str) -> None:
    try:
        daemon.api.remove_container(name, v=True, force=True)
    except docker.errors.NotFound:
        return
