"""An edit: splices of a text, proven against the tree that was meant, and its unified diff."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cutover.document import meaning, tree
from cutover.document.document import Document, Path
from cutover.document.intent import Inverse, PortMove
from cutover.document.source import Node
from cutover.errors import EditRefusedError, FileChangedError

Check = Callable[["Document", Node], None]


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters from `start` to `end` are replaced by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One way to make an edit: what happens to the text, and what must happen to the tree."""

    splices: tuple[Splice, ...]
    expect: Callable[[Node], Node]

    def __add__(self, other: Change) -> Change:
        """Return both changes in one: this one first."""
        return Change((*self.splices, *other.splices), lambda root: other.expect(self.expect(root)))


@dataclass(frozen=True, slots=True)
class Edit:
    """What a file would become. Nothing is written.

    `document` is the new content, understood already, so that edits can be chained. `inverse` takes the edit back on
    a file that was changed elsewhere since; `move` says which ports moved.
    """

    before: Document = field(repr=False)
    document: Document = field(repr=False)
    inverse: Inverse | None = None
    move: PortMove | None = None

    @property
    def file(self) -> str:
        """Return the file's name."""
        return self.before.name

    @property
    def content(self) -> bytes:
        """Return the new bytes."""
        return self.document.content

    @property
    def changed(self) -> bool:
        """Say whether anything differs."""
        return self.before.content != self.document.content

    def diff(self, context: int = 3) -> str:
        """Return the unified diff with `context` lines around each change."""
        old, new = (_lines(document) for document in (self.before, self.document))
        return "".join(difflib.unified_diff(old, new, f"a/{self.file}", f"b/{self.file}", n=context))

    def restore(self, now: bytes) -> bytes:
        """Return the bytes from before the edit, but only if the file still has those that the edit gave it.

        Raises:
            FileChangedError: somebody else changed the file since; the inverse edit is what is left.

        """
        if now != self.content:
            raise FileChangedError(
                "file-changed",
                f"{self.file} was changed by somebody else since cutover edited it; it was not restored.",
                hint="the inverse edit keeps the other change: move the ports back",
            )
        return self.before.content


def prove(document: Document, changes: Iterable[Change], checks: Iterable[Check] = (), *, where: Node) -> Edit:
    """Return the first of `changes` that re-parses to exactly the tree that it promised; milder ways come last.

    Each check gets the document and the expected tree, and raises where the edit would mean something else.

    Raises:
        EditRefusedError: `edit-not-proven`, or what a check raised.

    """
    changes, checks = list(changes), tuple(checks)
    reason = "no way to write it"
    for expected in [change.expect(document.root) for change in changes[:1]]:
        _keep_aliases(document, expected, where)
        for check in checks:
            check(document, expected)
    for ended in dict.fromkeys([document.final_newline, True]):
        for change in changes:
            edit, reason = _attempt(document, change, ended=ended)
            if edit is not None:
                return edit
    raise document.refuse(
        "edit-not-proven", f"this edit would change more than it should ({reason}).", where, hint="edit it by hand"
    )


def replaced(document: Document, splices: Iterable[Splice], *, ended: bool) -> bytes:
    """Return the document's bytes after the splices, with or without a final newline."""
    text, parts, at = document.text, [], 0
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        if splice.start < at:
            raise document.refuse("edit-overlaps", "two parts of this edit touch the same text.", splice.start)
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    new = "".join([*parts, text[at:]])
    if not ended:
        new = new.removesuffix("\n").removesuffix("\r")
    return (codecs.BOM_UTF8 if document.bom else b"") + new.encode()


def _attempt(document: Document, change: Change, *, ended: bool) -> tuple[Edit | None, str]:
    content = replaced(document, change.splices, ended=ended)
    try:
        new = Document.parse(content, document.name, pure=document.pure)
    except EditRefusedError as error:
        return None, error.message
    path = tree.difference(change.expect(document.root), new.root)
    if path is not None:
        return None, f"at {'.'.join(map(str, path))}"
    return Edit(document, new), ""


def _keep_aliases(document: Document, expected: Node, where: Node) -> None:
    """Refuse an edit after which an alias would stand for nothing, or for another node than before."""
    if not document.aliased:
        return
    old = tree.aliases(document.root)
    try:
        new = tree.aliases(expected)
    except KeyError as error:
        raise document.refuse(
            "anchor-in-use", f"the anchor &{error.args[0]} is used elsewhere in the file.", where
        ) from error
    for alias, target in new.items():
        if alias in old and old[alias].start != target.start:
            raise document.refuse("anchor-in-use", f"&{target.anchor} would stand for something else.", where)


def only_at(*allowed: Path) -> Check:
    """Return the check that the meaning of the file, aliases followed, changes at these paths and nowhere else."""

    def check(document: Document, expected: Node) -> None:
        if not document.aliased:
            return
        old = meaning.meaning_of(document.root, document.name)
        new = meaning.meaning_of(expected, document.name)
        for path in meaning.differences(old, new):
            if not any(path[: len(prefix)] == prefix for prefix in allowed):
                raise shared(document, path)

    return check


def shared(document: Document, path: Path) -> EditRefusedError:
    """Return the refusal of an edit that another place would feel, through an anchor, at `path`."""
    nearest = next(found for n in range(len(path), -1, -1) if (found := document.find(path[:n])) is not None)
    return document.refuse(
        "shared-by-alias",
        f"{'.'.join(map(str, path))} would change too: it shares this text through an anchor.",
        nearest,
        hint="give each service its own list first",
    )


def _lines(document: Document) -> list[str]:
    *lines, last = document.content.decode().split("\n")
    return [*(line + "\n" for line in lines), *([last + "\n\\ No newline at end of file\n"] if last else [])]
