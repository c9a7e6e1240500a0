"""The facts that cutover reasons about, as frozen values. Nothing here does any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Colour(StrEnum):
    """Green answers on the legacy ports now; blue is to replace it."""

    GREEN = "green"
    BLUE = "blue"

    @property
    def other(self) -> Colour:
        """Return the opposite colour."""
        return Colour.BLUE if self is Colour.GREEN else Colour.GREEN


TEST_OF_LABEL = "cutover.test-of"
"""On everything that belongs to a test stack: the service that is tried."""
TEST_PORTS_LABEL = "cutover.test-ports"
"""On the container of a test stack: `5570:20001,6570:20002`, legacy port and the host port where it is tried."""


COPY_OF_LABEL = "cutover.copy-of"
"""On a container that a way back made again: the ID of the one that it is a copy of."""


class Protocol(StrEnum):
    """Transport protocols that Docker publishes."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


@dataclass(frozen=True, slots=True, order=True)
class PortBinding:
    """One published port: `host_ip:host_port` on the host leads to `target` inside the container.

    `host_ip` is "" where Docker was given none (all addresses).
    """

    host_ip: str
    host_port: int
    target: int
    protocol: Protocol = Protocol.TCP

    def __str__(self) -> str:
        host = f"[{self.host_ip}]:" if ":" in self.host_ip else f"{self.host_ip}:" if self.host_ip else ""
        suffix = "" if self.protocol is Protocol.TCP else f"/{self.protocol}"
        return f"{host}{self.host_port}:{self.target}{suffix}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on one Docker network."""

    network: str
    network_id: str
    ip: str
    aliases: tuple[str, ...] = ()


class ContainerState(StrEnum):
    """Docker's own words for a container's state."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Health(StrEnum):
    """Docker's own words for a container's health; NONE where it has no healthcheck."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the Engine describes it.

    `published` is bound on the host at this moment; `wanted` is what it asks for whenever it can bind. A parked
    container wants ports and publishes none. `pid` is its first process in the Engine's PID namespace, 0 if stopped.
    `started_at` is Docker's RFC 3339 text. `failing_streak` counts healthchecks that failed in a row.
    """

    id: str
    name: str
    project: str
    service: str
    state: ContainerState
    health: Health = Health.NONE
    failing_streak: int = 0
    pid: int = 0
    exit_code: int = 0
    image: str = ""
    image_id: str = ""
    started_at: str = ""
    restart_policy: str = "no"
    restart_count: int = 0
    stop_timeout_s: float = 10.0
    published: tuple[PortBinding, ...] = ()
    wanted: tuple[PortBinding, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def running(self) -> bool:
        """Say whether its first process runs."""
        return self.state is ContainerState.RUNNING

    @property
    def completed(self) -> bool:
        """Say whether it ran to its end and succeeded."""
        return self.state is ContainerState.EXITED and self.exit_code == 0

    @property
    def parked(self) -> bool:
        """Say whether it runs, wants host ports, and has none of them."""
        return self.running and bool(self.wanted) and not self.published

    @property
    def on_host(self) -> bool:
        """Say whether it has the host's own network, where nothing is published."""
        return any(e.network == "host" for e in self.endpoints)

    def publishes(self, host_port: int, protocol: Protocol = Protocol.TCP) -> bool:
        """Say whether it holds this host port now."""
        return any(b.host_port == host_port and b.protocol is protocol for b in self.published)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: `address` as text, `inode` and owner where they could be read."""

    address: str
    port: int
    protocol: Protocol = Protocol.TCP
    pid: int | None = None
    command: str | None = None
    inode: int = 0

    @property
    def loopback_only(self) -> bool:
        """Say whether nobody outside its network namespace can reach it."""
        return self.address.startswith("127.") or self.address in {"::1", "::ffff:127.0.0.1"}


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Certainty(StrEnum):
    """How sure a finding is: seen, told by signs that hardly mean anything else, or only one way to read them."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class PortFix:
    """An edit of a service's `ports:`: what leads to `instead_of` leads to `target`; None: that is published too.

    `host_ip` is the address of the host on which it is published, "" for all.
    """

    service: str
    target: int
    instead_of: int | None = None
    host_ip: str = ""

    def __str__(self) -> str:
        if self.instead_of is None:
            return f"publish {self.target} of {self.service}"
        return f"have the published port of {self.service} lead to {self.target} instead of {self.instead_of}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis: what is wrong, the evidence, the cure, and how sure it is. `code` is stable.

    `fix` is the cure as an edit of the compose file, where it is one.
    """

    code: str
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()
    cure: str | None = None
    sure: Certainty = Certainty.CERTAIN
    fix: PortFix | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe got: who answered where, how long it took, and whether it was as expected.

    `identity` is the text that tells the two colours apart, where the probe knows how to read one. `replied` says
    whether anything came back at all.
    """

    ok: bool
    probe: str
    address: str
    elapsed_s: float
    detail: str = ""
    identity: str | None = None
    replied: bool = True
