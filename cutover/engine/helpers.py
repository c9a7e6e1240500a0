"""Helper containers: run for a moment in somebody else's namespaces, talked to over standard input and output.

What a helper is told and tells is one JSON object a line. Its standard input ends when the connection to it ends, so
it knows when the cutover that started it is gone, whatever that died of.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import docker.errors
from docker.types import LogConfig

from cutover.clock import Deadline
from cutover.engine.daemon import Daemon
from cutover.engine.reservation import LABEL as GPU_CHECK_LABEL
from cutover.engine.translate import translated
from cutover.errors import EngineError

PROJECT_LABEL = "io.cutover.project"
ROLE_LABEL = "io.cutover.helper"
_FRAME = struct.Struct(">BxxxL")
_STDOUT = 1
_CHUNK = 65536
ALREADY_AT_IT = 409
GONE_S = 10.0
POLL_S = 0.02
ABOUT_TO_START_S = 1.0
CPU_SHARES = 8192
"""Eight times a container's usual share: a helper does little, and that in time."""


@dataclass(frozen=True, slots=True)
class Helper:
    """What a helper container is: its name, the image and the module it runs, where, and with which capabilities."""

    name: str
    project: str
    role: str
    image: str
    module: str
    network: str
    capabilities: tuple[str, ...] = ("NET_ADMIN",)
    pid: str | None = None
    userns: str | None = None
    volumes: Mapping[str, str] = field(default_factory=dict)


