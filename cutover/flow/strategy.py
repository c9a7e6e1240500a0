"""Which way of handing over a swap takes, and why; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cutover.config import Strategy
from cutover.errors import CutoverError, NeedsHandsError, RefusedError
from cutover.flow.observed import ObservedState
from cutover.flow.preflight import can_be_parked, green_of
from cutover.flow.request import SwapRequest
from cutover.model import Container, Protocol


def chosen(state: ObservedState, request: SwapRequest) -> tuple[SwapRequest, str]:
    """Return the request with a strategy that can be had, and why it is that one; "" where the user named it.

    Raises:
        RefusedError: the edge was asked for and cannot be had, or green does not run.

    """
    if request.strategy is Strategy.EDGE:
        refusal = edge_refusal(state, request)
        if refusal is not None:
            raise refusal
        return request, ""
    if request.strategy is not Strategy.AUTO:
        held = request.exclusive and request.strategy is not Strategy.RECREATE  # which is exclusive by nature
        if held or request.share_percent is not None:
            what = "--exclusive holds requests" if held else "A canary splits requests"
            raise RefusedError("needs-edge", f"{what}, which only the edge can do.", hint="--strategy edge")
        if _edge_stands_before(state, request):
            raise RefusedError(
                "edge-stands",
                f"The project's edge holds the ports of {request.green}, so `{request.strategy}` has none to move.",
                hint="--strategy edge",
            )
        return request, ""
    refusal = edge_refusal(state, request)
    if refusal is not None and _edge_stands_before(state, request):
        raise refusal
    if refusal is None:
        standing = "the project has one" if state.edge else "the project can take one, and no request fails then"
        return replace(request, strategy=Strategy.EDGE), standing
    if request.exclusive or request.share_percent is not None:
        raise refusal
    hint = f" ({refusal.hint})" if refusal.hint else ""
    why = f"the edge cannot be had: {refusal.message[:1].lower()}{refusal.message[1:]}{hint}"
    unparkable = _unparkable(state, request)
    if unparkable is None:
        return replace(request, strategy=Strategy.RELINK), why
    return replace(request, strategy=Strategy.RECREATE), f"{why} And {unparkable[:1].lower()}{unparkable[1:]}"


def _edge_stands_before(state: ObservedState, request: SwapRequest) -> bool:
    """Say whether green's ports are those of a standing edge; one that cannot be asked may well have them."""
    if state.edge is None:
        return state.edge_trouble is not None
    return state.edge.slot_of(request.green) is not None


def _unparkable(state: ObservedState, request: SwapRequest) -> str | None:
    try:
        can_be_parked(state, request, green_of(state, request))
    except RefusedError as error:
        return error.message
    return None


def edge_refusal(state: ObservedState, request: SwapRequest) -> RefusedError | None:
    """Return why the edge cannot be had for this swap, None where it can."""
    try:
        green = green_of(state, request)
        _can_have_edge(state, request, green)
    except RefusedError as error:
        return error
    return None


def _can_have_edge(state: ObservedState, request: SwapRequest, green: Container) -> None:
    if not state.engine_local:
        raise RefusedError(
            "edge-remote",
            "The edge is told what to do on this machine, and the Engine is on another.",
            hint="run cutover on the Engine's machine, or --strategy relink",
        )
    if state.edge_trouble is not None:
        raise state.edge_trouble
    if state.edge is not None:
        _standing_edge_serves(state, request)
        return
    if state.edge_image is None:
        wanted = state.edge_image_wanted
        raise RefusedError(
            "edge-image-missing",
            "The edge's image is not on this Engine.",
            evidence=[f"edge.image in cutover.yaml: {wanted}"] if wanted else [],
            hint=f"docker pull {wanted}" if wanted else "cutover edge build",
        )
    other = sorted({str(b) for b in green.published if b.protocol is not Protocol.TCP})
    if other:
        raise RefusedError(
            "edge-tcp-only",
            f"The edge forwards TCP, and {request.green} publishes {', '.join(other)}.",
            hint="--strategy relink",
        )
    can_be_parked(state, request, green)


def _standing_edge_serves(state: ObservedState, request: SwapRequest) -> None:
    edge = state.edge
    assert edge is not None
    slot = edge.slot_of(request.green)
    if slot is None:
        owned = ", ".join(sorted({p.service for p in edge.slots.values()})) or "nobody"
        raise RefusedError(
            "edge-of-another",
            f"The project's edge stands before {owned}, not before {request.green}.",
            hint="cutover edge status",
        )
    active = state.edge_active
    if active is not None and edge.slots.get(active) and edge.slots[active].service != request.green:
        serving = edge.slots[active].service
        raise RefusedError(
            "green-not-serving",
            f"The edge sends requests to {serving}, not to {request.green}.",
            hint=f"cutover swap --green {serving} --blue {request.green}"
            if serving == request.blue
            else "cutover edge status",
        )
    if active is not None and slot is not active and edge.slots.get(active) is None:
        raise RefusedError("green-not-serving", "The edge serves a slot that holds nobody.", hint="cutover recover")
    nets = docker_networks(state.model, state.project, request.blue)
    if not request.rolls and not set(nets) & set(edge.networks):
        raise RefusedError(
            "edge-other-network",
            f"{request.blue} is on no network of the project's edge.",
            evidence=[f"{request.blue}: {', '.join(nets)}", f"edge: {', '.join(edge.networks)}"],
            hint=f"put {request.blue} on a network of {request.green} in the compose file",
        )


def docker_networks(model: Mapping[str, Any], project: str, service: str) -> list[str]:
    """Return Docker's names of the networks that Compose puts a service on."""
    known = model.get("networks") or {}
    names = (model["services"][service].get("networks") or {"default": None}).keys()
    return [str((known.get(n) or {}).get("name") or f"{project}_{n}") for n in names]


def trouble(error: CutoverError) -> RefusedError:
    """Return an edge that stands and does not answer as the reason for not swapping."""
    hint = error.hint if isinstance(error, NeedsHandsError) else "cutover edge status"
    return RefusedError(error.reference, error.message, evidence=error.evidence, hint=hint)
