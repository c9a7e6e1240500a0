"""`cutover rehearse`: all that can be known of blue before it is trusted, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import JUNIT_OPTION, PROJECT_OPTIONS, guarded, with_options, with_session
from cutover.cli.plain import echo
from cutover.errors import ExitCode

if TYPE_CHECKING:
    from cutover.flow.rehearse import Rehearsal

MOST_DEFECTS = 12


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--blue", metavar="NAME", help="The service that is to replace it.")
@click.option("--map", "maps", multiple=True, metavar="OLD:NEW", help="Try a legacy port on this test port.")
@click.option("--no-gpu", is_flag=True, help="Reserve no GPU for the test stack.")
@click.option("--force", is_flag=True, help="Write over an override that was edited by hand.")
@click.option("--keep", is_flag=True, help="Leave the test stack up in the end: cutover down takes it away.")
@JUNIT_OPTION
@click.option("--run-jobs", is_flag=True, help="Let one-shot jobs that it needs run again, over data of others too.")
@guarded
def rehearse(maps: tuple[str, ...], no_gpu: bool, junit: Path | None, **given: Any) -> int:
    """Try blue beside green: override, up, smoke, parity, surface, down.

    Ends green (exit code 0) if blue works, answers as green does and lacks no method; else red (1), with what is wrong.
    """
    from cutover.flow.override import OverrideRequest  # noqa: PLC0415
    from cutover.flow.rehearse import rehearse as do_rehearse  # noqa: PLC0415

    request = OverrideRequest(maps=maps, no_gpu=no_gpu)
    how = {name: given[name] for name in ("force", "keep", "run_jobs")}
    rehearsal = with_session(given, lambda session: do_rehearse(session, request, **how))
    return _show(rehearsal, as_json=given["as_json"], junit=junit)


def _show(rehearsal: Rehearsal, *, as_json: bool, junit: Path | None) -> int:
    """Print what was wrong, part by part, and in the end all of it in a few lines."""
    from cutover.cli.verdicts import write_junit  # noqa: PLC0415

    write_junit(rehearsal.verdicts, junit)
    if as_json:
        from cutover.cli.render import show_json  # noqa: PLC0415

        show_json(rehearsal.as_dict())
    else:
        _show_text(rehearsal)
    return int(ExitCode.DONE if rehearsal.passed else ExitCode.REFUSED)


def _show_text(rehearsal: Rehearsal) -> None:
    from rich.console import Console  # noqa: PLC0415

    from cutover.cli.verdicts import show_finding, show_summaries  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    show_summaries(rehearsal.verdicts, console)
    defects = rehearsal.defects
    for defect in defects[:MOST_DEFECTS]:
        show_finding(defect.told, console)
    if len(defects) > MOST_DEFECTS:
        echo(f"       and {len(defects) - MOST_DEFECTS} more; --json shows all")
    took = f"in {rehearsal.seconds:.1f} s"
    if rehearsal.passed:
        echo(f"green: nothing is wrong, {took}; next: cutover swap --dry-run")
    else:
        many = "1 defect" if len(defects) == 1 else f"{len(defects)} defects"
        echo(f"red: {many}, {took}; nothing was changed, green serves")
