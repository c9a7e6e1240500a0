"""What every rule says in the same way."""

from __future__ import annotations

from collections.abc import Iterable

from cutover.model import Certainty, Finding, PortFix, Severity
from cutover.ports.facts import Facts

LOG_LINES = 5


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
    seen = [f"{x.address}:{x.port}{f' ({x.command})' if x.command else ''}" for x in facts.open]
    return [f"listens inside: {', '.join(seen) or 'nobody'}"] if facts.listeners is not None else []


def failed(facts: Facts, target: int) -> list[str]:
    """Return what the probes of a port that failed got."""
    return [f"probe {p.probe}: {p.detail}" for p in facts.probed if p.target == target and not p.ok]
