"""A service that is replaced by a new container of itself: which ports it keeps, what a person should know; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cutover.config import Strategy
from cutover.errors import RefusedError
from cutover.flow.observed import ObservedState, image_of
from cutover.flow.request import SwapRequest
from cutover.model import Container, PortBinding, Protocol

ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  (compared, not bound)
SOCKET = ".sock"
"""How the sources of mounts end that are no files to write to: any number of containers may share them."""


def called(request: SwapRequest) -> tuple[str, str]:
    """Return what a plan calls green and blue: one service's name would not tell its two containers apart."""
    if request.rolls:
        return f"old {request.green}", f"new {request.blue}"
    return request.green, request.blue


def images_of(state: ObservedState, request: SwapRequest) -> tuple[str, str] | None:
    """Return what the old container was made from and what the new one will be, None where nothing rolls."""
    if not request.rolls:
        return None
    return state.of_service(request.green)[0].image, request.image or image_of(state, request.green)


def rolled_bindings(state: ObservedState, request: SwapRequest, green: Container) -> list[tuple[PortBinding, int]]:
    """Return what the old container hands to the new one: each fixed port that the files still give it, with where to.

    Raises:
        RefusedError: there is none, or one of them is to be bound to another address.

    """
    declared = declared_ports(state, request.green)
    fixed = [b for b in green.published if b in green.wanted]
    found = [(b, declared[b.host_ip, b.host_port, b.protocol]) for b in fixed if _key(b) in declared]
    if not found:
        raise RefusedError(
            "port-not-published",
            f"{request.green} has no fixed port that stays, so there is none that a swap could keep answering.",
            evidence=[
                f"its container publishes {', '.join(map(str, green.published)) or 'nothing'}",
                f"the files give it {', '.join(map(str, _bindings(declared))) or 'no fixed port'}",
            ],
            hint=f"docker compose up -d {request.green}",
        )
    for binding in fixed:
        elsewhere = [b for b in _bindings(declared) if _same_port(b, binding)]
        if _key(binding) not in declared and elsewhere:
            raise RefusedError(
                "port-rebound",
                f"{request.green} holds {binding}, and the files now bind that port as {elsewhere[0]}: "
                "both cannot be had at once.",
                hint=f"docker compose up -d {request.green}, in a quiet hour",
            )
    return found


def roll_warnings(state: ObservedState, request: SwapRequest, kept: set[PortBinding]) -> Iterator[str]:
    """Yield what a person should know before the service is rolled; `kept` are the old container's ports that stay."""
    green = state.of_service(request.green)[0]
    behind_edge = request.strategy is Strategy.EDGE
    gone = sorted(set(green.published) - kept)
    if gone and not (behind_edge and state.edge is not None):
        ports = ", ".join(map(str, gone))
        yield f"{ports} of old {request.green} is not handed over: the files give it no such fixed port"
    if request.strategy is Strategy.RECREATE or request.exclusive:
        return
    shared = sorted(set(_shared_mounts(state.services[request.green])))
    if shared:
        yield (
            f"both containers write to {', '.join(shared)} while both run; if only one may have its files "
            "(a database), use --strategy recreate"
        )


def declared_ports(state: ObservedState, service: str) -> Mapping[tuple[str, int, Protocol], int]:
    """Return (address, host port, protocol) -> port inside, for the fixed ports that the files give a service."""
    found: dict[tuple[str, int, Protocol], int] = {}
    for port in state.services[service].get("ports") or ():
        published, address = str(port.get("published", "")), str(port.get("host_ip") or "")
        if published.isdigit() and int(published):
            key = ("" if address in ANYWHERE else address, int(published), Protocol(port.get("protocol", "tcp")))
            found[key] = int(port["target"])
    return found


def _key(binding: PortBinding) -> tuple[str, int, Protocol]:
    return binding.host_ip, binding.host_port, binding.protocol


def _same_port(one: PortBinding, other: PortBinding) -> bool:
    return (one.host_port, one.protocol) == (other.host_port, other.protocol)


def _bindings(declared: Mapping[tuple[str, int, Protocol], int]) -> list[PortBinding]:
    return [PortBinding(address, port, target, protocol) for (address, port, protocol), target in declared.items()]


def _shared_mounts(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield where named volumes and folders of the host are mounted that both containers may write to."""
    for mount in service.get("volumes") or ():
        source = str(mount.get("source") or "")
        if source and not mount.get("read_only") and not source.endswith(SOCKET) and mount.get("type") != "npipe":
            yield str(mount["target"])
