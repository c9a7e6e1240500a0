"""Where every port of a project stands: declared, published, bound on the host, listened on inside, and who speaks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cutover.edge.image import edge_image_name
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import PROJECT_LABEL, ROLE_LABEL
from cutover.errors import RefusedError, UsageError
from cutover.flow.session import Session
from cutover.model import Container, Protocol
from cutover.ports.host import host_listeners
from cutover.ports.inside import Inside, Source, look_inside
from cutover.ports.owners import PROC
from cutover.ports.reach import own_address
from cutover.ports.sockets import TABLES
from cutover.ports.table import Row, Seen, declared, rows
from cutover.redact import masked
from cutover.wire.speech import Speech, Tongue, speech

ASK_S = 1.5
LISTEN_S = 0.3
AT_ONCE = 16
ONE_OFF = "com.docker.compose.oneoff"
EPHEMERAL_FROM = 32768
"""A listener above this that nobody declared is a worker's own, most likely: it is shown, and not asked."""


@dataclass(frozen=True, slots=True)
class Members:
    """The containers of a project and the services of its compose files; `troubles` are what could not be found out."""

    project: str
    services: Mapping[str, Any]
    everyone: list[Container]
    mine: list[Container]
    troubles: list[str]

    @property
    def names(self) -> list[str]:
        """Return the services that there are, in the files or as containers."""
        return sorted({c.service for c in self.mine} | self.services.keys())


def members_of(session: Session, service: str | None) -> Members:
    """Return what there is of a project, the one-off containers of `docker compose run` left out.

    Raises:
        UsageError: there is no such service.
        EngineError: the Engine does not answer.

    """
    project, troubles = session.name_project(), []
    try:
        services = session.stack.config().get("services") or {}
    except RefusedError as error:
        services = {}
        troubles = [f"what the compose files say is unknown: {error.message}", *map(masked, error.evidence)]
    everyone = session.daemon.containers()
    mine = [c for c in everyone if c.project == project and c.labels.get(ONE_OFF, "False") != "True"]
    found = Members(project, services, everyone, mine, troubles)
    if service is not None and service not in found.names:
        near = get_close_matches(service, found.names, 1)
        raise UsageError(
            "unknown-service",
            f"Project {project} has no service {service!r}.",
            evidence=[*troubles, f"its services: {', '.join(found.names) or 'none'}"],
            hint=f"did you mean {near[0]}?" if near else "docker compose ps -a",
        )
    return found


Heard = dict[tuple[str, str, int], Speech]
"""What was heard: by container, the time of its start, and port inside."""


def ports_of(
    session: Session, service: str | None, *, ask: bool = True, heard: Heard | None = None
) -> tuple[list[Row], list[str]]:
    """Return a row for each port, and what could not be found out, in sentences.

    `ask`: find out what each port speaks, too; see `cutover.wire.speech` for the one question that is asked. What is in
    `heard` is not asked again, and what is heard is put there.

    Raises:
        UsageError: there is no such service.
        EngineError: the Engine does not answer.

    """
    members, daemon = members_of(session, service), session.daemon
    heard = {} if heard is None else heard
    troubles = members.troubles
    wanted = [c for c in members.mine if service in {None, c.service}]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        inside = list(pool.map(lambda c: inside_of(daemon, c), wanted))
        asked = [(c, port) for c, i in zip(wanted, inside, strict=True) for port in _to_ask(c, i)] if ask else []
        asked = [(c, port) for c, port in asked if (c.id, c.started_at, port) not in heard]
        said = pool.map(lambda a: speech_of(daemon, *a), asked)
        heard.update(zip(((c.id, c.started_at, port) for c, port in asked), said, strict=True))
    seen = [
        Seen(c, i, {port: str(said) for (owner, start, port), said in heard.items() if (owner, start) == _life(c)})
        for c, i in zip(wanted, inside, strict=True)
    ]
    if not daemon.address.local:
        troubles.append(
            "the Engine is on another host: who holds its ports, and what they speak, is not seen from here"
        )
    host = host_listeners() if daemon.address.local else []
    shown = {name: declared(one) for name, one in members.services.items() if service in {None, name}}
    return rows(shown, seen, members.everyone, host), troubles


def _life(container: Container) -> tuple[str, str]:
    return container.id, container.started_at


def inside_of(daemon: Daemon, container: Container, *, proc: Path = PROC) -> Inside:
    """Return what is open inside a container: by `/proc`, else by its own `cat`, else by a helper beside it."""
    found = look_inside(container, run_inside=lambda argv: daemon.run_inside(container.id, list(argv)), proc=proc)
    image = edge_image_name()
    if found.source is not Source.NONE or not container.running or daemon.image_id(image) is None:
        return found

    def beside(argv: object) -> bytes:
        del argv
        tables = [f"/proc/{table}" for table in TABLES]
        return daemon.run_once(
            image,
            ["cat", *tables],
            network_mode=f"container:{container.id}",
            cap_drop=["ALL"],
            labels={PROJECT_LABEL: container.project, ROLE_LABEL: "look"},
        )

    again = look_inside(container, run_inside=beside, proc=proc)
    return found if again.source is Source.NONE else again


def speech_of(daemon: Daemon, container: Container, port: int, timeout_s: float = ASK_S, *, ask: bool = True) -> Speech:
    """Say what a port inside a container speaks, asked at its own address; its host's where it has none.

    `ask`: put a question where it says nothing of its own accord.
    """
    if not daemon.address.local:
        return Speech(Tongue.NOBODY, why="not asked: the Engine is on another host")
    address = own_address(container) if any(e.ip for e in container.endpoints) else "127.0.0.1"
    if address is None:
        return Speech(Tongue.NOBODY, why="not asked: its own address is on no bridge of this host")
    return speech(address, port, ask=ask, timeout_s=timeout_s, patience_s=min(LISTEN_S, timeout_s))


def _to_ask(container: Container, inside: Inside) -> list[int]:
    """Return the TCP ports that somebody else could ask: those published or wanted, and what listens beside them."""
    if not container.running:
        return []
    mine = {b.target for b in (*container.published, *container.wanted) if b.protocol is Protocol.TCP}
    open_ = {x.port for x in inside.listeners if x.protocol is Protocol.TCP and not x.loopback_only}
    if inside.source is Source.NONE:
        return sorted(mine)
    return sorted(port for port in open_ if port in mine or port < EPHEMERAL_FROM)
