"""What the verbs that look show: status, history, one probe."""

from __future__ import annotations

import shlex
from typing import Any

from cutover.errors import UsageError
from cutover.flow.edge_status import EdgeStatus, edge_if_any
from cutover.flow.lock import holder_of
from cutover.flow.plan import images_in, what_of
from cutover.flow.request import Options
from cutover.flow.runs import Result, Run, is_canary
from cutover.flow.session import Session, opened
from cutover.model import Answer
from cutover.probes import ask, parse


def status_of(session: Session) -> dict[str, Any]:
    """Return who publishes what in this project, the last run, and what should be done next."""
    runs = session.runs()
    all_runs = runs.all()
    last = all_runs[-1] if all_runs else None
    done = [r for r in all_runs if r.outcome == Result.DONE]
    unfinished = runs.unfinished()
    containers = session.daemon.containers(runs.folder.name)
    edge = edge_if_any(session)
    return {
        "project": runs.folder.name,
        "serving": [
            {"port": b.host_port, "protocol": str(b.protocol), "service": c.service, "container": c.name}
            for c in containers
            for b in c.published
        ]
        + _behind(edge),
        "edge": edge.as_dict() if edge else None,
        "canary": is_canary(done[-1]) if done else False,
        "parked": [c.service for c in containers if c.parked],
        "lock": holder_of(runs.state, runs.folder.name),
        "last_run": _row(last) if last else None,
        "can_roll_back": done[-1].id if done and not unfinished else None,
        "rollback_script": _script(unfinished[-1:] or done[-1:]),
        "committed": bool(done and done[-1].result and done[-1].result.get("committed")),
        "unfinished": [r.id for r in unfinished],
    }


def _script(runs: list[Run]) -> str | None:
    """Return the way back of a run that needs no cutover."""
    script = runs[0].script if runs else None
    return str(script) if script else None


def _behind(edge: EdgeStatus | None) -> list[dict[str, Any]]:
    """Return a row for each port that the edge holds, with the service that gets its requests."""
    return [
        {
            "port": b.host_port,
            "protocol": str(b.protocol),
            "service": service or "nobody",
            "container": "behind the edge",
        }
        for port, service in (edge.serving() if edge else ())
        for b in port.bindings
    ]


def status_text(found: dict[str, Any]) -> str:
    """Return the status as a person reads it, ending with the next command."""
    lines = [f"project {found['project']}"]
    lines += [f"  {s['port']}/{s['protocol']}  {s['service']} ({s['container']})" for s in found["serving"]]
    lines += [f"  parked: {name}" for name in found["parked"]]
    if found["edge"] and found["edge"]["fell_back"]:
        lines.append(
            "the edge went back by itself: what it was switched to died; cutover rollback makes it so for good"
        )
    if found["edge"] and found["edge"]["error"]:
        lines.append(f"the edge does not answer: {found['edge']['error']['message']}")
    if found["lock"]:
        lines.append(f"at work: {found['lock']}")
    if found["last_run"]:
        row = found["last_run"]
        lines.append(f"last run: {row['run']} {row['result']}: {_what(row)} by {row['strategy']}")
    lines.append(_next(found))
    if found["rollback_script"] and (found["can_roll_back"] or found["unfinished"]):
        lines.append(f"without cutover: sh {shlex.quote(found['rollback_script'])}")
    return "\n".join(lines)


def _what(row: dict[str, Any]) -> str:
    return what_of(row["green"], row["blue"], images_in(row))


def _next(found: dict[str, Any]) -> str:
    if found["unfinished"] and not found["lock"]:
        return f"next: run {found['unfinished'][-1]} was cut short: cutover recover"
    if found["edge"] and found["edge"]["error"]:
        return f"next: {found['edge']['error']['hint']}"
    if found["canary"]:
        return f"next: a canary runs: cutover promote, or cutover rollback {found['can_roll_back']}"
    if found["can_roll_back"] and not found["committed"]:
        return f"next: cutover commit, or cutover rollback {found['can_roll_back']}"
    if found["can_roll_back"]:
        return f"committed; still possible: cutover rollback {found['can_roll_back']}"
    return "next: cutover swap --dry-run"


def history_of(session: Session) -> list[dict[str, Any]]:
    """Return one row per run, oldest first."""
    return [_row(run) for run in session.runs().all()]


def history_rows(runs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the rows as a table shows them: a service that rolled is told apart from itself by its images."""
    shown = []
    for run in runs:
        green, blue = images_in(run) or ("", "")
        colours = {"green": f"{run['green']} {green}".rstrip(), "blue": f"{run['blue']} {blue}".rstrip()}
        result = f"{run['result']} by hand" if run.get("by_hand") else run["result"]
        shown.append({key: str(value) for key, value in (run | colours | {"result": result}).items()})
    return shown


def _row(run: Run) -> dict[str, Any]:
    header, stall = run.header, (run.result or {}).get("stall_measured_s")
    return {
        "run": run.id,
        "started_at": run.started_at,
        "result": run.outcome,
        "strategy": header.get("strategy", ""),
        "green": header.get("green", ""),
        "blue": header.get("blue", ""),
        "images": header.get("images"),
        "ports": ",".join(str(m["host_port"]) for m in header.get("moves", ())),
        "silence": "" if stall is None else f"{stall:.3f} s",
        "committed": bool((run.result or {}).get("committed")),
        "by_hand": run.by_hand,
    }


def ask_once(options: Options, text: str, inside: str | None, timeout_s: float) -> Answer:
    """Ask one question, at the host's port or at a service's own address.

    Raises:
        UsageError: the probe cannot be read, or there is no such service.

    """
    spec = parse(text)
    if inside is None:
        return ask(spec, spec.host or "127.0.0.1", spec.port, timeout_s=timeout_s)
    with opened(options) as session:
        found = session.daemon.of_service(session.name_project(), inside)
    address = next((e.ip for c in found for e in c.endpoints if e.ip), None)
    if address is None:
        raise UsageError(
            "unknown-service", f"Service {inside!r} has no running container.", hint="docker compose ps -a"
        )
    return ask(spec, address, spec.port, timeout_s=timeout_s)
