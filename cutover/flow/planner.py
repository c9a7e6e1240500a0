"""From the observed state and the request to a plan: pure, no I/O, so that a test compares plans as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cutover.config import Strategy
from cutover.flow.edge_parts import edge_steps
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edits import Edited
from cutover.flow.observed import ObservedState, reserves_gpu
from cutover.flow.plan import FileEdit, Move, Parts, Plan, StepKind, numbered
from cutover.flow.preflight import bindings_behind_edge, check, legacy_bindings
from cutover.flow.request import SwapRequest
from cutover.flow.roll import called, images_of, roll_warnings, rolled_bindings
from cutover.model import Container

RELINK_BASE_S = 0.2
"""What `relink` is silent for, measured on 2 cores (scripts/bench): moving the gateway of both containers ..."""
RELINK_PER_BINDING_S = 0.03
"""... and starting a docker-proxy pair for each published port."""
RECREATE_BASE_S = 0.9
"""What stop, start and the network set-up take beside the services' own time (scripts/bench)."""


def moves_of(state: ObservedState, request: SwapRequest) -> tuple[Move, ...]:
    """Return the ports that change hands, once everything that must hold beforehand has been seen to hold.

    Raises:
        UsageError: the request makes no sense.
        RefusedError: a precondition does not hold.

    """
    green = check(state, request)
    behind = request.strategy is Strategy.EDGE and state.edge is not None
    if behind:
        found = bindings_behind_edge(state, request)
    elif request.rolls:
        found = rolled_bindings(state, request, green)
    else:
        found = legacy_bindings(request, green)
    return tuple(Move(binding, target) for binding, target in found)


def plan_swap(
    state: ObservedState,
    request: SwapRequest,
    moves: tuple[Move, ...],
    edited: Edited,
    *,
    edge: EdgePlan | None = None,
    why: str = "",
) -> Plan:
    """Decide what to do; `edge` is how the edge is used, where the strategy is that, and `why` why it is this one."""
    seconds, cause = _stall(state, request, moves, edge)
    return Plan(
        project=state.project,
        green=request.green,
        blue=request.blue,
        strategy=request.strategy,
        moves=moves,
        steps=numbered(_parts(state, request, moves, edited.files, edge)),
        edits=edited.files,
        inverses=edited.inverses,
        observe_s=request.observe_s,
        ready_timeout_s=request.ready_timeout_s,
        commit=request.commit,
        stall_predicted_s=seconds,
        stall_cause=cause,
        warnings=(*_warnings(state, request, moves), *_about_names(state, edited.files), *(edge.notes if edge else ())),
        why=why,
        edge=edge,
        rolls=state.of_service(request.green)[0].id if request.rolls else None,
        images=images_of(state, request),
    )


def _parts(
    state: ObservedState,
    request: SwapRequest,
    moves: tuple[Move, ...],
    edits: tuple[FileEdit, ...],
    edge: EdgePlan | None,
) -> Parts:
    ports = ", ".join(str(m.binding.host_port) for m in moves)
    files = ", ".join(e.path.name for e in edits)
    dependencies = [
        (StepKind.DEPENDENCY, name, f"{dependant} depends on it and it does not run")
        for name, dependant in _missing_dependencies(state, request).items()
    ]
    first: Parts = [
        (StepKind.BACKUP, files or "compose files", "nothing is changed before it is saved"),
        *dependencies,
    ]
    if edge is not None:
        return [*first, *edge_steps(request, edge, moves, edits), *_last_edge_parts(request, edge)]
    if request.strategy is Strategy.RELINK:
        return [*first, *_relink_parts(request, ports, files), *_last_parts(request)]
    return [*first, *_recreate_parts(request, ports, files), *_last_parts(request)]


def _relink_parts(request: SwapRequest, ports: str, files: str) -> Parts:
    green, blue = called(request)
    from_files = "from the edited file" if files or not request.rolls else "as the files say now"
    by_name = f"; inside its networks {request.blue} leads to both from now on" if request.rolls else ""
    return [
        (StepKind.PARK_NETWORK, f"for {blue}", "a container on it runs without its host ports"),
        (StepKind.CREATE_BLUE, blue, f"with its final ports {ports}, {from_files}"),
        (StepKind.START_PARKED, blue, f"{green} still holds {ports}{by_name}"),
        (StepKind.PROVE_INSIDE, blue, f"{green} is not touched before {blue} answers"),
        *_suite_parts(StepKind.SMOKE_INSIDE, request, f"{green} is not touched before {blue} does its work"),
        *_edit_parts(request, ports, files),
        (StepKind.RELINK, ports, f"park {green}, unpark {blue}"),
    ]


