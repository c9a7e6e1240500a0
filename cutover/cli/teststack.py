"""`cutover up` and `cutover down`: blue's test stack beside green."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, SWAP_OPTIONS, guarded, with_options, with_session
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.flow.teststack import TestStack

_BLUE, _PROBES, _TIMEOUT = SWAP_OPTIONS[1], SWAP_OPTIONS[4], SWAP_OPTIONS[6]


@click.command()
@click.argument("name", required=False)
@with_options(PROJECT_OPTIONS, (_BLUE, _PROBES, _TIMEOUT))
@click.option("-o", "--override", "override", metavar="FILE", help="Override file; else overrides/NAME.yml.")
@click.option("--no-gpu", is_flag=True, help="Leave the GPU reservation out, for an Engine without an NVIDIA runtime.")
@click.option("--keep", is_flag=True, help="Leave a stack that does not become ready as it is, to look at.")
@click.option("--run-jobs", is_flag=True, help="Let one-shot jobs that it needs run again, over data of others too.")
@guarded
def up(name: str | None, override: str | None, no_gpu: bool, keep: bool, run_jobs: bool, **given: Any) -> int:
    """Start the test stack NAME (<blue>_test) beside green, and wait until it answers its probes.

    NAME is that of an override file, or of a service. What it depends on is started with it, but never green, and
    whatever fails or is interrupted is taken down again. Exit codes: 0 ready, 1 refused or not ready, 2 usage, 130
    interrupted.
    """
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.teststack import UpRequest  # noqa: PLC0415
    from cutover.flow.teststack import up as do_up  # noqa: PLC0415

    file = Path(override) if override else None
    timeout_s = given["ready_timeout_s"]
    request = UpRequest(name, file, no_gpu=no_gpu, keep=keep, ready_timeout_s=timeout_s, run_jobs=run_jobs)
    stack = with_session(given, lambda session: do_up(session, request=request))
    if given["as_json"]:
        show_json({"result": "ready", **stack.as_dict()})
    else:
        echo(_ready_text(stack))
    return 0


@click.command()
@click.argument("name", required=False)
@with_options(PROJECT_OPTIONS, (_BLUE,))
@click.option("--all", "everything", is_flag=True, help="Every test stack of the project.")
@guarded
def down(name: str | None, everything: bool, **given: Any) -> int:
    """Take the test stack NAME (<blue>_test) down: its containers, volumes, networks, and what it alone needed."""
    from cutover.cli.render import show_json  # noqa: PLC0415
    from cutover.flow.teststack import down as do_down  # noqa: PLC0415

    removed = with_session(given, lambda session: do_down(session, name, everything=everything))
    if given["as_json"]:
        show_json({"result": "down", "removed": removed})
    else:
        echo("\n".join(f"removed {what}" for what in removed) or "nothing to take down")
    return 0


def _ready_text(stack: TestStack) -> str:
    lines = [f"{stack.service} is ready after {stack.seconds:.1f} s ({stack.container}, tries {stack.of})"]
    lines += [f"  {legacy} -> {address}" for legacy, address in sorted(stack.ports.items())]
    lines += [f"warning: {f.message}" for f in stack.findings]
    return "\n".join([*lines, f"take it down:  cutover down {stack.service}"])
