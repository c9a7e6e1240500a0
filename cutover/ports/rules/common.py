"""What every rule says in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cutover.model import Certainty, Finding, PortFix, Severity
from cutover.ports.facts import Facts

LOG_LINES = 5
IN_USE = re.compile(r"address already in use|EADDRINUSE|errno 98|errno: 98", re.IGNORECASE)
PORT = re.compile(r":(\d{2,5})\b")


def error(
    code: str,
    message: str,
    evidence: Iterable[str],
    cure: str,
    sure: Certainty = Certainty.CERTAIN,
    *,
    fix: PortFix | None = None,
) -> Finding:
    """Return a finding that explains why the service does not answer."""
    return Finding(code, Severity.ERROR, message, tuple(evidence), cure, sure, fix)


def log(facts: Facts) -> list[str]:
    """Return the end of its log."""
    return [f"log: {line}" for line in facts.log[-LOG_LINES:]]


def listening(facts: Facts) -> list[str]:
    """Return who listens inside, in a line; nothing where nobody could look."""
    seen = [f"{x.address}:{x.port}{f' ({program(x.command)})' if x.command else ''}" for x in facts.open]
    return [f"listens inside: {', '.join(seen) or 'nobody'}"] if facts.listeners is not None else []


def failed(facts: Facts, target: int) -> list[str]:
    """Return what the probes of a port that failed got."""
    return [f"probe {p.probe}: {p.detail}" for p in facts.probed if p.target == target and not p.ok]


def address_in_use(lines: Sequence[str]) -> tuple[str, int | None]:
    """Return the last line of a log that says that an address is in use, "" where none does, and the port it names."""
    said = [line for line in lines if IN_USE.search(line)]
    ports = (int(found[1]) for line in reversed(said) for found in PORT.finditer(line))
    return (said[-1] if said else ""), next(ports, None)


def program(command: str) -> str:
    """Return what a command line runs: the program and its first argument that is no option."""
    first, *others = command.split() or [""]
    return " ".join([first, *[word for word in others if not word.startswith("-")][:1]])
