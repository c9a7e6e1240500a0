"""The compose file of the edge, `overrides/edge.yml`: a project of its own beside the user's; pure.

Of its own, so that `docker compose up --remove-orphans` of the user's project never takes it away. The same facts give
the same bytes. Whatever text comes in is quoted, so that no name or path says anything else than itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cutover.edge.shape import NAME, EdgePort, valid
from cutover.errors import UsageError
from cutover.model import PortBinding, Protocol

INSIDE = "/run/cutover"
"""Where the containers see the state folder of their generation."""
PROJECT_LABEL = "io.cutover.project"
GENERATION_LABEL = "io.cutover.edge"
GRACE_S = 2
"""HAProxy ends at once, the broker within a second. As PID 1, neither hears SIGTERM before it has started."""
NOTHING = '""'
PROXIES = tuple(
    name for kind in ("http", "https", "ftp", "no", "all") for name in (f"{kind.upper()}_PROXY", f"{kind}_proxy")
)
HEADER = re.compile(r"\A# The edge of (\S+), generation (\d+)\n")


class Part(StrEnum):
    """The two containers of an edge; the value is the service's name, but for the generation."""

    HTTP = "edge-http"
    ZMQ = "edge-zmq"


COMMANDS = {
    Part.HTTP: ("haproxy", "-W", "-db", "-f", f"{INSIDE}/haproxy/haproxy.cfg"),
    Part.ZMQ: ("python3", "-m", "cutover.edge.broker", f"{INSIDE}/broker"),
}


@dataclass(frozen=True, slots=True)
class EdgeFile:
    """What the file says. `folder` is absolute, and private to `uid`; `networks` are Docker's names of them."""

    project: str
    generation: int
    image: str
    folder: Path
    uid: int
    gid: int
    networks: tuple[str, ...]
    ports: tuple[EdgePort, ...]

    def __post_init__(self) -> None:
        """Refuse what a compose file cannot say."""
        valid(NAME, self.project, "a project's name")
        if not self.folder.is_absolute():
            raise UsageError("relative-folder", f"{self.folder} is no absolute path.")
        if not self.ports or not self.networks:
            raise UsageError("edge-empty", "An edge needs a port to own, and a network on which a colour is.")
        other = [str(b) for p in self.ports for b in p.bindings if b.protocol is not Protocol.TCP]
        if other:
            raise UsageError("edge-tcp-only", "The edge forwards TCP, and nothing else.", evidence=other)

    @property
    def compose_project(self) -> str:
        """Return the name of the project that this file makes."""
        return f"{self.project}-edge"

    @property
    def services(self) -> tuple[str, ...]:
        """Return the names of its services."""
        return tuple(service_name(part, self.generation) for part in Part if self.ports_of(part))

    def ports_of(self, part: Part) -> tuple[EdgePort, ...]:
        """Return the ports of one container."""
        return tuple(p for p in self.ports if p.mode.zeromq is (part is Part.ZMQ))


def service_name(part: Part, generation: int) -> str:
    """Return a service's name: one for each generation, so that two can run beside each other during an upgrade."""
    return f"{part}-{generation}"


def render(file: EdgeFile) -> bytes:
    """Return the file's bytes.

    Raises:
        UsageError: a path or a name is no text.

    """
    return "".join(f"{line}\n" for line in _lines(file)).encode()


def generation_of(content: bytes, project: str) -> int | None:
    """Return which generation of a project's edge a file is, None where it is no file that `render` wrote for it."""
    found = HEADER.match(content.decode("utf-8", "replace"))
    return int(found[2]) if found and found[1] == project else None


def _lines(file: EdgeFile) -> Iterator[str]:
    yield f"# The edge of {file.project}, generation {file.generation}"
    yield "#"
    yield "# The containers that own its legacy ports and forward to one colour. Written by cutover, and written anew"
    yield "# when the edge changes: what is edited here is lost."
    yield "# To take it away by hand, which interrupts its clients: write the ports below into the service that serves,"
    yield "# in the compose file of the project, and then, FILE being this one:"
    yield f"#   docker compose -p {file.compose_project} -f FILE down"
    yield f"#   docker compose -p {file.project} up -d"
    yield ""
    yield f"name: {_text(file.compose_project)}"
    yield ""
    yield "services:"
    for part in Part:
        if file.ports_of(part):
            yield from _indented(_service(file, part))
    yield ""
    yield "networks:"
    for key, network in _networks(file):
        yield f"  {key}:"
        yield f"    name: {_text(network)}"
        yield "    external: true"


def _service(file: EdgeFile, part: Part) -> Iterator[str]:
    yield f"{service_name(part, file.generation)}:"
    yield from _indented(_settings(file, part))
    yield "  ports:"
    bindings = dict.fromkeys(b for p in file.ports_of(part) for b in p.bindings)
    for binding in bindings:
        yield from _indented(_port(binding), "    ")


def _settings(file: EdgeFile, part: Part) -> Iterator[str]:
    yield f"image: {_text(file.image)}"
    yield f"command: [{', '.join(_text(word) for word in COMMANDS[part])}]"
    yield f'user: "{file.uid}:{file.gid}"'
    yield "restart: unless-stopped"
    yield f"stop_grace_period: {GRACE_S}s"
    yield "read_only: true"
    yield 'cap_drop: ["ALL"]'
    yield 'security_opt: ["no-new-privileges:true"]'
    # No ulimits: an Engine that may not raise its own limit (rootless, nested) starts no container that asks for more.
    # HAProxy raises its soft limit to the hard one by itself, and the broker does so too.
    # Compose gives every container the proxies of ~/.docker/config.json, passwords and all; the edge needs none.
    yield f"environment: {{{', '.join(f'{name}: {NOTHING}' for name in PROXIES)}}}"
    yield "labels:"
    yield f"  {PROJECT_LABEL}: {_text(file.project)}"
    yield f'  {GENERATION_LABEL}: "{file.generation}"'
    yield "volumes:"
    yield "  - type: bind"
    yield f"    source: {_text(str(file.folder))}"
    yield f"    target: {INSIDE}"
    yield "    bind:"
    yield "      create_host_path: false"
    yield f"networks: [{', '.join(key for key, _ in _networks(file))}]"


def _port(binding: PortBinding) -> Iterator[str]:
    yield f"- target: {binding.target}"
    yield f'  published: "{binding.host_port}"'
    if binding.host_ip:
        yield f"  host_ip: {_text(binding.host_ip)}"
    yield "  protocol: tcp"


def _networks(file: EdgeFile) -> Iterator[tuple[str, str]]:
    """Yield a key for each network that Compose takes whatever its name is, and the name."""
    yield from ((f"net-{number}", name) for number, name in enumerate(dict.fromkeys(file.networks), start=1))


def _indented(lines: Iterable[str], by: str = "  ") -> Iterator[str]:
    return (by + line for line in lines)


def _text(value: str) -> str:
    """Return a text in double quotes that YAML and Compose's interpolation leave as it is."""
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):  # noqa: PLR2004  (bytes of a path that are no UTF-8)
        raise UsageError("not-text", f"{value!r} is no UTF-8, and a compose file cannot name it.")
    return '"' + "".join(map(_character, value)).replace("$", "$$") + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
