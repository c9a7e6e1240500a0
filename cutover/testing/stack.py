"""Both colours, running: blue's test stack beside a green that runs, else both in a project of their own."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from cutover.errors import RefusedError
from cutover.flow.observed import canonical
from cutover.flow.ready import Place, Wait, wait_ready
from cutover.flow.request import Options, SwapRequest, swap_request
from cutover.flow.session import Session, opened
from cutover.probes import ProbeSpec, parse
from cutover.testing.apart import Targets, project_of_its_own, targets_of
from cutover.testing.service import Service

if TYPE_CHECKING:
    from testcontainers.compose import DockerCompose

LABEL = "cutover.pytest"
"""On the containers of a project of its own: the process that started it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to try. Says what the options of that name say on cutover's command line.

    `apart` starts both colours in a project of their own even where green runs; `keep` leaves them up.
    """

    files: tuple[Path, ...] = ()
    project: str | None = None
    apart: bool = False
    keep: bool = False


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
def both(wanted: Wanted) -> Iterator[Colours]:
    """Give both colours, and take down what was started for it, Ctrl-C and SIGTERM included.

    Raises:
        CutoverError: there is no such project, or a colour did not start or answer; nothing is left.

    """
    options = Options(files=wanted.files, project=wanted.project)
    with _terminable(), opened(options) as session:
        request = swap_request(options, session.settings)
        with _apart(session, request, keep=wanted.keep) as colours:
            yield colours


@contextmanager
def _apart(session: Session, request: SwapRequest, *, keep: bool) -> Iterator[Colours]:
    from cutover.testing.compose import started  # noqa: PLC0415  (testcontainers is an extra)

    if not session.daemon.address.local:
        raise RefusedError(
            "remote-engine",
            "The Engine is on another machine, and test ports are published on its loopback only.",
            hint="run pytest on the Engine's own machine",
        )
    model = canonical(session.stack)
    inside = targets_of(model, request.green, request.ports)
    targets = dict(zip((request.green, request.blue), inside, strict=True))
    name = f"cutover-test-{secrets.token_hex(4)}"
    with ExitStack() as closing:
        project = closing.enter_context(
            started(project_of_its_own(model, name, targets, {LABEL: str(os.getpid())}), keep=keep)
        )
        green, blue = (_service(session, project, name, targets[name]) for name in targets)
        closing.callback(green.close)
        closing.callback(blue.close)
        for made in (green, blue):
            _wait(session, request, name, made, targets[made.name])
        yield Colours(green, blue, name, apart=True, take_down=f"docker compose -p {name} down --volumes")


def _service(session: Session, project: DockerCompose, name: str, targets: Targets) -> Service:
    from cutover.testing.compose import address_of, log_of  # noqa: PLC0415

    addresses = {legacy: address_of(project, name, port) for legacy, port in targets.items()}
    return Service(name, addresses, session.settings, lambda tail: log_of(project, name, tail))


def _wait(session: Session, request: SwapRequest, project: str, service: Service, targets: Targets) -> None:
    """Wait until a colour answers every probe."""
    container = session.daemon.of_service(project, service.name)[0]
    wait = Wait(session.daemon, container, session.clock, session.clock.monotonic() + request.ready_timeout_s)
    probes = request.probes or tuple(parse(f"tcp://:{port}") for port in targets)
    wait_ready(wait, [_place(probe, service) for probe in probes if probe.port in targets])


def _place(probe: ProbeSpec, service: Service) -> Place:
    address = service.address(probe.port)
    return Place(probe, address.host, address.port)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the tests as Ctrl-C does: by default they end Python at once, with nothing undone."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    untended = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]
    for number in untended:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in untended:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
