"""What the kernel tells: socket tables, firewall rules, netlink messages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cutover.edge.helper import conntrack, netlink, sockdiag
from cutover.model import Container, ContainerState, PortBinding
from cutover.ports import firewall, nft
from cutover.ports.inside import look_inside
from cutover.ports.sockets import connections, listeners, parse_tables
from tests.fuzz.target import ROOT, Target, see, text_of

ADDRESSES = ("172.18.0.2", "fd00::2")
BINDINGS = (PortBinding("", 8080, 80), PortBinding("", 53, 53))
NOWHERE = Path("/nonexistent")
CONTAINER = Container("0" * 64, "c", "p", "s", ContainerState.RUNNING, pid=1)
TABLE6 = (
    b"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when "
    b"retrnsmt   uid  timeout inode\n   0: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A "
    b"00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0\n"
)
IPTABLES = (
    b"*filter\n:FORWARD DROP [0:0]\n-A FORWARD -d 172.18.0.2/32 -p tcp -m tcp --dport 80 -j DROP\n"
    b'-A DOCKER-USER -p tcp -m multiport --dports 1:100,8080 -m comment --comment "a b" -j REJECT --reject-with x\n'
    b"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp --dport 8080 -j DROP\nCOMMIT\n"
)
RULESET = (
    b"table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n"
    b"\t\tip daddr 172.18.0.2 tcp dport { 80, 443, 8000-8100 } drop\n\t\tct original proto-dst 8080 counter packets 1 "
    b'bytes 2 reject with icmp type x comment "why"\n\t\tdrop\n\t}\n}\n'
)


def tables(data: bytes) -> None:
    """Read socket tables, of either byte order, and those of a container that `cat` showed."""
    text = text_of(data)
    for order in ("little", "big"):
        found = parse_tables(text, order)
        see(all(0 <= s.port <= 0xFFFF and s.address for s in found), "a socket that cannot be")
        listeners(found)
        connections(found)
    look_inside(CONTAINER, run_inside=lambda _: data, proc=NOWHERE)


def rules(data: bytes) -> None:
    """Read what iptables-save and nft list."""
    text = text_of(data)
    for found in (firewall.dropping(text, ADDRESSES, BINDINGS), nft.dropping(text, ADDRESSES, BINDINGS)):
        see(all(drop.rule and drop.listing for drop in found), "a rule without a word")


def messages(data: bytes) -> None:
    """Read netlink messages: their attributes, connections that are tracked, sockets."""
    for _, _, payload in netlink._messages(data):
        netlink.attributes(payload)
    netlink.attributes(data)
    conntrack.parsed(data)
    sockdiag._parsed(data)


@cache
def _tracked() -> tuple[bytes, ...]:
    attribute = netlink.attribute
    addresses = attribute(3, bytes(16)) + attribute(4, bytes(16))
    ports = attribute(1, b"\x06") + attribute(2, b"\x9c\x40") + attribute(3, b"\x15\xc2")
    tracked = attribute(0x8001, addresses) + attribute(0x8002, ports)
    header = netlink._HEADER.pack(netlink._HEADER.size + len(tracked), 20, 2, 1, 0)
    socket = sockdiag._MESSAGE.pack(2, 1, 0, 0, bytes(48), 0, 1, 2, 0, 99) + attribute(2, bytes(160))
    return tracked, header + tracked, socket


TARGETS = (
    Target(
        "proc-net",
        tables,
        lambda: (TABLE6, *(p.read_bytes() for p in sorted((ROOT / "tests/recorded/proc").iterdir()))),
        (b"0100007F:1F90", b" 0A ", b" sl ", b"drops", b"\n", b"00000000:0000", b"9" * 40),
    ),
    Target(
        "firewall",
        rules,
        lambda: (IPTABLES, RULESET),
        (b"-A FORWARD ", b"--dport ", b"-j DROP", b" drop", b"tcp dport ", b"{ ", b" }", b"1-99999999999", b"1:9999999999",
         b"\xc2\xb2", b"9" * 50, b"ip daddr ", b"! ", b"\n"),
    ),
    Target("netlink", messages, _tracked, (b"\0\0\0\0", b"\x04\0\x01\0", b"\x14\0\x04\0", b"\xff\xff")),
)  # fmt: skip
