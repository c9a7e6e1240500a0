"""Green and blue, both answering, and the two ways to have them so."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.errors import RefusedError
from cutover.flow.colours import addresses
from cutover.flow.observed import canonical
from cutover.flow.override import Derived, OverrideRequest, derive, write
from cutover.flow.ready import Place, Wait, wait_ready
from cutover.flow.request import SwapRequest
from cutover.flow.session import Session
from cutover.flow.signals import Interrupted
from cutover.flow.teststack import TestStack, UpRequest, down, up
from cutover.model import Colour
from cutover.probes import ProbeSpec, parse
from cutover.testing.apart import Targets, project_of_its_own, targets_of
from cutover.testing.service import Service
from cutover.validate.talk import Address

if TYPE_CHECKING:
    from testcontainers.compose import DockerCompose

LABEL = "cutover.pytest"
"""On the containers of a project of its own: the process that started it."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Green and blue, both answering. `project` is the Compose project that blue is in, `apart` whether it is its own.

    `take_down` is the command that does what is done at the end anyway, unless `keep` was asked for.
    """

    green: Service
    blue: Service
    project: str
    apart: bool
    take_down: str


@contextmanager
def beside(session: Session, request: SwapRequest, *, keep: bool) -> Iterator[Colours]:
    """Give green as it runs, and blue in a test stack beside it; green is asked, and not touched."""
    name = f"{request.blue}_pytest_{secrets.token_hex(3)}"
    project = session.name_project()
    with tempfile.TemporaryDirectory(prefix="cutover-") as folder, ExitStack() as closing:
        path = Path(folder) / f"{name}.yml"
        with derive(session, OverrideRequest(service=request.blue, name=name, path=path)) as derived:
            write(derived)
            if not keep:  # before it is up: a signal may come between the two
                closing.callback(down, session, name)
            stack = _up(session, UpRequest(name=name, ready_timeout_s=request.ready_timeout_s), derived)
        green = session.daemon.of_service(project, request.green)[0]
        services = (
            _beside(session, request.green, green.id, addresses(session, Colour.GREEN)),
            _beside(session, request.blue, stack.container, stack.ports),
        )
        for service in services:
            closing.callback(service.close)
        yield Colours(*services, project, apart=False, take_down=session.spoken(f"down {name}"))


def _up(session: Session, request: UpRequest, derived: Derived) -> TestStack:
    try:
        return up(session, derived=derived, request=request)
    except Interrupted:
        raise KeyboardInterrupt from None


def _beside(session: Session, name: str, container: str, where: Mapping[int, Address]) -> Service:
    return Service(name, where, session.settings, lambda tail: session.daemon.logs(container, tail=tail))


@contextmanager
def in_own_project(session: Session, request: SwapRequest, *, keep: bool) -> Iterator[Colours]:
    """Give both colours, started with what they depend on in a project that lasts as long as this does."""
    from cutover.testing.compose import started  # noqa: PLC0415  (testcontainers is an extra)

    if not session.daemon.address.local:
        raise RefusedError(
            "remote-engine",
            "The Engine is on another machine, and test ports are published on its loopback only.",
            hint="run pytest on the Engine's own machine, or start green there",
        )
    model = canonical(session.stack)
    name = f"cutover-test-{secrets.token_hex(4)}"
    inside = targets_of(model, request.green, request.ports)
    targets = dict(zip((request.green, request.blue), inside, strict=True))
    with ExitStack() as closing:
        made = project_of_its_own(model, name, targets, {LABEL: str(os.getpid())})
        project = closing.enter_context(started(made, keep=keep))
        services = tuple(_apart(session, project, service, targets[service]) for service in targets)
        for service in services:
            closing.callback(service.close)
            _wait(session, request, name, service)
        green, blue = services
        yield Colours(green, blue, name, apart=True, take_down=f"docker compose -p {name} down --volumes")


def _apart(session: Session, project: DockerCompose, name: str, targets: Targets) -> Service:
    from cutover.testing.compose import address_of, log_of  # noqa: PLC0415

    where = {legacy: address_of(project, name, port) for legacy, port in targets.items()}
    return Service(name, where, session.settings, lambda tail: log_of(project, name, tail))


def _wait(session: Session, request: SwapRequest, project: str, service: Service) -> None:
    """Wait until a colour answers every probe at its test ports."""
    container = session.daemon.of_service(project, service.name)[0]
    wait = Wait(session.daemon, container, session.clock, session.clock.monotonic() + request.ready_timeout_s)
    probes = request.probes or tuple(parse(f"tcp://:{port}") for port in service.ports)
    wait_ready(wait, [_place(probe, service) for probe in probes if probe.port in service.ports])


def _place(probe: ProbeSpec, service: Service) -> Place:
    address = service.address(probe.port)
    return Place(probe, address.host, address.port)
