"""The edge itself: made beside green, parked; then it takes the legacy ports over from green, or gives them back."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from cutover.edge.composefile import EdgeFile, generation_of, render
from cutover.edge.shape import Slot, Targets
from cutover.engine.stack import ProjectFiles, Stack
from cutover.engine.wayout import give_way_out, take_way_out
from cutover.errors import EdgeError, EngineError, EngineGoneError, StepError
from cutover.files import private_folder, write_atomic
from cutover.flow.context import Context
from cutover.flow.edge import (
    containers_of,
    face_of,
    faces_of,
    holding_edge,
    holds_ports,
    place_of,
    record_of,
    targets_of,
)
from cutover.flow.edge_record import EdgeRecord, edge_file, edge_folder, forget, save, see_edge_file_free
from cutover.flow.plan import Step
from cutover.flow.proof import ATTEMPT_TIMEOUT_S, asked_of
from cutover.flow.steps.aim import aim
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.green import fetch_green
from cutover.flow.steps.moving import clear_redirect, move_back, move_ports, parting, ways_to_edge, ways_to_green
from cutover.flow.steps.park import is_parked, park, start_parked, unpark
from cutover.model import Colour, Container
from cutover.probes import ask

RESTART = "unless-stopped"
ANSWERS_S = 10.0
TRIES = 2


class MakeEdge(Passive):
    """Makes the edge's containers beside green: parked, forwarding to green, asked by nobody yet."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Write its files, create its containers, start them parked, and see that they see green.

        Raises:
            StepError: it does not start, does not see green alive, or does not pass on what green answers.

        """
        del step, prior
        record = _planned(ctx)
        green = ctx.need(Colour.GREEN)
        place = place_of(ctx, green, Colour.GREEN)
        assert ctx.plan.edge is not None
        slot = ctx.plan.edge.green_slot
        record = record.with_slot(slot, place)
        write_edge(ctx, record)
        save(ctx.state, record)
        start_edge(ctx, record)
        aim(ctx, green, Colour.GREEN)
        _see_passes(ctx, record)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every port of the edge has a container that runs."""
        del step, prior
        record = record_of(ctx)
        return record is not None and all(c.running for c in containers_of(ctx, record))

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Remove its containers, its file and its folder."""
        del step, prior
        record = record_of(ctx) or _planned(ctx)
        remove_edge(ctx, record)


def _see_passes(ctx: Context, record: EdgeRecord) -> None:
    """See that green satisfies every probe through the edge, while clients still ask green itself.

    Raises:
        StepError: it does not: most likely the edge takes a port for what it does not speak.

    """
    ways = {way.binding.host_port: way for way in ways_to_edge(ctx, record)}
    modes = {b.host_port: port.mode for port in record.ports for b in port.bindings}
    for spec in asked_of(ctx, Colour.GREEN):
        way = ways.get(spec.port)
        if way is None or spec.host:
            continue
        for _ in range(TRIES):
            answer = ask(spec, way.address, way.port, timeout_s=ATTEMPT_TIMEOUT_S)
            if answer.ok:
                break
        else:
            raise StepError(
                "edge-garbles",
                f"{ctx.plan.called(Colour.GREEN)} answers {answer.probe} itself, but not through the edge.",
                evidence=[f"through the edge: {answer.detail}", f"port {spec.port} is taken for {modes[spec.port]}"],
                hint=f"edge: {{ports: {{{spec.port}: ...}}}} in cutover.yaml says what it speaks (docs/edge.md)",
            )


def _planned(ctx: Context) -> EdgeRecord:
    edge = ctx.plan.edge
    assert edge is not None
    file = edge_file(ctx.stack.source.folder, ctx.plan.project)
    return EdgeRecord(ctx.plan.project, edge.generation, edge.image, file, edge.networks, edge.ports)


def generation_folder(ctx: Context, record: EdgeRecord) -> Path:
    """Return what the edge's containers see as /run/cutover."""
    return edge_folder(ctx.state, record.project) / str(record.generation)


def write_edge(
    ctx: Context, record: EdgeRecord, *, active: Slot | None = None, file: Path | None = None, keep_state: bool = False
) -> None:
    """Write what the edge's containers are made from, and what they read when they start.

    `active` is the slot that it serves, `file` another place for its compose file; `keep_state` writes that file alone.

    Raises:
        RefusedError: a file that is not ours stands where the edge's compose file has to be.

    """
    folder = private_folder(generation_folder(ctx, record))
    if not keep_state:
        aims = _reachable(ctx, record, active)
        face_of(ctx, record).write(aims, active or next(iter(record.slots)))
    wanted = EdgeFile(
        project=record.project,
        generation=record.generation,
        image=record.image,
        folder=folder.resolve(),
        uid=os.getuid(),
        gid=os.getgid(),
        networks=record.networks,
        ports=record.ports,
    )
    place = file or record.file
    see_edge_file_free(place, record.project)
    place.parent.mkdir(exist_ok=True)
    write_atomic(place, render(wanted))


def _reachable(ctx: Context, record: EdgeRecord, active: Slot | None) -> dict[Slot, Targets]:
    """Return where each slot leads; one that is not served, and whose container does not run, leads nowhere."""
    aims = {}
    for slot, place in record.slots.items():
        try:
            aims[slot] = targets_of(ctx, record, place)
        except StepError:
            if active in {slot, None}:
                raise
    return aims


