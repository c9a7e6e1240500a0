"""Every refusal by its reference, with the next command; nothing is refused that can be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cutover.config import Strategy
from cutover.errors import CutoverError, ExitCode
from cutover.files import FileState
from cutover.flow.observed import SourceFile
from cutover.flow.planner import moves_of
from cutover.flow.preflight import see_writable
from cutover.flow.request import PortRequest
from cutover.model import ContainerState, Listener, PortBinding, Protocol
from tests.unit.flow.world import BLUE, EDIT, FILE, GREEN, asked, model, observed

STOPPED = replace(GREEN, state=ContainerState.EXITED, published=())
PARKED = replace(GREEN, published=())
BARE = replace(GREEN, published=(), wanted=())
SECOND = replace(GREEN, id="h" * 64, name="shop-old-2")
RECREATE = Strategy.RECREATE
BUILT = {"image": "", "build": {"context": "."}}
OWN_PORT = {"ports": [{"published": "9000", "target": 90, "protocol": "tcp"}, {"published": "7000-7001", "target": 1}]}
THIEF = Listener("0.0.0.0", 9000, pid=812, command="nc -l 9000")


def refusal(state: dict[str, Any], request: dict[str, Any]) -> CutoverError:
    """Return why a swap may not begin."""
    with pytest.raises(CutoverError) as caught:
        moves_of(observed(**state), asked(**request))
    return caught.value


@pytest.mark.parametrize(
    ("state", "request_", "reference", "message", "hint"),
    [
        ({}, {"green": "olld"}, "unknown-service", "'olld' (green) in project shop; did you mean 'old'?", "--services"),
        ({}, {"blue": "zzz"}, "unknown-service", "'zzz' (blue) in project shop.", "--services"),
        ({}, {"blue": "old"}, "same-service", "the same service, old", "--blue NEW"),
        ({"unfinished": ("r1", "r2")}, {}, "unfinished-run", "Run r2 of this project", "cutover recover"),
        ({"free_bytes": 5000}, {}, "disk-full", "Only 4 KiB are free in /srv/shop", "df -h /srv/shop"),
        ({"containers": ()}, {}, "green-not-running", "it has no container", "docker compose up -d old"),
        ({"containers": (STOPPED,)}, {}, "green-not-running", "its container is exited", "docker compose up -d old"),
        ({"containers": (GREEN, SECOND)}, {}, "green-scaled", "runs in 2 containers", "--scale old=1 old"),
        ({"images": {}}, {}, "image-missing", "The image shop:2 of new", "docker compose pull new"),
        ({"model": model(new=BUILT)}, {}, "image-missing", "The image shop-new of new", "docker compose build new"),
        (
            {"containers": (GREEN, replace(BLUE, state=ContainerState.PAUSED))},
            {},
            "blue-paused",
            "shop-new-1 is paused",
            "docker unpause shop-new-1",
        ),
        (
            {"model": model(old={"network_mode": "host"})},
            {},
            "cannot-park",
            "old has network_mode: host",
            "--strategy recreate",
        ),
        (
            {"model": model(new={"network_mode": "service:db"})},
            {},
            "cannot-park",
            "new has network_mode: service:db",
            "--strategy recreate",
        ),
        ({"park_parent": None}, {}, "cannot-park", "old is on no bridge network", "--strategy recreate"),
        (
            {},
            {"ports": (PortRequest(5570),)},
            "ports-left-behind",
            "old would keep 127.0.0.1:6570:6570",
            "name no --port",
        ),
        ({"containers": (BARE,)}, {}, "port-not-published", "old publishes no port, so there is none", "cutover ports"),
        (
            {"containers": (PARKED,)},
            {},
            "port-not-published",
            "it asks for 5570:5570, 127.0.0.1:6570:6570 and does not have it",
            "cutover ports",
        ),
        ({}, {"ports": (PortRequest(80),)}, "port-not-published", "old does not publish port 80", "cutover ports"),
        (
            {"model": model(new=OWN_PORT), "listeners": (THIEF,)},
            {},
            "port-held",
            "new also publishes a port of its own",
            "`ports:` of new",
        ),
    ],
)
def test_refusals(state: dict[str, Any], request_: dict[str, Any], reference: str, message: str, hint: str) -> None:
    """Each says what is wrong, and what to do next."""
    error = refusal(state, request_)
    assert error.reference == reference
    assert message in error.message
    assert hint in (error.hint or "")


def test_only_a_request_that_makes_no_sense_is_a_usage_error() -> None:
    """Exit code 2 for names, 1 for the state of things."""
    assert refusal({}, {"green": "x"}).exit_code is ExitCode.USAGE
    assert refusal({}, {"blue": "old"}).exit_code is ExitCode.USAGE
    assert refusal({"free_bytes": 0}, {}).exit_code is ExitCode.REFUSED


def test_evidence_says_what_was_seen() -> None:
    """The services that there are, green's networks, what it publishes, who holds the port."""
    assert refusal({}, {"green": "x"}).evidence == ("services: new, old",)
    assert refusal({"park_parent": None}, {}).evidence == ("its networks: shop_default",)
    assert refusal({}, {"ports": (PortRequest(80),)}).evidence == ("it publishes 5570:5570, 127.0.0.1:6570:6570",)
    held = refusal({"model": model(new=OWN_PORT), "listeners": (THIEF,)}, {})
    assert held.evidence == ("9000:90 is held by process 812 (nc -l 9000)",)


