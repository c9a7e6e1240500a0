"""`cutover cleanup`: what is left of old swaps, how much of it there is, and its removal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, guarded, with_options, with_session
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.flow.cleanup import Cleaned
    from cutover.flow.cleanup_choice import Choice, Item


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--apply", is_flag=True, help="Remove what is listed; asks first.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@click.option("--older-than", "days", type=click.FloatRange(min=0), metavar="DAYS", help="Only runs that old.")
@click.option(
    "--keep-runs",
    "keep_runs",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="The newest runs stay, with what they need to be rolled back.",
)
@guarded
def cleanup(apply: bool, yes: bool, days: float | None, keep_runs: int, **given: Any) -> int:
    """List what is left of old swaps and nobody needs; --apply removes it.

    Exit codes: 0 done, or nothing to do, 1 refused or not wanted and nothing removed, 2 usage, 4 something could not
    be removed, 130 interrupted.
    """
    from cutover.flow.cleanup import clean, leftovers  # noqa: PLC0415
    from cutover.flow.cleanup_choice import Keep  # noqa: PLC0415

    keep, as_json = Keep(keep_runs, days), given["as_json"]
    if apply and not yes:
        _see_askable(as_json=as_json)

    def act(session: Any) -> int:
        choice = leftovers(session, keep)
        if not as_json:
            _show(choice)
        if not apply or not choice.remove:
            return _told(choice, None, as_json=as_json, applied=False)
        if not yes and not click.confirm(f"Remove {_count(choice.remove)}?", err=True):
            return _told(choice, None, as_json=as_json, applied=False) or 1
        return _told(choice, clean(session, keep, choice), as_json=as_json, applied=True)

    return int(with_session(given, act))


def _see_askable(*, as_json: bool) -> None:
    """See that somebody can be asked where somebody has to be.

    Raises:
        UsageError: nobody can.

    """
    if as_json or not sys.stdin.isatty():
        from cutover.errors import UsageError  # noqa: PLC0415

        raise UsageError("nobody-to-ask", "Nobody can be asked here.", hint="cutover cleanup --apply --yes")


def _show(choice: Choice) -> None:
    from cutover.cli.render import table  # noqa: PLC0415

    if choice.remove:
        rows = [[str(i.what), i.name, _size(i.size_bytes), i.why] for i in choice.remove]
        table("", ["what", "name", "size", "why"], rows)
        shared = " at most: images share layers" if any("image" in i.what for i in choice.remove) else ""
        echo(f"{_count(choice.remove)}, {_size(choice.total_bytes)}{shared}")
    else:
        echo("nothing to remove")
    for item in choice.stay:
        echo(f"stays: {item.what} {item.name}: {item.why}")


def _told(choice: Choice, cleaned: Cleaned | None, *, as_json: bool, applied: bool) -> int:
    """Print what came of it, and return the exit code."""
    if as_json:
        from cutover.cli.render import show_json  # noqa: PLC0415

        listed = {
            "applied": applied,
            "remove": [item.as_dict() for item in choice.remove],
            "stay": [item.as_dict() for item in choice.stay],
            "total_bytes": choice.total_bytes,
        }
        show_json({**listed, **(cleaned.as_dict() if cleaned else {})})
    elif cleaned is not None:
        _tell(cleaned)
    elif choice.remove:
        echo("nothing was removed; next: cutover cleanup --apply")
    # Neither 1 (something was removed) nor 3 (nothing was rolled back): what is left needs a person's hands.
    return 4 if cleaned is not None and cleaned.failed else 0


def _tell(cleaned: Cleaned) -> None:
    from cutover.cli.render import error_text  # noqa: PLC0415

    size = _size(sum(i.size_bytes for i in cleaned.removed))
    echo(f"removed {_count(cleaned.removed)}, {size}" if cleaned.removed else "nothing was removed")
    for item in cleaned.left:
        echo(f"left: {item.what} {item.name}: it is in use by now, or changed since")
    for _, error in cleaned.failed:
        echo(error_text(error), err=True)


def _count(items: tuple[Item, ...] | list[Item]) -> str:
    return f"{len(items)} thing{'' if len(items) == 1 else 's'}"


def _size(size_bytes: int) -> str:
    from rich.filesize import decimal  # noqa: PLC0415

    return decimal(size_bytes)
