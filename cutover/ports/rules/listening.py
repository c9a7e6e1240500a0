"""Who listens inside: where, on which address, and where nobody does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from cutover.model import Certainty, Finding, PortFix, Severity
from cutover.ports.facts import Facts, Setting
from cutover.ports.rules.common import error, failed, listening, log

_T = TypeVar("_T")
EPHEMERAL_FROM = 32768
"""A listener above this that nobody published is a worker's own, most likely: it explains nothing."""
_OWN_PORT = re.compile(
    r"(?:(?:HTTP|ZMQ|AGENT|SERVICE|SERVER|APP|LISTEN|BIND|HEALTH|API|GRPC|RPC|WEB)_?)?PORT", re.IGNORECASE
)
_SIDE_PORT = re.compile(r"METRIC|PROM|ADMIN|DEBUG|PROF|TELEMETRY|MONITOR", re.IGNORECASE)
"""A port of this name is open beside the service's own, often long before that: it explains nothing."""
_LOADS = re.compile(
    r"\b(?:loading|downloading|initiali[sz]ing|warming|starting|compiling|restoring|migrating|waiting for)\b|\d\s?%",
    re.IGNORECASE,
)
_STARTING_S = 600.0
"""Beyond this nobody believes that a service is still starting because its log says so."""


def not_where_published(facts: Facts) -> Iterator[Finding]:
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
            yield _elsewhere(facts, target, _nearest(near, target, lambda x: x.port).port)
        else:
            yield from _nothing(facts, target)


def _nearest(found: list[_T], target: int, port: Callable[[_T], int]) -> _T:
    return min(found, key=lambda x: (abs(port(x) - target), port(x)))


def _mismatch(facts: Facts, target: int, setting: Setting) -> Finding:
    return error(
        "port-mismatch",
        f"{setting} disagrees with the published port, which leads to {target} inside: nobody listens there.",
        [*listening(facts), *failed(facts, target)],
        f"set {setting.name.split()[-1]} to {target}, or publish {setting.port} as the target",
        fix=PortFix(facts.container.service, setting.port, target),
    )


def _elsewhere(facts: Facts, target: int, port: int) -> Finding:
    return error(
        "listens-elsewhere",
        f"{facts.container.name} listens on {port}; its published port leads to {target}: nobody there.",
        [*listening(facts), *failed(facts, target)],
        f"publish {port} as the target, or have the service listen on {target}",
        fix=PortFix(facts.container.service, port, target),
    )


def _nothing(facts: Facts, target: int) -> Iterator[Finding]:
    evidence = [*listening(facts), *failed(facts, target), *log(facts)]
    suspects = [s for s in facts.settings if s.port not in facts.targets and _OWN_PORT.fullmatch(s.name.split()[-1])]
    if suspects:
        evidence.insert(0, f"{suspects[0]} disagrees with the published target {target}")
    loads = next((line for line in reversed(facts.log) if _LOADS.search(line)), None)
    longer = 60 * max(1, math.ceil(facts.seconds / 30))
    if loads is not None and not suspects and facts.seconds < _STARTING_S:
        yield error(
            "still-starting",
            f"Nobody listens on {target} inside {facts.container.name} yet: it was started {facts.seconds:.0f} s ago, "
            f"and its log says that it loads: {loads.strip()}",
            evidence,
            f"wait, and look again: cutover doctor {facts.container.service}",
            Certainty.LIKELY,
        )
        return
    yield error(
        "nothing-listens",
        f"Nobody listens on {target} inside {facts.container.name}, {facts.seconds:.0f} s after its start.",
        evidence,
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
    """Warn of what listens and is not published, where somebody was told of it or a published port is not served."""
    if facts.on_host:
        return
    for port in sorted({x.port for x in facts.open if not x.loopback_only and x.port < EPHEMERAL_FROM}):
        if port in facts.targets:
            continue
        told = [str(s) for s in facts.settings if s.port == port and not _SIDE_PORT.search(s.name)]
        told += [f"log: {line}" for line in facts.log if re.search(rf"\b{port}\b", line)][:1]
        meant = bool(told) and bool(facts.targets) and not facts.unmet  # else it is where an unmet one should lead
        severity = Severity.WARNING if facts.unmet or meant else Severity.INFO
        message = f"{facts.container.name} listens on {port}, which is not published."
        cure = f"ports: [{port}:{port}], if somebody outside is to ask it" if meant else None
        fix = PortFix(facts.container.service, port) if meant else None
        yield Finding("listened-not-published", severity, message, (*listening(facts), *told), cure, fix=fix)
