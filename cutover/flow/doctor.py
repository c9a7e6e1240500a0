"""The doctor: facts of each service of a project, gathered at once, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from cutover.engine.stack import scale_of
from cutover.errors import CutoverError, EngineGoneError
from cutover.flow.doctor_facts import Ward, facts_of, unasked
from cutover.flow.doctor_host import firewall_rules, nft_rules
from cutover.flow.edge_record import load
from cutover.flow.look_ports import AT_ONCE, members_of
from cutover.flow.request import probes_of
from cutover.flow.runs import Result
from cutover.flow.session import Session
from cutover.model import Container, Finding, Severity
from cutover.ports.diagnose import diagnose
from cutover.ports.host import host_listeners
from cutover.ports.table import declared

COMPOSE = re.compile(r"docker compose (?=up|stop|down|ps|logs)")
OWN = re.compile(r"\bcutover (doctor|ports|up|probe|rollback|commit)\b")
STOPPED = frozenset({"exited", "not-started", "host-port-container"})
"""What would be said of a container that cutover stopped."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A service and what was found; `container` is None where it has none.

    `answered` counts its probes that were answered; `unseen` is what of it could not be looked at, in sentences.
    """

    service: str
    container: str | None
    findings: tuple[Finding, ...]
    answered: int = 0
    unseen: tuple[str, ...] = ()

    @property
    def ill(self) -> bool:
        """Say whether something explains why it does not answer, or nothing at all could be seen of it."""
        return any(f.severity is Severity.ERROR for f in self.findings) or (
            self.container is None and bool(self.unseen)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def examine(session: Session, service: str | None, *, ask: bool = True) -> tuple[list[Examined], list[str]]:
    """Return what is wrong with each service, and what could not be found out, in sentences.

    `ask`: open connections to its ports, and put the probes.

    Raises:
        UsageError: there is no such service.
        EngineError: the Engine does not answer.

    """
    members, daemon = members_of(session, service), session.daemon
    troubles = members.troubles
    local = daemon.address.local
    rules, unread = firewall_rules() if local else ("", "")
    if not local:
        troubles.append("the Engine is on another host: what only shows there is left out")
    troubles += [unread] if unread else []
    host = host_listeners() if local else []
    probes = probes_of(session.options, session.settings)
    nft = nft_rules() if local else ""
    behind = _behind_edge(session, troubles)
    ward = Ward(daemon, session.clock, members.services, members.everyone, host, rules, nft, probes, behind, ask)
    troubles += unasked(ward, members.project) if ask else ["nothing was asked: --no-ask"]
    wanted = [c for c in members.mine if service in {None, c.service}]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        looked = list(pool.map(lambda c: _examined(ward, c), wanted))
    gone = [one for one in looked if isinstance(one, EngineGoneError)]
    if gone and len(gone) == len(looked):
        raise gone[0]
    found = [_kept(session, one) for one in looked if isinstance(one, Examined)]
    found += [
        Examined(c.service, None, (), 0, (f"{c.name} was not examined to the end: {one.message}",))
        for c, one in zip(wanted, looked, strict=True)
        if isinstance(one, EngineGoneError)
    ]
    present = {c.service for c in members.mine}
    missing = [n for n in members.names if service in {None, n} and n not in present]
    found += [
        Examined(name, None, _not_made(members.services, name))
        for name in missing
        if service is not None or not _optional(members.services.get(name, {}))
    ]
    found = [replace(one, findings=tuple(_spoken(session, f) for f in one.findings)) for one in found]
    return sorted(found, key=lambda e: (e.service, e.container or "")), troubles


def _behind_edge(session: Session, troubles: list[str]) -> dict[str, dict[int, int]]:
    """Return which containers are behind the project's edge, by ID: its host ports -> the ports inside."""
    runs = session.runs()
    try:
        record = load(runs.state, runs.folder.name)
    except CutoverError as error:
        troubles.append(error.message)
        return {}
    if record is None:
        return {}
    troubles.append(f"the legacy ports are the edge's, and are not looked at here: {session.spoken('edge status')}")
    return {
        place.container_id: {
            b.host_port: place.targets[p.port] for p in record.ports for b in p.bindings if p.port in place.targets
        }
        for place in record.slots.values()
    }


def _spoken(session: Session, finding: Finding) -> Finding:
    """Return a finding whose commands have the options that this one had."""
    if finding.cure is None:
        return finding
    compose, own = session.said(compose=True), session.said()
    cure = COMPOSE.sub(f"docker compose {compose} " if compose else "docker compose ", finding.cure)
    return replace(finding, cure=OWN.sub(lambda m: f"cutover {m[1]} {own}" if own else m[0], cure))


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


def _optional(service: Mapping[str, Any]) -> str:
    """Say why a service is meant to have no container, "" where it is not: a profile, or a scale of none."""
    if scale_of(service) == 0:
        return "it is scaled to none"
    return f"it is started with --profile {service['profiles'][0]} only" if service.get("profiles") else ""


def _not_made(services: Mapping[str, Any], name: str) -> tuple[Finding, ...]:
    service = services.get(name, {})
    ports = ", ".join(str(d) for d in declared(service))
    evidence = (f"declared ports: {ports}",) if ports else ()
    why = _optional(service)
    severity = Severity.INFO if why else Severity.ERROR
    message = f"{name} has no container{f': {why}' if why else ''}."
    scale = f"--scale {name}=1 " if scale_of(service) == 0 else ""
    return (Finding("no-container", severity, message, evidence, f"docker compose up -d {scale}{name}"),)


def _examined(ward: Ward, container: Container) -> Examined | EngineGoneError:
    """Return what is wrong with a container, or why that cannot be told while the others' can."""
    try:
        facts = facts_of(ward, container)
    except EngineGoneError as error:
        return error
    except CutoverError as error:
        return Examined(container.service, None, (), 0, (f"{container.name} could not be examined: {error.message}",))
    answered = sum(p.ok for p in facts.probed)
    return Examined(container.service, container.name, diagnose(facts), answered, facts.unseen)


def text_of(examined: Sequence[Examined], spoken: Callable[[str], str]) -> str:
    """Return what was found as a person reads it: what is ill first, each with evidence and the next command.

    `spoken` says a command with the options that this one had.
    """
    lines = []
    for one in sorted(examined, key=lambda e: not e.ill):
        if not one.findings and one.container:
            lines.append(_well(one))
        for finding in one.findings:
            sure = "" if finding.sure == "certain" else f" ({finding.sure})"
            lines.append(f"{finding.severity}: {finding.code}{sure}: {finding.message}")
            lines += [f"  | {line}" for line in finding.evidence]
            lines += [f"  next: {finding.cure}"] if finding.cure else []
            edit = spoken(f"doctor {one.service} --fix")
            lines += [f"  as an edit of the file: {edit}"] if finding.fix else []
        lines += [f"  {line}" if one.container else line for line in one.unseen]
    return "\n".join(lines)


def _well(one: Examined) -> str:
    asked = f"{one.answered} probe{'s' * (one.answered != 1)} answered" if one.answered else "no probe was put to it"
    what = "nothing wrong was seen, but not all could be" if one.unseen else "nothing wrong was found"
    return f"{one.container}: {what}; {asked}"
