"""The facts for the doctor: what the Engine, the socket tables, the log and the ports themselves say of a container."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.clock import Clock, seconds_since
from cutover.engine.daemon import Daemon
from cutover.engine.vitals import vitals_of
from cutover.errors import CutoverError, EngineGoneError
from cutover.flow.doctor_host import ephemeral_range, stack_of
from cutover.flow.doctor_neighbours import dependants, misnamed
from cutover.flow.look_ports import ASK_S, AT_ONCE, inside_of, speech_of
from cutover.model import Container, ContainerState, Health, Listener, PortBinding, Protocol
from cutover.ports import nft
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Facts, Probed, Queue, Setting
from cutover.ports.firewall import dropping
from cutover.ports.inside import Inside, Source, look_inside, sockets_of
from cutover.ports.published import Conflict, conflicts, overlap
from cutover.ports.reach import own_address
from cutover.ports.rules.common import address_in_use
from cutover.ports.sockets import Socket, State
from cutover.probes import ProbeSpec, ask
from cutover.probes.base import DEFAULT_TIMEOUT_S
from cutover.wire.speech import Speech, Tongue

PATIENCE_S = 8.0
"""How long a reply is waited for that comes after the client has given up."""
HURRY_S = 0.5
HERE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  (what a probe may call this host)
LOG_LINES = 20
HEAD_START_S = 0.3
"""Docker notes the start of a container a little after its process has begun to speak."""
ENGINE = re.compile(r"(?:\S*/)?dockerd(?:\s|$)")
NO_DRIVER = "could not select device driver"


@dataclass(frozen=True, slots=True)
class Ward:
    """What is the same for every service that is examined: Compose's model, all containers, the host's own listeners.

    `firewall` is what `iptables-save` says, `nft` what `nft list ruleset` does; `probes` are the questions of
    `cutover.yaml`. `behind` is, for the containers behind an edge, by ID: the edge's host port -> the port inside.
    `ask`: connections may be opened; `patience_s` is how long an answer is waited for that comes after
    its client has given up, `speech_s` how long a port may take to say what it speaks (0: it is not asked).
    `thorough`: helpers may be started to look further.
    """

    daemon: Daemon
    clock: Clock
    services: Mapping[str, Any] = field(default_factory=dict)
    everyone: Sequence[Container] = ()
    host: Sequence[Listener] = ()
    firewall: str = ""
    nft: str = ""
    probes: Sequence[ProbeSpec] = ()
    behind: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    ask: bool = True
    patience_s: float = PATIENCE_S
    speech_s: float = ASK_S
    thorough: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A probe with the place where it is asked, and the port inside that it is about."""

    spec: ProbeSpec
    host: str
    port: int
    target: int


