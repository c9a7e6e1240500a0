"""What `docker inspect` tells of how a container does and of the ports it was told: no secret among it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker.errors

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.redact import redacted

_NAME = re.compile(r"(?:^|_)(?:HTTP|ZMQ|GRPC|RPC|WEB|API|APP|HEALTH|SERVER)?PORT(?:_|$)", re.IGNORECASE)
_FLAG = re.compile(r"--?(?P<name>(?:[\w-]*-)?port|p)(?:=(?P<value>\d+))?", re.IGNORECASE)
_BIND_NAME = re.compile(r"BIND|LISTEN|ADDR", re.IGNORECASE)
_BIND_VALUE = re.compile(r"(?:\w+://)?(?:\*|0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\])?:(?P<port>\d+)")
HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class PortSetting:
    """A place that looks as if it told a service its port: `where` is `environment` or `command`."""

    where: str
    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.where} {self.name}{' ' if self.name.startswith('-') else '='}{self.port}"


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a container does, beside what `model.Container` says."""

    oom_killed: bool = False
    error: str = ""
    settings: tuple[PortSetting, ...] = ()
    health_command: tuple[str, ...] = ()


def vitals_of(daemon: Daemon, container_id: str) -> Vitals:
    """Return the vitals of a container, nothing where it is gone."""
    with translated(f"Inspecting container {container_id[:12]}"):
        try:
            return vitals_from(daemon.api.inspect_container(container_id))
        except docker.errors.NotFound:
            return Vitals()


def vitals_from(details: Mapping[str, Any]) -> Vitals:
    """Read them from what `GET /containers/{id}/json` gave."""
    state, config = details["State"], details["Config"]
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    return Vitals(
        oom_killed=bool(state.get("OOMKilled")),
        error=redacted(str(state.get("Error") or ""), config),
        settings=(*_of_environment(config.get("Env") or ()), *_of_command(command)),
        health_command=tuple(redacted(word, config) for word in (config.get("Healthcheck") or {}).get("Test") or ()),
    )


def _of_environment(entries: Sequence[str]) -> Iterator[PortSetting]:
    for entry in entries:
        name, _, value = entry.partition("=")
        bound = _BIND_VALUE.fullmatch(value) if _BIND_NAME.search(name) else None
        text = value if _NAME.search(name) else bound["port"] if bound else ""
        if text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST:
            yield PortSetting("environment", name, int(text))


def _of_command(words: Sequence[str]) -> Iterator[PortSetting]:
    split = [part for word in words for part in word.split()]
    for word, following in zip(split, [*split, ""][1:], strict=True):
        flag = _FLAG.fullmatch(word)
        text = (flag["value"] or following) if flag else ""
        if flag and text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST:
            yield PortSetting("command", word.partition("=")[0], int(text))
