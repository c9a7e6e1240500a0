"""Looks, before a swap changes anything, and leaves `rollback.sh` in its run's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path

from cutover import __version__
from cutover.backup import files as backup
from cutover.edge.haproxy.face import IPV6
from cutover.edge.haproxy.state import load
from cutover.engine.successor import clone_spec
from cutover.errors import StepError
from cutover.files import private_folder, read_state, sha256, write_atomic
from cutover.flow.context import Context
from cutover.flow.edge import hold_of, need_record
from cutover.flow.edge_record import NAME, edge_file, edge_folder
from cutover.flow.rollback_script.edge import broker_state, haproxy_files, layout_of, settled, told
from cutover.flow.rollback_script.facts import Facts, Kept, Was
from cutover.flow.rollback_script.render import pinned, quoted, render
from cutover.flow.runs import SCRIPT
from cutover.model import Colour, Container

ENVIRONMENT, PINNED = "environment.sh", "green.yml"
"""Beside the saved files, whose folder holds secrets and is private anyhow."""
UNSETTABLE = {"BASHOPTS", "BASH_VERSINFO", "EUID", "GROUPS", "PPID", "SHELLOPTS", "UID"}
"""Names that bash, which is `sh` on some systems, sets itself: none of them holds a secret."""
TLS = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_CONFIG")


def leave_script(ctx: Context) -> Path:
    """Write the script, and what it needs, into the run's folder; the files are saved there already.

    Raises:
        CutoverError, OSError: what it must know cannot be read; nothing is changed yet.

    """
    place = ctx.folder / SCRIPT
    write_atomic(place, render(facts_of(ctx)), mode=0o700)
    return place


def facts_of(ctx: Context) -> Facts:
    """Return what there is now; what the script reads beside itself is written on the way."""
    plan, saved = ctx.plan, backup.load(ctx.backup_folder)
    after = {e.path: e.after_sha256 for e in plan.edits}
    kept = tuple(Kept(s.path, s.copy, s.state, after.get(s.path, "")) for s in saved)
    variables = _variables(ctx)
    green, blue = ctx.need(Colour.GREEN), ctx.find(Colour.BLUE)
    environment, pinned_file = _environment(ctx, variables), _pinned(ctx, green)
    made = (Kept(p, p, read_state(p)[1]) for p in (environment, pinned_file) if p)
    return Facts(
        plan=plan,
        version=__version__,
        folder=ctx.folder.absolute(),
        state=ctx.state.absolute(),
        address=ctx.stack.address,
        source=ctx.stack.source,
        green=_was(green),
        blue=_was(blue) if blue else Was(),
        files=tuple(k for k in kept if k.after),
        copies=(*kept, *made),
        edge_files=tuple(_edge_files(ctx)),
        edge_file=edge_file(ctx.stack.source.folder, plan.project) if plan.edge else None,
        tls={} if ctx.stack.address.context else {n: v for n in TLS if (v := os.environ.get(n))},
        environment=environment,
        unsettable={n: v for n, v in variables.items() if n in UNSETTABLE},
        pinned=pinned_file,
    )


def _was(container: Container) -> Was:
    return Was(
        id=container.id,
        name=container.name,
        image=container.image,
        image_id=container.image_id,
        restart_policy=container.restart_policy,
        running=container.running,
    )


def _variables(ctx: Context) -> dict[str, str]:
    """Return the variables that the files take from this process: whoever rolls back has another shell."""
    asked = ctx.stack.ask("config", "--variables", profiles=("*",))
    words = (line.split() for line in asked.stdout.splitlines()[1:]) if asked.returncode == 0 else ()
    names = sorted({w[0] for w in words if w and w[0].isidentifier() and w[0] in os.environ})
    return {name: os.environ[name] for name in names}


def _environment(ctx: Context, variables: Mapping[str, str]) -> Path | None:
    lines = [f"export {name}={quoted(value)}\n" for name, value in variables.items() if name not in UNSETTABLE]
    if not lines:
        return None
    place = ctx.backup_folder / ENVIRONMENT
    write_atomic(place, os.fsencode("".join(lines)), mode=0o600)
    return place.absolute()


def _pinned(ctx: Context, green: Container) -> Path | None:
    """Keep what green was made from where the files do not say it any more: before a roll the user edits them."""
    if ctx.plan.rolls is None or ctx.plan.edits:
        return None
    place = ctx.backup_folder / PINNED
    write_atomic(place, pinned(clone_spec(ctx.daemon, green.id)["config"], green, ctx.plan), mode=0o600)
    return place.absolute()


# -- an edge that stands -----------------------------------------------------------------------------------------------


def _edge_files(ctx: Context) -> Iterator[Kept]:
    """Keep what the edge is to be told, and to start with, once green is to serve again; yield the latter."""
    edge = ctx.plan.edge
    if edge is None or edge.adopt:
        return
    record, place = need_record(ctx), private_folder(ctx.folder / "edge")
    folder = edge_folder(ctx.state, record.project) / str(record.generation)
    green = edge.green_slot
    layout = layout_of(record.ports, ctx.edge, ipv6=IPV6.exists())
    state = settled(load(folder / "haproxy"), green) if layout else None
    broker = broker_state(folder / "broker", green) if any(p.mode.zeromq for p in record.ports) else None
    if state is not None and not state.leads(green):
        raise StepError("edge-slot-empty", f"The edge knows no {ctx.plan.green}.", hint="cutover edge status")
    content: dict[Path, bytes] = {edge_folder(ctx.state, record.project) / NAME: b""}
    if layout is not None and state is not None:
        content |= {folder / "haproxy" / name: text for name, text in haproxy_files(layout, state).items()}
    if broker is not None:
        content[folder / "broker" / "state.json"] = json.dumps(broker, indent=1).encode() + b"\n"
    tell = (resources("cutover.flow.rollback_script") / "tell.py").read_bytes()
    write_atomic(place / "tell.py", tell, mode=0o600)
    words = told(green, hold_of(ctx.edge), layout, state, broker)
    write_atomic(place / "tell.json", json.dumps(words).encode(), mode=0o600)
    for number, (path, text) in enumerate(content.items()):
        now, info = read_state(path)
        copy = place / f"{number:02}-{path.name}"
        write_atomic(copy, text or now, mode=0o600)
        yield Kept(path.absolute(), copy.absolute(), replace(info, sha256=sha256(text or now)))
