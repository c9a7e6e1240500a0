"""Two sides, name by name: present, missing, stubbed, only in blue. Pure: what is known goes in, findings come out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cutover.model import Finding, Severity
from cutover.validate.results import error, warning
from cutover.validate.surface.evidence import Evidence, Side, State

_NEAR = 0.82


class Standing(StrEnum):
    """Where a method of green stands in blue."""

    PRESENT = "present"
    MISSING = "missing"
    STUBBED = "stubbed"
    SILENT = "silent"
    ONLY_IN_BLUE = "only in blue"
    UNTOLD = "untold"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Row:
    """One name on both sides. `near` is a name that only blue has and that may be meant; `why` says what is untold."""

    name: str
    standing: Standing
    green: Evidence
    blue: Evidence
    findings: tuple[Finding, ...] = ()
    near: str = ""
    why: str = ""


def compared(green: Side, blue: Side, ignore: tuple[str, ...] = ()) -> tuple[Row, ...]:
    """Return what becomes of every name that either side has, by name."""
    return tuple(_row(name, green, blue, ignore) for name in sorted(_names(green, blue)))


def names_of(sides: Iterable[Side]) -> list[str]:
    """Return every name that one of the sides speaks of, in a stable order."""
    found: dict[str, None] = {}
    for side in sides:
        found.update(dict.fromkeys(side.listed))
        found.update(dict.fromkeys(sorted(side.recorded)))
        found.update(dict.fromkeys(side.reading.named() if side.reading else ()))
        found.update(dict.fromkeys(side.asked))
    return list(found)


def _names(green: Side, blue: Side) -> Iterator[str]:
    for name in names_of((green, blue)):
        ours, theirs = green.of(name), blue.of(name)
        if (ours.present or theirs.present or ours.sources or theirs.sources) and not _is_noise(ours, theirs):
            yield name


def _is_noise(green: Evidence, blue: Evidence) -> bool:
    """Say whether a name is none of a method, for all that is known: nobody is sure, and nothing differs."""
    if not green.present and not blue.present:
        return True
    unsure = not (green.present and green.sure) and not (blue.present and blue.sure)
    return unsure and green.present == blue.present and bool(green.stub) == bool(blue.stub)


def _row(name: str, green: Side, blue: Side, ignore: tuple[str, ...]) -> Row:  # noqa: PLR0911  (a line for each)
    ours, theirs = green.of(name), blue.of(name)
    if name in ignore:
        return Row(name, Standing.IGNORED, ours, theirs)
    if not ours.present:
        return _without_green(name, ours, theirs)
    if ours.asked.state is not State.SILENT and theirs.asked.state is State.SILENT:
        return _silent(name, ours, theirs)
    if not theirs.present:
        return _missing(name, ours, theirs, green, blue) if theirs.decided else _untold(name, ours, theirs)
    if ours.sure and not theirs.sure:
        return _doubtful(name, ours, theirs)
    if theirs.stub and not ours.stub:
        return _stubbed(name, ours, theirs)
    return Row(name, Standing.PRESENT, ours, theirs)


def _without_green(name: str, green: Evidence, blue: Evidence) -> Row:
    if green.decided or not blue.sure:
        said = Finding("only-in-blue", Severity.INFO, f"Only blue has {name!r}.", _evidence(green, blue))
        return Row(name, Standing.ONLY_IN_BLUE, green, blue, (said,) if blue.sure else ())
    return Row(name, Standing.UNTOLD, green, blue, why="nothing says whether green has it")


def _untold(name: str, green: Evidence, blue: Evidence) -> Row:
    return Row(name, Standing.UNTOLD, green, blue, why=blue.asked.told or "nothing says whether blue has it")


def _missing(name: str, green: Evidence, blue: Evidence, ours: Side, theirs: Side) -> Row:
    near = _near(name, ours, theirs)
    hint = f"; blue has {near!r}" if near else ""
    cure = "add it to blue, or put it under `ignore:` of `surface:` if nobody needs it"
    if green.sure:
        found = error("missing-method", f"Blue lacks {name!r}{hint}.", *_evidence(green, blue), cure=cure)
    else:
        told = f"Blue lacks {name!r}, which green's source may have as a method{hint}."
        found = warning("maybe-missing-method", told, *_evidence(green, blue), cure=cure)
    return Row(name, Standing.MISSING, green, blue, (found,), near)


def _doubtful(name: str, green: Evidence, blue: Evidence) -> Row:
    told = f"Blue may lack {name!r}: its source has the name only where it may be something else."
    found = warning("maybe-missing-method", told, *_evidence(green, blue), cure="ask blue as well (--blue-on)")
    return Row(name, Standing.MISSING, green, blue, (found,))


def _stubbed(name: str, green: Evidence, blue: Evidence) -> Row:
    make = error if green.sure and blue.sure else warning
    told = f"Blue has {name!r} as a stub only: {blue.stub}."
    found = make("stubbed-method", told, *_evidence(green, blue), cure="finish it, or put it under `ignore:`")
    return Row(name, Standing.STUBBED, green, blue, (found,))


def _silent(name: str, green: Evidence, blue: Evidence) -> Row:
    if green.answered:
        told = f"Blue does not answer {name!r}, and green does: {blue.asked.told}."
        return Row(name, Standing.SILENT, green, blue, (error("silent-method", told, *_evidence(green, blue)),))
    told = f"Blue does not answer {name!r}: {blue.asked.told}."
    return Row(name, Standing.SILENT, green, blue, (warning("silent-method", told, *_evidence(green, blue)),))


def _evidence(green: Evidence, blue: Evidence) -> tuple[str, ...]:
    return (*(f"green {w}" for w in green.words()), *(f"blue {w}" for w in blue.words()))


def _near(name: str, green: Side, blue: Side) -> str:
    """Return the name that only blue has and that is spelt nearly so, "" if there is none."""
    others = [n for n in names_of([blue]) if n != name and blue.of(n).present and not green.of(n).present]
    plain = {_plain(n): n for n in others}
    if _plain(name) in plain:
        return plain[_plain(name)]
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=_NEAR)
    return plain[close[0]] if close else ""


def _plain(name: str) -> str:
    """Return a name as `loadModel` and `load_model` have it in common."""
    return re.sub(r"[^a-z0-9{}/]", "", name.lower())
