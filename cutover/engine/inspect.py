"""`docker inspect` output read into `cutover.model.Container`; pure, so that recorded samples can test it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.model import Container, ContainerState, Endpoint, Health, PortBinding, Protocol

DEFAULT_STOP_TIMEOUT_S = 10.0


def container_from(details: Mapping[str, Any]) -> Container:
    """Read one container from what `GET /containers/{id}/json` gave."""
    state, config, host = details["State"], details["Config"], details["HostConfig"]
    labels = config.get("Labels") or {}
    settings = details.get("NetworkSettings") or {}
    return Container(
        id=details["Id"],
        name=details["Name"].lstrip("/"),
        project=labels.get("com.docker.compose.project", ""),
        service=labels.get("com.docker.compose.service", ""),
        state=ContainerState(state["Status"]),
        health=Health((state.get("Health") or {}).get("Status") or "none"),
        failing_streak=(state.get("Health") or {}).get("FailingStreak") or 0,
        pid=state.get("Pid") or 0,
        exit_code=state.get("ExitCode") or 0,
        image=config.get("Image", ""),
        image_id=details.get("Image", ""),
        started_at=state.get("StartedAt", ""),
        restart_policy=_restart_policy(host.get("RestartPolicy") or {}),
        restart_count=details.get("RestartCount") or 0,
        stop_timeout_s=float(DEFAULT_STOP_TIMEOUT_S if config.get("StopTimeout") is None else config["StopTimeout"]),
        published=_bindings(settings.get("Ports") or {}),
        wanted=_bindings(host.get("PortBindings") or {}),
        endpoints=tuple(_endpoint(name, e) for name, e in sorted((settings.get("Networks") or {}).items())),
        labels=labels,
    )


def _restart_policy(policy: Mapping[str, Any]) -> str:
    name = policy.get("Name") or "no"
    retries = policy.get("MaximumRetryCount") or 0
    return f"{name}:{retries}" if name == "on-failure" and retries else name


def _bindings(ports: Mapping[str, Any]) -> tuple[PortBinding, ...]:
    """Return the fixed ports: one that Docker is to choose ("", "0" or a range such as "8000-8010") is none."""
    found = set()
    for target, hosts in ports.items():
        number, _, protocol = target.partition("/")
        for host in hosts or ():
            host_port = host.get("HostPort") or ""
            if host_port.isdigit() and int(host_port):
                address = _all_addresses_as_none(host.get("HostIp") or "")
                found.add(PortBinding(address, int(host_port), int(number), Protocol(protocol or "tcp")))
    return tuple(sorted(found))


def _all_addresses_as_none(address: str) -> str:
    return "" if address in {"0.0.0.0", "::"} else address  # noqa: S104  (compared, not bound)


def _endpoint(name: str, endpoint: Mapping[str, Any]) -> Endpoint:
    aliases = tuple(endpoint.get("Aliases") or ())
    return Endpoint(name, endpoint.get("NetworkID") or "", endpoint.get("IPAddress") or "", aliases)
