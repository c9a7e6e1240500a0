"""Rules of the host's firewall that drop what is on its way to a port, in the words of `iptables-save`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cutover.model import PortBinding

CHAINS = re.compile(r"^-A (?:INPUT|FORWARD|DOCKER-USER|DOCKER-INGRESS|ufw-\S*|FWD\S*|IN_\S*)\s")
"""Those of people and of their tools; what Docker itself writes into its own chains is not at fault."""
DROPS = re.compile(r"-j (?:DROP|REJECT)\b")
DESTINATION = re.compile(r"(! )?-d (\S+?)(?:/32|/128)?(?:\s|$)")
PORTS = re.compile(r"--(?:dport|dports|ctorigdstport|ctorigdst-port) (\S+)")
PROTOCOL = re.compile(r"-p (\S+)")


def dropping(saved: str, addresses: Iterable[str], bindings: Iterable[PortBinding]) -> tuple[str, ...]:
    """Return the rules of `iptables-save` that drop packets for these addresses of a container, or for these ports.

    A rule counts only if it names one of the addresses, or a port of them, and nothing else of the destination.
    """
    mine, wanted = set(addresses), list(bindings)
    return tuple(line for line in saved.splitlines() if CHAINS.match(line) and _drops(line, mine, wanted))


def _drops(rule: str, mine: set[str], wanted: list[PortBinding]) -> bool:
    if not DROPS.search(rule):
        return False
    destination, ports = DESTINATION.search(rule), PORTS.search(rule)
    if destination is not None and (destination[1] or destination[2] not in mine):
        return False
    if ports is None:
        return destination is not None
    named = set(_numbers(ports[1]))
    protocol = PROTOCOL.search(rule)
    spoken = {protocol[1]} if protocol is not None and protocol[1] != "all" else {"tcp", "udp", "sctp"}
    return any({b.host_port, b.target} & named and str(b.protocol) in spoken for b in wanted)


def _numbers(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition(":")
        if first.isdigit():
            yield from range(int(first), int(last or first) + 1 if (last or first).isdigit() else int(first) + 1)
