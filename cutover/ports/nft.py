"""Rules of nftables' own tables that drop what is forwarded to a port, in the words of `nft list ruleset`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cutover.model import PortBinding
from cutover.ports.firewall import Drop, span, within

TABLE = re.compile(r"^table (?P<family>\w+) (?P<name>\S+) \{")
CHAIN = re.compile(r"^\s+chain (?P<name>\S+) \{")
HOOK = re.compile(r"type filter hook (?P<hook>\w+)")
DROPS = re.compile(r"\b(?:drop|reject(?: with .*)?)$")
OPENS = re.compile(r"\b(?:accept|return|jump|goto)\b")
ESTABLISHED = re.compile(r"ct state (?:established|related|\{ ?)")
DESTINATION = re.compile(r"\bip6? daddr (?P<not>!= )?(?P<value>\{[^}]*\}|\S+)\s?")
PORT = re.compile(r"\b(?P<protocol>tcp|udp|th) dport (?P<not>!= )?(?P<value>\{[^}]*\}|\S+)\s?")
ORIGINAL = re.compile(r"\bct original proto-dst (?P<not>!= )?(?P<value>\{[^}]*\}|\S+)\s?")
PLAIN = re.compile(
    r"counter(?: packets \d+ bytes \d+)?|log(?: prefix \"[^\"]*\")?|meta l4proto (?:tcp|udp)"
    r"|ip protocol tcp|drop|reject(?: with \S.*)?"
)
COMMENT = re.compile(r"\s*comment \"[^\"]*\"")
OF_IPTABLES = frozenset({"filter", "nat", "mangle", "raw", "security"})
"""Tables that iptables writes through nftables: they are told in its words."""


def dropping(ruleset: str, addresses: Iterable[str], bindings: Iterable[PortBinding]) -> tuple[Drop, ...]:
    """Return the rules that drop what is forwarded to these addresses of a container, or to these ports of it.

    Chains that others jump to are not followed: only what hangs on `forward` itself is seen. A rule with another
    condition, or after one that may let packets through, is not plain.
    """
    mine, wanted = list(addresses), list(bindings)
    found = []
    for where, line, first in _rules(ruleset):
        rule = COMMENT.sub("", line)
        if DROPS.search(rule) and _named(rule, mine, wanted):
            plain = first and not PLAIN.sub("", _rest(rule)).strip()
            if plain or not _bare(rule):  # all that is left, after what may go through
                found.append(Drop(f"{where}: {line}", plain, "nft", "nft -a list ruleset"))
    return tuple(found)


def _rules(ruleset: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (table and chain, rule, whether nothing before it lets packets through) of the chains hooked on forward."""
    table = chain = ""
    forward = opened = foreign = False
    for line in ruleset.splitlines():
        if found := TABLE.match(line):
            table = f"{found['family']} {found['name']}"
            foreign = found["family"] in {"ip", "ip6"} and found["name"] in OF_IPTABLES
        elif found := CHAIN.match(line):
            chain, forward, opened = found["name"], False, False
        elif found := HOOK.search(line):
            forward = found["hook"] == "forward" and not foreign
        elif forward and (rule := line.strip()) and rule != "}":
            yield f"table {table}, chain {chain}", rule, not opened
            opened = opened or (OPENS.search(rule) is not None and ESTABLISHED.search(rule) is None)


def _rest(rule: str) -> str:
    for part in (DESTINATION, PORT, ORIGINAL):
        rule = part.sub("", rule)
    return rule


def _named(rule: str, mine: list[str], wanted: list[PortBinding]) -> bool:
    destination, port, original = (part.search(rule) for part in (DESTINATION, PORT, ORIGINAL))
    if any(found is not None and found["not"] for found in (destination, port, original)):
        return False
    if destination is not None and not any(
        within(m, network) for m in mine for network in _parts(destination["value"])
    ):
        return False
    if port is None and original is None:
        return destination is not None or rule.split(maxsplit=1)[0] in {"drop", "reject", "counter"}
    inside = set(_numbers(port["value"])) if port is not None else set()
    outside = set(_numbers(original["value"])) if original is not None else set()
    spoken = {port["protocol"]} - {"th"} if port is not None else set()
    return any(
        (b.target in inside or b.host_port in outside) and (not spoken or str(b.protocol) in spoken) for b in wanted
    )


def _bare(rule: str) -> bool:
    return rule.split(maxsplit=1)[0] in {"drop", "reject", "counter"}


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.strip("{} ").split(",")]


def _numbers(value: str) -> Iterator[int]:
    for part in _parts(value):
        first, _, last = part.partition("-")
        yield from span(first, last)
