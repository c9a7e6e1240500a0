"""Where a colour answers for each legacy port: on the host where it holds the port, else at its own address."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cutover.config import Message
from cutover.errors import RefusedError, UsageError
from cutover.flow.observed import canonical
from cutover.flow.request import Options, PortRequest, probes_of
from cutover.flow.session import Session
from cutover.model import TEST_OF_LABEL, TEST_PORTS_LABEL, Colour, Container
from cutover.ports.reach import own_address
from cutover.validate.talk import Address, question_of

TEST = "test"
SUBJECTS = (Colour.GREEN.value, Colour.BLUE.value, TEST)
"""What can be asked by name: green, blue, and blue's test stack."""


@dataclass(frozen=True, slots=True)
class LegacyPort:
    """A port that clients know, and the port on which each colour listens for it inside."""

    host_port: int
    green_target: int
    blue_target: int


def addresses(session: Session, subject: str) -> dict[int, Address]:
    """Return legacy port -> where `green`, `blue`, the `test` stack, or a host by name or address answers for it.

    Raises:
        UsageError: green or blue is not named in cutover.yaml or on the command line, or there is no such service.
        RefusedError: it does not run, or cannot be reached from here.

    """
    if subject not in SUBJECTS:
        return {port: Address(subject, port) for port in _ports_asked(session)}
    containers = session.daemon.containers(session.name_project())
    ports = tuple(_legacy_ports(session, containers))
    if subject == TEST:
        return _of_test_stack(session, containers, ports)
    colour = Colour(subject)
    container = _running(session, containers, _service(session, colour), colour)
    targets = {p.host_port: p.green_target if colour is Colour.GREEN else p.blue_target for p in ports}
    return dict(_of_container(session, container, targets))


def trial_containers(containers: Iterable[Container], of: str | None) -> list[Container]:
    """Return the running containers of test stacks of a service, of every service if none is named."""
    return [c for c in containers if c.running and (label := c.labels.get(TEST_OF_LABEL)) and of in {None, label}]


def _service(session: Session, colour: Colour) -> str:
    options, settings = session.options, session.settings
    named = options.green or settings.green if colour is Colour.GREEN else options.blue or settings.blue
    if not named:
        raise UsageError(
            f"no-{colour}", f"Which service is {colour}?", hint=f"--{colour} NAME, or `{colour}: NAME` in cutover.yaml"
        )
    return named


def _running(session: Session, containers: Iterable[Container], service: str, colour: Colour) -> Container:
    found = [c for c in containers if c.service == service]
    running = [c for c in found if c.running]
    if running:
        return running[0]
    if not found:
        _see_known(session, service, colour)
    states = [f"{c.name}: {c.state}" for c in found]
    known = sorted({c.service for c in containers if c.running})
    near = difflib.get_close_matches(service, known, n=1)
    raise RefusedError(
        "not-running",
        f"No container of {service} runs, so it cannot be asked.",
        evidence=[*states, f"running services: {', '.join(known) or 'none'}"],
        hint=f"did you mean {near[0]}?" if near and not found else session.spoken("status"),
    )


def _see_known(session: Session, service: str, colour: Colour) -> None:
    """See that a service is in the compose files; where Compose rejects these, nothing is known."""
    try:
        services = list(canonical(session.stack).get("services") or {})
    except RefusedError:
        return
    if service in services:
        return
    near = difflib.get_close_matches(service, services, n=1)
    raise UsageError(
        "unknown-service",
        f"There is no service {service!r} in the compose files{f'; did you mean {near[0]!r}?' if near else '.'}",
        evidence=[f"services: {', '.join(sorted(services)) or 'none'}"],
        hint=f"--{colour} NAME, or `{colour}: NAME` in cutover.yaml",
    )


def _legacy_ports(session: Session, containers: Iterable[Container]) -> Iterator[LegacyPort]:
    """Yield what the settings say; without them, what green publishes or wants."""
    named = [PortRequest.parse(p) for p in session.options.ports or session.settings.ports]
    green = session.options.green or session.settings.green
    bindings = {b.host_port: b.target for c in containers if c.service == green for b in (*c.wanted, *c.published)}
    for request in named or [PortRequest(port) for port in bindings]:
        port = request.host_port
        target = bindings.get(port, port)
        yield LegacyPort(port, target, request.blue_target or target)


def _of_container(session: Session, container: Container, targets: dict[int, int]) -> Iterator[tuple[int, Address]]:
    """Yield where a container answers: through the host's port where it holds it, as clients do."""
    inside = own_address(container)
    held = {b.host_port: b for b in container.published}
    for port, target in targets.items():
        if port in held:
            bound = held[port].host_ip
            yield port, Address(session.daemon.address.host if bound in {"", "0.0.0.0", "::"} else bound, port)  # noqa: S104
        elif inside and session.daemon.address.local:
            yield port, Address(inside, target)
        else:
            raise RefusedError(
                "unreachable",
                f"{container.name} does not hold port {port}, and its own address cannot be reached from here.",
                evidence=[f"Engine: {session.daemon.address.url}"],
                hint="run cutover on the Engine's own machine",
            )


def _of_test_stack(
    session: Session, containers: Iterable[Container], ports: Iterable[LegacyPort]
) -> dict[int, Address]:
    blue = session.options.blue or session.settings.blue
    found = trial_containers(containers, blue)
    if not found:
        raise RefusedError(
            "no-test-stack",
            f"No test stack of {blue or 'any service'} runs.",
            hint=session.spoken("up"),
        )
    container = found[0]
    held = {b.target: b for b in container.published}
    told = dict(_labelled(container)) or {
        p.host_port: held[p.blue_target].host_port for p in ports if p.blue_target in held
    }
    return {legacy: Address(session.daemon.address.host, port) for legacy, port in told.items()}


def _labelled(container: Container) -> Iterator[tuple[int, int]]:
    """Yield (legacy port, test port) as the label of a test stack says."""
    for pair in filter(None, container.labels.get(TEST_PORTS_LABEL, "").split(",")):
        legacy, _, port = pair.partition(":")
        if legacy.isdigit() and port.isdigit():
            yield int(legacy), int(port)


def _ports_asked(session: Session) -> list[int]:
    """Return every port that the settings speak of."""
    settings = session.settings
    messages: list[Message] = [*settings.parity.cases, *settings.parity.generate, settings.surface]
    messages += [step for suite in session.suites(settings.suites).values() for step in suite.complete()]
    asked = {question_of(m).port for m in messages if m.to}
    asked |= {p.port for p in probes_of(Options(), settings)}
    return sorted(asked | {PortRequest.parse(p).host_port for p in settings.ports})
