"""`docker cutover`: cutover as a plugin of the Docker CLI.

The CLI calls a plugin named `docker-cutover` with `docker-cli-plugin-metadata` to learn what it is, and with the word
`cutover` and the user's arguments otherwise (source: docker/cli, `cli-plugins/manager`).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from cutover import __version__
from cutover.cli.options import guarded
from cutover.cli.plain import echo
from cutover.errors import RefusedError
from cutover.files import write_atomic

NAME = "docker-cutover"
DOCKERS_OWN = {
    "-c": "DOCKER_CONTEXT",
    "--context": "DOCKER_CONTEXT",
    "-H": "DOCKER_HOST",
    "--host": "DOCKER_HOST",
    "--config": "DOCKER_CONFIG",
    **dict.fromkeys(("-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"), ""),
}
"""The Docker CLI's own options that take a value, with the variable that means the same; "" without one."""
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
        echo(json.dumps(METADATA))
        return
    from cutover.cli.main import cli  # noqa: PLC0415

    cli(args=_own(arguments), prog_name="docker cutover")


def _own(arguments: list[str]) -> list[str]:
    """Return the arguments after the plugin's name; `docker --context X cutover ...` puts its own before it."""
    chosen: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "cutover":
            _choose(chosen)
            return list(rest)
        if not argument.startswith("-"):
            break
        name, value = _split(argument)
        if name in DOCKERS_OWN:
            chosen[DOCKERS_OWN[name]] = next(rest, "") if value is None else value
    return arguments


def _split(option: str) -> tuple[str, str | None]:
    """Return name and value of `--context=X`, `-cX`, `-c=X`; None where the value is the next argument."""
    if option.startswith("--"):
        name, _, value = option.partition("=")
        return name, value or None
    return option[:2], option[2:].removeprefix("=") or None


def _choose(chosen: dict[str, str]) -> None:
    """Have the Engine meant that was named: an option of the Docker CLI beats the environment."""
    if "DOCKER_CONTEXT" in chosen:
        os.environ.pop("DOCKER_HOST", None)
    os.environ.update({name: value for name, value in chosen.items() if name})


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
        script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cutover.cli.plugin "$@"\n'
        write_atomic(path, script.encode(), mode=0o755)  # whatever the umask is: the Docker CLI runs it
    except OSError as error:
        raise RefusedError("plugin-not-written", f"{path} cannot be written: {error.strerror}.") from error
    echo(f"{path} written; try: docker cutover --help")
    if not shutil.which("docker"):
        echo("the docker command is not on the PATH", err=True)
    return 0


@plugin.command()
@guarded
def uninstall() -> int:
    """Take `docker-cutover` out of the plugin folder again."""
    _place().unlink(missing_ok=True)
    echo(f"{_place()} is gone")
    return 0


def _place() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "cli-plugins" / NAME


if __name__ == "__main__":
    main()
