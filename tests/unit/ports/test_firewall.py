"""Which rules drop what is on its way to a container."""

from __future__ import annotations

import pytest

from cutover.model import PortBinding, Protocol
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
