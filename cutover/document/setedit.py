"""What the files of a project would become: one edit for each file that changes, and what all of it was meant to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cutover.document.edit import Edit
from cutover.document.intent import ImageChange, Intent, PortMove, PortTake

if TYPE_CHECKING:
    from cutover.document.fileset import FileSet


@dataclass(frozen=True, slots=True)
class SetEdit:
    """What the files of a project would become. Nothing is written; `intents` is what the model is to show of it."""

    before: FileSet = field(repr=False)
    edits: tuple[Edit, ...]
    intents: tuple[Intent, ...]

    @property
    def files(self) -> FileSet:
        """Return the set of files after the edit."""
        changed = {edit.file: edit.document for edit in self.edits}
        return replace(self.before, documents=tuple(changed.get(d.name, d) for d in self.before.documents))

    @property
    def move(self) -> PortMove:
        """Return the one move that this edit makes."""
        return next(intent for intent in self.intents if isinstance(intent, PortMove))

    @property
    def take(self) -> PortTake:
        """Return the one taking of ports that this edit makes."""
        return next(intent for intent in self.intents if isinstance(intent, PortTake))

    @property
    def image(self) -> ImageChange:
        """Return the one change of an image that this edit makes."""
        return next(intent for intent in self.intents if isinstance(intent, ImageChange))

    def then(self, later: SetEdit) -> SetEdit:
        """Return this edit and one of its outcome as one."""
        intents = joined([*self.intents, *later.intents])
        inverse = intents[0].inverse() if len(intents) == 1 else None
        move = next((i for i in intents if isinstance(i, PortMove)), None)
        after = {edit.file: edit.document for edit in (*self.edits, *later.edits)}
        before = {d.name: d for d in self.before.documents}
        edits = tuple(Edit(before[name], document, inverse, move) for name, document in after.items())
        return SetEdit(self.before, edits, intents)

    def diff(self, context: int = 3) -> str:
        """Return the unified diffs of all files that change."""
        return "".join(edit.diff(context) for edit in self.edits)


def joined(intents: Iterable[Intent]) -> tuple[Intent, ...]:
    """Return intents of which neighbours that speak of the same services are one."""
    out: list[Intent] = []
    for intent in intents:
        both = _one(out[-1], intent) if out else None
        if both is None:
            out.append(intent)
        else:
            out[-1] = both
    return tuple(out)


def _one(first: Intent, second: Intent) -> Intent | None:
    if isinstance(first, PortMove) and isinstance(second, PortMove):
        if (first.source, first.target) != (second.source, second.target):
            return None
        retarget = tuple({**dict(first.retarget), **dict(second.retarget)}.items())
        return replace(first, bindings=(*first.bindings, *second.bindings), retarget=retarget)
    if isinstance(first, PortTake) and isinstance(second, PortTake) and first.service == second.service:
        return PortTake(first.service, (*first.places, *second.places))
    return None
