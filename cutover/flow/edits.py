"""From the moves to the edited files, and Compose's own judgement of them before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cutover.document import FileSet, PortMove, prove_model
from cutover.engine.stack import Stack
from cutover.errors import CutoverError, EditRefusedError
from cutover.files import sha256
from cutover.flow.observed import ObservedState
from cutover.flow.plan import FileEdit, Move, Plan
from cutover.flow.request import SwapRequest


def move_ports(state: ObservedState, request: SwapRequest, moves: tuple[Move, ...]) -> tuple[FileEdit, ...]:
    """Return the files as they will be when the ports belong to blue; writes nothing.

    Raises:
        EditRefusedError: it cannot be done safely, with file, line and reason.

    """
    contents = {source.path: source.content for source in state.files}
    return edited(contents, request.green, request.blue, moves, state.environment)


def edited(
    contents: Mapping[Path, bytes], source: str, target: str, moves: tuple[Move, ...], env: Mapping[str, str]
) -> tuple[FileEdit, ...]:
    """Return what moving the ports from one service to another makes of the project's files."""
    names = {_shown(path): path for path in contents}
    files = FileSet.parse({name: contents[path] for name, path in names.items()}, _read)
    published = sorted({(m.binding.host_port, m.binding.protocol) for m in moves})
    retarget = {m.binding.target: m.blue_target for m in moves if m.binding.target != m.blue_target}
    result = files.move_ports(source, target, published, env=env, retarget=retarget)
    return tuple(
        FileEdit(names[e.file], sha256(contents[names[e.file]]), sha256(e.content), e.content, e.diff(context=0))
        for e in result.edits
        if e.changed
    )


def moved_back(plan: Plan, files: tuple[Path, ...], env: Mapping[str, str]) -> tuple[FileEdit, ...]:
    """Return what moving the ports back makes of files that were edited by somebody else since the swap.

    Raises:
        EditRefusedError: it cannot be done safely.

    """
    back = tuple(Move(m.to_blue, m.binding.target) for m in plan.moves)
    return edited({path: path.read_bytes() for path in files}, plan.blue, plan.green, back, env)


def prove_candidates(state: ObservedState, stack: Stack, plan: Plan, folder: Path) -> None:
    """Have Compose read the edited files and see that the ports, and nothing else, changed hands.

    Raises:
        EditRefusedError: Compose rejects the edited files, or shows another change than the one that was meant.

    """
    places = {}
    for number, edit in enumerate(plan.edits):
        places[edit.path] = folder / f"{number:02}-{edit.path.name}"
        places[edit.path].write_bytes(edit.after)
    try:
        after = stack.with_files(places).config()
    except CutoverError as error:
        raise EditRefusedError(
            "edit-rejected",
            "Docker Compose rejects the edited file; nothing was changed.",
            evidence=error.evidence,
            hint="move the ports by hand, or report this with the evidence",
        ) from error
    retarget = tuple((m.binding.target, m.blue_target) for m in plan.moves if m.binding.target != m.blue_target)
    prove_model(state.model, after, PortMove(plan.green, plan.blue, tuple(m.binding for m in plan.moves), retarget))


def _shown(path: Path) -> str:
    """Return a path as a person would write it here: relative where it lies below the current folder."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def _read(name: str) -> bytes | None:
    try:
        return Path(name).read_bytes()
    except OSError:
        return None
