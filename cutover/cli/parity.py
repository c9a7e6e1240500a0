"""`cutover parity`: the same questions to green and to blue, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import JUNIT_OPTION, PROJECT_OPTIONS, gathered, guarded, with_options

if TYPE_CHECKING:
    from cutover.config import Case, Parity
    from cutover.flow.session import Session
    from cutover.validate.results import Verdict

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--blue", metavar="NAME", help="The service that is to replace it.")
@click.option(
    "--green-at",
    multiple=True,
    metavar="HOST[:P->P]",
    help="Where green answers, if not in this project: a host, with the port there for a legacy port.",
)
@click.option(
    "--blue-on", multiple=True, metavar="WHO", help="test (blue's test stack, the default), blue, or HOST[:P->P]."
)
@click.option("--cases", multiple=True, type=_FILE, metavar="FILE", help="YAML or recording, instead of the settings'.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only cases with this tag; may be given several times.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N cases.")
@click.option("--seed", type=int, metavar="N", help="Shuffles the cases, and makes those that are generated.")
@click.option("--mode", type=click.Choice(["turn", "parallel"]), help="One after the other, or both at once.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="How many cases are under way at once.")
@click.option("--baseline", type=_FILE, metavar="FILE", help="Hold blue's accuracy against this one, not green's.")
@click.option("--save-baseline", type=_FILE, metavar="FILE", help="Write green's accuracy, to be a baseline later.")
@JUNIT_OPTION
@guarded
def parity(**given: Any) -> int:
    r"""Ask green and blue the same, compare what they answer, and say whether the gate holds.

    \b
    cutover up; cutover parity                   blue's test stack against green
    cutover parity --cases traffic.jsonl         what `cutover record` has recorded
    cutover parity --green-at 10.0.0.5 --blue-on '127.0.0.1:5570->20001'

    The exit code is 0 if the gate holds, 1 if it does not.
    """
    from cutover.cli.parity_text import show_parity  # noqa: PLC0415
    from cutover.cli.render import Progress  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415
    from cutover.flow.signals import interruptible  # noqa: PLC0415
    from cutover.validate.parity import save_baseline  # noqa: PLC0415

    progress = Progress()
    try:
        with opened(gathered(given), progress) as session, interruptible():
            cases, verdict = _compared(session, given)
    finally:
        progress.close()
    if given["save_baseline"]:
        save_baseline(given["save_baseline"], dict(verdict.figures), cases)
    return show_parity(verdict, as_json=given["as_json"], junit=given["junit"])


def _compared(session: Session, given: Mapping[str, Any]) -> tuple[tuple[Case, ...], Verdict]:
    from cutover.cli.places import addresses_at  # noqa: PLC0415
    from cutover.validate.parity import (  # noqa: PLC0415
        load_cases,
        picked,
        read_baseline,
        refuse_without_accuracy,
        run_parity,
    )
    from cutover.validate.talk import question_of  # noqa: PLC0415

    settings = _with_options(session.settings.parity, given)
    baseline = read_baseline(given["baseline"]) if given["baseline"] else None
    files = given["cases"] or None
    every = load_cases(settings, session.settings_path.parent, files, session.observer)
    cases = picked(every, given["tags"], given["limit"])
    if given["save_baseline"]:
        refuse_without_accuracy(given["save_baseline"], cases)
    ports = {question_of(case).port for case in cases}
    green = addresses_at(session, given["green_at"] or ("green",), ports)
    blue = addresses_at(session, given["blue_on"] or ("test",), ports)
    errors = session.settings.errors
    return cases, run_parity(cases, green, blue, settings, errors, session.observer, baseline=baseline)


def _with_options(settings: Parity, given: Mapping[str, Any]) -> Parity:
    from cutover.config import Mode  # noqa: PLC0415

    said = {name: given[name] for name in ("seed", "workers") if given[name] is not None}
    return settings.model_copy(update={**said, **({"mode": Mode(given["mode"])} if given["mode"] else {})})