def stack_of(ctx: Context, record: EdgeRecord, file: Path | None = None) -> Stack:
    """Return the edge as the Compose project of its own that it is."""
    files = ProjectFiles(files=(file or record.file,), project=record.compose_project)
    return Stack(ctx.stack.address, files, held=ctx.stack.held)


def start_edge(ctx: Context, record: EdgeRecord, *, file: Path | None = None) -> None:
    """Create the edge's containers and start them parked; a reboot does not bring them back before they hold ports.

    Raises:
        StepError: one does not start, or does not answer on its control socket.

    """
    stack = stack_of(ctx, record, file)
    for service in stack.config()["services"]:
        stack.create(service)
    for container in containers_of(ctx, record):
        ctx.daemon.set_restart_policy(container.id, "no")
        if not container.running:
            start_parked(ctx, container)
    _wait_until_it_answers(ctx, record)


def _wait_until_it_answers(ctx: Context, record: EdgeRecord) -> None:
    end = ctx.clock.monotonic() + ANSWERS_S
    while True:
        try:
            for face in faces_of(ctx.state, record, ctx.edge):
                face.stats()
        except EdgeError as error:
            if ctx.clock.monotonic() < end:
                ctx.clock.sleep(0.02)
                continue
            logs = [f"log: {x}" for c in containers_of(ctx, record) for x in ctx.daemon.logs(c.id, tail=8)]
            raise StepError(error.reference, error.message, evidence=[*error.evidence, *logs]) from error
        return


def remove_edge(ctx: Context, record: EdgeRecord) -> None:
    """Remove an edge: containers, compose file, folder, record. Each may be gone already."""
    for container in containers_of(ctx, record):
        ctx.daemon.stop(container)
        ctx.daemon.remove(container)
    if record.file.exists() and generation_of(record.file.read_bytes(), record.project) is not None:
        record.file.unlink()
        with contextlib.suppress(OSError):  # it holds other overrides
            record.file.parent.rmdir()
    forget(ctx.state, record.project)
    shutil.rmtree(edge_folder(ctx.state, record.project), ignore_errors=True)


def _connect_fully(ctx: Context, green: Container, record: EdgeRecord) -> None:
    """Give the parked green its way to the outside: it may be asked for as long as the swap is not committed."""
    try:
        if not give_way_out(ctx.daemon, record.image, green, ctx.plan.park_network):
            ctx.note(f"{green.name} has no network that leads to the outside")
    except EngineGoneError:
        raise
    except EngineError as error:
        ctx.warn(f"until commit {green.name} reaches its own networks, not the outside: {error.message}")


def _connect_as_before(ctx: Context, green: Container, record: EdgeRecord) -> None:
    """Leave green's way to the outside to Docker again, which has one for it as soon as it is parked no more."""
    try:
        take_way_out(ctx.daemon, record.image, green)
    except EngineGoneError:
        raise
    except EngineError as error:
        ctx.note(f"{green.name} keeps the way to the outside that it had while it was parked: {error.message}")


class Adopt(Passive):
    """Moves the legacy ports from green to the edge, without refusing a connection where that can be had."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember who green was."""
        del step
        green = ctx.need(Colour.GREEN)
        image = {"image": green.image, "image_id": green.image_id}
        return {**image, "green": green.id, "green_restart": green.restart_policy}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Park green, unpark the edge, under a redirect."""
        del step, prior
        record, green = record_of(ctx), ctx.need(Colour.GREEN)
        assert record is not None
        ctx.stall.start()
        ctx.daemon.set_restart_policy(green.id, "no")
        edges = containers_of(ctx, record)
        move_ports(ctx, sources=[green], destinations=edges, ways=ways_to_edge(ctx, record))
        for container in edges:
            ctx.daemon.set_restart_policy(container.id, RESTART)
        _connect_fully(ctx, green, record)
        if not holds_ports(ctx, record):
            raise StepError(
                "not-bound",
                "Docker did not bind the legacy ports for the edge.",
                evidence=[f"{c.name}: {', '.join(map(str, c.published)) or '-'}" for c in containers_of(ctx, record)],
                hint="cutover ports",
            )

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether the edge holds every port, and green none."""
        del step, prior
        green = ctx.find(Colour.GREEN)
        return holding_edge(ctx) is not None and (green is None or ctx.frees_ports(green))

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Give the ports back to green, the same way."""
        del step
        record = record_of(ctx)
        edges = containers_of(ctx, record) if record is not None else []
        green = fetch_green(ctx, prior)
        live = [c for c in edges if c.running]
        ctx.stall.start()
        for container in edges:  # what does not run must not come back with the Engine
            ctx.daemon.set_restart_policy(container.id, "no")
        if any(c.published for c in live) and is_parked(ctx, green):
            with parting(ctx, record):
                move_back(ctx, sources=live, destinations=[green], ways=ways_to_green(ctx, green))
        for container in live:  # those whose ports did not go
            park(ctx, container)
        unpark(ctx, green)
        if not green.running:
            ctx.daemon.start(green.id)
        elif record is not None:
            _connect_as_before(ctx, green, record)
        ctx.daemon.set_restart_policy(green.id, prior["green_restart"])
        clear_redirect(ctx)  # last: until green holds the ports again it is what keeps them answered
