"""What was seen of a service, for a diagnosis: values only, so that what was recorded once can be judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.model import Container, ContainerState, Listener, Protocol
from cutover.ports.firewall import Drop
from cutover.ports.published import Conflict
from cutover.wire.speech import Speech


@dataclass(frozen=True, slots=True)
class Setting:
    """A place that tells the service a port: `environment PORT`, `command --port`."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}={self.port}"


@dataclass(frozen=True, slots=True)
class Probed:
    """The last answer to one probe: `target` is the port inside, `replied` whether anything came back at all.

    `kind` is the scheme of its URL (`zmq`, `http`, `https`, `tcp`), `path` that of an HTTP probe. `late_s` is how long
    the answer took where that was longer than the client waits (`timeout_s`), `waited_s` how long none came; seconds.
    `bare`: it was sent by a DEALER without the empty frame that a REQ puts before a request. `host`: where it was sent.
    """

    probe: str
    target: int
    ok: bool
    replied: bool = False
    detail: str = ""
    kind: str = ""
    path: str = ""
    timeout_s: float = 0.0
    late_s: float | None = None
    waited_s: float = 0.0
    bare: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits at a port inside: connections that nobody has accepted, bytes that nobody has read."""

    connections: int = 0
    unread: int = 0

    def __str__(self) -> str:
        return f"{self.connections} connections not accepted, {self.unread} bytes not read (Recv-Q)"


@dataclass(frozen=True, slots=True)
class Dependant:
    """A service that depends on this one, the networks that it is on, and whether its settings name this one."""

    service: str
    networks: tuple[str, ...]
    names_it: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A place in a service's settings that names a host and a port which no container of its networks has.

    `resolves` is whether that service can look the name up all the same, None where that could not be tried.
    """

    service: str
    where: str
    host: str
    port: int
    resolves: bool | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of a container. `listeners` None: nobody could look inside; `log` has its secrets masked.

    `targets` are the TCP ports inside to which published ports lead. `seconds` count from the container's start.
    `speaks` is what was heard at each port inside, `refused` the ports at which its IPv4 address took no connection.
    `conflicts` are what holds the host ports that it wants and has not; `ephemeral` is the host's own range for
    outgoing connections; `health_command` its healthcheck as Docker runs it; `stack` what its threads do, as `py-spy`
    told. `misnamed` are the places that mean this service, by its port, under a name that nobody has; `firewall` the
    rules that drop what is on its way here; `unproxied` is, by port inside, what holds the host port instead of a
    docker-proxy where the Engine starts none; `unseen` what could not be looked at, in sentences. `test_stack`: it is
    one of cutover's own, which `cutover up` starts.
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
    speaks: Mapping[int, Speech] = field(default_factory=dict)
    refused: frozenset[int] = frozenset()
    queues: Mapping[int, Queue] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    ephemeral: tuple[int, int] | None = None
    health_command: tuple[str, ...] = ()
    dependants: tuple[Dependant, ...] = ()
    misnamed: tuple[Named, ...] = ()
    firewall: tuple[Drop, ...] = ()
    stack: tuple[str, ...] = ()
    unproxied: Mapping[int, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    test_stack: bool = True

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

    @property
    def amiss(self) -> bool:
        """Say whether it does not run, leaves a published port unserved, or failed a probe."""
        well = self.container.running and (self.listeners is None or not self.unmet)
        return not well or any(not p.ok for p in self.probed)

    def process(self, port: int) -> int:
        """Return the process that listens on a port inside, the container's first where that is not known."""
        return next((x.pid for x in self.open if x.port == port and x.pid), self.container.pid)

    def reachable(self, port: int) -> bool:
        """Say whether somebody from outside could meet a listener there, as far as that is known."""
        here = [x for x in self.open if x.port == port]
        return self.listeners is None or (bool(here) and not all(x.loopback_only for x in here))