def _edit_parts(request: SwapRequest, ports: str, files: str) -> Parts:
    if not files:
        return []
    if request.rolls:
        return [(StepKind.EDIT_FILES, files, f"{request.green} has the image {request.image} from now on")]
    return [(StepKind.EDIT_FILES, files, f"ports {ports} belong to {request.blue} from now on")]


def _recreate_parts(request: SwapRequest, ports: str, files: str) -> Parts:
    green, blue = called(request)
    from_files = "from the edited file" if files or not request.rolls else "as the files say now"
    return [
        (StepKind.CREATE_BLUE, blue, f"with its final ports {ports}, {from_files}, while {green} serves"),
        *_edit_parts(request, ports, files),
        (StepKind.RECREATE, ports, f"stop {green}, start {blue}"),
        (StepKind.PROVE_INSIDE, blue, "it loads now, and nobody is served meanwhile"),
    ]


def _last_parts(request: SwapRequest) -> Parts:
    green, blue = called(request)
    parts: Parts = [(StepKind.PROVE_OUTSIDE, blue, "through the legacy ports, with proof of who answers")]
    parts += _suite_parts(StepKind.SMOKE_OUTSIDE, request, "as clients ask; a failure turns it back")
    if request.observe_s > 0:
        parts.append((StepKind.WATCH, blue, f"for {request.observe_s:g} s; two failures in a row turn it back"))
    if request.commit:
        parts.append((StepKind.RETIRE_GREEN, green, _retired(request)))
    else:
        parts.append((StepKind.SETTLE_GREEN, green, "without ports, as the file now says; warm until commit"))
    if request.strategy is Strategy.RELINK:
        parts.append((StepKind.REMOVE_PARK_NETWORK, f"of {blue}", "nobody is parked any more"))
    return parts


def _retired(request: SwapRequest) -> str:
    if request.rolls:
        return "its container is removed and can be made again; the new one gets its name"
    return "--commit: its container is removed"


def _last_edge_parts(request: SwapRequest, edge: EdgePlan) -> Parts:
    green, blue = called(request)
    if edge.share_percent is not None:
        return []
    parts: Parts = [(StepKind.PROVE_OUTSIDE, blue, "through the legacy ports; the edge says who answers")]
    parts += _suite_parts(StepKind.SMOKE_OUTSIDE, request, "as clients ask; a failure turns it back")
    if request.observe_s > 0:
        parts.append((StepKind.WATCH, blue, f"for {request.observe_s:g} s; the edge itself goes back if it dies"))
    if edge.exclusive:
        parts.append((StepKind.TRUST_BLUE, blue, "until now what it could not take would have waited for the way back"))
    if request.commit:
        parts.append((StepKind.RETIRE_GREEN, green, _retired(request)))
        if edge.adopt:
            parts.append((StepKind.REMOVE_PARK_NETWORK, f"of {green}", "nobody is parked any more"))
    return parts


def _suite_parts(kind: StepKind, request: SwapRequest, cause: str) -> Parts:
    return [(kind, ", ".join(request.suites), cause)] if request.suites else []


def _missing_dependencies(state: ObservedState, request: SwapRequest) -> dict[str, str]:
    """Return what blue depends on and is not there, directly or not, with who needs it; each after what it needs.

    Compose starts all of that with the first of them, so each has a step of its own: what has no step is not undone.
    Below one that has to be started Compose looks through those that run; below blue's own that run it does not.
    """
    missing: dict[str, str] = {}
    seen = {request.blue}

    def look_below(service: str, *, to_start: bool) -> None:
        wanted = state.services[service].get("depends_on") or {}
        for name, terms in sorted(wanted.items()):
            if name not in state.services:  # `required: false`, or Compose would have rejected the files
                continue
            absent = name != request.green and not _is_there(state, name, terms)
            if name not in seen and (absent or to_start):
                seen.add(name)
                look_below(name, to_start=True)
            if absent:
                missing.setdefault(name, service)

    look_below(request.blue, to_start=False)
    return missing


def _is_there(state: ObservedState, name: str, terms: Mapping[str, str]) -> bool:
    completed = terms.get("condition") == "service_completed_successfully"
    return any(c.running or (completed and c.completed) for c in state.of_service(name))


