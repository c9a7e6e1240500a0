"""Verbs that act: each holds the project's lock and journals what it does."""

from __future__ import annotations

from typing import Any

import click

from cutover.cli.options import PROJECT_OPTIONS, SWAP_OPTIONS, guarded, with_options, with_session
from cutover.cli.plain import echo


@click.command()
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS)
@click.option("--dry-run", is_flag=True, help="Print the plan and the silence it predicts; change nothing.")
@guarded
def swap(**given: Any) -> int:
    """Replace green by blue on the same ports; go back by itself when anything is wrong.

    Exit codes: 0 done, 1 refused and nothing changed, 2 usage, 3 failed and rolled back, 4 failed and needs hands,
    130 interrupted and rolled back.
    """
    if given.pop("dry_run"):
        from cutover.cli.look import show_plan  # noqa: PLC0415

        return show_plan(given)
    from cutover.cli.render import exit_code, show_report  # noqa: PLC0415
    from cutover.flow.swap import swap as do_swap  # noqa: PLC0415

    report = with_session(given, do_swap)
    show_report(report, as_json=given["as_json"])
    return exit_code(report)


@click.command()
@click.argument("run", required=False)
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS[4:5])
@guarded
def rollback(run: str | None, **given: Any) -> int:
    """Give the ports back to green, also when its container is gone: the last swap, or RUN."""
    from cutover.cli.render import show_report  # noqa: PLC0415
    from cutover.flow.back import rollback as do_rollback  # noqa: PLC0415
    from cutover.flow.runs import Result  # noqa: PLC0415

    report = with_session(given, lambda session: do_rollback(session, run))
    show_report(report, as_json=given["as_json"])
    return 0 if report.outcome.result is Result.ROLLED_BACK else 4


@click.command()
@click.argument("run", required=False)
@with_options(PROJECT_OPTIONS)
@click.option("--due", is_flag=True, help="Only once green was kept for retain_s of cutover.yaml; for a timer.")
@guarded
def commit(run: str | None, due: bool, **given: Any) -> int:
    """Close a swap: green's container is stopped and removed. `rollback` still works, from the backup."""
    from cutover.cli.render import exit_code, show_report  # noqa: PLC0415
    from cutover.flow.back import commit as do_commit  # noqa: PLC0415

    report = with_session(given, lambda session: do_commit(session, run, due=due))
    show_report(report, as_json=given["as_json"])
    if not given["as_json"]:
        green = report.plan.green
        echo(f"{green} is still in the compose file: `docker compose up -d` would start it again, without its ports")
    return exit_code(report)


@click.command()
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS[4:5])
@guarded
def recover(**given: Any) -> int:
    """Clear up after a run that was killed: back to green, or forward where only its record was missing."""
    from cutover.cli.render import report_text, show_json  # noqa: PLC0415
    from cutover.flow.back import recover as do_recover  # noqa: PLC0415

    reports = with_session(given, do_recover)
    if given["as_json"]:
        show_json({"recovered": [r.as_dict() for r in reports]})
    else:
        echo("\n".join(report_text(r) for r in reports) or "nothing to recover: every run came to an end")
    return 4 if any(r.outcome.result == "needs_hands" for r in reports) else 0
