"""`cutover smoke` and `cutover schema`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import JUNIT_OPTION, PROJECT_OPTIONS, guarded, with_options, with_session

if TYPE_CHECKING:
    from cutover.flow.session import Session
    from cutover.validate.results import Verdict


@click.command()
@click.argument("suites", nargs=-1, metavar="[SUITE]...")
@with_options(PROJECT_OPTIONS)
@click.option(
    "--on",
    "subject",
    metavar="WHO",
    help="green, blue, test (blue's test stack), or a host whose legacy ports are asked. test if one runs, else green.",
)
@JUNIT_OPTION
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--blue", metavar="NAME", help="The service that is to replace it.")
@guarded
def smoke(suites: tuple[str, ...], subject: str | None, junit: Path | None, **given: Any) -> int:
    """Run suites of cutover.yaml (all of them if none is named), and say what was wrong.

    The exit code is 0 if every step passed, 1 if one did not.
    """
    from cutover.cli.verdicts import show_verdicts  # noqa: PLC0415

    verdicts = with_session(given, lambda session: _verdicts(session, suites, subject))
    return show_verdicts(verdicts, as_json=given["as_json"], junit=junit)


def _verdicts(session: Session, names: Sequence[str], subject: str | None) -> list[Verdict]:
    from cutover.flow.colours import addresses  # noqa: PLC0415
    from cutover.flow.explain import Explainer  # noqa: PLC0415
    from cutover.validate.judge import Judge  # noqa: PLC0415
    from cutover.validate.smoke import check_suites, run_suite  # noqa: PLC0415
    from cutover.validate.talk import Line  # noqa: PLC0415

    suites = session.suites(names or _all(session))
    subject = subject or _default(session)
    with Line(addresses(session, subject), Explainer(session.daemon, session.clock, session.name_project())) as line:
        check_suites(suites, line)
        judge = Judge(session.settings.errors)
        return [run_suite(name, suite, line, judge, subject, session.observer) for name, suite in suites.items()]


def _all(session: Session) -> Sequence[str]:
    from cutover.config import EXAMPLE_SUITE  # noqa: PLC0415
    from cutover.errors import UsageError  # noqa: PLC0415

    if session.settings.suites:
        return list(session.settings.suites)
    hint = f"write one, for example:\n{EXAMPLE_SUITE.rstrip()}"
    raise UsageError("no-suites", f"{session.settings_path} has no suites, so there is nothing to run.", hint=hint)


def _default(session: Session) -> str:
    """Return whom to ask where nobody says: the test stack if one runs, else green."""
    from cutover.events import Note  # noqa: PLC0415
    from cutover.flow.colours import TEST, trial_containers  # noqa: PLC0415
    from cutover.model import Colour  # noqa: PLC0415

    blue = session.options.blue or session.settings.blue
    found = trial_containers(session.daemon.containers(session.name_project()), blue)
    if found:
        session.observer.tell(Note(f"asking the test stack ({found[0].name}); --on green or --on blue asks another"))
        return TEST
    session.observer.tell(Note("no test stack runs: asking green; --on blue asks another"))
    return Colour.GREEN.value


@click.command()
@click.argument("what", type=click.Choice(["settings", "suite", "cases"]), default="settings")
@guarded
def schema(what: str) -> int:
    """Print the JSON Schema (draft 2020-12) of cutover.yaml, of a suite's own file, or of a file of parity cases.

    Editors use it: `cutover schema > cutover.schema.json`, and as the first line of cutover.yaml
    `# yaml-language-server: $schema=cutover.schema.json`.
    """
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.config.schema import json_schema  # noqa: PLC0415

    show_json(json_schema(what))
    return 0
