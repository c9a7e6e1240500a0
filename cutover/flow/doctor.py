"""The doctor: facts of each service of a project, gathered at once, and what they mean."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cutover.engine.vitals import vitals_of
from cutover.errors import RefusedError, UsageError
from cutover.flow.look_ports import AT_ONCE, inside_of, speech_of
from cutover.flow.request import probes_of
from cutover.flow.session import Session
from cutover.flow.teststack_facts import LOG_LINES, seconds_since
from cutover.model import Container, ContainerState, Finding, Health, Listener, PortBinding, Protocol, Severity
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Dependant, Facts, Named, Probed, Queue, Setting
from cutover.ports.firewall import dropping
from cutover.ports.host import host_listeners
from cutover.ports.inside import Inside, Source
from cutover.ports.published import conflicts
from cutover.ports.sockets import State
from cutover.ports.table import declared
from cutover.probes import ProbeSpec, ask
from cutover.probes.base import DEFAULT_TIMEOUT_S
from cutover.wire.speech import Speech, Tongue

PATIENCE_S = 8.0
"""How long a reply is waited for that comes after the client has given up."""
STACK_S = 3.0
STACK_LINES = 12
ADDRESS = re.compile(r"(?:\w+://)?(?:[^@/\s]*@)?([A-Za-z][\w-]*):(\d{2,5})(?=[/?,;\s]|$)")
"""A host and a port, in a URL or bare, in the value of a setting."""
SBIN = ("/usr/sbin", "/sbin")
"""Where the firewall's tools are, if the PATH does not say."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


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


@dataclass(frozen=True, slots=True)
class Ward:
    """What is the same for every service that is examined."""

    session: Session
    services: Mapping[str, Any]
    everyone: Sequence[Container]
    host: Sequence[Listener]
    probes: Sequence[ProbeSpec]
    firewall: str


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
    ward = Ward(
        session,
        services,
        everyone,
        host_listeners() if daemon.address.local else [],
        probes_of(session.options, session.settings),
        _firewall() if daemon.address.local else "",
    )
    wanted = [c for c in mine if service in {None, c.service}]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = list(pool.map(lambda c: _examined(ward, c), wanted))
    missing = [n for n in names if service in {None, n} and n not in {c.service for c in mine}]
    found += [Examined(name, None, _not_made(services, name)) for name in missing if not _optional(services, name)]
    return sorted(found, key=lambda e: (e.service, e.container or "")), troubles


def _optional(services: Mapping[str, Any], name: str) -> bool:
    return bool(services.get(name, {}).get("profiles"))


def _not_made(services: Mapping[str, Any], name: str) -> tuple[Finding, ...]:
    ports = ", ".join(str(d) for d in declared(services.get(name, {})))
    evidence = (f"declared ports: {ports}",) if ports else ()
    return (
        Finding("no-container", Severity.ERROR, f"{name} has no container.", evidence, f"docker compose up -d {name}"),
    )


def _examined(ward: Ward, container: Container) -> Examined:
    return Examined(container.service, container.name, diagnose(facts_of(ward, container)))


def facts_of(ward: Ward, container: Container) -> Facts:
    """Return what can be seen of a container at this moment; each probe of its ports is asked once."""
    daemon = ward.session.daemon
    vitals = vitals_of(daemon, container.id)
    inside = inside_of(daemon, container)
    bindings = sorted(set(container.wanted) | set(container.published))
    targets = tuple(dict.fromkeys(b.target for b in bindings if b.protocol is Protocol.TCP))
    here = _spoken(ward, container, targets, inside)
    probed = tuple(_asked(ward, container, spec, bindings) for spec in _mine(ward, bindings))
    container = daemon.container(container.id) or container  # it may have died over a question
    facts = Facts(
        container=container,
        log=tuple(daemon.logs(container.id, tail=LOG_LINES)),
        targets=targets,
        listeners=None if inside.source is Source.NONE else inside.listeners,
        settings=tuple(Setting(f"{s.where} {s.name}", s.port) for s in vitals.settings),
        probed=probed if container.running else (),
        health_output="" if container.health is Health.NONE else daemon.last_health_output(container.id),
        oom_killed=vitals.oom_killed,
        engine_error=vitals.error,
        seconds=seconds_since(ward.session, container.started_at),
        speaks=here,
        refused=frozenset(p for p, heard in here.items() if heard.tongue is Tongue.NOBODY and "refused" in heard.why),
        queues=_queues(inside, targets),
        conflicts=_conflicts(ward, container),
        ephemeral=_ephemeral(ward),
        health_command=vitals.health_command,
        dependants=_dependants(ward, container),
        misnamed=_misnamed(ward, container, targets),
        firewall=dropping(ward.firewall, [e.ip for e in container.endpoints if e.ip], bindings),
        test_stack=False,
    )
    stuck = any(f.code == "not-reading" for f in diagnose(facts))
    return replace(facts, stack=_stack(container)) if stuck else facts