class Talk:
    """A running helper, as long as the connection to it is open."""

    def __init__(self, helper: Helper, channel: socket.socket) -> None:
        self.helper = helper
        self._channel = channel
        self._frames = b""
        self._lines = b""
        self._noise = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def say(self, facts: Mapping[str, Any]) -> None:
        """Tell it something.

        Raises:
            EngineError: it is gone.

        """
        try:
            self._channel.sendall(json.dumps(facts).encode() + b"\n")
        except OSError as error:
            raise self._gone(str(error)) from error

    def hear(self, timeout_s: float) -> dict[str, Any]:
        """Return the next thing that it tells.

        Raises:
            EngineError: it ended, or said nothing for so long.

        """
        deadline = Deadline(timeout_s)
        while b"\n" not in self._lines:
            if not select.select([self._channel], [], [], deadline.left_s)[0]:
                raise self._gone(f"it said nothing for {timeout_s:g} s")
            chunk = self._channel.recv(_CHUNK)
            if not chunk:
                raise self._gone("it ended")
            self._take(chunk)
        line, _, self._lines = self._lines.partition(b"\n")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def _take(self, chunk: bytes) -> None:
        """Take frames apart: the Engine sends standard output and error over one connection."""
        self._frames += chunk
        while len(self._frames) >= _FRAME.size:
            stream, length = _FRAME.unpack_from(self._frames)
            if len(self._frames) < _FRAME.size + length:
                return
            content = self._frames[_FRAME.size : _FRAME.size + length]
            self._frames = self._frames[_FRAME.size + length :]
            if stream == _STDOUT:
                self._lines += content
            else:
                self._noise += content

    def _gone(self, why: str) -> EngineError:
        noise = self._noise.decode(errors="replace").strip().splitlines()[-8:]
        return EngineError(
            "helper-gone", f"The helper container {self.helper.name} does not answer.", evidence=[why, *noise]
        )

    def close(self) -> None:
        """Hang up: its standard input ends, and it does what it does when nobody is there any more."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self._channel.close()


def start_helper(daemon: Daemon, helper: Helper, first: Mapping[str, Any]) -> Talk:
    """Start a helper, which the Engine removes when it ends, and tell it what it is for.

    Raises:
        EngineError: the Engine refuses, or has no such image.

    """
    api = daemon.api
    host = api.create_host_config(
        auto_remove=True,
        network_mode=helper.network,
        pid_mode=helper.pid,
        userns_mode=helper.userns,
        cap_drop=["ALL"],
        cap_add=list(helper.capabilities),
        security_opt=["no-new-privileges"],
        read_only=True,
        binds=[f"{source}:{target}:ro" for source, target in helper.volumes.items()],
        cpu_shares=CPU_SHARES,
        log_config=LogConfig(type=LogConfig.types.NONE),
    )
    with translated(f"Starting the helper container {helper.name}"):
        created = api.create_container(
            helper.image,
            command=["python3", "-m", helper.module],
            name=helper.name,
            user="0:0",
            labels={PROJECT_LABEL: helper.project, ROLE_LABEL: helper.role},
            host_config=host,
            stdin_open=True,
            detach=False,
            use_config_proxy=False,  # one in ~/.docker/config.json may have a password
        )
        try:
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            channel = own_socket(api.attach_socket(created["Id"], params=params))
            api.start(created["Id"])
        except BaseException:
            remove_helper(daemon, created["Id"])
            raise
    talk = Talk(helper, channel)
    talk.say(first)
    return talk


def own_socket(attached: Any) -> socket.socket:
    """Return the connection that the library attached, in our own hands; what it wrapped around it is closed."""
    channel = socket.socket(fileno=os.dup(attached.fileno()))
    channel.settimeout(None)
    for wrapper in (getattr(attached, "_response", None), attached):
        if wrapper is not None:
            wrapper.close()
    return channel


def helpers(daemon: Daemon, project: str) -> dict[str, str]:
    """Return the helper containers of a project, whatever state they are in: ID -> role."""
    labels = [f"{PROJECT_LABEL}={project}", ROLE_LABEL]
    with translated("Listing helper containers"):
        found = daemon.api.containers(all=True, filters={"label": labels})
    return {entry["Id"]: entry["Labels"][ROLE_LABEL] for entry in found}


def remove_helpers(daemon: Daemon, project: str) -> int:
    """Remove the helper containers of a project, running or not, and return how many there were."""
    found = helpers(daemon, project)
    for container_id in found:
        remove_helper(daemon, container_id)
    return len(found)


def remove_unstarted(daemon: Daemon, project: str) -> list[str]:
    """Remove a project's helpers that were made and never started, for who made them died; return their names.

    One that runs ends with its cutover, one that never ran does not. Who is about to be started is seen once only.
    Those with which a GPU reservation was tried go too, whatever project they were for: none of them ever runs.
    """
    found = _unstarted(daemon, project)
    if not found:
        return []
    time.sleep(ABOUT_TO_START_S)
    left = _unstarted(daemon, project)
    for container_id in found.keys() & left.keys():
        remove_helper(daemon, container_id)
    return sorted(left[i] for i in found.keys() & left.keys())


def _unstarted(daemon: Daemon, project: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with translated("Listing helper containers"):
        for labels in ([f"{PROJECT_LABEL}={project}", ROLE_LABEL], [GPU_CHECK_LABEL]):
            made = daemon.api.containers(all=True, filters={"label": labels, "status": "created"})
            found |= {entry["Id"]: entry["Names"][0].lstrip("/") for entry in made}
    return found


def remove_helper(daemon: Daemon, container_id: str) -> None:
    """Remove a container and see it gone, also where the Engine is at it already because it ended by itself."""
    deadline = Deadline(GONE_S)
    with translated(f"Removing the helper container {container_id[:12]}"):
        while True:
            try:
                daemon.api.remove_container(container_id, v=True, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code != ALREADY_AT_IT or deadline.passed:
                    raise
            time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the Engine says of where its containers run."""

    system: str
    rootless: bool
    remapped: bool
    labelled: bool = False
    """SELinux keeps its containers from files that were not made for them."""


def surroundings(daemon: Daemon) -> Surroundings:
    """Ask the Engine where it runs."""
    with translated("Asking the Engine where it runs"):
        info = daemon.api.info()
    options = [str(o) for o in info.get("SecurityOptions") or ()]
    return Surroundings(
        str(info.get("OperatingSystem") or ""),
        any("name=rootless" in o for o in options),
        any("name=userns" in o for o in options),
        any("name=selinux" in o for o in options),
    )


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Where a container's connections come from: `networks` are its own (CIDR), `gateways` the host's ends of them."""

    networks: tuple[str, ...]
    gateways: tuple[str, ...]


def neighbourhood(daemon: Daemon, container_id: str) -> Neighbourhood:
    """Return the networks of a container, IPv4 and IPv6, as it has them now."""
    with translated(f"Inspecting container {container_id[:12]}"):
        found = daemon.api.inspect_container(container_id)["NetworkSettings"]["Networks"].values()
    families = (("IPAddress", "IPPrefixLen", "Gateway"), ("GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPv6Gateway"))
    networks = [f"{n[a]}/{n[p]}" for n in found for a, p, _ in families if n.get(a)]
    gateways = [n[g] for n in found for _, _, g in families if n.get(g)]
    return Neighbourhood(tuple(networks), tuple(gateways))
