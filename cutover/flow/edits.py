"""From what is asked to the edited files, and Compose's own judgement of them before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cutover.document import FileSet, Inverse, SetEdit, prove_intents
from cutover.document.intent import Intent
from cutover.engine.stack import Stack
from cutover.errors import CutoverError, EditRefusedError
from cutover.files import sha256
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.observed import ObservedState
from cutover.flow.plan import FileEdit, Move, Plan
from cutover.flow.request import SwapRequest
from cutover.trust import read_file

IMAGE_CHANGED = "image-changed"


@dataclass(frozen=True, slots=True)
class Edited:
    """What the files become, and what Compose's model has to show of it."""

    files: tuple[FileEdit, ...] = ()
    intents: tuple[Intent, ...] = ()

    @property
    def inverses(self) -> tuple[dict[str, object], ...]:
        """Return what takes the edits back in files that somebody edits meanwhile, the last first; for the journal."""
        return tuple(intent.inverse().as_dict() for intent in reversed(self.intents))


def edits_of(state: ObservedState, request: SwapRequest, moves: tuple[Move, ...], edge: EdgePlan | None) -> Edited:
    """Return the files as they will be after the swap; writes nothing.

    The ports go from green to blue. With the edge they leave green and go nowhere, once. With `--image` the service
    gets another image.

    Raises:
        EditRefusedError: it cannot be done safely, with file, line and reason.

    """
    files = _Files({source.path: source.content for source in state.files})
    published = sorted({(m.binding.host_port, m.binding.protocol) for m in moves})
    if edge is None and not request.rolls:
        retarget = {m.binding.target: m.blue_target for m in moves if m.binding.target != m.blue_target}
        return files.edited(
            files.read.move_ports(request.green, request.blue, published, env=state.environment, retarget=retarget)
        )
    edit = None
    if edge is not None and edge.adopt:
        edit = files.read.take_ports(request.green, published, env=state.environment)
    if request.image and request.image != state.services[request.green].get("image"):
        image = (edit.files if edit else files.read).set_image(request.green, request.image, env=state.environment)
        edit = edit.then(image) if edit else image
    return files.edited(edit) if edit else Edited()


def moved_back(plan: Plan, paths: tuple[Path, ...], env: Mapping[str, str]) -> tuple[FileEdit, ...]:
    """Return what taking the swap's edits back makes of files that were edited by somebody else since.

    Raises:
        EditRefusedError: it cannot be done safely.

    """
    files = _Files({path: read_file(path) for path in paths})
    edit: SetEdit | None = None
    for inverse in plan.inverses:
        back = Inverse(str(inverse["operation"]), cast("Mapping[str, object]", inverse["arguments"]))
        try:
            step = (edit.files if edit else files.read).apply_inverse(back, env=env)
        except EditRefusedError as error:
            if error.reference == IMAGE_CHANGED:  # somebody wanted yet another one: that stands
                continue
            raise
        edit = edit.then(step) if edit else step
    return files.edited(edit).files if edit else ()


class _Files:
    """The project's files under the names that a person would write here, and back."""

    def __init__(self, contents: Mapping[Path, bytes]) -> None:
        self._contents = contents
        self._names = {shown(path): path for path in contents}
        self.read = FileSet.parse({name: contents[path] for name, path in self._names.items()}, read_bytes)

    def edited(self, edit: SetEdit) -> Edited:
        """Return what an edit makes of the files."""
        files = tuple(
            FileEdit(self._names[e.file], sha256(self._of(e.file)), sha256(e.content), e.content, e.diff(context=0))
            for e in edit.edits
            if e.changed
        )
        return Edited(files, edit.intents)

    def _of(self, name: str) -> bytes:
        return self._contents[self._names[name]]


def prove_candidates(state: ObservedState, stack: Stack, edited: Edited, folder: Path) -> None:
    """Have Compose read the edited files and see that what was meant, and nothing else, changed.

    Raises:
        EditRefusedError: Compose rejects the edited files, or shows another change than the one that was meant.

    """
    if not edited.files:
        return
    places = {}
    for number, edit in enumerate(edited.files):
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
    prove_intents(state.model, after, edited.intents)


def shown(path: Path) -> str:
    """Return a path as a person would write it here: relative where it lies below the current folder."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def read_bytes(name: str) -> bytes | None:
    """Return the bytes of a file, None where it cannot be read."""
    try:
        return read_file(Path(name))
    except OSError:
        return None
