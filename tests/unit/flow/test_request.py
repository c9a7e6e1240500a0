"""What the command line and `cutover.yaml` say together."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.config import Settings, Strategy
from cutover.errors import UsageError
from cutover.flow.request import Options, PortRequest, SwapRequest, swap_request
from cutover.probes import parse

NAMED = {"green": "old", "blue": "new"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5570", PortRequest(5570)),
        (5570, PortRequest(5570)),
        ("5570:9901", PortRequest(5570, 9901)),
        ("1:65535", PortRequest(1, 65535)),
    ],
)
def test_ports(text: str | int, expected: PortRequest) -> None:
    """A legacy port, and where blue listens inside."""
    assert PortRequest.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "0", "65536", "-1", "5570:", ":5570", "5570:x", "5570:0", "5570:65536", "1:2:3", "127.0.0.1:80:80"],
)
def test_what_is_no_port(text: str) -> None:
    """It is quoted back, with how a port is written."""
    with pytest.raises(UsageError, match="is no port") as caught:
        PortRequest.parse(text)
    assert caught.value.reference == "bad-port"
    assert repr(text) in caught.value.message
    assert "--port 5570:9901" in (caught.value.hint or "")


def test_cutover_yaml_speaks_where_the_command_line_is_silent() -> None:
    """All of it."""
    settings = Settings(
        green="old",
        blue="new",
        ports=(5570, "6570:80"),
        strategy=Strategy.RECREATE,
        probes=("tcp://:5570", {"url": "tcp://:6570"}),
        observe_s=3.0,
        ready_timeout_s=9.0,
    )
    assert swap_request(Options(), settings) == SwapRequest(
        green="old",
        blue="new",
        ports=(PortRequest(5570), PortRequest(6570, 80)),
        strategy=Strategy.RECREATE,
        probes=(parse("tcp://:5570"), parse("tcp://:6570")),
        observe_s=3.0,
        ready_timeout_s=9.0,
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(), ("chat", "health")),
        (Options(suites=("slow",)), ("slow",)),
        (Options(no_suites=True), ()),
        (Options(suites=("slow",), no_suites=True), ()),
    ],
)
def test_the_suites_of_a_swap(options: Options, expected: tuple[str, ...]) -> None:
    """All that do not say `swap: false`, unless the command line knows better."""
    suite = {"to": "tcp://:5570", "steps": [{"name": "connect"}]}
    suites = {"chat": suite, "slow": {**suite, "swap": False}, "health": "health.yaml"}
    settings = Settings.model_validate({**NAMED, "suites": suites})
    assert swap_request(options, settings).suites == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"green": "older"}, {"green": "older", "blue": "new"}),
        ({"blue": "newer"}, {"green": "old", "blue": "newer"}),
        ({"ports": ("80",)}, {"ports": (PortRequest(80),)}),
        ({"strategy": "relink"}, {"strategy": Strategy.RELINK}),
        ({"probes": ("tcp://:80",)}, {"probes": (parse("tcp://:80"),)}),
        ({"observe_s": 0.0}, {"observe_s": 0.0}),
        ({"ready_timeout_s": 1.0}, {"ready_timeout_s": 1.0}),
        ({"commit": True}, {"commit": True}),
    ],
)
def test_the_command_line_wins(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Option by option; zero seconds is something said."""
    settings = Settings(
        **NAMED, ports=(5570,), strategy=Strategy.RECREATE, probes=("tcp://:5570",), observe_s=3.0, ready_timeout_s=9.0
    )
    request = swap_request(Options(**given), settings)
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(("named", "missing"), [({"green": "old"}, "blue"), ({"blue": "new"}, "green")])
def test_a_colour_that_nobody_named_is_asked_for(named: dict[str, str], missing: str) -> None:
    """With both places where it can be said."""
    with pytest.raises(UsageError, match=f"Which service is {missing}") as caught:
        swap_request(Options(**named), Settings())
    assert caught.value.reference == f"no-{missing}"
    assert f"`{missing}: NAME` in cutover.yaml" in (caught.value.hint or "")


def test_no_ports_means_all_of_greens() -> None:
    """Which is for the plan to find out."""
    assert swap_request(Options(**NAMED), Settings()).ports == ()
