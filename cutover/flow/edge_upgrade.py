"""The edge replaced by a newer one: made beside it, aimed as it is, given its ports without refusing a connection.

Nothing is journalled: `edge.json` names the generation that counts, and is replaced in one write once the new one holds
the ports. Whatever another generation left is debris, which `recover` clears away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cutover.config import Edge, Strategy
from cutover.edge.image import edge_image_name
from cutover.edge.shape import EdgePort, Mode, Slot
from cutover.errors import CutoverError, RefusedError, StepError
from cutover.events import StepEvent, StepState
from cutover.flow.context import Context
from cutover.flow.edge import containers_of, face_of, holds_ports
from cutover.flow.edge_choice import ZMQ
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edge_record import EdgeRecord, load, save
from cutover.flow.edge_settle import settle
from cutover.flow.lock import locked
from cutover.flow.plan import Plan
from cutover.flow.runs import Run, Runs
from cutover.flow.session import Session
from cutover.flow.signals import deferred, interruptible
from cutover.flow.steps.aim import wait_alive
from cutover.flow.steps.edge import RESTART, generation_folder, start_edge, write_edge
from cutover.flow.steps.moving import move_ports, parting, ways_to_edge
from cutover.flow.steps.park import ensure_park_network
from cutover.flow.takeover import survey


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did: from which generation and image to which, and how long the redirect stood (seconds)."""

    before: EdgeRecord
    after: EdgeRecord

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        ends = (("from", self.before), ("to", self.after))
        return {"result": "upgraded", **{n: {"generation": r.generation, "image": r.image} for n, r in ends}}


def upgrade(session: Session, *, force: bool = False) -> Upgraded:
    """Replace the standing edge by one of this cutover's image and of the settings as they are now.

    Raises:
        RefusedError: there is none, its image is the newest (unless `force`), or a run was cut short.
        StepError: the new one did not come up; the old one still serves.

    """
    runs = session.runs()
    with interruptible(), locked(runs.state, runs.folder.name, session.clock):
        before = _to_upgrade(runs)
        image = _image(session, before, force=force)
        ctx = edge_context(session, before)
        ports = tuple(_as_configured(p, session.settings.edge) for p in before.ports)
        after = replace(before, generation=before.generation + 1, image=image, ports=ports)
        try:
            _told(ctx, "make-edge", f"generation {after.generation}", lambda: _make(ctx, before, after))
            _told(ctx, "move-ports", f"generation {after.generation}", lambda: _take_over(ctx, before, after))
        except BaseException:
            with deferred(lambda: ctx.note("going back to the old edge; this cannot be interrupted, only watched")):
                settle(ctx)
            raise
        save(ctx.state, after)
        write_edge(ctx, after, keep_state=True)
        settle(ctx)
        return Upgraded(before, after)


def _to_upgrade(runs: Runs) -> EdgeRecord:
    before = load(runs.state, runs.folder.name)
    if before is None:
        raise RefusedError("no-edge", "This project has no edge.", hint="cutover swap --strategy edge makes one")
    if runs.unfinished():
        run = runs.unfinished()[-1].id
        raise RefusedError("unfinished-run", f"Run {run} was cut short and comes first.", hint="cutover recover")
    return before


def _image(session: Session, before: EdgeRecord, *, force: bool) -> str:
    image = session.settings.edge.image or edge_image_name()
    if session.daemon.image_id(image) is None:
        hint = f"docker pull {image}" if session.settings.edge.image else "cutover edge build"
        raise RefusedError("edge-image-missing", f"{image} is not on this Engine.", hint=hint)
    if image == before.image and not force:
        raise RefusedError(
            "edge-newest",
            f"The edge runs {image} already.",
            hint="--force, where edge: in cutover.yaml was changed and should take effect",
        )
    return image


