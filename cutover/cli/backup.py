"""Saving the project and getting it back: `backup`, `backups`, `restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options, with_session
from cutover.cli.plain import echo
from cutover.errors import UsageError

if TYPE_CHECKING:
    from cutover.flow.backup_place import Place

ALL = "*"
IDENTITY = "The age identity that opens the backup; gpg asks its agent."


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--volumes", "all_volumes", is_flag=True, help="Save every named volume of the project.")
@click.option("--volume", "volumes", multiple=True, metavar="NAME", help="Save this named volume.")
@click.option("--images", is_flag=True, help="Save the images of the project's containers.")
@click.option("--pause", is_flag=True, help="Pause whoever writes to a volume while it is copied.")
@click.option("--stop", is_flag=True, help="Stop whoever writes to a volume while it is copied.")
@click.option("--encrypt", metavar="age:RECIPIENT|gpg:KEY", help="Encrypt the backup.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Put it in here.")
@click.option("--why", metavar="TEXT", help="What it is for, to be found by.")
@click.option("--git-tag", is_flag=True, help="Tag the commit: cutover/backup/ID.")
@click.option("--git-branch", metavar="NAME", help="Make a branch of the commit.")
@guarded
def backup(**given: Any) -> int:
    """Save the project's files, Compose's model, the images' IDs and the commit; on request volumes and images too."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.backup import backup as do_backup  # noqa: PLC0415
    from cutover.flow.backup_make import Wanted  # noqa: PLC0415
    from cutover.flow.backup_seal import sealing  # noqa: PLC0415
    from cutover.flow.backup_text import made_text  # noqa: PLC0415
    from cutover.flow.backup_writers import Hold  # noqa: PLC0415

    if given["pause"] and given["stop"]:
        raise UsageError("pause-or-stop", "Either --pause or --stop.", hint="cutover backup --help")
    hold = Hold.PAUSE if given["pause"] else Hold.STOP if given["stop"] else None
    if hold and not (given["all_volumes"] or given["volumes"]):
        raise UsageError("no-volume", f"--{hold} is for volumes.", hint="cutover backup --volumes --pause")

    def act(session: Any) -> Any:
        wanted = Wanted(
            why=given["why"] or "on demand",
            volumes=True if given["all_volumes"] else tuple(given["volumes"]),
            images=given["images"],
            hold=hold,
            seal=sealing(given["encrypt"] or session.settings.backup.encrypt),
            git_tag=given["git_tag"],
            git_branch=given["git_branch"],
        )
        return do_backup(session, wanted, given["to"])

    backed = with_session(given, act)
    if given["as_json"]:
        show_json(backed.as_dict())
    else:
        echo(made_text(backed))
    return 0


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option(
    "--verify",
    is_flag=False,
    flag_value=ALL,
    default=None,
    metavar="[ID]",
    help="Read every backup back, or this one: every SHA-256, and what the archives hold.",
)
@click.option("--identity", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help=IDENTITY)
@click.option("--prune", "pruning", is_flag=True, help="Remove what `backup: keep` of cutover.yaml does not keep.")
@click.option("--dry-run", is_flag=True, help="With --prune: only say what would go.")
@guarded
def backups(verify: str | None, identity: Path | None, **given: Any) -> int:
    """List the backups of this project, oldest first: when, why, how large, what they hold, when read back."""
    if given["dry_run"] and not given["pruning"]:
        raise UsageError("dry-run", "--dry-run is for --prune.", hint="cutover backups --prune --dry-run")
    with _placed(given) as place:
        if verify is not None:
            return _verify(place, verify, identity, as_json=given["as_json"])
        if given["pruning"]:
            return _prune(place, dry=given["dry_run"], as_json=given["as_json"])
        return _list(place, as_json=given["as_json"])


def _list(place: Place, *, as_json: bool) -> int:
    from cutover.backup.archive import archives  # noqa: PLC0415
    from cutover.cli.render import show_json, table  # noqa: PLC0415
    from cutover.flow.backup import told_of  # noqa: PLC0415
    from cutover.flow.backup_restore import cut_short  # noqa: PLC0415
    from cutover.flow.backup_text import listed_row  # noqa: PLC0415

    found, waiting = archives(place.backups), cut_short(place)
    if waiting:
        echo(f"a restore of {waiting} was cut short; to go on with it: cutover restore --apply", err=True)
    if as_json:
        show_json({"backups": [told_of(a) for a in found]})
    elif found:
        table("", ["backup", "made", "why", "size", "what", "verified"], [listed_row(a) for a in found])
    else:
        echo(f"no backups of project {place.project} yet: cutover backup")
    return 0