def _stall(
    state: ObservedState, request: SwapRequest, moves: tuple[Move, ...], edge: EdgePlan | None
) -> tuple[float | None, str]:
    if edge is not None:
        return _edge_stall(state, request, moves, edge)
    if request.strategy is Strategy.RELINK:
        return RELINK_BASE_S + RELINK_PER_BINDING_S * len(moves), "Docker moves the ports between running containers"
    load = state.load_seconds.get(request.blue)
    if load is None:
        return None, f"at least {RECREATE_BASE_S:g} s, and as long as {request.blue} takes to load, never measured here"
    return RECREATE_BASE_S + load, f"{request.blue} took {load:.1f} s to load in an earlier run"


def _edge_stall(
    state: ObservedState, request: SwapRequest, moves: tuple[Move, ...], edge: EdgePlan
) -> tuple[float | None, str]:
    if edge.exclusive:
        load = state.load_seconds.get(request.blue)
        held = f"requests are held while {request.green} stops and {request.blue} loads"
        return load, f"{held}, {f'{load:.1f} s in an earlier run' if load else 'never measured here'}"
    if edge.adopt and not edge.redirect:
        seconds = RELINK_BASE_S + RELINK_PER_BINDING_S * len(moves)
        return seconds, "the first swap moves the ports to the edge, and a redirect cannot be had here"
    if edge.adopt:
        return 0.0, "the first swap moves the ports to the edge under a redirect; open connections are cut at rest"
    return 0.0, "the edge flips; open connections stay"


def _warnings(state: ObservedState, request: SwapRequest, moves: tuple[Move, ...]) -> Iterator[str]:
    if not request.probes:
        yield "no probes given: only TCP connections are tried (cutover init proposes some)"
    if request.rolls:
        yield from roll_warnings(state, request, {m.binding for m in moves})
    else:
        yield from _about_ports_that_stay(state, request, moves)
    if not _one_at_a_time(request) and reserves_gpu(state.services[request.blue]):
        free = "; ".join(map(str, state.gpus)) or "no GPU can be read from here"
        yield f"{' and '.join(called(request))} run at the same time, so the GPU must hold both: {free}"
    if not request.rolls and request.strategy is not Strategy.EDGE:
        yield from _about_blue(state, request, state.of_service(request.blue))


def _about_names(state: ObservedState, edits: tuple[FileEdit, ...]) -> Iterator[str]:
    """Say that a file which has other names is a file of its own afterwards: it is replaced whole, or not at all."""
    names = {source.path: source.names for source in state.files}
    for edit in edits:
        if names.get(edit.path, 1) > 1:
            others = f"{names[edit.path] - 1} other name{'s' if names[edit.path] > 2 else ''}"  # noqa: PLR2004
            yield f"{edit.path.name} has {others} (hard links), which will keep the old content"


def _one_at_a_time(request: SwapRequest) -> bool:
    return request.strategy is Strategy.RECREATE or request.exclusive


def _about_ports_that_stay(state: ObservedState, request: SwapRequest, moves: tuple[Move, ...]) -> Iterator[str]:
    """Say what `recreate` does to ports that are not asked for: green is stopped with all that it publishes."""
    green = state.of_service(request.green)[0]
    staying = sorted(set(green.published) - {m.binding for m in moves})
    if not staying or request.strategy is Strategy.EDGE:
        return
    ports = ", ".join(map(str, staying))
    if request.commit:
        yield (
            f"{ports} of {request.green} does not move and is silent from {StepKind.RECREATE} on: "
            f"--commit removes {request.green}"
        )
        return
    watched = f" and was watched for {request.observe_s:g} s" if request.observe_s > 0 else ""
    yield (
        f"{ports} of {request.green} does not move and is silent as well, from {StepKind.RECREATE} until "
        f"{StepKind.SETTLE_GREEN}: {request.green} is stopped, and comes back once {request.blue} has loaded{watched}"
    )


def _about_blue(state: ObservedState, request: SwapRequest, before: list[Container]) -> Iterator[str]:
    running = [c for c in before if c.running]
    if running:
        yield f"{running[0].name} runs already; it is replaced by one with the legacy ports before the move"
    green, blue = (set((state.services[s].get("networks") or {}).keys()) for s in (request.green, request.blue))
    if green - blue:
        missing = ", ".join(sorted(green - blue))
        yield f"{request.blue} is not on {missing}, where {request.green} can be reached by name"
