"""The facts for the doctor: what the Engine, the socket tables, the log and the ports themselves say of a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.clock import Clock
from cutover.engine.daemon import Daemon
from cutover.engine.vitals import vitals_of
from cutover.flow.look_ports import ASK_S, inside_of, speech_of
from cutover.flow.teststack_facts import LOG_LINES, seconds_since
from cutover.model import Container, ContainerState, Health, Listener, Protocol
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Dependant, Facts, Named, Probed, Queue, Setting
from cutover.ports.firewall import dropping
from cutover.ports.inside import Inside, Source
from cutover.ports.published import Conflict, conflicts
from cutover.ports.sockets import State
from cutover.probes import ProbeSpec, ask
from cutover.probes.base import DEFAULT_TIMEOUT_S
from cutover.wire.speech import Speech, Tongue

PATIENCE_S = 8.0
"""How long a reply is waited for that comes after the client has given up."""
STACK_S = 3.0
FRAMES, STACK_LINES = 4, 16
TELLING = ("environment", "command", "entrypoint")
"""Where a service's settings say whom it asks."""
ADDRESS = re.compile(r"(?:\w+://)?(?:[^@/\s]*@)?([A-Za-z][\w-]*):(\d{2,5})(?=[/?,;\s]|$)")
"""A host and a port, in a URL or bare, in the value of a setting."""
SBIN = ("/usr/sbin", "/sbin")
"""Where the firewall's tools are, if the PATH does not say."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True)
class Ward:
    """What is the same for every service that is examined: Compose's model, all containers, the host's own listeners.

    `firewall` is what `iptables-save` says; `speech_s` how long a port may take to say what it speaks.
    """

    daemon: Daemon
    clock: Clock
    services: Mapping[str, Any] = field(default_factory=dict)
    everyone: Sequence[Container] = ()
    host: Sequence[Listener] = ()
    firewall: str = ""
    speech_s: float = ASK_S


@dataclass(frozen=True, slots=True)
class Question:
    """A probe with the place where it is asked, and the port inside that it is about.

    `patience_s` is how long an answer is waited for, None for as long as the doctor does.
    """

    spec: ProbeSpec
    host: str
    port: int
    target: int
    patience_s: float | None = None


def facts_of(ward: Ward, container: Container, questions: Sequence[Question]) -> Facts:
    """Return what can be seen of a container at this moment; each question is asked once.

    Raises:
        EngineError: the Engine does not answer.

    """
    daemon = ward.daemon
    vitals = vitals_of(daemon, container.id)
    inside = inside_of(daemon, container)
    bindings = sorted(set(container.wanted) | set(container.published))
    leads = [b.target for b in bindings if b.protocol is Protocol.TCP]
    targets = tuple(dict.fromkeys([*leads, *(q.target for q in questions)]))
    here = _spoken(ward, container, targets, inside)
    probed = tuple(_asked(question) for question in questions) if container.running else ()
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
        seconds=seconds_since(ward.clock, container.started_at),
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
    silent = next((p.target for p in probed if not p.ok), None)
    return replace(facts, stack=_stack(facts.process(silent))) if stuck and silent else facts


def _spoken(ward: Ward, container: Container, targets: Sequence[int], inside: Inside) -> dict[int, Speech]:
    if not container.running or not ward.daemon.address.local:
        return {}
    open_ = {x.port for x in inside.listeners if x.protocol is Protocol.TCP and not x.loopback_only}
    known = inside.source is not Source.NONE
    return {
        port: speech_of(ward.daemon, container, port, ward.speech_s) for port in targets if port in open_ or not known
    }


def _asked(question: Question) -> Probed:
    """Ask for longer than the client would, so that a late answer is told from none."""
    spec = question.spec
    limit = spec.timeout_s or DEFAULT_TIMEOUT_S
    patience_s = question.patience_s or max(PATIENCE_S, limit)
    answer = ask(replace(spec, timeout_s=None), question.host, question.port, timeout_s=patience_s)
    late = answer.replied and answer.elapsed_s > limit
    return Probed(
        answer.probe,
        question.target,
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


def _conflicts(ward: Ward, container: Container) -> tuple[Conflict, ...]:
    """Return who holds what it wants, where it does not run."""
    if container.running or container.state is ContainerState.PAUSED:
        return ()
    return tuple(conflicts(container.wanted, ward.everyone, ward.host, leaving=frozenset({container.id})))


def _ephemeral(ward: Ward) -> tuple[int, int] | None:
    if not ward.daemon.address.local:
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
        named = re.search(rf"\b{re.escape(container.service)}\b", json.dumps([service.get(k) for k in TELLING]))
        found.append(Dependant(name, networks, named is not None))
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


def firewall_rules() -> str:
    """Return the host's rules, nothing where they cannot be read: only root may."""
    where = os.pathsep.join([os.environ.get("PATH", ""), *SBIN])
    tools = [shutil.which(name, path=where) for name in ("iptables-save", "ip6tables-save")]
    return "\n".join(_output([tool]) for tool in tools if tool)


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=STACK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _stack(pid: int) -> tuple[str, ...]:
    """Return what the threads of a stuck process do, where py-spy is there and may look."""
    tool = shutil.which("py-spy")
    if tool is None or not pid:
        return ()
    try:
        threads = json.loads(_output([tool, "dump", "--json", "--nonblocking", "--pid", str(pid)]) or "[]")
    except ValueError:
        return ()
    frames = [
        f"{thread.get('thread_name') or thread.get('thread_id')}: {frame['name']} ({frame['filename']}:{frame['line']})"
        for thread in threads
        for frame in thread.get("frames", ())[:FRAMES]
    ]
    return tuple(frames[:STACK_LINES])
