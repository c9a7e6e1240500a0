"""The standing edge seen right: the generation that counts holds the ports, whole, and no other one is left."""

from __future__ import annotations

import shutil

from cutover.edge.composefile import GENERATION_LABEL, generation_of
from cutover.engine.daemon import Daemon
from cutover.errors import EngineError, EngineGoneError, NeedsHandsError
from cutover.flow.context import Context
from cutover.flow.edge import containers_of, holds_ports
from cutover.flow.edge_record import EdgeRecord, edge_folder, load
from cutover.flow.steps.edge import RESTART, stack_of, write_edge
from cutover.flow.steps.moving import clear_redirect, move_back, ways_to_edge
from cutover.flow.steps.park import remove_park_network, start_parked, unpark
from cutover.model import Container


def settle(ctx: Context) -> list[str]:
    """See that the generation that counts holds the ports, and that nothing of another one is left.

    Idempotent; what it did is returned, a line each.

    Raises:
        NeedsHandsError: the generation that counts is gone, or somebody else holds its ports.

    """
    record = load(ctx.state, ctx.plan.project)
    if record is None:
        return []
    done = _file_again(ctx, record)
    ours = containers_of(ctx, record)
    if len(ours) < len({p.mode.zeromq for p in record.ports}):
        ours = _made_again(ctx, record)
        done.append("made containers of the edge again, which were gone")
    others = [c for c in ctx.daemon.containers(record.compose_project) if _generation(c) != record.generation]
    if any(c.published for c in others):
        _ports_back(ctx, record, others, ours)
        done.append("gave the edge its ports back from another generation")
    if not holds_ports(ctx, record) or any(c.restart_policy != RESTART for c in ours):
        _hold_again(ctx, ours)
        done.append("the edge has its ports and comes back by itself")
    clear_redirect(ctx)
    for container in others:
        _remove(ctx.daemon, container)
        done.append(f"removed {container.name}, of another generation")
    for folder in edge_folder(ctx.state, record.project).iterdir():
        if folder.is_dir() and folder.name != str(record.generation):
            shutil.rmtree(folder, ignore_errors=True)
    remove_park_network(ctx)
    return done


def _generation(container: Container) -> int | None:
    label = container.labels.get(GENERATION_LABEL, "")
    return int(label) if label.isdecimal() else None


def _file_again(ctx: Context, record: EdgeRecord) -> list[str]:
    """Write the edge's compose file anew where it is still that of the generation before."""
    found = generation_of(record.file.read_bytes(), record.project) if record.file.exists() else None
    if found in {None, record.generation}:  # it is gone, or somebody else's: then only a person knows
        return []
    write_edge(ctx, record, keep_state=True)
    return [f"{record.file.name} is that of generation {record.generation}"]


def _ports_back(ctx: Context, record: EdgeRecord, others: list[Container], ours: list[Container]) -> None:
    """Take the ports from a generation that got them and never came to count."""
    for container in ours:
        if not container.running:
            start_parked(ctx, container)
    sources = [c for c in others if c.running]
    move_back(ctx, sources=sources, destinations=ours, ways=ways_to_edge(ctx, record))


def _made_again(ctx: Context, record: EdgeRecord) -> list[Container]:
    """Return containers of an edge that somebody removed, made from its file; they start as it was told last.

    Raises:
        NeedsHandsError: the file is gone as well.

    """
    if not record.file.exists():
        raise NeedsHandsError(
            "edge-gone",
            "The containers of the edge are gone, and so is the file that they are made from.",
            evidence=[f"its file: {record.file}"],
            hint="restore the file, then cutover recover; or take the edge away by hand (docs/edge.md)",
        )
    stack = stack_of(ctx, record)
    for service in stack.config()["services"]:
        stack.create(service)
    return containers_of(ctx, record)


def _hold_again(ctx: Context, ours: list[Container]) -> None:
    """Have the edge's containers run with their ports.

    Raises:
        EngineGoneError: no Engine answers.
        NeedsHandsError: somebody else holds one.

    """
    for container in ours:
        try:
            unpark(ctx, container)
            if not container.running:
                ctx.daemon.start(container.id)
        except EngineGoneError:
            raise
        except EngineError as error:
            wanted = ", ".join(str(b.host_port) for b in container.wanted)
            raise NeedsHandsError(
                "edge-ports-held",
                f"{container.name} cannot have its ports back ({wanted}): {error.message}",
                evidence=error.evidence,
                hint="ss -ltnp shows who listens; free the port, then cutover recover",
            ) from error
        ctx.daemon.set_restart_policy(container.id, RESTART)


def _remove(daemon: Daemon, container: Container) -> None:
    daemon.stop(container)
    daemon.remove(container)
