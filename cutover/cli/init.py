"""`cutover init`: a commented cutover.yaml, proposed from the project that is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo_exact


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--blue", metavar="NAME", help="The service that is to replace it.")
@click.option("--print", "only_print", is_flag=True, help="Print it instead of writing it.")
@click.option("--force", is_flag=True, help="Write over a cutover.yaml that is there.")
@guarded
def init(only_print: bool, force: bool, **given: Any) -> int:
    """Write a commented cutover.yaml beside the compose file: green, blue and ports proposed, probes guessed."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.propose import proposed_text, write_settings  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given), lenient=True) as session:
        text = proposed_text(session)
        place: Path | None = None if only_print else write_settings(session.folder, text, force=force)
    if given["as_json"]:
        show_json({"file": str(place) if place else None, "content": text})
    else:
        echo_exact(f"{place} written; look at it, then: cutover swap --dry-run" if place else text)
    return 0