def facts_of(
    ward: Ward,
    container: Container,
    questions: Sequence[Question] | None = None,
    answered: Sequence[Probed] = (),
) -> Facts:
    """Return what can be seen of a container at this moment; each question is asked once, the ward's if None are given.

    `answered` is what was asked before, and what came of it.

    Raises:
        EngineError: the Engine does not answer.

    """
    daemon = ward.daemon
    vitals = vitals_of(daemon, container.id)
    inside = inside_of(daemon, container) if ward.thorough else _quickly_inside(daemon, container)
    unseen = [] if inside.source is not Source.NONE or not container.running else [f"not seen inside: {inside.reason}"]
    bindings = sorted(set(container.wanted) | set(container.published))
    leads = [b.target for b in bindings if b.protocol is Protocol.TCP]
    asked = _questions(ward, container, inside) if questions is None else questions
    meant = [*(q.target for q in asked), *(p.target for p in answered)]
    targets = tuple(dict.fromkeys([*leads, *meant]))
    now = _all_asked(ward, asked) if container.running and ward.ask else []
    probed = (*answered, *now)
    here = _spoken(ward, container, targets, probed, inside)
    addresses = [e.ip for e in container.endpoints if e.ip]
    container = daemon.container(container.id) or container  # it may have died over a question
    log = _told(unseen, "its log", lambda: _last_words(ward, container))
    health = "" if container.health is Health.NONE else daemon.last_health_output(container.id)
    facts = Facts(
        container=container,
        log=tuple(log),
        targets=targets,
        listeners=None if inside.source is Source.NONE else inside.listeners,
        settings=tuple(Setting(f"{s.where} {s.name}", s.port) for s in vitals.settings),
        probed=probed if container.running else (),
        health_output=health,
        oom_killed=vitals.oom_killed,
        engine_error=vitals.error,
        gpu_refusal=vitals.error if NO_DRIVER in vitals.error else "",
        seconds=seconds_since(ward.clock, container.started_at),
        speaks=here,
        refused=frozenset(p for p, heard in here.items() if heard.tongue is Tongue.NOBODY and "refused" in heard.why),
        # Read once more after the questions: what is not taken waits.
        queues=_queues(sockets_of(container) or inside.sockets, targets),
        conflicts=_conflicts(ward, container, inside, log),
        ephemeral=ephemeral_range() if daemon.address.local else None,
        health_command=vitals.health_command,
        dependants=dependants(container, ward.services, ward.everyone),
        misnamed=misnamed(daemon, container, ward.services, ward.everyone, targets),
        firewall=(*dropping(ward.firewall, addresses, bindings), *nft.dropping(ward.nft, addresses, bindings)),
        unproxied=_unproxied(container, ward.host),
        unseen=tuple(unseen),
        test_stack=False,
    )
    if (
        not ward.thorough
        or inside.source is not Source.PROC
        or not any(f.code == "not-reading" for f in diagnose(facts))
    ):
        return facts
    silent = next(p.target for p in probed if not p.ok and not p.replied)
    return replace(facts, stack=stack_of(facts.process(silent)))


def _last_words(ward: Ward, container: Container) -> list[str]:
    """Return the end of its log in this life, so that what it died of once explains nothing now.

    Where it has ended, or is about to be started again, and said nothing this time: of the lives before, too.
    """
    started = seconds_since(ward.clock, container.started_at)
    since = ward.clock.now().timestamp() - started - HEAD_START_S if started else None
    said = ward.daemon.logs(container.id, tail=LOG_LINES, since=since)
    return said if said or container.running else ward.daemon.logs(container.id, tail=LOG_LINES)


def _quickly_inside(daemon: Daemon, container: Container) -> Inside:
    return look_inside(container, run_inside=lambda argv: daemon.run_inside(container.id, list(argv)))


def _told(unseen: list[str], what: str, ask_for: Callable[[], list[str]]) -> list[str]:
    """Return what the Engine tells, and note where it does not tell this one thing, such as a log that is not kept."""
    try:
        return ask_for()
    except EngineGoneError:
        raise
    except CutoverError as error:
        unseen.append(f"{what} could not be read: {error.message}")
        return []


def _questions(ward: Ward, container: Container, inside: Inside) -> list[Question]:
    """Return the probes whose host port leads to this container, put as clients put them."""
    bindings = [b for b in (*container.published, *container.wanted) if b.protocol is Protocol.TCP]
    own = {x.port for x in inside.listeners} if container.on_host else set()
    behind = ward.behind.get(container.id, {})
    address = own_address(container) if behind else None
    found = []
    for spec in ward.probes:
        if spec.host and spec.host not in HERE:
            continue
        here = (b for b in bindings if b.host_port == spec.port and leads_here(b, spec.host))
        binding = next(here, None)
        if binding is not None:
            host = spec.host or binding.host_ip or ward.daemon.address.host
            found.append(Question(spec, host, spec.port, binding.target))
        elif spec.port in behind and address:
            found.append(Question(spec, address, behind[spec.port], behind[spec.port]))
        elif spec.port in own:
            found.append(Question(spec, spec.host or ward.daemon.address.host, spec.port, spec.port))
    return found


def leads_here(binding: PortBinding, host: str) -> bool:
    """Say whether a binding is met at an address of this host; a name, or none, meets any."""
    return host in {"", "localhost"} or overlap(binding.host_ip, host)


