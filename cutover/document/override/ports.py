"""Which ports are to be tried: those of green, of the service itself, or those that were named."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cutover.document.override.values import OverrideRequest, Service, WantedPort
from cutover.errors import RefusedError, UsageError
from cutover.model import Protocol

HIGHEST_PORT = 65535


def ports_of(service: Service) -> list[WantedPort]:
    """Return what a service of the canonical model publishes.

    Docker picks the host's port where the file names none, or a range for one target: the target, or the first of the
    range, stands for it.
    """
    found = []
    for port in service.get("ports") or ():
        target, text = int(port["target"]), str(port.get("published") or "")
        first = text.partition("-")[0]
        legacy = int(first) if first.isdigit() and int(first) else target
        found.append(WantedPort(legacy, target, Protocol(str(port.get("protocol") or "tcp").lower())))
    return list(dict.fromkeys(found))


def asked(legacy: Iterable[tuple[int, int | None]], origin: Service, green: Iterable[WantedPort]) -> list[WantedPort]:
    """Return the legacy ports that `cutover.yaml` names: each with the target that was given, or that blue has.

    A number that is published over TCP and over UDP is two ports, TCP's first.
    """
    known = {(p.legacy, p.protocol): p for p in [*green, *ports_of(origin)]}
    found = []
    for number, target in legacy:
        same = [p for p in known.values() if p.legacy == number] or [WantedPort(number, number)]
        same.sort(key=lambda p: p.protocol is not Protocol.TCP)
        found += [replace(p, target=target or p.target) for p in same]
    return found


def joined(first: Iterable[WantedPort], second: Iterable[WantedPort]) -> tuple[list[WantedPort], list[str]]:
    """Return the ports of both, what the first says before what the second says, and a warning for each left out."""
    by_number: dict[tuple[int, Protocol], WantedPort] = {(p.legacy, p.protocol): p for p in first}
    given, warnings = set(by_number), []
    for port in second:
        known = by_number.setdefault((port.legacy, port.protocol), port)
        if known.target != port.target and (port.legacy, port.protocol) not in given:
            warnings.append(
                f"{port.legacy} leads to {known.target} and, on another address, to {port.target}: only the first is "
                "tried"
            )
    return list(by_number.values()), list(dict.fromkeys(warnings))


def with_mapping(
    ports: Sequence[WantedPort], request: OverrideRequest, inside: Iterable[int], name: str
) -> tuple[list[WantedPort], dict[int, int]]:
    """Return the ports with those that `--map` adds, and which legacy port goes to which test port.

    OLD may be the port that clients know or the one inside; one that occurs only in a command or a variable is
    published as well. A service that publishes nothing gets the ports that the mapping names.

    Raises:
        UsageError: a port is out of range, mapped twice, a target of two, or does not occur.

    """
    found, mapping = list(ports), dict[int, int]()
    numbers = set(inside)
    for old, new in read_maps(request.maps):
        if any(p.legacy == old for p in ports):
            mapping[old] = new
        elif targets := [p.legacy for p in ports if p.target == old]:
            mapping[targets[0]] = new
        elif not ports or old in numbers:
            found.append(WantedPort(old, old))
            mapping[old] = new
        else:
            raise _does_not_occur(old, ports, numbers, name)
    return found, mapping


def see_network(service: Service, name: str) -> None:
    """See that a service has a network of its own to publish ports on.

    Raises:
        RefusedError: it has none, or shares the host's or another container's.

    """
    mode = str(service.get("network_mode") or "")
    if mode in {"host", "none"} or mode.startswith(("service:", "container:")):
        image = service.get("image") or "IMAGE"
        why = "listens on the host itself and publishes no port" if mode == "host" else "can publish no port of its own"
        raise RefusedError(
            "host-network" if mode == "host" else "network-shared",
            f"Service {name} has `network_mode: {mode}`: it {why}, so it can neither be tried beside green "
            "on another port nor take over green's.",
            hint=f"take network_mode out of {name}, so that it has a network of its own; or cutover override "
            f"--from-image --image {image} starts from an image, on green's networks",
        )


def refuse_portless(name: str) -> RefusedError:
    """Return the refusal of a service without ports."""
    return RefusedError(
        "no-ports",
        f"Service {name} publishes no port, and nobody says which legacy ports it is to take over.",
        hint=f"cutover override {name} --map OLD:NEW, or `green:` or `ports:` in cutover.yaml (cutover init)",
    )


def read_maps(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Read `OLD:NEW`, each.

    Raises:
        UsageError: one is no such pair or out of range, or two of them cannot both be.

    """
    pairs = [_pair(text) for text in texts]
    olds, news = dict(pairs), {new: old for old, new in pairs}
    for old, new in pairs:
        if olds[old] != new:
            raise UsageError(
                "mapping-twice", f"--map moves {old} to {new} and to {olds[old]}.", hint="name one of them"
            )
        if news[new] != old:
            raise UsageError(
                "mapping-twice", f"--map moves {old} and {news[new]} both to {new}.", hint="name two ports"
            )
    return list(dict.fromkeys(pairs))


def _pair(text: str) -> tuple[int, int]:
    old, _, new = text.partition(":")
    pair = tuple(int(n) if n.isascii() and n.isdigit() else 0 for n in (old, new))
    if not all(0 < port <= HIGHEST_PORT for port in pair):
        hint = "--map 5570:9901 tries port 5570 on 9901; ports are 1 to 65535"
        raise UsageError("bad-port", f"--map {text}: that is no pair of ports.", hint=hint)
    return pair[0], pair[1]


def _does_not_occur(old: int, ports: Sequence[WantedPort], inside: set[int], name: str) -> UsageError:
    known = sorted({p.legacy for p in ports} | {p.target for p in ports} | inside)
    near = difflib.get_close_matches(str(old), map(str, known), n=1)
    did = f"; did you mean {near[0]}?" if near else "."
    return UsageError(
        "port-does-not-occur",
        f"--map {old}: there is no port {old} in service {name}{did}",
        evidence=[f"ports: {_shown(ports)}"],
        hint="cutover ports; or leave --map away and let free ports be found",
    )


def _shown(ports: Iterable[WantedPort]) -> str:
    return ", ".join(str(p.legacy) if p.legacy == p.target else f"{p.legacy}->{p.target}" for p in ports) or "none"


def published_by(services: Iterable[Service]) -> Iterator[int]:
    """Yield every host port that services of a canonical model want, ranges in full."""
    for service in services:
        for port in service.get("ports") or ():
            first, dash, last = str(port.get("published") or "").partition("-")
            if first.isdigit():
                yield from range(int(first), int(last if dash and last.isdigit() else first) + 1)
