"""`cutover override`: the override file of a test stack."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo, echo_exact

if TYPE_CHECKING:
    from cutover.flow.override import Derived, OverrideRequest
    from cutover.flow.session import Session

MOUNTS = (
    click.option("--own", multiple=True, metavar="TARGET", help="Give this mount a volume of the test stack's own."),
    click.option("--read-only", multiple=True, metavar="TARGET", help="Share this mount, but not for writing."),
    click.option("--share", multiple=True, metavar="TARGET", help="Share this mount, for writing too."),
)
GPUS = (
    click.option("--gpu", "gpus", type=click.IntRange(min=1), metavar="N", help="Reserve N GPUs."),
    click.option("--gpu-ids", metavar="ID,ID", help="Reserve these GPUs."),
    click.option("--no-gpu", is_flag=True, help="Reserve no GPU."),
)
OUTPUT = (
    click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it."),
    click.option("--force", is_flag=True, help="Write over an override edited by hand; edits are lost."),
    click.option("-o", "--output", "path", type=click.Path(path_type=Path), metavar="FILE", help="Write it there."),
)


@click.command()
@click.argument("service", required=False)
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--from", "origin", metavar="NAME", help="Start from this service; `green` for the one that serves now.")
@click.option("--image", metavar="IMAGE", help="Run this image; where no such service is there yet, start from it.")
@click.option("--from-image", is_flag=True, help="Start from the image, with green's ports, networks and dependencies.")
@click.option("--name", metavar="NAME", help="The test stack's service; <blue>_test if none is given.")
@click.option("--map", "maps", multiple=True, metavar="OLD:NEW", help="Try port OLD on port NEW; else on a free one.")
@click.option("--also", multiple=True, metavar="PLACE", help="Move the port in this place too, e.g. environment.PEER.")
@click.option("--keep-target", is_flag=True, help="Move the published side only; inside, all stays.")
@click.option("--env", "environment", multiple=True, metavar="K=V", help="Set a variable; K takes it from outside.")
@click.option("--command", metavar="COMMAND", help="Run this command.")
@with_options(MOUNTS, GPUS)
@click.option("--avoid", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Leave its ports alone.")
@with_options(OUTPUT)
@guarded
def override(only_print: bool, force: bool, **given: Any) -> int:
    """Write the override file of a test stack: blue beside green on test ports, unable to write green's data."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.override import derive, write  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    request = _request(given)
    with opened(gathered(given)) as session, derive(session, request) as derived:
        changed = None if only_print else write(derived, force=force)
        if given["as_json"]:
            show_json(_as_dict(derived, changed))
        elif only_print:
            echo_exact(derived.override.text, nl=False)
            _show_remarks(derived, err=True)
        else:
            _show(session, derived, changed=bool(changed))
    return 0


def _request(given: dict[str, Any]) -> OverrideRequest:
    from cutover.flow.override import OverrideRequest  # noqa: PLC0415

    same = ("service", "origin", "image", "from_image", "name", "maps", "also", "keep_target", "own", "read_only")
    more = ("share", "gpus", "no_gpu", "avoid", "path")
    _see_gpus(given)
    return OverrideRequest(
        **{name: given[name] for name in (*same, *more)},
        gpu_ids=tuple(i.strip() for i in (given["gpu_ids"] or "").split(",") if i.strip()),
        environment=tuple(_variable(text) for text in given["environment"]),
        command=None if given["command"] is None else _words(given["command"]),
    )


def _see_gpus(given: dict[str, Any]) -> None:
    from cutover.errors import UsageError  # noqa: PLC0415

    named = [o for o, k in (("--gpu", "gpus"), ("--gpu-ids", "gpu_ids"), ("--no-gpu", "no_gpu")) if given[k]]
    if len(named) > 1:
        raise UsageError("gpu-twice", f"{' and '.join(named)} exclude each other.", hint="name one of them")


def _variable(text: str) -> tuple[str, str | None]:
    from cutover.errors import UsageError  # noqa: PLC0415

    name, equals, value = text.partition("=")
    if not name or any(c.isspace() for c in name):
        raise UsageError(
            "bad-variable", "--env takes NAME=VALUE, or NAME.", hint="cutover override --env LOG_LEVEL=debug"
        )
    return name, value if equals else None


def _words(text: str) -> tuple[str, ...]:
    from cutover.errors import UsageError  # noqa: PLC0415

    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError("bad-command", f"--command cannot be read: {error}.", hint="close the quotes") from error


def _as_dict(derived: Derived, changed: bool | None) -> dict[str, Any]:
    override = derived.override
    return {
        "service": override.service,
        "origin": override.origin,
        "file": None if changed is None else str(derived.path),
        "changed": changed,
        "ports": [p.as_dict() for p in override.ports],
        "warnings": list(override.warnings),
        "notes": list(override.notes),
        "content": override.text if changed is None else None,
    }


def _show(session: Session, derived: Derived, *, changed: bool) -> None:
    from cutover.cli.render import table  # noqa: PLC0415

    override = derived.override
    echo(f"{derived.path} {'written' if changed else 'is as it should be already'}: service {override.service}")
    rows = [[str(p.legacy), f"{_LOOPBACK}:{p.published}", str(p.target), str(p.protocol)] for p in override.ports]
    table("", ["legacy port", "test port", "inside", "protocol"], rows)
    _show_remarks(derived, err=False)
    echo(f"next: {session.spoken(_up(session, derived))}")


def _up(session: Session, derived: Derived) -> str:
    """Return how `up` is told which test stack is meant, where it would not know."""
    name, path = derived.override.service, derived.path
    usual = name == f"{session.options.blue or session.settings.blue}_test"
    beside = path == session.folder / "overrides" / f"{name}.yml"
    return " ".join(["up", *([] if usual else [name]), *([] if beside else ["-o", shlex.quote(str(path))])])


def _show_remarks(derived: Derived, *, err: bool) -> None:
    for note in derived.override.notes:
        echo(f"note: {note}", err=err)
    for warning in derived.override.warnings:
        echo(f"warning: {warning}", err=err)


_LOOPBACK = "127.0.0.1"
