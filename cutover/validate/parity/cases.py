"""Where the cases come from: cutover.yaml, files, recordings, generators; complete, named, ready to be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cutover.config import Case, Parity, read_yaml, validated
from cutover.config.parity import CaseFile
from cutover.errors import UsageError
from cutover.events import Note, Observer, Silence
from cutover.validate.parity.generate import generated
from cutover.validate.parity.recordings import read_recording
from cutover.validate.talk import question_of, title_of

RECORDING = ".jsonl"
MASKED_TAG = "masked"
"""`cutover record` puts it on a case in which it masked something."""
NOT_REPLAYABLE_TAG = "not-replayable"
"""`cutover record` puts it on a case that cannot be asked again as it was: it is left out."""
LONGEST_NAME = 80


def load_cases(
    parity: Parity, folder: Path, files: Sequence[Path] | None = None, observer: Observer | None = None
) -> tuple[Case, ...]:
    """Return every case, with what `parity:` says for all and a name of its own; () where nobody wrote any.

    `folder` is where cutover.yaml is; `files`, relative to the current folder, stand in for all that it says.

    Raises:
        UsageError: a file is not there, is empty or damaged, or a case makes no sense; with file and line.
        RefusedError: cases are to be generated, and Hypothesis is not installed.

    """
    if files is not None:
        found = [pair for file in files for pair in _from_file(Path(file))]
    else:
        found = [("", case) for case in parity.cases]
        found += [pair for pattern in parity.files for file in _matching(folder, pattern) for pair in _from_file(file)]
        for number, generator in enumerate(parity.generate, start=1):
            found += [("", c) for c in generated(generator, number, parity.seed, folder, observer or Silence())]
    found = list(_replayable(found, observer or Silence()))
    return tuple(_named(_checked(parity.complete(case), where) for where, case in found))


def _replayable(found: Sequence[tuple[str, Case]], observer: Observer) -> Iterator[tuple[str, Case]]:
    """Yield the cases that can be asked, and tell of those that are left out or ask something else."""
    masked = sum(MASKED_TAG in case.tags for _, case in found)
    if masked:
        observer.tell(
            Note(f"{masked} of {len(found)} cases have masked values: they ask something else than was recorded")
        )
    lost = sum(NOT_REPLAYABLE_TAG in case.tags for _, case in found)
    if lost:
        observer.tell(Note(f"{lost} of {len(found)} cases cannot be asked as they were recorded: they are left out"))
    yield from (pair for pair in found if NOT_REPLAYABLE_TAG not in pair[1].tags)


def picked(cases: Sequence[Case], tags: Sequence[str] = (), limit: int | None = None) -> tuple[Case, ...]:
    """Return the cases that have one of the tags, all without any, and the first `limit` of them.

    Raises:
        UsageError: no case has a tag that is asked for.

    """
    known = sorted({tag for case in cases for tag in case.tags})
    for tag in tags:
        if tag not in known:
            raise UsageError(
                "unknown-tag",
                f"No case has the tag {tag!r}.",
                evidence=[f"tags: {', '.join(known) or 'none'}"],
                hint="`tags: [...]` on a case",
            )
    chosen = [case for case in cases if not tags or set(tags) & set(case.tags)]
    return tuple(chosen[:limit])


def _named(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the cases with names that are different: the second of one name is `name #2`."""
    seen: Counter[str] = Counter()
    for case in cases:
        name = title_of(case)[:LONGEST_NAME]
        seen[name] += 1
        yield case.model_copy(update={"name": name if seen[name] == 1 else f"{name} #{seen[name]}"})


def _checked(case: Case, where: str) -> Case:
    prefix = f"{where}: " if where else ""
    if case.to is None:
        message = f"{prefix}case {title_of(case)!r} does not say `to:`, and neither does `parity:`."
        raise UsageError("no-address", message, hint="to: zmq://:5570")
    if urlsplit(case.to).hostname:
        message = f"{prefix}case {title_of(case)!r} names a host: {case.to}; green and blue would both be asked there."
        raise UsageError("names-a-host", message, hint="write the legacy port only: zmq://:5570")
    try:
        question_of(case)
    except UsageError as error:
        raise UsageError(
            error.reference, f"{prefix}{error.message}", evidence=error.evidence, hint=error.hint
        ) from error
    return case


def _matching(folder: Path, pattern: str) -> list[Path]:
    file = folder / pattern
    if file.is_file() or not any(sign in pattern for sign in "*?["):
        return [file]
    base = Path(pattern)
    root, rest = (Path(base.anchor), str(base.relative_to(base.anchor))) if base.is_absolute() else (folder, pattern)
    found = sorted(p for p in root.glob(rest) if p.is_file())
    if not found:
        raise UsageError(
            "no-such-file", f"No file fits {pattern!r} in {folder}.", hint="`files:` under `parity:` in cutover.yaml"
        )
    return found


def _from_file(file: Path) -> list[tuple[str, Case]]:
    if file.suffix == RECORDING:
        found = [(f"{file}:{line}", case) for line, case in read_recording(file)]
    else:
        found = list(_from_yaml(file))
    if not found:
        what = "recording" if file.suffix == RECORDING else "file"
        raise UsageError("no-cases", f"{file} holds no case: the {what} is empty.", hint=_EXAMPLE)
    return found


def _from_yaml(file: Path) -> Iterator[tuple[str, Case]]:
    try:
        content = read_yaml(file)
    except FileNotFoundError as error:
        raise UsageError("no-such-file", f"{file} is not there.", hint="write it, or mend the name") from error
    if content is None:
        return
    within: tuple[str | int, ...] = ()
    items = content
    if isinstance(content, dict):
        validated(CaseFile, content, file)
        within, items = ("cases",), content.get("cases", [])
    if not isinstance(items, list):
        message = f"{file}:1: expected a list of cases, or `cases:` with one."
        raise UsageError("config-invalid", message, hint=_EXAMPLE)
    for number in range(len(items)):
        yield f"{file}:{_line(items, number)}", validated(Case, content, file, within=(*within, number))


def _line(items: Any, number: int) -> int:
    marks = getattr(getattr(items, "lc", None), "data", None) or {}
    return int(marks[number][0]) + 1 if number in marks else 1


_EXAMPLE = "- {to: zmq://:5570, request: {method: health_check}}"
