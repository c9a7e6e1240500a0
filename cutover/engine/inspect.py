"""`docker inspect` output read into `cutover.model.Container`; pure, so that recorded samples can test it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cutover.errors import EngineError
from cutover.files import UNREADABLE
from cutover.model import Container, ContainerState, Endpoint, Health, PortBinding, Protocol

DEFAULT_STOP_TIMEOUT_S = 10.0
HIGHEST_PORT = 65535
_PORT = re.compile(r"[0-9]{1,5}")


def container_from(details: Mapping[str, Any]) -> Container:
    """Read one container from what `GET /containers/{id}/json` gave.

    Raises:
        EngineError: `engine-unknown-words`: it is not what a Docker Engine says of a container.

    """
    try:
        return _container(details)
    except UNREADABLE as error:
        name = str(details.get("Name") or details.get("Id") or "a container")[:80]
        raise EngineError(
            "engine-unknown-words",
            f"What the Engine says of {name} cannot be read: {type(error).__name__}: {str(error)[:200]}.",
            hint="docker inspect shows it; docker version: is it a Docker Engine of 20.10 or newer?",
        ) from error


def ids_in(listed: object) -> list[str]:
    """Return the IDs of the containers that `GET /containers/json` listed.

    Raises:
        EngineError: `engine-unknown-words`: it is no such list.

    """
    try:
        return [str(entry["Id"]) for entry in listed]  # type: ignore[attr-defined]
    except UNREADABLE as error:
        raise EngineError(
            "engine-unknown-words",
            "What the Engine says when it is asked for its containers is no list of them.",
            hint="docker ps -a; docker version: is it a Docker Engine of 20.10 or newer?",
        ) from error


def _container(details: Mapping[str, Any]) -> Container:
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
            if _PORT.fullmatch(host_port) and 0 < int(host_port) <= HIGHEST_PORT:
                address = _all_addresses_as_none(host.get("HostIp") or "")
                found.add(PortBinding(address, int(host_port), int(number), Protocol(protocol or "tcp")))
    return tuple(sorted(found))


def _all_addresses_as_none(address: str) -> str:
    return "" if address in {"0.0.0.0", "::"} else address  # noqa: S104  (compared, not bound)


def _endpoint(name: str, endpoint: Mapping[str, Any]) -> Endpoint:
    aliases = tuple(endpoint.get("Aliases") or ())
    return Endpoint(name, endpoint.get("NetworkID") or "", endpoint.get("IPAddress") or "", aliases)
