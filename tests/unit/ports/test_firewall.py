"""Which rules drop what is on its way to a container."""

from __future__ import annotations

import pytest

from cutover.model import PortBinding, Protocol
from cutover.ports import nft
from cutover.ports.firewall import dropping

MINE, WANTED = ("172.21.0.6",), (PortBinding("", 15570, 5570), PortBinding("", 53, 53, Protocol.UDP))
DROP = "-A DOCKER-USER -p tcp -m tcp --dport 5570 -j DROP"


def found(*rules: str) -> list[bool]:
    """Return for each rule that drops what is on its way to the container whether it is plain."""
    saved = "\n".join(("*filter", ":INPUT ACCEPT [0:0]", *rules, "COMMIT", ""))
    return [drop.plain for drop in dropping(saved, MINE, WANTED)]


@pytest.mark.parametrize(
    "rule",
    [
        DROP,
        "-A DOCKER-USER -d 172.21.0.6/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 15570 -j DROP",
        "-A FORWARD -p tcp -m multiport --dports 80,5000:6000 -j REJECT --reject-with icmp-port-unreachable",
        "-A DOCKER-USER -d 172.21.0.6/32 -j DROP",
        "-A DOCKER-USER -d 172.16.0.0/12 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -j DROP",
        "-A ufw-user-forward -p udp -m udp --dport 53 -j DROP",
        '-A DOCKER-USER -p tcp -m tcp --dport 5570 -m comment --comment "not! -s for you" -j DROP',
    ],
)
def test_a_rule_that_names_it_drops_it(rule: str) -> None:
    """By its address, its port inside, or its port of the host."""
    assert found(rule) == [True]
    assert found("-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", rule) == [True]


@pytest.mark.parametrize(
    "rules",
    [
        ("-A DOCKER-USER -s 10.0.0.0/8 -p tcp -m tcp --dport 5570 -j DROP",),
        ("-A DOCKER-USER ! -s 10.0.0.0/8 -p tcp -m tcp --dport 5570 -j DROP",),
        ("-A DOCKER-USER -i wg0 -p tcp -m tcp --dport 5570 -j DROP",),
        ("-A DOCKER-USER -p tcp -m tcp --dport 5570 -m connlimit --connlimit-above 50 -j REJECT",),
        ("-A DOCKER-USER -d 172.21.0.6/32 -m conntrack --ctstate INVALID -j DROP",),
        ("-A DOCKER-USER -s 192.168.0.0/16 -j RETURN", DROP),
        ("-A DOCKER-USER -p tcp -m tcp --dport 5570 -j ACCEPT", DROP),
        ("-A FORWARD -j MINE", "-A FORWARD -p tcp -m tcp --dport 5570 -j DROP"),
        ("-A INPUT -p tcp -m tcp --dport 15570 -j DROP",),
        ("-A DOCKER-USER -s 10.0.0.0/8 -d 172.16.0.0/12 -j DROP",),
    ],
)
def test_a_rule_that_may_be_as_it_should_be_is_not_plain(rules: tuple[str, ...]) -> None:
    """It has a condition, others come before it, or it is for the host itself."""
    assert found(*rules) == [False]


@pytest.mark.parametrize(
    "rule",
    [
        "-A DOCKER-USER -d 172.21.0.7/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -p udp -m udp --dport 5570 -j DROP",
        "-A DOCKER-USER -p tcp -m tcp --dport 5571 -j DROP",
        "-A DOCKER-USER -p tcp -m tcp --dport 15570 -j DROP",
        "-A INPUT -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -p tcp -m tcp --dport 5570 -j ACCEPT",
        "-A DOCKER-USER ! -d 172.21.0.6/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-ISOLATION-STAGE-2 -o br-1 -j DROP",
        "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
        "-A MYCHAIN -p tcp -m tcp --dport 5570 -j DROP",
    ],
)
def test_no_other_rule_is_blamed(rule: str) -> None:
    """Docker's own isolation, other ports, other addresses, rules that let through."""
    assert found(rule) == []


def test_what_is_left_is_dropped_as_it_should_be() -> None:
    """After the rules that let through what may: that is how a firewall ends."""
    assert found("-A DOCKER-USER -s 10.0.0.0/8 -j ACCEPT", "-A DOCKER-USER -j DROP") == []


RULESET = """\
table ip filter {{
	chain FORWARD {{
		type filter hook forward priority filter; policy drop;
		tcp dport 5570 drop
	}}
}}
table inet mine {{
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 5570 drop
	}}
	chain fwd {{
		type filter hook forward priority filter; policy accept;
		{rules}
	}}
}}
"""


def in_nft(*rules: str) -> list[bool]:
    """Return for each rule of a chain that forwards whether it drops what is on its way there plainly."""
    return [drop.plain for drop in nft.dropping(RULESET.format(rules="\n\t\t".join(rules)), MINE, WANTED)]


@pytest.mark.parametrize(
    "rule",
    [
        "ip daddr 172.21.0.6 tcp dport 5570 drop",
        "ip daddr 172.16.0.0/12 tcp dport { 80, 5570 } counter packets 0 bytes 0 reject with tcp reset",
        'tcp dport 5000-6000 log prefix "no: " drop comment "ours"',
        "ct original proto-dst 15570 drop",
        "udp dport 53 drop",
        "counter packets 3 bytes 180 drop",
        "drop",
    ],
)
def test_a_rule_of_nftables_that_names_it(rule: str) -> None:
    """In a table of its own; those of iptables are told by iptables."""
    assert in_nft("ct state established,related accept", rule) == [True]
    bare = rule.split(maxsplit=1)[0] in {"counter", "drop"}  # then it is how a firewall ends
    assert in_nft("ip saddr 10.0.0.0/8 accept", rule) == ([] if bare else [False])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ip saddr 10.0.0.0/8 tcp dport 5570 drop", [False]),
        ("iifname wg0 tcp dport 5570 drop", [False]),
        ("tcp dport != 5570 drop", []),
        ("ip daddr 172.21.0.7 tcp dport 5570 drop", []),
        ("tcp dport 15570 drop", []),
        ("udp dport 5570 drop", []),
        ("tcp dport 5570 accept", []),
        ("ct state invalid drop", []),
    ],
)
def test_a_rule_of_nftables_that_does_not(rule: str, expected: list[bool]) -> None:
    """Or that has a condition."""
    assert in_nft(rule) == expected
