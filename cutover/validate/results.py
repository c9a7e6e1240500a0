"""What smoke, parity, surface and the test stack say in the end: checks, each with findings; made to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cutover.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: a step of a suite, a parity case, a method. Seconds count what it took.

    `findings` say what was wrong or worth knowing; the check failed if one of them is an error. `skipped` says why it
    was not done at all.
    """

    name: str
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    detail: str = ""
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Say whether nothing was wrong."""
        return not any(f.severity is Severity.ERROR for f in self.findings)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verb found out about one subject: `Verdict("smoke", "health", "blue", checks, figures)`.

    `figures` are JSON-ready measurements; `findings` are about the whole and belong to no check.
    """

    verb: str
    name: str
    subject: str
    checks: tuple[Check, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Say whether every check passed, and nothing is wrong with the whole."""
        return all(c.passed for c in self.checks) and not any(f.severity is Severity.ERROR for f in self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return what was wrong, the whole first, then check by check."""
        every = [*self.findings, *(f for c in self.checks for f in c.findings)]
        return tuple(f for f in every if f.severity is Severity.ERROR)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "verb": self.verb,
            "name": self.name,
            "subject": self.subject,
            "passed": self.passed,
            "figures": dict(self.figures),
            "findings": [finding_dict(f) for f in self.findings],
            "checks": [
                {
                    "name": c.name,
                    "passed": c.passed,
                    "skipped": c.skipped or None,
                    "seconds": round(c.seconds, 6),
                    "detail": c.detail,
                    "findings": [finding_dict(f) for f in c.findings],
                }
                for c in self.checks
            ],
        }


def finding_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON-ready data."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "message": finding.message,
        "evidence": list(finding.evidence),
        "cure": finding.cure,
    }


def error(code: str, message: str, *evidence: str, cure: str | None = None) -> Finding:
    """Return a finding that fails its check."""
    return Finding(code, Severity.ERROR, message, evidence, cure)


def warning(code: str, message: str, *evidence: str, cure: str | None = None) -> Finding:
    """Return a finding that is worth knowing and fails nothing."""
    return Finding(code, Severity.WARNING, message, evidence, cure)
