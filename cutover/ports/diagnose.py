"""Recorded facts -> what is wrong with a service that does not answer as it should, the root cause first. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cutover.model import Container, ContainerState, Finding, Health, Listener, Protocol, Severity

_T = TypeVar("_T")
LOG_LINES = 5
EPHEMERAL_FROM = 32768
"""A listener above this that nobody published is a worker's own, most likely: it explains nothing."""
_OWN_PORT = re.compile(
    r"(?:(?:HTTP|ZMQ|AGENT|SERVICE|SERVER|APP|LISTEN|BIND|HEALTH|API|GRPC|RPC|WEB)_?)?PORT", re.IGNORECASE
)
_SIDE_PORT = re.compile(r"METRIC|PROM|ADMIN|DEBUG|PROF|TELEMETRY|MONITOR", re.IGNORECASE)
"""A port of this name is open beside the service's own, often long before that: it explains nothing."""
SIGNALS = {137: "killed (SIGKILL)", 139: "crashed (SIGSEGV)", 134: "aborted (SIGABRT)", 143: "stopped (SIGTERM)"}
COMMAND_FAILED = {126: "its command cannot be run", 127: "its command is not there"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A place that tells the service a port: `environment PORT`, `command --port`."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}={self.port}"


@dataclass(frozen=True, slots=True)
class Probed:
    """The last answer to one probe: `target` is the port inside, `replied` whether anything came back at all."""

    probe: str
    target: int
    ok: bool
    replied: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of a container. `listeners` None: nobody could look inside; `log` has its secrets masked.

    `targets` are the TCP ports inside to which published ports lead. `seconds` count from the container's start.
    """

    container: Container
    log: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    listeners: tuple[Listener, ...] | None = None
    settings: tuple[Setting, ...] = ()
    probed: tuple[Probed, ...] = ()
    health_output: str = ""
    oom_killed: bool = False
    engine_error: str = ""
    gpu_refusal: str = ""
    seconds: float = 0.0

    @property
    def gone(self) -> bool:
        """Say whether its process has ended."""
        return self.container.state in {ContainerState.EXITED, ContainerState.DEAD}

    @property
    def open(self) -> tuple[Listener, ...]:
        """Return its TCP listeners."""
        return tuple(x for x in self.listeners or () if x.protocol is Protocol.TCP)

    @property
    def unmet(self) -> tuple[int, ...]:
        """Return the targets on which nobody listens; where a probe was answered, somebody does by now."""
        met = {x.port for x in self.open} | {p.target for p in self.probed if p.ok}
        return tuple(t for t in self.targets if t not in met)


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return what is wrong, the root cause first, what is only worth knowing last; nothing where all is well."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda f: _ORDER[f.severity]))


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _gpu_refused(facts: Facts) -> Iterator[Finding]:
    if facts.gpu_refusal:
        yield _error(
            "gpu-refused",
            "The Engine does not take its GPU reservation.",
            [facts.gpu_refusal],
            f"cutover up {facts.container.service} --no-gpu",
        )


def _oom_killed(facts: Facts) -> Iterator[Finding]:
    if facts.oom_killed:
        message = f"{facts.container.name} needed more memory than it may have, and was killed by the kernel."
        yield _error("oom-killed", message, _log(facts), "raise its memory limit (mem_limit, deploy.resources.limits)")


def _exited(facts: Facts) -> Iterator[Finding]:
    if not facts.gone:
        return
    code = facts.container.exit_code
    means = SIGNALS.get(code) or COMMAND_FAILED.get(code)
    message = f"{facts.container.name} exited with code {code}{f': {means}' if means else ''}."
    evidence = [*([f"engine: {facts.engine_error}"] if facts.engine_error else []), *_log(facts)]
    yield _error("exited", message, evidence, f"docker logs {facts.container.name}")


def _restarting(facts: Facts) -> Iterator[Finding]:
    container = facts.container
    if container.state is ContainerState.RESTARTING or (container.restart_count and not facts.gone):
        message = f"{container.name} keeps crashing: restarted {container.restart_count} times by {_policy(container)}."
        evidence = [f"last exit code {container.exit_code}", *_log(facts)]
        yield _error("restarting", message, evidence, f"docker logs {container.name}")


def _policy(container: Container) -> str:
    return f"its restart policy {container.restart_policy}"


def _not_where_published(facts: Facts) -> Iterator[Finding]:
    """Say for each published port on which nobody listens where the service listens instead, and what told it so."""
    if not facts.container.running or facts.listeners is None:
        return
    spare = [x for x in facts.open if x.port not in facts.targets]
    side = {s.port for s in facts.settings if _SIDE_PORT.search(s.name)}
    spare = [x for x in spare if x.port not in side]
    told = [s for s in facts.settings if s.port not in facts.targets and any(x.port == s.port for x in spare)]
    for target in facts.unmet:
        if told:
            yield _mismatch(facts, target, _nearest(told, target, lambda s: s.port))
        elif near := [x for x in spare if x.port < EPHEMERAL_FROM]:
            yield _elsewhere(facts, target, _nearest(near, target, lambda x: x.port))
        else:
            yield from _nothing(facts, target)


def _nearest(found: list[_T], target: int, port: Callable[[_T], int]) -> _T:
    return min(found, key=lambda x: (abs(port(x) - target), port(x)))


def _mismatch(facts: Facts, target: int, setting: Setting) -> Finding:
    return _error(
        "port-mismatch",
        f"{setting} disagrees with the published port, which leads to {target} inside: nobody listens there.",
        [*_listening(facts), *_failed(facts, target)],
        f"set {setting.name.split()[-1]} to {target}, or publish {setting.port} as the target",
    )


def _elsewhere(facts: Facts, target: int, listener: Listener) -> Finding:
    return _error(
        "listens-elsewhere",
        f"{facts.container.name} listens on {listener.port}; its published port leads to {target}: nobody there.",
        [*_listening(facts), *_failed(facts, target)],
        f"publish {listener.port} as the target, or have the service listen on {target}",
    )


def _nothing(facts: Facts, target: int) -> Iterator[Finding]:
    evidence = [*_listening(facts), *_failed(facts, target), *_log(facts)]
    suspects = [s for s in facts.settings if s.port not in facts.targets and _OWN_PORT.fullmatch(s.name.split()[-1])]
    if suspects:
        evidence.insert(0, f"{suspects[0]} disagrees with the published target {target}")
    longer = 60 * max(1, math.ceil(facts.seconds / 30))
    yield _error(
        "nothing-listens",
        f"Nobody listens on {target} inside {facts.container.name}, {facts.seconds:.0f} s after its start.",
        evidence,
        f"it may still be loading: cutover up {facts.container.service} --ready-timeout {longer}; else see its log",
    )


def _loopback_only(facts: Facts) -> Iterator[Finding]:
    for target in facts.targets:
        here = [x for x in facts.open if x.port == target]
        if here and all(x.loopback_only for x in here):
            message = (
                f"{facts.container.name} listens on {here[0].address}:{target} only: no published port reaches it."
            )
            cure = f"have it listen on 0.0.0.0:{target}"
            yield _error("loopback-only", message, [*_listening(facts), *_failed(facts, target)], cure)


def _unhealthy(facts: Facts) -> Iterator[Finding]:
    container = facts.container
    if container.running and container.health is Health.UNHEALTHY:
        message = f"The healthcheck of {container.name} failed {container.failing_streak} times in a row."
        output = [f"healthcheck: {line}" for line in facts.health_output.splitlines()[-LOG_LINES:]]
        yield _error("unhealthy", message, output or ["healthcheck: no output"], "docker inspect; see its healthcheck")


def _answers(facts: Facts) -> Iterator[Finding]:
    """Say of each failed probe whether nothing came back or something else than expected, where a listener is there."""
    if not facts.container.running:
        return
    for probed in facts.probed:
        if probed.ok or not _reachable(facts, probed.target):
            continue
        evidence = [f"probe {probed.probe}", *_log(facts)]
        if probed.replied:
            message = f"{facts.container.name} answers on {probed.target}, and not as expected: {probed.detail}."
            yield _error(
                "wrong-answer", message, evidence, "mend the service, or `expect` of the probe in cutover.yaml"
            )
        else:
            message = f"{facts.container.name} listens on {probed.target} and does not answer: {probed.detail}."
            yield _error("no-answer", message, evidence, f"docker logs {facts.container.name}")


def _reachable(facts: Facts, target: int) -> bool:
    here = [x for x in facts.open if x.port == target]
    return facts.listeners is None or (bool(here) and not all(x.loopback_only for x in here))


def _not_published(facts: Facts) -> Iterator[Finding]:
    """Warn of what listens beside a published port that nobody serves; where all are served it is nobody's business."""
    for port in sorted({x.port for x in facts.open if not x.loopback_only and x.port < EPHEMERAL_FROM}):
        if port not in facts.targets:
            severity = Severity.WARNING if facts.unmet else Severity.INFO
            message = f"{facts.container.name} listens on {port}, which is not published."
            yield Finding("listened-not-published", severity, message, tuple(_listening(facts)), None)


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _gpu_refused,
    _oom_killed,
    _exited,
    _restarting,
    _not_where_published,
    _loopback_only,
    _unhealthy,
    _answers,
    _not_published,
)


def _listening(facts: Facts) -> list[str]:
    seen = [f"{x.address}:{x.port}{f' ({x.command})' if x.command else ''}" for x in facts.open]
    return [f"listens inside: {', '.join(seen) or 'nobody'}"] if facts.listeners is not None else []


def _failed(facts: Facts, target: int) -> list[str]:
    return [f"probe {p.probe}: {p.detail}" for p in facts.probed if p.target == target and not p.ok]


def _log(facts: Facts) -> list[str]:
    return [f"log: {line}" for line in facts.log[-LOG_LINES:]]


def _error(code: str, message: str, evidence: list[str], cure: str) -> Finding:
    return Finding(code, Severity.ERROR, message, tuple(evidence), cure)
