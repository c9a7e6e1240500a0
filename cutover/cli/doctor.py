"""`cutover doctor`: why a service does not answer."""

from __future__ import annotations

from typing import Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options


@click.command()
@click.argument("service", required=False)
@with_options(PROJECT_OPTIONS)
@guarded
def doctor(service: str | None, **given: Any) -> int:
    """Say why a service does not answer: what is wrong, the evidence, and the next command.

    Each service of the project is looked at, or the one that is named: its process, its log, who listens inside and on
    the host, what its ports speak, and what the probes of cutover.yaml get. Nothing is changed. Exits with 1 where
    something is wrong.
    """
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.doctor import examine, text_of  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        examined, troubles = examine(session, service)
    if given["as_json"]:
        show_json({"services": [e.as_dict() for e in examined], "unknown": troubles})
    else:
        click.echo(text_of(examined) or "this project has no services")
        for line in troubles:
            click.echo(line, err=True)
    return int(any(e.ill for e in examined))
