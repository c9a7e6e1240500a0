"""Which rules drop what is on its way to a container."""

from __future__ import annotations

import pytest

from cutover.model import PortBinding, Protocol
from cutover.ports.firewall import dropping

MINE, WANTED = ("172.21.0.6",), (PortBinding("", 15570, 5570), PortBinding("", 53, 53, Protocol.UDP))


@pytest.mark.parametrize(
    "rule",
    [
        "-A DOCKER-USER -d 172.21.0.6/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 15570 -j DROP",
        "-A FORWARD -p tcp -m multiport --dports 80,5000:6000 -j REJECT --reject-with icmp-port-unreachable",
        "-A DOCKER-USER -d 172.21.0.6/32 -j DROP",
        "-A ufw-user-forward -p udp -m udp --dport 53 -j DROP",
    ],
)
def test_a_rule_that_names_it_drops_it(rule: str) -> None:
    """By its address, its port inside, or its port of the host."""
    assert dropping(f"*filter\n:INPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n", MINE, WANTED) == (rule,)


@pytest.mark.parametrize(
    "rule",
    [
        "-A DOCKER-USER -d 172.21.0.7/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-USER -p udp -m udp --dport 5570 -j DROP",
        "-A DOCKER-USER -p tcp -m tcp --dport 5571 -j DROP",
        "-A DOCKER-USER -p tcp -m tcp --dport 5570 -j ACCEPT",
        "-A DOCKER-USER ! -d 172.21.0.6/32 -p tcp -m tcp --dport 5570 -j DROP",
        "-A DOCKER-ISOLATION-STAGE-2 -o br-1 -j DROP",
        "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
        "-A MYCHAIN -p tcp -m tcp --dport 5570 -j DROP",
    ],
)
def test_no_other_rule_is_blamed(rule: str) -> None:
    """Docker's own isolation, other ports, other addresses, rules that let through."""
    assert dropping(rule, MINE, WANTED) == ()
