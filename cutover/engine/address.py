"""Which Engine is meant: the precedence of the Docker CLI, resolved once and handed to every client.

`--host` beats `--context`, then DOCKER_HOST, then DOCKER_CONTEXT, then the context that `docker context use` chose
(source: docker/cli, `cli/command/cli.go`, `resolveContextName`).

TLS comes from the same place: a context has its own; with DOCKER_HOST it is DOCKER_TLS_VERIFY (or DOCKER_TLS, which
does not verify) that asks for it, and DOCKER_CERT_PATH alone does not (seen with Docker CLI 28).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cutover.errors import UsageError

if TYPE_CHECKING:
    from docker.tls import TLSConfig

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the Engine answers, the name of the Docker context that said so, if one did, and the TLS it asks for."""

    url: str
    context: str | None = None
    tls: TLSConfig | None = field(default=None, repr=False, compare=False)

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
        UsageError: there is no such context, its address or that of DOCKER_HOST is none, or the files for TLS cannot
            be read.

    """
    found = _resolved(context)
    try:
        urlsplit(found.url).port  # noqa: B018  (it is read at the first look)
    except ValueError as error:
        where = f"The Docker context {found.context!r}" if found.context else "DOCKER_HOST"
        raise UsageError(
            "engine-address-invalid",
            f"{where} is no address of an Engine: {str(error)[:200]}.",
            evidence=[found.url],
            hint=f"for example: DOCKER_HOST={DEFAULT_SOCKET}; docker context ls",
        ) from error
    return found


def _resolved(context: str | None) -> EngineAddress:
    if context is None and os.environ.get("DOCKER_HOST"):
        return _from_environment()
    from docker.context.config import get_current_context_name  # noqa: PLC0415  (150 ms that `--help` need not pay)

    name = context or os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return _from_environment()
    return _from_context(name)


def _from_environment() -> EngineAddress:
    url = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    return EngineAddress(url, tls=_tls_of_environment() if url.startswith(("tcp://", "http")) else None)


def _tls_of_environment() -> TLSConfig | None:
    verify = os.environ.get("DOCKER_TLS_VERIFY")
    if not verify and not os.environ.get("DOCKER_TLS"):
        return None
    from docker.errors import TLSParameterError  # noqa: PLC0415
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    folder = os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    asked = {"DOCKER_CERT_PATH": folder, "DOCKER_TLS_VERIFY": verify or ""}
    try:
        tls: TLSConfig | None = kwargs_from_env(asked).get("tls")
    except TLSParameterError as error:
        raise UsageError(
            "tls-unreadable",
            f"TLS is asked for, and {folder} has no usable ca.pem, cert.pem and key.pem.",
            evidence=[str(error).partition(" TLS configurations")[0]],
            hint="set DOCKER_CERT_PATH to the folder that has them",
        ) from error
    return tls


def _from_context(name: str) -> EngineAddress:
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
    return EngineAddress(found.Host or DEFAULT_SOCKET, name, found.TLSConfig)
