"""The entry point: verbs are loaded when they are called, so that `--help` answers at once."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

import click

from cutover import __version__

VERBS = {
    "swap": ("cutover.cli.act", "Replace green by blue on the same ports; go back by itself when anything is wrong."),
    "plan": ("cutover.cli.look", "Print what `swap` would do, and change nothing."),
    "status": ("cutover.cli.look", "Who serves the legacy ports, and what can be rolled back."),
    "history": ("cutover.cli.look", "The runs of this project."),
    "ports": ("cutover.cli.look", "Each port: declared, published, bound, listened on inside, and what it speaks."),
    "doctor": ("cutover.cli.doctor", "Why a service does not answer: what is wrong, the evidence, the next command."),
    "probe": ("cutover.cli.look", "Ask one question of a service."),
    "rollback": ("cutover.cli.act", "Give the ports back to green."),
    "commit": ("cutover.cli.act", "Close a swap: green's container is removed."),
    "canary": ("cutover.cli.canary", "Send a share of the requests to blue."),
    "promote": ("cutover.cli.canary", "Send a canary every request, in steps if asked."),
    "recover": ("cutover.cli.act", "Clear up after a run that was cut short."),
    "backup": ("cutover.cli.backup", "Save the files, and on request volumes and images, in one archive."),
    "backups": ("cutover.cli.backup", "The backups of this project; --verify reads them back."),
    "restore": ("cutover.cli.backup", "Show what a backup would bring back; --apply does it."),
    "cleanup": ("cutover.cli.cleanup", "What is left of old swaps and nobody needs; --apply removes it."),
    "init": ("cutover.cli.init", "Write a commented cutover.yaml from the project that is found."),
    "override": ("cutover.cli.override", "Write the override file of a test stack: blue beside green, on test ports."),
    "up": ("cutover.cli.teststack", "Start the test stack and wait until it is ready."),
    "down": ("cutover.cli.teststack", "Take the test stack down; nothing of it stays."),
    "smoke": ("cutover.cli.smoke", "Run a suite against green, blue or the test stack."),
    "parity": ("cutover.cli.parity", "Ask green and blue the same, and compare what they answer."),
    "surface": ("cutover.cli.surface", "Which methods does green answer that blue does not?"),
    "record": ("cutover.cli.record", "Record live traffic on a test port, secrets masked, as cases for parity."),
    "rehearse": ("cutover.cli.rehearse", "override, up, smoke, parity, surface, down: is blue a successor?"),
    "edge": ("cutover.cli.edge", "The containers that own the legacy ports: build their image, look at them."),
    "schema": ("cutover.cli.smoke", "Print the JSON Schema of cutover.yaml, of a suite or of parity cases."),
    "plugin": ("cutover.cli.plugin", "Be the Docker CLI plugin `docker cutover`."),
    "completion": ("cutover.cli.completion", "Print the shell completion for bash, zsh or fish."),
}


AS_JSON = "cutover.as_json"


class LazyGroup(click.Group):
    """A group that knows its verbs' names and summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a person meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(VERBS[cmd_name][0]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember whether JSON is asked for, before anything is found wrong."""
        ctx.meta[AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call the verb; a usage error is one JSON object where JSON was asked for."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if not ctx.meta.get(AS_JSON):
                raise
            from cutover.cli.options import show_error  # noqa: PLC0415
            from cutover.errors import UsageError  # noqa: PLC0415

            verb = error.ctx.command_path if error.ctx else "cutover"
            told = UsageError("usage", error.format_message(), hint=f"{verb} --help")
            ctx.exit(show_error(told, as_json=True))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with their summaries."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb where one was mistyped."""
        import difflib  # noqa: PLC0415

        near = difflib.get_close_matches(args[0], VERBS, n=1)
        if args[0] not in VERBS and near:
            ctx.fail(f"There is no command {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cutover")
def cli() -> None:
    """Replace a running Compose service by its successor on the same ports, and always be able to go back."""
    os.umask(os.umask(0o077) & 0o077)  # one that takes the owner's rights would leave us files that we cannot read


def main() -> None:
    """Run the command line."""
    try:
        cli(prog_name="cutover")
    finally:
        _let_go()


def _let_go() -> None:
    """Have what nobody reads any more lead nowhere: Python would end with 120 instead of our exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
