"""`cutover doctor`: why a service does not answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.flow.doctor_fix import Fixed


@click.command()
@click.argument("service", required=False)
@with_options(PROJECT_OPTIONS)
@click.option("--no-ask", is_flag=True, help="Open no connection: put no probe, and do not ask ports what they speak.")
@click.option("--fix", is_flag=True, help="Show the cures that are edits of the compose file, as a diff.")
@click.option("--apply", "write", is_flag=True, help="With --fix: write them. The files are saved before.")
@guarded
def doctor(service: str | None, *, no_ask: bool, fix: bool, write: bool, **given: Any) -> int:
    """Say why a service does not answer: what is wrong, the evidence, and the next command.

    Each service of the project is looked at, or the one that is named: its process, its log, who listens inside and on
    the host, and what the probes of cutover.yaml get; a port whose probe fails is asked what it speaks. Nothing is
    changed, unless SERVICE --fix --apply says so. Exits with 1 where something is wrong, or could not be examined.
    """
    if write and not (fix and service):
        raise click.UsageError("--apply goes with --fix and with the one SERVICE whose ports it may change.")
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.doctor import examine, text_of  # noqa: PLC0415
    from cutover.flow.doctor_fix import apply, fixed  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        examined, troubles = examine(session, service, ask=not no_ask)
        wanted = [f.fix for e in examined for f in e.findings if f.fix is not None]
        made = fixed(session, wanted) if fix else None
        saved = apply(session, made) if made is not None and made.made and write else None
        spoken = session.spoken
        composed = session.said(compose=True)
    if given["as_json"]:
        told = {"fix": {**made.as_dict(), "saved": str(saved) if saved else None}} if made is not None else {}
        show_json({"services": [e.as_dict() for e in examined], "unknown": troubles, **told})
    elif made is not None:
        _show_fixes(made, saved, spoken, composed)
    else:
        echo(text_of(examined, spoken) or "this project has no services")
        for line in troubles:
            echo(line, err=True)
    return int(any(e.ill for e in examined))


def _show_fixes(made: Fixed, saved: Path | None, spoken: Callable[[str], str], composed: str) -> None:
    for line in made.refused:
        echo(f"not by an edit: {line}", err=True)
    if not made.made:
        echo(f"no finding has a cure that is an edit of the compose file: {spoken('doctor')}")
        return
    for one in made.made:
        echo(f"to {one}:" if saved is None else f"done: {one}")
    echo(made.diff.rstrip())
    services = list(dict.fromkeys(f.service for f in made.made))
    if saved is None:
        commands = "\n".join(f"  {spoken(f'doctor {name} --fix --apply')}" for name in services)
        echo(f"nothing was changed; to write it:\n{commands}")
    else:
        command = " ".join(filter(None, ["docker compose", composed, "up -d", *services]))
        echo(f"the files as they were: {saved}\nnext: {command}")
