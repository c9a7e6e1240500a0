"""`cutover surface`: which methods does green answer that blue does not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import JUNIT_OPTION, PROJECT_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.config import Settings
    from cutover.validate.results import Verdict
    from cutover.validate.talk import Address


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--blue", metavar="NAME", help="The service that is to replace it.")
@click.option("--green-source", multiple=True, metavar="PATH", help="Python file or folder of green; never run.")
@click.option("--blue-source", multiple=True, metavar="PATH", help="Python file or folder of blue; never run.")
@click.option("--recording", multiple=True, metavar="FILE", help="Recording whose methods count as green's.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Class whose public methods count.")
@click.option("--green-at", multiple=True, metavar="HOST[:P->P]", help="Where green is asked, if not in this project.")
@click.option(
    "--blue-on", multiple=True, metavar="WHO", help="test (blue's test stack, the default), blue, or HOST[:P->P]."
)
@click.option("--ask-all", is_flag=True, help="Ask for methods too whose names sound destructive; send unsafe HTTP.")
@JUNIT_OPTION
@guarded
def surface(  # noqa: PLR0917  (click names them)
    green_source: tuple[str, ...],
    blue_source: tuple[str, ...],
    recording: tuple[str, ...],
    classes: tuple[str, ...],
    green_at: tuple[str, ...],
    blue_on: tuple[str, ...],
    ask_all: bool,
    junit: Path | None,
    **given: Any,
) -> int:
    """Name the methods that green has and blue lacks, or has as stubs only: from replies, sources and recordings.

    With a source named for both here, nobody is asked (and no Engine is needed), unless --blue-on says where. Asking a
    service for a method runs it, with the request of `surface:` in cutover.yaml; methods whose names sound destructive
    are not asked without --ask-all. Where both are hosts (--green-at, --blue-on) no compose file is needed.
    """
    here = Path.cwd()
    told: dict[str, Any] = {
        "green_source": tuple(str(here / p) for p in green_source),
        "blue_source": tuple(str(here / p) for p in blue_source),
        "recordings": tuple(str(here / p) for p in recording),
        "classes": classes,
        "ask_all": ask_all,
    }
    told = {name: value for name, value in told.items() if value}
    from cutover.cli.places import are_hosts  # noqa: PLC0415
    from cutover.cli.verdicts import show_verdicts  # noqa: PLC0415

    sources_only = bool(green_source and blue_source and not blue_on and not green_at)
    if sources_only or (are_hosts(green_at) and are_hosts(blue_on)):
        verdict = _without_project(told, here, green_at, blue_on)
    else:
        verdict = _from_services(told, green_at, blue_on, given)
    return show_verdicts([verdict], as_json=given["as_json"], junit=junit)


def _without_project(told: dict[str, Any], here: Path, green_at: Sequence[str], blue_on: Sequence[str]) -> Verdict:
    from cutover import config  # noqa: PLC0415
    from cutover.cli.places import on_hosts  # noqa: PLC0415

    settings = config.load(here / config.NAME)
    ports = _ports(settings)
    green, blue = (on_hosts(wheres, ports) or None for wheres in (green_at, blue_on))
    return _run(settings, told, here, green, blue)


def _from_services(
    told: dict[str, Any], green_at: Sequence[str], blue_on: Sequence[str], given: dict[str, Any]
) -> Verdict:
    from cutover.cli.places import addresses_at  # noqa: PLC0415
    from cutover.errors import RefusedError  # noqa: PLC0415
    from cutover.flow.colours import TEST  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    with opened(gathered(given)) as session:
        settings, folder = session.settings, session.settings_path.parent
        ports = _ports(settings)
        green = addresses_at(session, green_at or ("green",), ports)
        blue: Mapping[int, Address] | None
        try:
            blue = addresses_at(session, blue_on or (TEST,), ports)
        except RefusedError as error:
            if blue_on or not (told.get("blue_source") or settings.surface.blue_source):
                raise
            echo(f"blue is not asked, only its source is read: {error.message}", err=True)
            blue = None
        return _run(settings, told, folder, green, blue)


def _ports(settings: Settings) -> set[int]:
    """Return the legacy ports that the surface speaks of."""
    from cutover.config import Message  # noqa: PLC0415
    from cutover.validate.talk import question_of  # noqa: PLC0415

    surface = settings.surface
    return {question_of(Message(to=to)).port for to in (surface.to, surface.openapi, surface.http) if to}


def _run(
    settings: Settings,
    told: dict[str, Any],
    folder: Path,
    green: Mapping[int, Address] | None,
    blue: Mapping[int, Address] | None,
) -> Verdict:
    from cutover.cli.render import Progress  # noqa: PLC0415
    from cutover.validate.surface import run_surface  # noqa: PLC0415

    progress = Progress()
    try:
        asked = settings.surface.model_copy(update=told)
        return run_surface(asked, folder, green, blue, settings.errors, progress)
    finally:
        progress.close()
