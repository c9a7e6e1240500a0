"""Recorded facts -> what is wrong with a service that does not answer as it should, the root cause first. Pure."""

from __future__ import annotations

from cutover.model import Finding, Severity
from cutover.ports.facts import Facts
from cutover.ports.rules import RULES

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return what is wrong, the root cause first, what is only worth knowing last; nothing where all is well."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda f: _ORDER[f.severity]))