def _as_configured(port: EdgePort, settings: Edge) -> EdgePort:
    """Return a port as cutover.yaml describes it by now; what it does not say stays."""
    named = next((settings.ports[b.host_port] for b in port.bindings if b.host_port in settings.ports), None)
    mode = Mode(named) if named and named != ZMQ else port.mode
    path = (settings.check_path or port.check_path) if mode is Mode.HTTP else None
    return replace(port, mode=mode, check_path=path)


def edge_context(session: Session, record: EdgeRecord) -> Context:
    """Return what the steps of the edge share, where no swap runs: green is what the edge serves."""
    redirect = session.daemon.address.local and survey(session.daemon, record.project, record.image).refusal is None
    stats = face_stats(session, record)
    active = next(iter(stats), next(iter(record.slots), Slot.A))
    serving = record.slots.get(active) or next(iter(record.slots.values()))
    other = record.slots.get(active.other)
    plan = Plan(
        project=record.project,
        green=serving.service,
        blue=other.service if other else serving.service,
        strategy=Strategy.EDGE,
        moves=(),
        steps=(),
        edits=(),
        observe_s=0.0,
        ready_timeout_s=session.settings.ready_timeout_s,
        commit=False,
        stall_predicted_s=None,
        stall_cause="",
        edge=EdgePlan(
            adopt=False,
            redirect=redirect,
            generation=record.generation,
            image=record.image,
            networks=record.networks,
            ports=record.ports,
            green_slot=active,
        ),
    )
    return session.context(plan, Run(session.folder), ())


def face_stats(session: Session, record: EdgeRecord) -> list[Slot]:
    """Return the slots that the edge serves, none where it does not answer."""
    from cutover.edge.both import Both  # noqa: PLC0415
    from cutover.flow.edge import faces_of  # noqa: PLC0415

    try:
        stats = Both(faces_of(session.runs().state, record, session.settings.edge)).stats()
    except CutoverError:
        return []
    return sorted({s.serving or s.active for s in stats.values()})


def _make(ctx: Context, before: EdgeRecord, after: EdgeRecord) -> None:
    ensure_park_network(ctx)
    stats = face_of(ctx, before).stats()
    active = next(iter(stats.values())).active
    if any(s.share_percent or s.holding or s.active is not active for s in stats.values()):
        raise RefusedError(
            "edge-busy",
            "The edge runs a canary or holds requests; it is not replaced meanwhile.",
            hint="cutover status",
        )
    write_edge(ctx, after, active=active, file=generation_folder(ctx, after) / "edge.yml")
    start_edge(ctx, after, file=generation_folder(ctx, after) / "edge.yml")
    face = face_of(ctx, after)
    wait_alive(ctx, face, active, after.slots[active].container)
    if active.other in after.slots and not face.down(active.other):
        face.switch(active.other)  # what was switched away from is the way back, and only that: so for the new edge too
        face.switch(active)


def _take_over(ctx: Context, before: EdgeRecord, after: EdgeRecord) -> None:
    old, new = containers_of(ctx, before), containers_of(ctx, after)
    for container in old:
        ctx.daemon.set_restart_policy(container.id, "no")
    with parting(ctx, before):
        move_ports(ctx, sources=old, destinations=new, ways=ways_to_edge(ctx, after))
    for container in new:
        ctx.daemon.set_restart_policy(container.id, RESTART)
    if not holds_ports(ctx, after):
        raise StepError("not-bound", "Docker did not bind the legacy ports for the new edge.", hint="cutover ports")


def _told(ctx: Context, kind: str, resource: str, act: Callable[[], None]) -> None:
    began = ctx.clock.monotonic()
    title = f"{kind} {resource}"
    ctx.observer.tell(StepEvent("", kind, StepState.RUNNING, title, 0.0))
    try:
        act()
    except BaseException:
        ctx.observer.tell(StepEvent("", kind, StepState.FAILED, title, ctx.clock.monotonic() - began))
        raise
    ctx.observer.tell(StepEvent("", kind, StepState.DONE, title, ctx.clock.monotonic() - began))
