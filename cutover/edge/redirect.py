"""New connections of host ports, sent elsewhere for a while: an nftables table, as text. Pure.

One table of our own, so that it can be found and removed by name, and nobody else's rule is touched. Its chains come
before Docker's (`dstnat`, -100). Only what opens a connection (SYN) is matched, so old connections stay where they are:
a NAT chain sees the first packet of each connection, but where nothing tracked connections before (IPv6, mostly), or
Docker has just made the kernel forget them, that packet can be any. What is redirected arrives at 127.0.0.1 or ::1
where it comes from this host, else at the address of the interface that it came in by (source: Linux,
`nf_nat_redirect.c`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cutover.edge.shape import valid
from cutover.errors import UsageError

PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")
PREFIX = "cutover_"
PRIORITY = -150
REDIRECTING = ("before", "own")
"""The chains that redirect: connections of others, and those of this host itself."""
OPENING = "tcp flags & (fin | syn | rst | ack) == syn"
ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104


def table_name(project: str) -> str:
    """Return the name of a project's table.

    Raises:
        UsageError: that is no name of a Compose project.

    """
    return PREFIX + valid(PROJECT, project, "the name of a project")


@dataclass(frozen=True, slots=True)
class Rule:
    """One published port, `host_ip` "" for all addresses, and the temporary port where its connections are to go."""

    host_ip: str
    host_port: int
    temporary: int

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a script."""
        if self.host_ip and "%" in str(ipaddress.ip_address(self.host_ip)):  # a scope may be any text
            raise UsageError("bad-address", f"{self.host_ip!r} has a scope: connections to it cannot be redirected.")
        for port in (self.host_port, self.temporary):
            if not 0 < port < 65536:  # noqa: PLR2004
                raise UsageError("bad-port", f"{port} is no port.")

    @property
    def listen(self) -> str:
        """Return the address where the redirected connections have to be awaited."""
        if self.host_ip and ipaddress.ip_address(self.host_ip).is_loopback:
            return "::1" if ":" in self.host_ip else "127.0.0.1"
        return {"": ANY6, ANY6: ANY6}.get(self.host_ip, ANY6 if ":" in self.host_ip else ANY4)

    @property
    def match(self) -> str:
        """Return the words that match its connections."""
        if not self.host_ip:
            return f"tcp dport {self.host_port}"
        if self.host_ip in {ANY4, ANY6}:
            return f"meta nfproto {'ipv6' if ':' in self.host_ip else 'ipv4'} tcp dport {self.host_port}"
        family = "ip6" if ":" in self.host_ip else "ip"
        return f"{family} daddr {ipaddress.ip_address(self.host_ip)} tcp dport {self.host_port}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """One project's redirect."""

    project: str
    rules: tuple[Rule, ...]

    @property
    def table(self) -> str:
        """Return the name of its table."""
        return table_name(self.project)

    def script(self, *, owned: bool = True) -> str:
        """Return what makes the table; `owned` has the kernel remove it with the process that made it.

        The last chain keeps the temporary ports from everybody who was not redirected there.
        """
        # An address of its own beats all addresses: the first rule that matches decides.
        ordered = sorted(self.rules, key=lambda r: (r.host_ip in {"", ANY4, ANY6}, r.host_port, r.host_ip))
        rules = [f"    {OPENING} fib daddr type local {r.match} redirect to :{r.temporary}" for r in ordered]
        temporary = ", ".join(str(port) for port in sorted({r.temporary for r in self.rules}))
        lines = [
            f"table inet {self.table} {{",
            *(["  flags owner;"] if owned else []),
            "  chain before {",
            f"    type nat hook prerouting priority {PRIORITY}; policy accept;",
            *rules,
            "  }",
            "  chain own {",
            f"    type nat hook output priority {PRIORITY}; policy accept;",
            *rules,
            "  }",
            "  chain only {",
            "    type filter hook input priority 0; policy accept;",
            f"    tcp dport {{ {temporary} }} ct status & dnat != dnat reject with tcp reset",
            "  }",
            "}",
        ]
        return "\n".join(lines) + "\n"

    def tries(self, addresses: Iterable[str] = ()) -> list[tuple[str, int]]:
        """Return where connections are opened to see that the redirect works; `addresses` are further ones of the host.

        For each rule: its own address, or one of each family.
        """
        anywhere = {"": ("127.0.0.1", "::1", *addresses), ANY4: ("127.0.0.1",), ANY6: ("::1",)}
        return [(host, r.host_port) for r in self.rules for host in anywhere.get(r.host_ip, (r.host_ip,))]


def removal(table: str) -> str:
    """Return what removes a table, whether it is there or not.

    Raises:
        UsageError: it is none of cutover's.

    """
    valid(re.compile(PREFIX + PROJECT.pattern), table, "a table of cutover")
    return f"add table inet {table}\ndelete table inet {table}\n"
