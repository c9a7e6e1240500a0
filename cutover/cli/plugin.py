"""`docker cutover`: cutover as a plugin of the Docker CLI.

The CLI calls a plugin named `docker-cutover` with `docker-cli-plugin-metadata` to learn what it is, and with the word
`cutover` and the user's arguments otherwise (source: docker/cli, `cli-plugins/manager`).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from itertools import pairwise
from pathlib import Path

import click

from cutover import __version__
from cutover.cli.options import guarded
from cutover.errors import RefusedError

NAME = "docker-cutover"
METADATA = {
    "SchemaVersion": "0.1.0",
    "Vendor": "cutover",
    "Version": __version__,
    "ShortDescription": "Replace a running Compose service by its successor on the same ports",
}


def main() -> None:
    """Answer the Docker CLI, or run the command line."""
    arguments = sys.argv[1:]
    if arguments == ["docker-cli-plugin-metadata"]:
        click.echo(json.dumps(METADATA))
        return
    from cutover.cli.main import cli  # noqa: PLC0415

    cli(args=_own(arguments), prog_name="docker cutover")


def _own(arguments: list[str]) -> list[str]:
    """Return the arguments after the plugin's name; `docker --context X cutover ...` puts its own before it."""
    if "cutover" not in arguments:
        return arguments
    before, after = arguments[: arguments.index("cutover")], arguments[arguments.index("cutover") + 1 :]
    for name, value in pairwise(before):
        if name in {"-c", "--context"}:
            os.environ["DOCKER_CONTEXT"] = value
        elif name in {"-H", "--host"}:
            os.environ["DOCKER_HOST"] = value
    return after


@click.group()
def plugin() -> None:
    """Be the Docker CLI plugin `docker cutover`."""


@plugin.command()
@guarded
def install() -> int:
    """Put `docker-cutover` into this user's Docker CLI plugin folder."""
    path = _place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cutover.cli.plugin "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise RefusedError("plugin-not-written", f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"{path} written; try: docker cutover --help")
    if not shutil.which("docker"):
        click.echo("the docker command is not on the PATH", err=True)
    return 0


@plugin.command()
@guarded
def uninstall() -> int:
    """Take `docker-cutover` out of the plugin folder again."""
    _place().unlink(missing_ok=True)
    click.echo(f"{_place()} is gone")
    return 0


def _place() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "cli-plugins" / NAME


if __name__ == "__main__":
    main()
