"""Verbs that look: none of them writes anything."""

from __future__ import annotations

from typing import Any

import click

from cutover.cli.options import PROJECT_OPTIONS, SWAP_OPTIONS, gathered, guarded, with_options


@click.command()
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS)
@guarded
def plan(**given: Any) -> int:
    """Print what `swap` would do, with the silence it predicts and the edit of the compose file."""
    return show_plan(given)


def show_plan(given: dict[str, Any]) -> int:
    """Print the plan of a swap."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.request import swap_request  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415
    from cutover.flow.swap import make_plan  # noqa: PLC0415

    with opened(gathered(given)) as session:
        made = make_plan(session, swap_request(session.options, session.settings))
    if given["as_json"]:
        show_json({"run": None, "result": "planned", **made.as_dict()})
        return 0
    click.echo(made.text())
    for edit in made.edits:
        click.echo(f"\n{edit.diff}".rstrip())
    return 0


@click.command()
@with_options(PROJECT_OPTIONS)
@guarded
def status(**given: Any) -> int:
    """Who serves the legacy ports now, and what can be rolled back."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.look import status_of, status_text  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        found = status_of(session)
    if given["as_json"]:
        show_json(found)
    else:
        click.echo(status_text(found))
    return 0


@click.command()
@with_options(PROJECT_OPTIONS)
@guarded
def history(**given: Any) -> int:
    """Print the runs of this project, oldest first."""
    from cutover.cli.render import show_json, table  # noqa: PLC0415
    from cutover.flow.look import history_of, history_rows  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        runs = history_of(session)
    if given["as_json"]:
        show_json({"runs": runs})
    elif runs:
        columns = ["run", "result", "strategy", "green", "blue", "ports", "silence"]
        table("", columns, [[r[c] for c in columns] for r in history_rows(runs)])
    else:
        click.echo("no runs yet: cutover swap --dry-run")
    return 0


@click.command()
@click.argument("service", required=False)
@with_options(PROJECT_OPTIONS)
@guarded
def ports(service: str | None, **given: Any) -> int:
    """Print what each service publishes, who holds it on the host, and what listens inside."""
    from cutover.cli.render import show_json, table  # noqa: PLC0415
    from cutover.flow.look import ports_of  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        rows = ports_of(session, service)
    if given["as_json"]:
        show_json({"ports": rows})
    elif rows:
        columns = ["service", "state", "published", "target", "inside", "held by"]
        table("", columns, [[str(r[c]) for c in columns] for r in rows])
    else:
        click.echo("no container of this project publishes or listens on anything: docker compose ps -a")
    return 0


@click.command()
@click.argument("spec")
@with_options(PROJECT_OPTIONS)
@click.option("--inside", metavar="SERVICE", help="Ask the service at its own address instead of the host's port.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), default=5.0, metavar="S")
@guarded
def probe(spec: str, inside: str | None, timeout_s: float, **given: Any) -> int:
    """Ask one question, written as a URL, and print the answer.

    \b
    zmq://:5570?send={"method":"health_check"}&expect=status:ok
    http://:6570/health
    tcp://:5570
    """  # noqa: D301  (click wants the backspace itself: it keeps the lines apart)
    from dataclasses import asdict  # noqa: PLC0415

    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.look import ask_once  # noqa: PLC0415

    answer = ask_once(gathered(given), spec, inside, timeout_s)
    if given["as_json"]:
        show_json(asdict(answer))
    else:
        word = "ok" if answer.ok else "FAILED"
        who = f" from {answer.identity}" if answer.identity else ""
        click.echo(f"{word}: {answer.address}{who} in {answer.elapsed_s * 1000:.1f} ms: {answer.detail}")
    return 0 if answer.ok else 1
