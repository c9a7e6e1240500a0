"""Verbs that look: none of them writes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, SWAP_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.ports.table import Row

WATCH_S = 2.0


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
    echo(made.text())
    for edit in made.edits:
        echo(f"\n{edit.diff}".rstrip())
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
        echo(status_text(found))
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
        echo("no runs yet: cutover swap --dry-run")
    return 0


@click.command()
@click.argument("service", required=False)
@with_options(PROJECT_OPTIONS)
@click.option("--no-ask", is_flag=True, help="Open no connection: leave out what each port speaks.")
@click.option("--watch", is_flag=True, help="Look again every two seconds until Ctrl-C.")
@guarded
def ports(service: str | None, *, no_ask: bool, watch: bool, **given: Any) -> int:
    """Print each port: declared, published, bound on the host by whom, listened on inside, and what it speaks.

    A port that says nothing of its own accord is asked one question, `OPTIONS * HTTP/1.0`, which changes nothing.
    """
    import time  # noqa: PLC0415

    from cutover.flow.look_ports import Heard, ports_of  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    heard: Heard = {}  # each port is asked once in the life of its container, however long we watch
    with opened(gathered(given)) as session:
        while True:
            rows, troubles = ports_of(session, service, ask=not no_ask, heard=heard)
            if watch:
                click.clear()
            _show_ports(rows, troubles, as_json=given["as_json"])
            if not watch:
                return 0
            time.sleep(WATCH_S)


def _show_ports(rows: list[Row], troubles: list[str], *, as_json: bool) -> None:
    from cutover.cli.render import show_json, table  # noqa: PLC0415
    from cutover.ports.table import COLUMNS  # noqa: PLC0415

    if as_json:
        show_json({"ports": [row.as_dict() for row in rows], "unknown": troubles})
        return
    if rows:
        table("", list(COLUMNS), [list(row.cells()) for row in rows])
    else:
        echo("no service of this project declares, publishes or listens on a port: docker compose ps -a")
    for line in troubles:
        echo(line, err=True)


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
        echo(f"{word}: {answer.address}{who} in {answer.elapsed_s * 1000:.1f} ms: {answer.detail}")
    return 0 if answer.ok else 1