@pytest.mark.parametrize(
    ("state", "request_"),
    [
        ({"model": model(old={"network_mode": "host"}, new={"network_mode": "host"})}, {"strategy": RECREATE}),
        ({"park_parent": None}, {"strategy": RECREATE}),
        ({}, {"strategy": RECREATE, "ports": (PortRequest(5570),)}),
        ({"free_bytes": 8 * 2**20}, {}),
        ({"containers": (STOPPED, replace(GREEN, id="other"))}, {}),
        ({"containers": (GREEN, BLUE)}, {}),
        ({"model": model(new=OWN_PORT)}, {}),
        ({"model": model(new=OWN_PORT), "listeners": (replace(THIEF, protocol=Protocol.UDP),)}, {}),
    ],
)
def test_what_can_be_done_is_not_refused(state: dict[str, Any], request_: dict[str, Any]) -> None:
    """Each stands beside a refusal that it is near to."""
    assert moves_of(observed(**state), asked(**request_))


def test_blues_own_ports_are_free_where_its_old_container_holds_them() -> None:
    """That container is replaced; another one that holds the port is named."""
    own = (PortBinding("", 9000, 90),)
    before = replace(BLUE, state=ContainerState.RUNNING, published=own)
    assert moves_of(observed(model=model(new=OWN_PORT), containers=(GREEN, before)), asked())
    other = replace(before, id="o", name="shop-other-1", service="other")
    error = refusal({"model": model(new=OWN_PORT), "containers": (GREEN, other)}, {})
    assert error.evidence == ("9000:90 is held by container shop-other-1 (service other), which publishes 9000:90",)


def test_a_file_that_may_not_be_written_is_refused_before_anything_else_is_done() -> None:
    """Only one that is to be edited matters."""
    locked = SourceFile(FILE, b"", FileState("before", 0o444, 0, 0), writable=False)
    with pytest.raises(CutoverError, match=r"/srv/shop/compose.yaml or its folder may not be written") as caught:
        see_writable(observed(files=(locked,)), (EDIT,))
    assert caught.value.reference == "file-not-writable"
    see_writable(observed(files=(locked,)), ())
    see_writable(observed(), (EDIT,))


def test_all_of_greens_ports_move_where_none_is_named() -> None:
    """Each to the same port inside blue."""
    moves = moves_of(observed(), asked())
    assert [(str(m.binding), m.blue_target) for m in moves] == [("5570:5570", 5570), ("127.0.0.1:6570:6570", 6570)]


def test_a_port_published_on_two_addresses_moves_on_both() -> None:
    """One `--port` means every binding of that port."""
    both = (PortBinding("10.0.0.1", 5570, 5570), PortBinding("127.0.0.1", 5570, 5570))
    green = replace(GREEN, published=both, wanted=both)
    moves = moves_of(observed(containers=(green,)), asked(ports=(PortRequest(5570, 9901),)))
    assert [str(m.to_blue) for m in moves] == ["10.0.0.1:5570:9901", "127.0.0.1:5570:9901"]


TWICE = (PortBinding("", 21300, 5570), PortBinding("", 21302, 5570))
SHARED = replace(GREEN, published=TWICE, wanted=TWICE)


@pytest.mark.parametrize(
    "ports",
    [
        (PortRequest(21300, 9901), PortRequest(21302)),
        (PortRequest(21302), PortRequest(21300, 9901)),
        (PortRequest(21300, 9901), PortRequest(21302, 9902)),
    ],
)
def test_two_ports_of_one_target_cannot_part(ports: tuple[PortRequest, ...]) -> None:
    """The editor retargets by the port inside: both would lead to what was meant for one."""
    error = refusal({"containers": (SHARED,)}, {"ports": ports})
    assert (error.reference, error.exit_code) == ("target-ambiguous", ExitCode.REFUSED)
    assert "21300:5570 would lead to 9901 in new" in error.evidence
    assert "--port 21302:INSIDE" in (error.hint or "")


@pytest.mark.parametrize("inside", [None, 9901])
def test_two_ports_of_one_target_move_together(inside: int | None) -> None:
    """To the same port inside blue, whichever it is."""
    ports = (PortRequest(21300, inside), PortRequest(21302, inside))
    moves = moves_of(observed(containers=(SHARED,)), asked(ports=ports))
    assert [(str(m.binding), m.blue_target) for m in moves] == [
        ("21300:5570", inside or 5570),
        ("21302:5570", inside or 5570),
    ]


def test_one_of_two_ports_of_one_target_may_go_elsewhere() -> None:
    """`recreate` leaves the other with green, and what stays is not retargeted."""
    request = asked(strategy=RECREATE, ports=(PortRequest(21300, 9901),))
    assert [str(m.to_blue) for m in moves_of(observed(containers=(SHARED,)), request)] == ["21300:9901"]


@pytest.mark.parametrize("second", [None, 9902])
def test_a_port_named_twice_for_two_ports_inside_makes_no_sense(second: int | None) -> None:
    """Either could be meant."""
    error = refusal({}, {"ports": (PortRequest(5570, 9901), PortRequest(5570, second))})
    assert (error.reference, error.exit_code) == ("bad-port", ExitCode.USAGE)
    assert "named twice" in error.message


def test_a_port_named_twice_alike_moves_once() -> None:
    """As if it were named once."""
    request = asked(ports=(PortRequest(5570), PortRequest(6570), PortRequest(5570)))
    assert [m.binding.host_port for m in moves_of(observed(), request)] == [5570, 6570]
