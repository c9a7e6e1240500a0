"""Who listens inside: where, on which address, and where nobody does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from cutover.model import Certainty, Finding, Health, PortFix, Severity
from cutover.ports.facts import Facts, Setting
from cutover.ports.rules.common import error, failed, listening, log

_T = TypeVar("_T")
EPHEMERAL_FROM = 32768
"""A listener above this that nobody published is a worker's own, most likely: it explains nothing."""
_OWN_PORT = re.compile(
    r"-{0,2}(?:(?:HTTP|ZMQ|AGENT|SERVICE|SERVER|APP|LISTEN|BIND|HEALTH|API|GRPC|RPC|WEB)[_-]?)*PORT|-p", re.IGNORECASE
)
"""The names by which a service is told its own port; `REDIS_PORT` is somebody else's, even where he runs beside it."""
_SIDE_PORT = re.compile(r"METRIC|PROM|ADMIN|DEBUG|PROF|TELEMETRY|MONITOR", re.IGNORECASE)
"""A port of this name is open beside the service's own, often long before that: it explains nothing."""
_LOADS = re.compile(
    r"\b(?:loading|downloading|initiali[sz]ing|warming|starting|compiling|restoring|migrating|"
    r"waiting for(?! (?:new |incoming )?(?:connection|request|client|job|message|event|work|task)))\b|\d\s?%",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"^\s*(?:Traceback \(most recent call last\)|\w*(?:Error|Exception)\b|panic: |fatal)", re.IGNORECASE
)
_FOR_OTHERS = re.compile(r"health|http|status|ready", re.IGNORECASE)
_STARTING_S = 600.0
"""Beyond this nobody believes that a service is still starting because its log says so."""


def not_where_published(facts: Facts) -> Iterator[Finding]:
    """Say for each published port on which nobody listens where the service listens instead, and what told it so.

    What it listens on besides is no proof: only where one published port and one listener are left over is it certain.
    """
    if not facts.container.running or facts.listeners is None:
        return
    spare = _spare(facts)
    told = [s for s in facts.settings if s.port in spare and _own(s)]
    loads = _loads(facts, spare)
    for target in facts.unmet:
        if told and (loads is None or facts.targets == (target,)):
            alone = len(facts.unmet) == 1 and len({s.port for s in told}) == 1
            yield _mismatch(facts, target, _nearest(told, target, lambda s: s.port), alone=alone)
        elif spare and loads is None:
            alone = facts.targets == (target,) and len(spare) == 1
            yield _elsewhere(facts, target, _nearest(list(spare), target, int), alone=alone)
        else:
            yield _nothing(facts, target, loads)


def _spare(facts: Facts) -> frozenset[int]:
    """Return the ports that are open to the outside and that nobody published, those of metrics and the like left out.

    A worker's own port, high and random, explains nothing, unless a setting names it.
    """
    side = {s.port for s in facts.settings if _SIDE_PORT.search(s.name)}
    named = {s.port for s in facts.settings}
    open_ = {x.port for x in facts.open if not x.loopback_only and (x.port < EPHEMERAL_FROM or x.port in named)}
    return frozenset(open_ - side - set(facts.targets))


def _own(setting: Setting) -> bool:
    return _OWN_PORT.fullmatch(setting.name.split()[-1]) is not None


def _loads(facts: Facts, spare: frozenset[int]) -> str | None:
    """Return the line that says that it loads, None where none does; where something is open already, its last one.

    A line that names an open port is about that, and one before a traceback was followed by something worse.
    """
    if facts.seconds >= _STARTING_S:
        return None
    for line in reversed(facts.log[-1:] if spare else facts.log):
        if _FAILED.search(line):
            return None
        if _LOADS.search(line) and not any(re.search(rf"\b{port}\b", line) for port in spare):
            return line.strip()
    return None


def _severity(facts: Facts, target: int) -> Severity:
    """Return how grave it is that nobody listens on a published port: it may be one that is seldom used."""
    asked = any(p.target == target and not p.ok for p in facts.probed)
    served = set(facts.targets) - set(facts.unmet)
    ill = facts.container.health is Health.UNHEALTHY or any(not p.ok for p in facts.probed)
    return Severity.ERROR if asked or ill or not served else Severity.WARNING


def _nearest(found: list[_T], target: int, port: Callable[[_T], int]) -> _T:
    return min(found, key=lambda x: (abs(port(x) - target), port(x)))


def _mismatch(facts: Facts, target: int, setting: Setting, *, alone: bool) -> Finding:
    return Finding(
        "port-mismatch",
        _severity(facts, target),
        f"{setting} disagrees with the published port, which leads to {target} inside: nobody listens there.",
        (*listening(facts), *failed(facts, target)),
        f"set {setting.name.split()[-1]} to {target}, or publish {setting.port} as the target",
        Certainty.CERTAIN if alone else Certainty.LIKELY,
        PortFix(facts.container.service, setting.port, target) if alone else None,
    )


