"""Every error that cutover raises on purpose.

CutoverError
├── UsageError              the command line or cutover.yaml asks for something that makes no sense (exit 2)
├── RefusedError            a precondition does not hold; nothing was changed (exit 1)
│   ├── EditRefusedError    the compose file cannot be edited safely: file, line and reason
│   ├── FileChangedError    a file is no longer what cutover last read or wrote
│   └── LockHeldError       another cutover works on this project
├── EngineError             Docker Engine or Compose refused, or did not answer
│   └── EngineGoneError     no Engine answers
├── EdgeError               the edge refused a command, or does not answer on its control socket
├── ProbeError              a service did not answer as it should within its deadline
├── StepError               a step of a running plan failed
└── NeedsHandsError         going back failed as well; a person has to look (exit 4)

An adapter translates its library's exceptions into one of these, with `raise ... from`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a cutover command tells its caller (design: rules that do not bend, number 5)."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    ROLLED_BACK = 3
    NEEDS_HANDS = 4
    INTERRUPTED = 130


MOST_CHARS = 4000
"""Of a message, or of a line of evidence: what is quoted in it may be a file that somebody broke."""


def shortened(text: str) -> str:
    """Return a text that a person can read to its end."""
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}... ({len(text) - MOST_CHARS} more characters)"


class CutoverError(Exception):
    """What happened, the evidence, and the next command.

    `reference` is stable and made for machines (`port-not-published`); `message` is one sentence for people;
    `evidence` is what was seen, a fact a line; `hint` is what to do next, a command where there is one.
    """

    exit_code = ExitCode.REFUSED

    def __init__(
        self,
        reference: str,
        message: str,
        *,
        evidence: tuple[str, ...] | list[str] = (),
        hint: str | None = None,
    ) -> None:
        self.reference = reference
        self.message = shortened(message)
        self.evidence = tuple(map(shortened, evidence))
        self.hint = hint
        super().__init__(self.message)

    def as_dict(self) -> dict[str, object]:
        """Return the error as JSON-ready data."""
        return {
            "reference": self.reference,
            "message": self.message,
            "evidence": list(self.evidence),
            "hint": self.hint,
        }


class UsageError(CutoverError):
    """The command line or cutover.yaml asks for something that makes no sense."""

    exit_code = ExitCode.USAGE


class RefusedError(CutoverError):
    """A precondition does not hold; nothing was changed."""


class EditRefusedError(RefusedError):
    """The compose file cannot be edited safely. `file` and `line` (from 1) say where."""

    def __init__(
        self,
        reference: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        evidence: tuple[str, ...] | list[str] = (),
        hint: str | None = None,
    ) -> None:
        self.file = file
        self.line = line
        where = f"{file or 'compose file'}:{line}" if line else file
        hint = hint or f"look at {where or 'the file'}; docker compose config shows what Compose makes of it"
        super().__init__(reference, f"{where}: {message}" if where else message, evidence=evidence, hint=hint)


class FileChangedError(RefusedError):
    """A file is no longer what cutover last read or wrote; it is left as it is."""


class LockHeldError(RefusedError):
    """Another cutover works on this project."""


class EngineError(CutoverError):
    """Docker Engine or Compose refused a request, or did not answer in time."""


class EngineGoneError(EngineError):
    """No Docker Engine answers."""


class EdgeError(CutoverError):
    """The edge refused a command, or does not answer on its control socket."""


class ProbeError(CutoverError):
    """A service did not answer as it should within its deadline."""


class StepError(CutoverError):
    """A step of a running plan failed."""

    exit_code = ExitCode.ROLLED_BACK


class NeedsHandsError(CutoverError):
    """Going back failed as well: a person has to look."""

    exit_code = ExitCode.NEEDS_HANDS
