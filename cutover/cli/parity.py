"""`cutover parity`: the same questions to green and to blue, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import JUNIT_OPTION, PROJECT_OPTIONS, gathered, guarded, with_options

if TYPE_CHECKING:
    from cutover.config import Case, Parity, Settings
    from cutover.events import Observer
    from cutover.flow.session import Session
    from cutover.validate.results import Verdict
    from cutover.validate.talk import Address
    from cutover.validate.talk.line import Explain

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
    from cutover.flow.signals import interruptible  # noqa: PLC0415
    from cutover.validate.parity import save_baseline  # noqa: PLC0415

    progress = Progress()
    try:
        with _place(given, progress) as place, interruptible():
            cases, verdict = _compared(place, given)
    finally:
        progress.close()
    if given["save_baseline"]:
        save_baseline(given["save_baseline"], dict(verdict.figures), cases)
    return show_parity(verdict, as_json=given["as_json"], junit=given["junit"])


@dataclass(frozen=True)
class _Place:
    """Where parity works: what the settings say, and the project; none where both colours are on hosts."""

    settings: Settings
    path: Path
    observer: Observer
    session: Session | None = None


@contextmanager
def _place(given: Mapping[str, Any], observer: Observer) -> Iterator[_Place]:
    """Open the project; with both colours on hosts, no compose file is needed, nor an Engine."""
    from cutover import config  # noqa: PLC0415
    from cutover.cli.places import are_hosts  # noqa: PLC0415
    from cutover.events import Sturdy  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    if are_hosts(given["green_at"]) and are_hosts(given["blue_on"]):
        path = _settings_path(given["files"])
        yield _Place(config.load(path), path, Sturdy(observer))
        return
    with opened(gathered(dict(given)), observer) as session:
        yield _Place(session.settings, session.settings_path, session.observer, session)


def _settings_path(files: Sequence[str]) -> Path:
    """Return where cutover.yaml is: beside the compose file that is named, here, or beside the one found above."""
    from cutover import config  # noqa: PLC0415
    from cutover.engine.files import compose_files  # noqa: PLC0415
    from cutover.errors import UsageError  # noqa: PLC0415

    here = Path.cwd()
    path = here / (Path(files[0]).parent if files else "") / config.NAME
    if files or path.exists():
        return path
    try:
        return compose_files((), here)[0].parent / config.NAME
    except UsageError:
        return path


def _compared(place: _Place, given: Mapping[str, Any]) -> tuple[tuple[Case, ...], Verdict]:
    from cutover.validate.parity import (  # noqa: PLC0415
        load_cases,
        picked,
        read_baseline,
        refuse_without_accuracy,
        run_parity,
    )
    from cutover.validate.talk import question_of  # noqa: PLC0415

    settings = _with_options(place.settings.parity, given)
    baseline = read_baseline(given["baseline"]) if given["baseline"] else None
    files = given["cases"] or None
    every = load_cases(settings, place.path.parent, files, place.observer)
    cases = picked(every, given["tags"], given["limit"])
    if given["save_baseline"]:
        refuse_without_accuracy(given["save_baseline"], cases)
    ports = {question_of(case).port for case in cases}
    green = _addresses(place.session, given["green_at"] or ("green",), ports)
    blue = _addresses(place.session, given["blue_on"] or ("test",), ports)
    errors = place.settings.errors
    explain = _explainer(place.session) if place.session else None
    verdict = run_parity(cases, green, blue, settings, errors, place.observer, baseline=baseline, explain=explain)
    return cases, verdict


def _explainer(session: Session) -> Explain:
    from cutover.flow.explain import Explainer  # noqa: PLC0415

    return Explainer(session.daemon, session.clock, session.name_project())


def _addresses(session: Session | None, wheres: Sequence[str], ports: set[int]) -> dict[int, Address]:
    from cutover.cli.places import addresses_at, on_hosts  # noqa: PLC0415

    return addresses_at(session, wheres, ports) if session else on_hosts(wheres, ports)


def _with_options(settings: Parity, given: Mapping[str, Any]) -> Parity:
    from cutover.config import Mode  # noqa: PLC0415

    said = {name: given[name] for name in ("seed", "workers") if given[name] is not None}
    return settings.model_copy(update={**said, **({"mode": Mode(given["mode"])} if given["mode"] else {})})
