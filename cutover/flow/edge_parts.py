"""The steps of a swap by the edge, and the ports that an edge has; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cutover.edge.shape import PATH, EdgePort, Mode
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.plan import FileEdit, Move, Parts, StepKind
from cutover.flow.request import SwapRequest
from cutover.flow.roll import called
from cutover.model import PortBinding
from cutover.probes import Kind, ProbeSpec


def edge_steps(request: SwapRequest, edge: EdgePlan, moves: tuple[Move, ...], edits: tuple[FileEdit, ...]) -> Parts:
    """Return what lies between the backup and the proof through the legacy ports."""
    ports = ", ".join(str(m.binding.host_port) for m in moves)
    taken = _adoption(request, ports, edits) if edge.adopt else _edits(request, edits)
    if edge.exclusive:
        return [*taken, *_exclusive(request, ports)]
    return [*_blue_first(request), *taken, *_flip(request, edge, ports)]


def _blue_first(request: SwapRequest) -> Parts:
    green, blue = called(request)
    beside = "a second container beside the first" if request.rolls else "from the edited file"
    parts: Parts = [
        (StepKind.CREATE_BLUE, blue, beside),
        (StepKind.START_BLUE, blue, f"{green} serves meanwhile"),
        (StepKind.PROVE_INSIDE, blue, "nothing changes for clients before it answers"),
    ]
    if request.suites:
        parts.append((StepKind.SMOKE_INSIDE, ", ".join(request.suites), "nor before it does its work"))
    return parts


def _adoption(request: SwapRequest, ports: str, edits: tuple[FileEdit, ...]) -> Parts:
    green, _ = called(request)
    return [
        (StepKind.PARK_NETWORK, f"for {green}", "a container on it runs without its host ports"),
        (StepKind.MAKE_EDGE, ports, f"there is none yet; it forwards to {green} at first"),
        *_edits(request, edits),
        (StepKind.ADOPT, ports, f"from {green} to the edge; the redirect catches whoever connects meanwhile"),
    ]


def _edits(request: SwapRequest, edits: tuple[FileEdit, ...]) -> Parts:
    if not edits:
        return []
    files = ", ".join(e.path.name for e in edits)
    changed = f"{request.green} has the image {request.image} from now on"
    cause = changed if request.image else "the edge publishes the ports"
    return [(StepKind.EDIT_FILES, files, cause)]


def _flip(request: SwapRequest, edge: EdgePlan, ports: str) -> Parts:
    green, blue = called(request)
    aim = (StepKind.AIM_EDGE, blue, f"the edge sees it alive before {ports} go there")
    if edge.share_percent is not None:
        return [
            aim,
            (StepKind.SHARE_EDGE, f"{edge.share_percent:g} %", f"a canary: the rest stays with {green}"),
        ]
    return [aim, (StepKind.SWITCH_EDGE, ports, "every new request; those in flight end where they are")]


def _exclusive(request: SwapRequest, ports: str) -> Parts:
    green, blue = called(request)
    parts: Parts = [
        (StepKind.CREATE_BLUE, blue, f"while {green} serves"),
        (StepKind.HOLD, ports, f"requests wait while neither {green} nor {blue} can answer"),
        (StepKind.STOP_GREEN, green, "--exclusive: both do not fit at once"),
        (StepKind.START_BLUE, blue, f"{green} has gone"),
        (StepKind.PROVE_INSIDE, blue, "it loads now, and requests wait meanwhile"),
    ]
    if request.suites:
        parts.append((StepKind.SMOKE_INSIDE, ", ".join(request.suites), "nobody is let in before it does its work"))
    return [
        *parts,
        (StepKind.AIM_EDGE, blue, f"the edge sees it alive before {ports} go there"),
        (StepKind.SWITCH_EDGE, ports, f"what waits goes to {blue}"),
        (StepKind.RELEASE, ports, "at the pace of edge.hold.release_per_s"),
    ]


def edge_ports(
    moves: Iterable[Move], modes: Mapping[int, Mode], probes: tuple[ProbeSpec, ...], check_path: str | None
) -> tuple[EdgePort, ...]:
    """Return the edge's ports: one for each port inside green that a host port leads to, numbered as the host's is."""
    groups: dict[tuple[int, int], list[PortBinding]] = {}
    for move in moves:
        groups.setdefault((move.binding.host_port, move.binding.target), []).append(move.binding)
    taken: set[int] = set()
    ports = []
    for (host_port, _), bindings in groups.items():
        number = next(n for n in (host_port, *range(20001, 65536)) if n not in taken)
        taken.add(number)
        mode = modes[host_port]
        path = (check_path or health_path(probes, host_port)) if mode is Mode.HTTP else None
        bound = tuple(PortBinding(b.host_ip, b.host_port, number, b.protocol) for b in sorted(bindings))
        ports.append(EdgePort(number, mode, bound, path))
    return tuple(ports)


def health_path(probes: tuple[ProbeSpec, ...], host_port: int) -> str | None:
    """Return the path that a plain GET probe of this port asks; None where HAProxy had better only connect."""
    for probe in probes:
        plain = probe.kind is Kind.HTTP and probe.method in {None, "GET"} and not probe.headers and not probe.send
        if plain and probe.port == host_port and not probe.query and PATH.fullmatch(probe.path or "/"):
            return probe.path or "/"
    return None


def targets(ports: Iterable[EdgePort], moves: Iterable[Move], *, blue: bool) -> dict[int, int]:
    """Return edge port -> the port inside green, or inside blue."""
    inside = {}
    for port in ports:
        hosts = {(b.host_ip, b.host_port) for b in port.bindings}
        move = next(m for m in moves if (m.binding.host_ip, m.binding.host_port) in hosts)
        inside[port.port] = move.blue_target if blue else move.binding.target
    return inside
