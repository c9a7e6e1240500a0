"""`cutover canary` and `cutover promote`: a share of the requests first, then all of them."""

from __future__ import annotations

from typing import Any

import click

from cutover.cli.options import PROJECT_OPTIONS, SWAP_OPTIONS, guarded, with_options, with_session


@click.command()
@click.argument("percent", type=click.FloatRange(min=0, max=100, min_open=True, max_open=True))
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS)
@guarded
def canary(percent: float, **given: Any) -> int:
    """Send PERCENT of the requests to blue, the rest to green: begin a canary, or change the one that runs.

    Requests are dealt one by one; edge.sticky in cutover.yaml keeps a client with its colour. Then: cutover promote,
    or cutover rollback.
    """
    from cutover.cli.render import exit_code, show_report  # noqa: PLC0415
    from cutover.flow.canary import canary as do_canary  # noqa: PLC0415

    report = with_session(given, lambda session: do_canary(session, percent))
    show_report(report, as_json=given["as_json"])
    return exit_code(report)


@click.command()
@with_options(PROJECT_OPTIONS, SWAP_OPTIONS[4:5])
@click.option("--steps", "by_steps", is_flag=True, help="By canary.steps of cutover.yaml, each watched by the gates.")
@guarded
def promote(by_steps: bool, **given: Any) -> int:
    """Send blue every request; with --steps in growing shares, and back to green where a gate fails."""
    from cutover.cli.render import exit_code, show_report  # noqa: PLC0415
    from cutover.flow.canary import promote as do_promote  # noqa: PLC0415

    report = with_session(given, lambda session: do_promote(session, by_steps=by_steps))
    show_report(report, as_json=given["as_json"])
    return exit_code(report)
