"""What must hold before anything is touched; pure, over the observed state. Every refusal names the next command."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from shlex import quote

from cutover.config import Strategy
from cutover.errors import RefusedError, UsageError
from cutover.flow.observed import ObservedState, image_of
from cutover.flow.plan import FileEdit
from cutover.flow.request import PortRequest, SwapRequest
from cutover.model import Container, ContainerState, PortBinding, Protocol
from cutover.ports.published import conflicts

ROOM_BYTES = 8 * 1024 * 1024


def check(state: ObservedState, request: SwapRequest) -> Container:
    """Return green's container where a swap may begin.

    Raises:
        UsageError: the services make no sense.
        RefusedError: a precondition does not hold.

    """
    _services_make_sense(state, request)
    _no_unfinished_run(state)
    _disk_has_room(state)
    green = green_of(state, request)
    _blue_can_run(state, request)
    _own_ports_of_blue_are_free(state, request)
    if request.strategy is Strategy.RELINK:
        can_be_parked(state, request, green)
    return green


def _services_make_sense(state: ObservedState, request: SwapRequest) -> None:
    for colour, name in (("green", request.green), ("blue", request.blue)):
        if name not in state.services:
            near = difflib.get_close_matches(name, state.services, n=1)
            role = "" if request.rolls else f" ({colour})"
            raise UsageError(
                "unknown-service",
                f"There is no service {name!r}{role} in project {state.project}"
                + (f"; did you mean {near[0]!r}?" if near else "."),
                evidence=[f"services: {', '.join(sorted(state.services))}"],
                hint="docker compose config --services",
            )
    if request.green == request.blue and not request.rolls:
        raise UsageError(
            "same-service",
            f"Green and blue are the same service, {request.green}.",
            hint="name the successor: cutover swap --green OLD --blue NEW; a new version of the same service: "
            f"cutover swap --service {request.green}",
        )


def _no_unfinished_run(state: ObservedState) -> None:
    if state.unfinished:
        raise RefusedError(
            "unfinished-run",
            f"Run {state.unfinished[-1]} of this project was cut short and has not been cleared up.",
            hint="cutover recover",
        )


def _disk_has_room(state: ObservedState) -> None:
    if state.free_bytes < ROOM_BYTES:
        raise RefusedError(
            "disk-full",
            f"Only {state.free_bytes // 1024} KiB are free in {state.folder}; the journal and the backup need room.",
            hint=f"df -h {quote(str(state.folder))}",
        )


def green_of(state: ObservedState, request: SwapRequest) -> Container:
    """Return the one running container of green.

    Raises:
        RefusedError: none runs, or several do.

    """
    containers = state.of_service(request.green)
    running = [c for c in containers if c.running]
    if not running:
        found = f"its container is {containers[0].state}" if containers else "it has no container"
        raise RefusedError(
            "green-not-running",
            f"{request.green} does not run ({found}), so there is nothing to take over.",
            hint=f"docker compose up -d {request.green}",
        )
    if len(running) > 1:
        raise RefusedError(
            "green-scaled",
            f"{request.green} runs in {len(running)} containers; cutover replaces one.",
            hint=f"docker compose up -d --scale {request.green}=1 {request.green}",
        )
    return running[0]


def _blue_can_run(state: ObservedState, request: SwapRequest) -> None:
    image = request.image or image_of(state, request.blue)
    if state.images.get(image) is None:
        built = "build" in state.services[request.blue] and not request.image
        raise RefusedError(
            "image-missing",
            f"The image {image} of {request.blue} is not on this Engine.",
            hint=f"docker pull {image}"
            if request.image
            else f"docker compose {'build' if built else 'pull'} {request.blue}",
        )
    paused = [c for c in state.of_service(request.blue) if c.state is ContainerState.PAUSED]
    if paused:
        raise RefusedError("blue-paused", f"{paused[0].name} is paused.", hint=f"docker unpause {paused[0].name}")


def _own_ports_of_blue_are_free(state: ObservedState, request: SwapRequest) -> None:
    """See that nobody else holds what blue publishes besides the legacy ports."""
    leaving = frozenset(c.id for c in state.of_service(request.blue))
    held = conflicts(_declared(state, request.blue), state.containers, state.listeners, leaving=leaving)
    if held:
        raise RefusedError(
            "port-held",
            f"{request.blue} also publishes a port of its own that somebody else holds.",
            evidence=[str(conflict) for conflict in held],
            hint=f"free it, or take it out of the `ports:` of {request.blue}",
        )


def _declared(state: ObservedState, service: str) -> list[PortBinding]:
    """Return the fixed ports that a service publishes according to Compose."""
    return [
        PortBinding(p.get("host_ip", ""), int(p["published"]), int(p["target"]), Protocol(p.get("protocol", "tcp")))
        for p in state.services[service].get("ports") or ()
        if str(p.get("published", "")).isdigit()
    ]


def see_writable(state: ObservedState, edits: tuple[FileEdit, ...]) -> None:
    """See that this user may replace every file that the plan edits.

    Raises:
        RefusedError: one is read-only.

    """
    writable = {source.path: source.writable for source in state.files}
    for edit in edits:
        if not writable[edit.path]:
            raise RefusedError(
                "file-not-writable",
                f"{edit.path} or its folder may not be written by this user.",
                hint=f"ls -ld {quote(str(edit.path.parent))} {quote(str(edit.path))}; run cutover as the owner",
            )


def can_be_parked(state: ObservedState, request: SwapRequest, green: Container) -> None:
    """See that a container can be made to run without its host ports.

    Raises:
        RefusedError: it is on no bridge network.

    """
    for name in (request.green, request.blue):
        mode = state.services[name].get("network_mode")
        if mode:
            raise RefusedError(
                "cannot-park",
                f"{name} has network_mode: {mode}, and only a container on bridge networks can be parked.",
                hint="cutover swap --strategy recreate",
            )
    if state.park_parent is None:
        networks = ", ".join(e.network for e in green.endpoints) or "none"
        raise RefusedError(
            "cannot-park",
            f"{request.green} is on no bridge network, so it cannot be parked.",
            evidence=[f"its networks: {networks}"],
            hint="cutover swap --strategy recreate",
        )


def bindings_behind_edge(state: ObservedState, request: SwapRequest) -> list[tuple[PortBinding, int]]:
    """Return what a standing edge publishes for green, each with green's port inside and with blue's.

    Raises:
        UsageError: a port is named that the edge does not have.

    """
    edge = state.edge
    assert edge is not None
    slot = edge.slot_of(request.green)
    assert slot is not None
    inside = edge.slots[slot].targets
    wanted = {p.host_port: p.blue_target for p in request.ports}
    found = [PortBinding(b.host_ip, b.host_port, inside[p.port], b.protocol) for p in edge.ports for b in p.bindings]
    unknown = sorted(set(wanted) - {b.host_port for b in found})
    if unknown:
        raise UsageError(
            "port-not-published",
            f"The edge does not publish port {unknown[0]}.",
            evidence=[f"it publishes {', '.join(sorted({str(b.host_port) for b in found}))}"],
            hint="cutover edge status",
        )
    return [(b, wanted.get(b.host_port) or b.target) for b in found]


def legacy_bindings(request: SwapRequest, green: Container) -> list[tuple[PortBinding, int]]:
    """Return what moves: each binding of green, with the port on which blue listens inside.

    Raises:
        UsageError: a port is named twice, for two ports inside blue.
        RefusedError: green does not publish a port, or would keep one that `relink` cannot leave with it, or two that
            lead to one port inside green would lead to two inside blue.

    """
    _ports_make_sense(request)
    chosen = list(dict.fromkeys(_chosen(request, green)))
    _targets_are_clear(request, chosen)
    rest = set(green.wanted) - {b for b, _ in chosen}
    if request.strategy in {Strategy.RELINK, Strategy.EDGE} and rest:
        kept = ", ".join(map(str, sorted(rest)))
        raise RefusedError(
            "ports-left-behind",
            f"`{request.strategy}` moves all of green's ports at once, and {request.green} would keep {kept}.",
            hint="name no --port to move them all, or use --strategy recreate",
        )
    return chosen


def _ports_make_sense(request: SwapRequest) -> None:
    named: dict[int, PortRequest] = {}
    for port in request.ports:
        first = named.setdefault(port.host_port, port)
        if first.blue_target != port.blue_target:
            inside = [f":{p.blue_target}" if p.blue_target else "no port inside" for p in (first, port)]
            raise UsageError(
                "bad-port",
                f"Port {port.host_port} is named twice, with {inside[0]} and with {inside[1]}.",
                hint=f"name it once: --port {port.host_port}, or --port {port.host_port}:INSIDE",
            )


def _targets_are_clear(request: SwapRequest, chosen: list[tuple[PortBinding, int]]) -> None:
    """See that each port inside green becomes one port inside blue: the editor can tell them apart no further."""
    first: dict[int, tuple[PortBinding, int]] = {}
    for binding, target in chosen:
        other, meant = first.setdefault(binding.target, (binding, target))
        if meant != target:
            raise RefusedError(
                "target-ambiguous",
                f"{other.host_port} and {binding.host_port} lead to the same port inside {request.green}, "
                f"{binding.target}, and would lead to two inside {request.blue}.",
                evidence=[f"{b} would lead to {t} in {request.blue}" for b, t in ((other, meant), (binding, target))],
                hint=f"name one port inside {request.blue} for both: "
                f"--port {other.host_port}:INSIDE --port {binding.host_port}:INSIDE",
            )


def _chosen(request: SwapRequest, green: Container) -> Iterator[tuple[PortBinding, int]]:
    if not green.published:
        wanted = ", ".join(map(str, green.wanted))
        raise RefusedError(
            "port-not-published",
            f"{request.green} publishes no port"
            + (f"; it asks for {wanted} and does not have it." if wanted else ", so there is none to take over."),
            hint="cutover ports",
        )
    if not request.ports:
        yield from ((b, b.target) for b in green.published)
        return
    for port in request.ports:
        yield from _bindings_of(port, request, green)


def _bindings_of(port: PortRequest, request: SwapRequest, green: Container) -> Iterator[tuple[PortBinding, int]]:
    found = [b for b in green.published if b.host_port == port.host_port]
    if not found:
        raise RefusedError(
            "port-not-published",
            f"{request.green} does not publish port {port.host_port}.",
            evidence=[f"it publishes {', '.join(map(str, green.published))}"],
            hint="cutover ports",
        )
    if port.blue_target and len({b.target for b in found}) > 1:
        raise RefusedError(
            "target-ambiguous",
            f"Port {port.host_port} leads to several ports inside {request.green}; :{port.blue_target} could mean any.",
            evidence=[str(b) for b in found],
            hint=f"--port {port.host_port}, and let {request.blue} listen where {request.green} does",
        )
    yield from ((b, port.blue_target or b.target) for b in found)
