"""`cutover edge`: the containers that own the legacy ports."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, guarded, with_options, with_session
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.flow.edge_image import EdgeImage

_CONTEXT, _JSON = PROJECT_OPTIONS[4:]


@click.group()
def edge() -> None:
    """Look at the containers that own the legacy ports, and build the image that they run from."""


@edge.command()
@click.option("--base", metavar="IMAGE", help="Debian 12 to build on; edge.base of cutover.yaml, or bookworm-slim.")
@click.option("--no-cache", is_flag=True, help="Fetch Debian's packages anew, for their security updates.")
@with_options((_CONTEXT, _JSON))
@guarded
def build(base: str | None, no_cache: bool, context: str | None, as_json: bool) -> int:
    """Build the edge's image from this cutover; quick when nothing changed. No project is needed.

    Its name has the version and a hash of what is in it: an edge never runs an image of another cutover.
    """
    from cutover.cli.render import show_json  # noqa: PLC0415

    built = _built(base, context, cache=not no_cache)
    if as_json:
        show_json({"result": "built", **built.as_dict()})
    else:
        echo(built.image)
    return 0


def _built(base: str | None, context: str | None, *, cache: bool) -> EdgeImage:
    from cutover import config  # noqa: PLC0415
    from cutover.cli.render import Progress  # noqa: PLC0415
    from cutover.engine.address import resolve  # noqa: PLC0415
    from cutover.engine.daemon import Daemon  # noqa: PLC0415
    from cutover.flow.edge_image import build_edge_image  # noqa: PLC0415

    settings = config.load(Path.cwd() / config.NAME)
    daemon = Daemon(resolve(context))
    progress = Progress()
    try:
        return build_edge_image(daemon, settings.edge, progress, base=base, cache=cache)
    finally:
        progress.close()
        daemon.close()


@edge.command()
@with_options(PROJECT_OPTIONS)
@guarded
def status(**given: Any) -> int:
    """Show what the edge of this project does: each port, who serves it, what waits and what is in flight."""
    from cutover.cli.render import show_json  # noqa: PLC0415

    found = with_session(given, importlib.import_module("cutover.flow.edge_status").edge_status)
    if given["as_json"]:
        show_json(found.as_dict())
    else:
        echo(found.text())
    return 0


@edge.command()
@with_options(PROJECT_OPTIONS)
@click.option(
    "--force", is_flag=True, help="Also where the image is the newest: for changes under edge: in the settings."
)
@guarded
def upgrade(force: bool, **given: Any) -> int:
    """Replace the edge by one of this cutover's image, without refusing a connection; the old one serves until then."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.edge_upgrade import upgrade as do_upgrade  # noqa: PLC0415

    done = with_session(given, lambda session: do_upgrade(session, force=force))
    if given["as_json"]:
        show_json(done.as_dict())
    else:
        echo(f"upgraded: generation {done.before.generation} -> {done.after.generation}, {done.after.image}")
    return 0