def _spoken(ward: Ward, container: Container, targets: Sequence[int], inside: Inside) -> dict[int, Speech]:
    if not container.running or not ward.session.daemon.address.local:
        return {}
    open_ = {x.port for x in inside.listeners if x.protocol is Protocol.TCP and not x.loopback_only}
    known = inside.source is not Source.NONE
    return {port: speech_of(ward.session.daemon, container, port) for port in targets if port in open_ or not known}


def _mine(ward: Ward, bindings: Sequence[PortBinding]) -> list[ProbeSpec]:
    """Return the probes whose host port leads to this container."""
    ports = {b.host_port for b in bindings}
    return [spec for spec in ward.probes if spec.port in ports and not spec.host]


def _asked(ward: Ward, container: Container, spec: ProbeSpec, bindings: Sequence[PortBinding]) -> Probed:
    """Ask for longer than the client would, so that a late answer is told from none."""
    binding = next(b for b in bindings if b.host_port == spec.port)
    limit = spec.timeout_s or DEFAULT_TIMEOUT_S
    if not container.running:
        return Probed(str(spec), binding.target, ok=False)
    host = binding.host_ip or ward.session.daemon.address.host
    answer = ask(replace(spec, timeout_s=None), host, spec.port, timeout_s=max(PATIENCE_S, limit))
    late = answer.replied and answer.elapsed_s > limit
    return Probed(
        answer.probe,
        binding.target,
        answer.ok and not late,
        answer.replied,
        answer.detail,
        spec.kind.value,
        spec.path,
        limit,
        round(answer.elapsed_s, 1) if late else None,
    )


def _queues(inside: Inside, targets: Sequence[int]) -> dict[int, Queue]:
    queues = {}
    for port in targets:
        here = [s for s in inside.sockets if s.protocol is Protocol.TCP and s.port == port]
        waiting = sum(s.receive_queue for s in here if s.listening)
        unread = sum(s.receive_queue for s in here if s.state is State.ESTABLISHED)
        queues[port] = Queue(waiting, unread)
    return queues


def _conflicts(ward: Ward, container: Container) -> tuple[Any, ...]:
    """Return who holds what it wants, where it does not run."""
    if container.running or container.state is ContainerState.PAUSED:
        return ()
    return tuple(conflicts(container.wanted, ward.everyone, ward.host, leaving=frozenset({container.id})))


def _ephemeral(ward: Ward) -> tuple[int, int] | None:
    if not ward.session.daemon.address.local:
        return None
    try:
        low, high = EPHEMERAL.read_text().split()
    except (OSError, ValueError):
        return None
    return int(low), int(high)


def _dependants(ward: Ward, container: Container) -> tuple[Dependant, ...]:
    """Return the services that the compose files have depend on this one, with the networks of their containers."""
    found = []
    for name, service in ward.services.items():
        if container.service not in (service.get("depends_on") or {}):
            continue
        theirs = [c for c in ward.everyone if c.project == container.project and c.service == name and c.endpoints]
        networks = tuple(sorted({e.network for c in theirs for e in c.endpoints}))
        found.append(Dependant(name, networks))
    return tuple(found)


def _misnamed(ward: Ward, container: Container, targets: Sequence[int]) -> tuple[Named, ...]:
    """Return what services that may depend on this one call it, where nobody has that name on their networks."""
    found = []
    for name, service in ward.services.items():
        theirs = [c for c in ward.everyone if c.project == container.project and c.service == name and c.endpoints]
        if container.service not in (service.get("depends_on") or {}) or not theirs:
            continue
        networks = {e.network for c in theirs for e in c.endpoints}
        known = {n for c in ward.everyone for e in c.endpoints if e.network in networks for n in (c.name, *e.aliases)}
        known |= {"localhost", *(link.split(":")[-1] for link in service.get("links") or ())}
        known |= {re.split("[=:]", entry)[0] for entry in service.get("extra_hosts") or ()}
        for key, value in (service.get("environment") or {}).items():
            for host, port in ADDRESS.findall(str(value or "")):
                if int(port) in targets and host not in known and "." not in host:
                    found.append(Named(name, key, host, int(port)))
    return tuple(found)


def _firewall() -> str:
    """Return the host's rules, nothing where they cannot be read: only root may."""
    where = os.pathsep.join([os.environ.get("PATH", ""), *SBIN])
    tools = [shutil.which(name, path=where) for name in ("iptables-save", "ip6tables-save")]
    return "\n".join(_output([tool]) for tool in tools if tool)


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=STACK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _stack(container: Container) -> tuple[str, ...]:
    """Return what the threads of a stuck process do, where py-spy is there and may look."""
    tool = shutil.which("py-spy")
    if tool is None or not container.pid:
        return ()
    try:
        threads = json.loads(_output([tool, "dump", "--json", "--nonblocking", "--pid", str(container.pid)]) or "[]")
    except ValueError:
        return ()
    frames = [
        f"{thread.get('thread_name') or thread.get('thread_id')}: {frame['name']} ({frame['filename']}:{frame['line']})"
        for thread in threads
        for frame in thread.get("frames", ())[:2]
    ]
    return tuple(frames[:STACK_LINES])


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
    return "\n".join(lines)
