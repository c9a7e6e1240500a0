"""The doctor: facts of each service of a project, gathered at once, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from cutover.clock import Clock
from cutover.engine.daemon import Daemon
from cutover.errors import CutoverError, EngineGoneError, RefusedError, UsageError
from cutover.flow.doctor_facts import Question, Ward, facts_of, firewall_rules
from cutover.flow.look_ports import AT_ONCE
from cutover.flow.ready import Place
from cutover.flow.request import probes_of
from cutover.flow.runs import Result
from cutover.flow.session import Session
from cutover.model import Container, Finding, Severity
from cutover.ports.diagnose import diagnose
from cutover.ports.host import host_listeners
from cutover.ports.table import declared
from cutover.probes import ProbeSpec

HURRY_S = 0.5
STOPPED = frozenset({"exited", "not-started", "host-port-container"})
"""What would be said of a container that cutover stopped."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A service and what was found; `container` is None where it has none."""

    service: str
    container: str | None
    findings: tuple[Finding, ...]

    @property
    def ill(self) -> bool:
        """Say whether something explains why it does not answer."""
        return any(f.severity is Severity.ERROR for f in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def examine(session: Session, service: str | None) -> tuple[list[Examined], list[str]]:
    """Return what is wrong with each service, and what could not be found out, in sentences.

    Raises:
        UsageError: there is no such service.
        EngineError: the Engine does not answer.

    """
    project, daemon, troubles = session.name_project(), session.daemon, []
    try:
        services = session.stack.config().get("services") or {}
    except RefusedError as error:
        services = {}
        troubles += [f"what the compose files say is unknown: {error.message}", *error.evidence]
    everyone = daemon.containers()
    mine = [c for c in everyone if c.project == project]
    names = sorted({c.service for c in mine} | services.keys())
    if service is not None and service not in names:
        raise UsageError(
            "unknown-service",
            f"Project {project} has no service {service!r}.",
            evidence=[f"its services: {', '.join(names) or 'none'}"],
            hint="docker compose ps -a",
        )
    if not daemon.address.local:
        troubles.append("the Engine is on another host: what only shows there is left out")
    local = daemon.address.local
    rules = firewall_rules() if local else ""
    ward = Ward(daemon, session.clock, services, everyone, host_listeners() if local else [], rules)
    probes = probes_of(session.options, session.settings)
    wanted = [c for c in mine if service in {None, c.service}]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        looked = list(pool.map(lambda c: _examined(ward, c, probes), wanted))
    found = [one for one in looked if isinstance(one, Examined)]
    troubles += [one for one in looked if isinstance(one, str)]
    found = [_kept(session, one) for one in found]
    missing = [n for n in names if service in {None, n} and n not in {c.service for c in mine}]
    found += [Examined(name, None, _not_made(services, name)) for name in missing if not _optional(services, name)]
    return sorted(found, key=lambda e: (e.service, e.container or "")), troubles


def _kept(session: Session, one: Examined) -> Examined:
    """Return a green that a swap stopped as what it is: kept for the way back, and not ill."""
    done = [run for run in session.runs().all() if run.outcome == Result.DONE]
    if not done or done[-1].header.get("green") != one.service or (done[-1].result or {}).get("committed"):
        return one
    if not any(f.code in STOPPED for f in one.findings):
        return one
    message = f"{one.container} was stopped by swap {done[-1].id}, and is kept for the way back."
    back = f"cutover rollback {done[-1].id}, or cutover commit"
    return replace(one, findings=(Finding("kept-by-cutover", Severity.INFO, message, (), back),))


def _optional(services: Mapping[str, Any], name: str) -> bool:
    return bool(services.get(name, {}).get("profiles"))


def _not_made(services: Mapping[str, Any], name: str) -> tuple[Finding, ...]:
    ports = ", ".join(str(d) for d in declared(services.get(name, {})))
    evidence = (f"declared ports: {ports}",) if ports else ()
    return (
        Finding("no-container", Severity.ERROR, f"{name} has no container.", evidence, f"docker compose up -d {name}"),
    )


def _examined(ward: Ward, container: Container, probes: Sequence[ProbeSpec]) -> Examined | str:
    """Return what is wrong with a container, or why that cannot be told while the others' can."""
    try:
        facts = facts_of(ward, container, list(_questions(ward.daemon, container, probes)))
    except EngineGoneError:
        raise
    except CutoverError as error:
        return f"{container.name} could not be examined: {error.message}"
    return Examined(container.service, container.name, diagnose(facts))


def _questions(daemon: Daemon, container: Container, probes: Sequence[ProbeSpec]) -> Iterator[Question]:
    """Yield the probes whose host port leads to this container, put as clients put them."""
    leads = {b.host_port: b for b in (*container.wanted, *container.published)}
    for spec in probes:
        if spec.port in leads and not spec.host:
            host = leads[spec.port].host_ip or daemon.address.host
            yield Question(spec, host, spec.port, leads[spec.port].target)


def first_finding(daemon: Daemon, clock: Clock, container: Container, places: Sequence[Place]) -> Finding | None:
    """Return what explains best why a container does not answer at these places; None where nothing does.

    Asked in a hurry, while something waits for the end of a step: nothing is waited for that comes late.
    """
    with suppress(CutoverError, OSError):
        questions = [Question(p.spec, p.host, p.port, p.port, HURRY_S) for p in places]
        found = diagnose(facts_of(Ward(daemon, clock, speech_s=HURRY_S), container, questions))
        return next((f for f in found if f.severity is Severity.ERROR), None)
    return None


def text_of(examined: Sequence[Examined]) -> str:
    """Return what was found as a person reads it: what is ill first, each with evidence and the next command."""
    lines = []
    for one in sorted(examined, key=lambda e: not e.ill):
        name = one.container or one.service
        if not one.findings:
            lines.append(f"{name}: nothing wrong was found")
        for finding in one.findings:
            sure = "" if finding.sure == "certain" else f" ({finding.sure})"
            lines.append(f"{finding.severity}: {finding.code}{sure}: {finding.message}")
            lines += [f"  | {line}" for line in finding.evidence]
            lines += [f"  next: {finding.cure}"] if finding.cure else []
            lines += [f"  as an edit of the file: cutover doctor {one.service} --fix"] if finding.fix else []
    return "\n".join(lines)
