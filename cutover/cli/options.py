"""Options that several verbs share, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cutover.errors import CutoverError, ExitCode, RefusedError

PROJECT_OPTIONS = (
    click.option(
        "-f", "--file", "files", multiple=True, metavar="FILE", help="Compose file; may be given several times."
    ),
    click.option("-p", "--project-name", "project", metavar="PROJECT", help="Compose project name."),
    click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Compose profile to enable."),
    click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Environment file for interpolation."),
    click.option(
        "-c", "--context", metavar="NAME", help="Docker context; DOCKER_HOST and DOCKER_CONTEXT count as well."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
)
SWAP_OPTIONS = (
    click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now."),
    click.option("--blue", metavar="NAME", help="The service that is to replace it."),
    click.option(
        "--port",
        "ports",
        multiple=True,
        metavar="N[:M]",
        help="Legacy port to move, M where blue listens on another port inside; all of green's if none is named.",
    ),
    click.option(
        "--strategy",
        type=click.Choice(["auto", "edge", "relink", "recreate"]),
        help="edge: a proxy owns the ports, no request fails. relink: both run, Docker moves the ports in a fraction "
        "of a second. recreate: stop green, start blue. auto (the default): the first of these that can be had.",
    ),
    click.option("--probe", "probes", multiple=True, metavar="SPEC", help="Question that a working service answers."),
    click.option("--observe", "observe_s", type=click.FloatRange(min=0), metavar="S", help="Seconds to watch blue."),
    click.option(
        "--ready-timeout",
        "ready_timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        metavar="S",
        help="Seconds that blue may take to become ready.",
    ),
    click.option("--suite", "suites", multiple=True, metavar="NAME", help="Suite to run before and after the move."),
    click.option("--no-suites", is_flag=True, help="Run no suite; otherwise all of cutover.yaml are run."),
    click.option("--commit", is_flag=True, help="Remove green at the end instead of keeping it warm."),
    click.option(
        "--exclusive", is_flag=True, help="Both do not fit at once: requests wait while green stops and blue loads."
    ),
    click.option("--service", metavar="NAME", help="Replace this service by a new container of itself."),
    click.option("--image", metavar="REF", help="With --service: the image that it gets, in the compose file too."),
)


def _can_be_written(ctx: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before the work is done whose result it is for."""
    del ctx
    if path is not None and not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{path} cannot be written: is its folder there, and yours?", param=option)
    return path


JUNIT_OPTION = click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_can_be_written,
    metavar="FILE",
    help="Write the verdicts as JUnit XML.",
)


def with_options(*groups: tuple[Callable[..., Any], ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with groups of options, in the order in which `--help` is to show them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([o for group in groups for o in group]):
            command = option(command)
        return command

    return decorate


def gathered(given: dict[str, Any]) -> Any:
    """Return the `flow.request.Options` of what click collected."""
    from cutover.flow.request import Options  # noqa: PLC0415  (--help need not load the flow)

    known = {k: v for k, v in given.items() if k in Options.__dataclass_fields__}
    for name in ("files", "env_files"):
        known[name] = tuple(Path(p) for p in given.get(name, ()))
    return Options(**known)


def with_session(given: dict[str, Any], act: Callable[[Any], Any]) -> Any:
    """Open the project, tell progress on stderr, and act."""
    from cutover.cli.render import Progress  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415

    progress = Progress()
    try:
        with opened(gathered(given), progress) as session:
            return act(session)
    finally:
        progress.close()


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a verb returns, and every error that cutover raises, into an exit code."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        from cutover.flow.signals import Interrupted  # noqa: PLC0415

        try:
            code = command(**given)
        except CutoverError as error:
            code = show_error(error, as_json=bool(given.get("as_json")))
        except (Interrupted, KeyboardInterrupt):
            code = show_error(_interrupted(), as_json=bool(given.get("as_json")))
        except BrokenPipeError:  # whoever reads our output has gone: click ends quietly
            raise
        except OSError as error:
            code = show_error(_from_system(error), as_json=bool(given.get("as_json")))
        raise SystemExit(int(code))

    return run


def _interrupted() -> CutoverError:
    error = CutoverError("interrupted", "Interrupted; what is left to do, if anything:", hint="cutover status")
    error.exit_code = ExitCode.INTERRUPTED
    return error


def _from_system(error: OSError) -> RefusedError:
    where = f" ({error.filename})" if error.filename else ""
    return RefusedError(
        "system-refused", f"The system refused{where}: {error.strerror or error}.", hint="df -h .; then cutover status"
    )


RESULTS = {ExitCode.INTERRUPTED: "interrupted", ExitCode.NEEDS_HANDS: "needs_hands"}
"""What an error comes to where it is not a refusal."""


def show_error(error: CutoverError, *, as_json: bool) -> int:
    """Show an error that no run tells, and return its exit code."""
    if as_json:
        from cutover.cli.render import show_json  # noqa: PLC0415

        result = RESULTS.get(error.exit_code, "refused")
        nothing: dict[str, object] = {"strategy": None, "green": None, "blue": None, "images": None, "ports": []}
        measured = {"stall_predicted_s": None, "stall_measured_s": None}
        shown = {
            "run": None,
            "result": result,
            **nothing,
            "steps": [],
            **measured,
            "error": error.as_dict(),
            "rollback_command": None,
            "rollback_script": None,
        }
        show_json(shown)
    else:
        from cutover.cli.plain import echo  # noqa: PLC0415
        from cutover.cli.render import error_text  # noqa: PLC0415

        echo(error_text(error), err=True)
    return int(error.exit_code)
