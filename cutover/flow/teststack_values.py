"""What a test stack is asked to be, what it is when it is ready, and how it says that it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutover.errors import CutoverError, ProbeError
from cutover.model import Finding
from cutover.validate.results import finding_dict
from cutover.validate.talk import Address


@dataclass(frozen=True, slots=True)
class TestStack:
    """A test stack that is ready: `ports` says for each legacy port where it answers; `findings` are warnings."""

    __test__ = False

    service: str
    of: str
    container: str
    file: Path
    ports: Mapping[int, Address]
    seconds: float
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "service": self.service,
            "of": self.of,
            "container": self.container,
            "file": str(self.file),
            "ports": {str(legacy): str(address) for legacy, address in self.ports.items()},
            "seconds": round(self.seconds, 3),
            "findings": [finding_dict(f) for f in self.findings],
        }


class NotReadyError(ProbeError):
    """A test stack did not become ready; `findings` say why, the root cause first."""

    def __init__(self, error: CutoverError, findings: tuple[Finding, ...], evidence: list[str], hint: str) -> None:
        self.findings = findings
        super().__init__(error.reference, error.message, evidence=evidence, hint=hint)

    def as_dict(self) -> dict[str, object]:
        """Return the error as JSON-ready data."""
        return {**super().as_dict(), "findings": [finding_dict(f) for f in self.findings]}


@dataclass(frozen=True, slots=True)
class UpRequest:
    """How a test stack is wanted. No `override` means `overrides/NAME.yml`, derived where it is not there.

    `ready_timeout_s` None leaves it to the settings; `keep` leaves a stack that did not become ready as it is.
    `run_jobs` lets a one-shot job run again that it depends on, even over data that others use.
    """

    name: str | None = None
    override: Path | None = None
    no_gpu: bool = False
    keep: bool = False
    ready_timeout_s: float | None = None
    run_jobs: bool = False
