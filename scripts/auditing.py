"""Audit this environment: auditing.py REPOSITORY SECONDS; see scripts/audit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWN = "cutover"
SERVICES = ("pypi", "osv")
"""Where pip-audit asks; the next is asked where one knows nothing at all, as a mirror of packages does."""
CONNECT_S = 5


@dataclass(frozen=True, slots=True)
class Scan:
    """What came of asking one service: how many packages it knew, what is vulnerable, what it could not say."""

    known: int
    findings: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Return what is wrong: a finding, or a package that was left out (as `pip-audit --strict` has it)."""
        return (*self.findings, *(f"{name} could not be looked up" for name in self.unknown))


def main() -> int:
    """Write the bill of materials, scan, say what came of it, and return the exit code."""
    repository, seconds = Path(sys.argv[1]), float(sys.argv[2])
    end = time.monotonic() + seconds
    place = repository / "build" / "sbom.json"
    write_sbom(repository, place, end)
    why = []
    for service in SERVICES:
        scan = asked(service, end)
        if isinstance(scan, Scan) and scan.known:
            return told(scan, service)
        why.append(f"{service}: {scan if isinstance(scan, str) else 'it knows none of the packages'}")
    say("NOT SCANNED: no vulnerability database can be reached", *why)
    return 0


def write_sbom(repository: Path, place: Path, end: float) -> None:
    """Write what is installed as CycloneDX; it asks nobody but the packages' own metadata."""
    place.parent.mkdir(exist_ok=True)
    command = [tool("cyclonedx-py"), "environment", "--pyproject", str(repository / "pyproject.toml")]
    command += ["--no-validate", "--output-reproducible", "--of", "JSON", "-o", str(place), sys.executable]
    try:
        subprocess.run(command, check=True, timeout=left(end), capture_output=True)
    except subprocess.TimeoutExpired:
        return say("no bill of materials: it was not written in time")
    return say(f"{len(json.loads(place.read_bytes())['components'])} packages: {place.relative_to(repository)}")


def asked(service: str, end: float) -> Scan | str:
    """Ask a service about every package; a text says why there is no answer."""
    command = [tool("pip-audit"), "-s", service, "-f", "json", "--progress-spinner", "off", "--skip-editable"]
    try:
        done = subprocess.run(
            [*command, "--timeout", str(CONNECT_S)], capture_output=True, text=True, check=False, timeout=left(end)
        )
        return read(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return "no answer in time"
    except ValueError:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]


def read(told_by: Mapping[str, Any]) -> Scan:
    """Return what pip-audit's JSON says; our own package, which is in no database, does not count."""
    packages: Sequence[Mapping[str, Any]] = [p for p in told_by["dependencies"] if p["name"] != OWN]
    known = [p for p in packages if "skip_reason" not in p]
    findings = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v.get('fix_versions') or ()) or 'no version yet'}"
        for p in known
        for v in p["vulns"]
    ]
    return Scan(len(known), tuple(findings), tuple(p["name"] for p in packages if "skip_reason" in p))


def told(scan: Scan, service: str) -> int:
    """Say what was found, and return the exit code."""
    if scan.failed:
        say(f"VULNERABLE, or not looked up ({service}):", *scan.failed)
        return 1
    say(f"no known vulnerability in {scan.known} packages ({service})")
    return 0


def tool(name: str) -> str:
    """Return a program of this environment."""
    return str(Path(sys.executable).parent / name)


def left(end: float) -> float:
    """Return how many seconds are left, at least a little."""
    return max(0.1, end - time.monotonic())


def say(first: str, *more: str) -> None:
    """Tell a person."""
    print("\n".join([f"audit: {first}", *(f"  {line}" for line in more)]), file=sys.stderr)


if __name__ == "__main__":
    os.environ.pop("PIP_AUDIT_STRICT", None)
    sys.exit(main())