def unasked(ward: Ward, project: str) -> list[str]:
    """Return a sentence for each probe that leads to no container of the project."""
    mine = [c for c in ward.everyone if c.project == project]
    ports = {b.host_port for c in mine for b in (*c.wanted, *c.published) if b.protocol is Protocol.TCP}
    ports |= {port for led in ward.behind.values() for port in led}
    hosts = any(c.on_host for c in mine)
    told = []
    for spec in ward.probes:
        if spec.host and spec.host not in HERE:
            told.append(f"probe {spec} was not asked: it names another host; cutover probe asks it")
        elif spec.port not in ports and not hosts:
            told.append(f"probe {spec} was not asked: no container of this project publishes port {spec.port}")
    return told


def _spoken(
    ward: Ward, container: Container, targets: Sequence[int], probed: Sequence[Probed], inside: Inside
) -> dict[int, Speech]:
    """Return what is heard at the ports whose probe failed; where IPv6 alone may be listened on, only connect."""
    if not container.running or not ward.daemon.address.local or not ward.ask or not ward.speech_s:
        return {}
    failed = {p.target for p in probed if not p.ok}
    open_: dict[int, list[str]] = {}
    for x in inside.listeners:
        if x.protocol is Protocol.TCP and not x.loopback_only:
            open_.setdefault(x.port, []).append(x.address)
    found = {}
    for port in targets:
        here = open_.get(port, [])
        asked = port in failed and (bool(here) or inside.source is Source.NONE)
        if asked or (here and all(":" in address for address in here)):
            found[port] = speech_of(ward.daemon, container, port, ward.speech_s, ask=asked)
    return found


def _all_asked(ward: Ward, questions: Sequence[Question]) -> list[Probed]:
    """Put all questions at once: the slowest says how long it takes."""
    if len(questions) < 2:  # noqa: PLR2004
        return [_asked(ward, question) for question in questions]
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(questions))) as pool:
        return list(pool.map(lambda question: _asked(ward, question), questions))


def _asked(ward: Ward, question: Question) -> Probed:
    """Ask for longer than the client would, so that a late answer is told from none."""
    spec = question.spec
    limit = spec.timeout_s or DEFAULT_TIMEOUT_S
    patience_s = max(ward.patience_s, limit) if ward.thorough else ward.patience_s
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
        0.0 if answer.replied else round(answer.elapsed_s, 1),
        host=question.host,
    )


def _unproxied(container: Container, host: Sequence[Listener]) -> dict[int, str]:
    """Return the published ports that the Engine itself holds: it starts no docker-proxy for them."""
    held = {x.port: x for x in host if x.protocol is Protocol.TCP and ENGINE.match(x.command or "")}
    return {
        b.target: f"host: {held[b.host_port].address}:{b.host_port} is held by the Engine itself (PID "
        f"{held[b.host_port].pid}), and no docker-proxy runs for it"
        for b in container.published
        if b.host_port in held
    }


def _queues(sockets: Sequence[Socket], targets: Sequence[int]) -> dict[int, Queue]:
    queues = {}
    for port in targets:
        here = [s for s in sockets if s.protocol is Protocol.TCP and s.port == port]
        waiting = sum(s.receive_queue for s in here if s.listening)
        unread = sum(s.receive_queue for s in here if s.state is State.ESTABLISHED)
        queues[port] = Queue(waiting, unread)
    return queues


def _conflicts(ward: Ward, container: Container, inside: Inside, log: Sequence[str]) -> tuple[Conflict, ...]:
    """Return who holds what it wants, where it does not run; on the host's own network, where its log says so."""
    wanted: Sequence[PortBinding] = container.wanted
    if container.on_host:
        _, port = address_in_use(log)
        wanted = [PortBinding("", port, port)] if port and port not in {x.port for x in inside.listeners} else []
    elif container.state in {ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING}:
        return ()
    return tuple(conflicts(wanted, ward.everyone, ward.host, leaving=frozenset({container.id})))