def _elsewhere(facts: Facts, target: int, port: int, *, alone: bool) -> Finding:
    return Finding(
        "listens-elsewhere",
        _severity(facts, target),
        f"{facts.container.name} listens on {port}; its published port leads to {target}: nobody there.",
        (*listening(facts), *failed(facts, target)),
        f"publish {port} as the target, or have the service listen on {target}",
        Certainty.CERTAIN if alone else Certainty.POSSIBLE,
        PortFix(facts.container.service, port, target) if alone else None,
    )


def _nothing(facts: Facts, target: int, loads: str | None) -> Finding:
    evidence = [*listening(facts), *failed(facts, target), *log(facts)]
    suspects = [s for s in facts.settings if s.port not in facts.targets and _own(s)]
    if suspects:
        evidence.insert(0, f"{suspects[0]} disagrees with the published target {target}")
    longer = 60 * max(1, math.ceil(facts.seconds / 30))
    if loads is not None and not suspects:
        return Finding(
            "still-starting",
            _severity(facts, target),
            f"Nobody listens on {target} inside {facts.container.name} yet: it was started {facts.seconds:.0f} s ago, "
            f"and its log says that it loads: {loads}",
            tuple(evidence),
            f"wait, and look again: cutover doctor {facts.container.service}",
            Certainty.LIKELY,
        )
    return Finding(
        "nothing-listens",
        _severity(facts, target),
        f"Nobody listens on {target} inside {facts.container.name}, {facts.seconds:.0f} s after its start.",
        tuple(evidence),
        f"it may still be loading: cutover up {facts.container.service} --ready-timeout {longer}; else see its log"
        if facts.test_stack
        else f"have it listen on 0.0.0.0:{target}; docker logs {facts.container.name}",
    )


def loopback_only(facts: Facts) -> Iterator[Finding]:
    """Say that a listener takes connections from inside alone."""
    for target in facts.targets:
        here = [x for x in facts.open if x.port == target]
        if here and all(x.loopback_only for x in here):
            message = (
                f"{facts.container.name} listens on {here[0].address}:{target} only: no published port reaches it."
            )
            cure = f"have it listen on 0.0.0.0:{target}"
            yield error("loopback-only", message, [*listening(facts), *failed(facts, target)], cure)


def ipv6_only(facts: Facts) -> Iterator[Finding]:
    """Say that a listener takes IPv6 alone, while Docker's ports lead to the container's IPv4 address."""
    for target in facts.targets:
        here = [x for x in facts.open if x.port == target and not x.loopback_only]
        if here and all(":" in x.address for x in here) and target in facts.refused:
            yield error(
                "ipv6-only",
                f"{facts.container.name} listens on [{here[0].address}]:{target} and takes IPv6 alone; its published "
                "port leads to its IPv4 address, which refuses.",
                [*listening(facts), *failed(facts, target)],
                f"have it listen on 0.0.0.0:{target}, or on [::]:{target} without IPV6_V6ONLY",
            )


def not_published(facts: Facts) -> Iterator[Finding]:
    """Warn of what listens and is not published, where somebody was told of it or a published port is not served.

    An edit that publishes it is offered only where a setting names it: what is open inside may be nobody's business.
    """
    if facts.container.on_host:
        return
    side = {s.port for s in facts.settings if _SIDE_PORT.search(s.name)}
    for port in sorted({x.port for x in facts.open if not x.loopback_only and x.port < EPHEMERAL_FROM}):
        if port in facts.targets:
            continue
        set_ = [str(s) for s in facts.settings if s.port == port and port not in side and _own(s)]
        said = [f"log: {line}" for line in facts.log if _names(line, port)][:1]
        meant = bool(set_ or said) and bool(facts.targets) and not facts.unmet
        severity = Severity.WARNING if facts.unmet or meant else Severity.INFO
        message = f"{facts.container.name} listens on {port}, which is not published."
        cure = f"ports: [{port}:{port}], if somebody outside is to ask it" if meant else None
        address = next((b.host_ip for b in facts.container.published), "")
        fix = PortFix(facts.container.service, port, host_ip=address) if meant and set_ else None
        yield Finding(
            "listened-not-published", severity, message, (*listening(facts), *set_, *said), cure, Certainty.LIKELY, fix
        )


def _names(line: str, port: int) -> bool:
    """Say whether a line of the log tells that somebody is to ask this port: a server for health or HTTP on it."""
    told = re.search(rf"(?::|\bports?\b\D*(?:\d+\D+)*){port}\b", line)
    return told is not None and _FOR_OTHERS.search(line) is not None
