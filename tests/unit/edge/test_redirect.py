"""The table of a redirect, as text that can be compared; what could end a line in it is refused."""

from __future__ import annotations

import pytest

from cutover.edge.redirect import Redirect, Rule, removal, table_name
from cutover.errors import UsageError

SCRIPT = """\
table inet cutover_shop-1 {
  flags owner;
  chain before {
    type nat hook prerouting priority -150; policy accept;
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local ip6 daddr ::1 tcp dport 5570 redirect to :20003
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local ip daddr 127.0.0.1 tcp dport 6570 redirect to :20002
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local tcp dport 5570 redirect to :20001
  }
  chain own {
    type nat hook output priority -150; policy accept;
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local ip6 daddr ::1 tcp dport 5570 redirect to :20003
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local ip daddr 127.0.0.1 tcp dport 6570 redirect to :20002
    tcp flags & (fin | syn | rst | ack) == syn fib daddr type local tcp dport 5570 redirect to :20001
  }
  chain only {
    type filter hook input priority 0; policy accept;
    tcp dport { 20001, 20002, 20003 } ct status & dnat != dnat reject with tcp reset
  }
}
"""


def test_the_table_redirects_what_opens_a_connection_and_guards_its_temporary_ports() -> None:
    """Rules for one address come before those for all."""
    rules = (Rule("", 5570, 20001), Rule("127.0.0.1", 6570, 20002), Rule("::1", 5570, 20003))
    assert Redirect("shop-1", rules).script() == SCRIPT
    assert Redirect("shop-1", rules).script(owned=False) == SCRIPT.replace("  flags owner;\n", "")


@pytest.mark.parametrize("host", ["1.2.3.4; flush ruleset", "fe80::1%eth0; flush", "localhost", "::1\n"])
def test_an_address_that_is_none_is_refused(host: str) -> None:
    """It would stand in a script that runs as root."""
    with pytest.raises((UsageError, ValueError)):
        Rule(host, 5570, 20001)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    """On both sides."""
    with pytest.raises(UsageError):
        Rule("", port, 20001)
    with pytest.raises(UsageError):
        Rule("", 5570, port)


@pytest.mark.parametrize("project", ["a b", "x;flush", "Shop", "", "{", "-a", "a\n"])
def test_a_project_whose_name_could_end_a_word_is_refused(project: str) -> None:
    """The table is named after it."""
    with pytest.raises(UsageError):
        table_name(project)


@pytest.mark.parametrize(
    ("host", "listen", "match"),
    [
        ("", "::", "tcp dport 1"),
        ("0.0.0.0", "0.0.0.0", "meta nfproto ipv4 tcp dport 1"),
        ("::", "::", "meta nfproto ipv6 tcp dport 1"),
        ("127.0.0.1", "127.0.0.1", "ip daddr 127.0.0.1 tcp dport 1"),
        ("127.0.0.5", "127.0.0.1", "ip daddr 127.0.0.5 tcp dport 1"),
        ("::1", "::1", "ip6 daddr ::1 tcp dport 1"),
        ("192.0.2.7", "0.0.0.0", "ip daddr 192.0.2.7 tcp dport 1"),
        ("2001:DB8:0::1", "::", "ip6 daddr 2001:db8::1 tcp dport 1"),
    ],
)
def test_a_rule_matches_its_own_addresses_and_is_awaited_where_they_arrive(host: str, listen: str, match: str) -> None:
    """What is published on loopback only is listened to on loopback only."""
    rule = Rule(host, 1, 2)
    assert (rule.listen, rule.match) == (listen, match)


def test_every_rule_is_tried_from_where_its_clients_are() -> None:
    """All addresses: both loopbacks, and those of network cards that the caller knows."""
    redirect = Redirect("p", (Rule("", 1, 11), Rule("127.0.0.1", 2, 12), Rule("::", 3, 13)))
    tried = [("127.0.0.1", 1), ("::1", 1), ("192.0.2.7", 1), ("127.0.0.1", 2), ("::1", 3)]
    assert redirect.tries(["192.0.2.7"]) == tried


def test_only_our_tables_are_removed() -> None:
    """Whatever else there is stays."""
    assert removal("cutover_a") == "add table inet cutover_a\ndelete table inet cutover_a\n"
    with pytest.raises(UsageError):
        removal("firewalld")
