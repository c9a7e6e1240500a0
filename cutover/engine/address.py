"""Which Engine is meant: the precedence of the Docker CLI, resolved once and handed to every client.

`--host` beats `--context`, then DOCKER_HOST, then DOCKER_CONTEXT, then the context that `docker context use` chose
(source: docker/cli, `cli/command/cli.go`, `resolveContextName`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from cutover.errors import UsageError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the Engine answers, and the name of the Docker context that said so, if one did."""

    url: str
    context: str | None = None

    @property
    def local(self) -> bool:
        """Say whether container addresses and `/proc` of this machine are the Engine's own."""
        return self.url.startswith(("unix://", "npipe://"))

    @property
    def host(self) -> str:
        """Return the host on which published ports appear."""
        return "127.0.0.1" if self.local else urlsplit(self.url).hostname or "127.0.0.1"


def resolve(context: str | None = None) -> EngineAddress:
    """Return the Engine that the Docker CLI would talk to.

    Raises:
        UsageError: there is no such context.

    """
    if context is None and os.environ.get("DOCKER_HOST"):
        return EngineAddress(os.environ["DOCKER_HOST"])
    from docker.context.config import get_current_context_name  # noqa: PLC0415  (150 ms that `--help` need not pay)

    name = context or os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return EngineAddress(os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET)
    return EngineAddress(_host_of(name) or DEFAULT_SOCKET, name)


def _host_of(name: str) -> str | None:
    from docker.context import ContextAPI  # noqa: PLC0415

    try:
        found = ContextAPI.get_context(name)
        known = ", ".join(sorted(c.name for c in ContextAPI.contexts())) if found is None else ""
    except Exception as error:  # the library raises Exception itself for a file that it cannot read
        raise UsageError(
            "context-unreadable",
            f"The Docker context {name!r} cannot be read.",
            evidence=[str(error)],
            hint=f"docker context inspect {name}",
        ) from error
    if found is None:
        raise UsageError(
            "unknown-context",
            f"There is no Docker context named {name!r}.",
            evidence=[f"contexts: {known}"],
            hint="docker context ls",
        )
    host: str | None = found.Host
    return host
