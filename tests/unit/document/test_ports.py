"""The port grammar, and Compose's variables in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.document import Document
from cutover.document.interpolate import UnresolvedError, interpolate
from cutover.document.ports import PortSyntaxError, parse_short, split_short
from cutover.model import PortBinding, Protocol

PORTS = st.integers(1, 65535)
ADDRESSES = st.sampled_from(["", "127.0.0.1", "0.0.0.0", "::1", "fe80::1"])


def bound(text: str, **env: str) -> list[str]:
    """Return the bindings of one entry, as text."""
    content = f"services:\n  a:\n    ports:\n      - {text}\n"
    (entry,) = Document.parse(content.encode(), "compose.yml").port_entries("a", env)
    assert entry.problem is None, entry.problem
    return [str(binding) for binding in entry.bindings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"8080:80"', ["8080:80"]),
        ("8080:80", ["8080:80"]),
        ("22:22", ["22:22"]),
        ("80", []),
        ('"80"', []),
        ('":80"', []),
        ('"53:53/udp"', ["53:53/udp"]),
        ('"127.0.0.1:8080:80"', ["127.0.0.1:8080:80"]),
        ('"127.0.0.1::80"', []),
        ('"[::1]:80:80"', ["[::1]:80:80"]),
        ('"::1:80:80"', ["[::1]:80:80"]),
        ('"3000-3002:4000-4002"', ["3000:4000", "3001:4001", "3002:4002"]),
        ('"3000-3002:80"', []),
        ("${PORT:-5570}:5570", ["5570:5570"]),
        ("$BIND:80", ["127.0.0.1:8080:80"]),
        ("{target: 80, published: 8080}", ["8080:80"]),
        ('{target: 80, published: "8080", protocol: udp, host_ip: "::1"}', ["[::1]:8080:80/udp"]),
        ("{target: 80}", []),
        ("{target: $INSIDE, published: '${PORT-1}'}", ["1:81"]),
    ],
)
def test_entries_publish_what_docker_would(text: str, expected: list[str]) -> None:
    """Short and long syntax, ranges, addresses, protocols, and variables that hold several fields."""
    assert bound(text, BIND="127.0.0.1:8080", INSIDE="81") == expected


def test_a_range_for_one_port_floats() -> None:
    """Docker picks one port of the range, so no host port is fixed."""
    assert parse_short("3000-3005:80") == ((), (3000, 3005))


@pytest.mark.parametrize("text", ["x:80", "80:x", "1-2:3-5", "70000:80", "5-3:5-3", "80:80/xyz", "", "0x50:80"])
def test_what_is_no_port_is_said_to_be_none(text: str) -> None:
    """An entry that Docker would reject is not taken for a port."""
    with pytest.raises(PortSyntaxError):
        parse_short(text)


@given(PORTS, PORTS, ADDRESSES, st.sampled_from(Protocol))
def test_every_binding_reads_back(host: int, target: int, address: str, protocol: Protocol) -> None:
    """What a binding prints is what the short syntax means."""
    binding = PortBinding(address, host, target, protocol)
    assert parse_short(str(binding)) == ((binding,), None)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("${A:-1}:${B:-2}", ["${A:-1}", "${B:-2}"]),
        ("[::1]:80:80", ["[::1]", "80", "80"]),
        ("${A:-${B:-3}}:4", ["${A:-${B:-3}}", "4"]),
        ("$BIND", ["$BIND"]),
    ],
)
def test_colons_inside_variables_and_brackets_split_nothing(text: str, fields: list[str]) -> None:
    """The container's side is found before interpolation."""
    assert split_short(text) == fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${A}", "1-1"),
        ("${B}", ""),
        ("${B:-x}", "x"),
        ("${E:-x}${E-x}", "x"),
        ("${B-${A}}", "1"),
        ("${A:+x}${B+y}", "x"),
        ("${A:?no}", "1"),
        ("$$A", "$A"),
    ],
)
def test_variables_are_replaced_as_compose_does(text: str, expected: str) -> None:
    """Defaults, alternatives, required ones, nesting and the escaped dollar."""
    assert interpolate(text, {"A": "1", "E": ""}) == expected


@pytest.mark.parametrize("text", ["${B:?no}", "${B?no}", "${A", "$-", "${}", "${A*}"])
def test_what_cannot_be_resolved_says_so(text: str) -> None:
    """A required variable that is not set, and bad syntax, are no empty text."""
    with pytest.raises(UnresolvedError):
        interpolate(text, {"A": "1"})
