"""Who asks a service, by which name, from which network: what the compose files say, held against what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutover.engine.daemon import Daemon
from cutover.errors import CutoverError
from cutover.model import Container
from cutover.ports.facts import Dependant, Named

ADDRESS = re.compile(r"(?<![\w.-])([A-Za-z][\w-]*):(\d{2,5})(?=[/?,;\s\"']|$)")
"""A host without a domain, and a port, in a URL or bare, in the value of a setting."""
NAMES_HOST = re.compile(r"HOST|URL|URI|ADDR|ENDPOINT|SERVER|BROKER|DSN|UPSTREAM|BACKEND|TARGET|CONNECT", re.IGNORECASE)
NO_HOST = frozenset({"tcp", "udp", "http", "https", "zmq", "port", "ws", "wss"})
NOT_FOUND = "ended with 2."
"""What `getent hosts` says of a name that there is not (getent(1)); any other end says nothing of the name."""
Services = Mapping[str, Any]


def dependants(container: Container, services: Services, everyone: Sequence[Container]) -> tuple[Dependant, ...]:
    """Return the services that the compose files have depend on this one, with the networks of their containers."""
    found = []
    for name, service in services.items():
        if container.service not in (service.get("depends_on") or {}):
            continue
        theirs = _of(everyone, container.project, name)
        networks = tuple(sorted({e.network for c in theirs for e in c.endpoints}))
        found.append(Dependant(name, networks, any(_names(text, container.service) for text in _told(service))))
    return tuple(found)


def misnamed(
    daemon: Daemon, container: Container, services: Services, everyone: Sequence[Container], targets: Sequence[int]
) -> tuple[Named, ...]:
    """Return what services that depend on this one call it, where nobody has that name on their networks.

    Such a name is looked up in the service's own container, if that has `getent`: there may be other servers of names.
    """
    found = []
    for name, service in services.items():
        theirs = _of(everyone, container.project, name)
        if container.service not in (service.get("depends_on") or {}) or not theirs:
            continue
        known = {*_declared(services), *_present(theirs, everyone), *_own_names(service)}
        asks = [
            (key, host, int(port))
            for key, value in (service.get("environment") or {}).items()
            for host, port in ADDRESS.findall(str(value or ""))
            if int(port) in targets
            and (f"//{host}:" in str(value) or f"@{host}:" in str(value) or NAMES_HOST.search(key))
        ]
        if any(host in known for _, host, _ in asks):  # it knows this one by its right name
            continue
        for key, host, port in asks:
            if host not in NO_HOST:
                found.append(Named(name, key, host, port, _resolves(daemon, theirs, host)))
    return tuple(found)


def _told(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a service is told: the values of its environment, the words of its command."""
    yield from (str(value) for value in (service.get("environment") or {}).values())
    for words in (service.get("command"), service.get("entrypoint")):
        yield from map(str, words or ()) if not isinstance(words, str) else words.split()


def _names(text: str, service: str) -> bool:
    """Say whether a text names a service as a host: in a URL, with a port, or as the whole of it."""
    name = re.escape(service)
    return re.search(rf"(?://|@){name}(?=[:/]|$)|(?<![\w./-]){name}:\d", text) is not None or text == service


def _of(everyone: Sequence[Container], project: str, service: str) -> list[Container]:
    return [c for c in everyone if c.project == project and c.service == service and c.endpoints]


def _declared(services: Services) -> Iterator[str]:
    """Yield the names that the compose files give, whether or not a container has them: then that is the fault."""
    for name, service in services.items():
        yield name
        yield str(service.get("container_name") or name)
        for network in (service.get("networks") or {}).values():
            yield from (network or {}).get("aliases") or ()


def _present(theirs: Sequence[Container], everyone: Sequence[Container]) -> Iterator[str]:
    networks = {e.network for c in theirs for e in c.endpoints}
    for other in everyone:
        for endpoint in other.endpoints:
            if endpoint.network in networks:
                yield from (other.name, *endpoint.aliases)


def _own_names(service: Mapping[str, Any]) -> Iterator[str]:
    yield "localhost"
    yield from (link.split(":")[-1] for link in service.get("links") or ())
    yield from (re.split("[=:]", entry)[0] for entry in service.get("extra_hosts") or ())


def _resolves(daemon: Daemon, theirs: Sequence[Container], host: str) -> bool | None:
    running = next((c for c in theirs if c.running), None)
    if running is None:
        return None
    try:
        daemon.run_inside(running.id, ["getent", "hosts", host])
    except CutoverError as error:
        return False if error.message.endswith(NOT_FOUND) else None
    return True