def _verify(place: Place, name: str, identity: Path | None, *, as_json: bool) -> int:
    from cutover.backup.archive import archives, named  # noqa: PLC0415
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.backup_text import verdict_text  # noqa: PLC0415
    from cutover.flow.backup_verify import verify  # noqa: PLC0415

    meant = archives(place.backups) if name == ALL else [named(place.backups, name)]
    verdicts = verify(place, meant, identity)
    if as_json:
        show_json({"verified": [v.as_dict() for v in verdicts]})
    else:
        echo("\n".join(map(verdict_text, verdicts)) or f"no backups of project {place.project} yet: cutover backup")
    return 0 if all(v.good for v in verdicts) else 1


def _prune(place: Place, *, dry: bool, as_json: bool) -> int:
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.backup import prune_locked  # noqa: PLC0415

    place.see_settings()  # which to keep is written there
    pruned = prune_locked(place.runs, place.settings.backup.keep, place.clock, dry=dry)
    if as_json:
        show_json({"removed": list(pruned.removed), "incomplete": list(pruned.incomplete), "dry_run": dry})
        return 0
    word = "would remove" if dry else "removed"
    echo("\n".join(f"{word} {i}" for i in pruned.all) or "nothing to remove: every backup is kept by a rule")
    return 0


@click.command()
@click.argument("backup_name", metavar="[ID|FOLDER]", required=False)
@with_options(PROJECT_OPTIONS)
@click.option("--files", "with_files", is_flag=True, help="The project's files.")
@click.option("--volumes", "all_volumes", is_flag=True, help="Every volume that the backup has.")
@click.option("--volume", "volumes", multiple=True, metavar="NAME", help="This volume.")
@click.option("--images", is_flag=True, help="The images.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="The files, into here."
)
@click.option("--volume-as", "renamed", multiple=True, metavar="NAME=NEW", help="This volume, into another one.")
@click.option("--identity", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help=IDENTITY)
@click.option("--apply", is_flag=True, help="Do it; without, only the plan is shown.")
@click.option("--devices", is_flag=True, help="Device nodes in volumes, too: they reach disks of the host.")
@click.option("--overwrite", is_flag=True, help="Also over what is newer than the backup; that is backed up first.")
@guarded
def restore(backup_name: str | None, identity: Path | None, **given: Any) -> int:
    """Show what a backup would bring back, the newest or ID; with --apply, do it.

    With none of --files, --volumes, --volume, --images: all that it has. What is equal is left alone, what is newer
    than the backup is never written over without --overwrite, and what is overwritten is backed up first.
    """
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.backup_restore import chosen, plan_restore  # noqa: PLC0415
    from cutover.flow.backup_restore import restore as do_restore  # noqa: PLC0415
    from cutover.flow.backup_text import plan_text, restored_text  # noqa: PLC0415

    selection = _selection(given)
    with _placed(given) as place:
        archive = chosen(place, backup_name)
        if not given["apply"]:
            plan = plan_restore(place, archive, selection, identity)
            if given["as_json"]:
                show_json(plan.as_dict(overwrite=given["overwrite"]))
            else:
                echo(plan_text(plan, overwrite=given["overwrite"]))
                echo("nothing was changed; --apply does it")
            return 0
        restored = do_restore(place, archive, selection, identity, overwrite=given["overwrite"])
    if given["as_json"]:
        show_json(restored.as_dict())
    else:
        echo(restored_text(restored))
    return 0


def _selection(given: dict[str, Any]) -> Any:
    from cutover.flow.backup_plan import Selection  # noqa: PLC0415

    renamed = dict(_pair(text) for text in given["renamed"])
    volumes = True if given["all_volumes"] else tuple(dict.fromkeys((*given["volumes"], *renamed)))
    named = given["with_files"] or given["images"] or bool(volumes)
    elsewhere = given["into"] is not None
    return Selection(
        files=given["with_files"] or elsewhere or not named,
        volumes=volumes or (not named and not elsewhere),
        images=given["images"] or (not named and not elsewhere),
        into=given["into"].absolute() if elsewhere else None,
        devices=given["devices"],
        volume_as=renamed,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, new = text.partition("=")
    if not (name and equals and new):
        raise UsageError("volume-as", f"--volume-as {text}: expected NAME=NEW.", hint="--volume-as data=data_restored")
    return name, new


@contextmanager
def _placed(given: dict[str, Any]) -> Iterator[Place]:
    from cutover.cli.render import Progress  # noqa: PLC0415
    from cutover.flow.backup_place import placed  # noqa: PLC0415

    progress = Progress()
    try:
        with placed(gathered(given), progress) as place:
            yield place
    finally:
        progress.close()
