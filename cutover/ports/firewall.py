"""Rules of the host's firewall that drop what is on its way to a port, in the words of `iptables-save`. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cutover.model import PortBinding

CHAIN = re.compile(
    r"^-A (?:(?P<forward>FORWARD|DOCKER-USER|DOCKER-INGRESS|ufw6?-\S*forward|FWD\S*)|INPUT|ufw6?-\S*input|IN_\S*)\s"
)
"""Those of people and of their tools; what Docker itself writes into its own chains is not at fault."""
DROPS = re.compile(r"-j (?:DROP|REJECT)\b")
BARE = re.compile(r"-A \S+ (?:-p tcp )?-j (?:DROP|REJECT)(?: --reject-with \S+)?")
DESTINATION = re.compile(r"(! )?-d (\S+)")
PORTS = re.compile(r"--(?:dport|dports) (\S+)")
ORIGINAL = re.compile(r"--ctorigdst(?:-)?port (\S+)")
PROTOCOL = re.compile(r"-p (\S+)")
COMMENT = re.compile(r"--comment (?:\"[^\"]*\"|\S+)")
CONDITION = re.compile(
    r"! |-s |-i |-o |-m (?!tcp\b|udp\b|comment\b|multiport\b|conntrack\b)|--ctstate|--ctorigsrc|--syn"
)
"""What makes a rule drop some packets and not others: then it may be as it should be."""
_NUMBER = re.compile(r"[0-9]{1,5}")
"""No more than a port has: what people write may be a range up to a billion, or a digit of another script."""
HARMLESS = re.compile(
    r"-j (?:DROP|REJECT|LOG|NFLOG|DOCKER-ISOLATION\S*|DOCKER-USER)\b|--ctstate (?:RELATED,)?ESTABLISHED"
)
"""Rules before it that let nothing new through: neither ACCEPT nor a jump to where that may be."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A rule that drops packets for a container. `plain`: all of them, for all that can be seen.

    `tool` has such rules, and `listing` is the command that shows them in their places.
    """

    rule: str
    plain: bool = True
    tool: str = "iptables"
    listing: str = "iptables -nvL --line-numbers"


def dropping(saved: str, addresses: Iterable[str], bindings: Iterable[PortBinding]) -> tuple[Drop, ...]:
    """Return the rules of `iptables-save` that drop packets for these addresses of a container, or for these ports.

    A rule counts only if it names one of the addresses, or a port of them, and nothing else of the destination. In the
    chains of what is forwarded that is the port inside, in those of what is for the host itself the host's port; the
    latter is never plain, for what comes from outside is forwarded. Nor is one that has a condition besides, or one
    that comes after another which may let packets through.
    """
    mine, wanted = set(addresses), list(bindings)
    found, opened = [], set[str]()
    for raw in saved.splitlines():
        line = COMMENT.sub("", raw)
        if line.startswith("*"):
            opened.clear()
        if (chain := CHAIN.match(line)) is None:
            continue
        name = line.split()[1]
        forward = chain["forward"] is not None
        if DROPS.search(line) and _named(line.strip(), mine, wanted, forward=forward):
            plain = forward and name not in opened and not CONDITION.search(line)
            if plain or not BARE.fullmatch(line):  # all that is left, after what may go through
                found.append(Drop(raw, plain, listing=f"iptables -nvL {name} --line-numbers"))
        if not HARMLESS.search(line):
            opened.add(name)
    return tuple(found)


def _named(rule: str, mine: set[str], wanted: list[PortBinding], *, forward: bool) -> bool:
    destination, ports, original = DESTINATION.search(rule), PORTS.search(rule), ORIGINAL.search(rule)
    if destination is not None and (destination[1] or not any(within(m, destination[2]) for m in mine)):
        return False
    if ports is None and original is None:
        return destination is not None or (forward and BARE.fullmatch(rule) is not None)
    protocol = PROTOCOL.search(rule)
    spoken = {protocol[1]} if protocol is not None and protocol[1] != "all" else {"tcp", "udp", "sctp"}
    inside = set(_numbers(ports[1])) if ports is not None else set()
    outside = set(_numbers(original[1])) if original is not None else set()
    return any(
        str(b.protocol) in spoken and ((b.target if forward else b.host_port) in inside or b.host_port in outside)
        for b in wanted
    )


def within(address: str, network: str) -> bool:
    """Say whether an address is in a network, or is the one that is named; no network at all has none."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _numbers(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from span(first, last)


def span(first: str, last: str = "") -> range:
    """Return the ports from `first` to `last`, the first alone where there is no last, none where it is no port."""
    if not _NUMBER.fullmatch(first):
        return range(0)
    return range(int(first), int(last if _NUMBER.fullmatch(last) else first) + 1)
