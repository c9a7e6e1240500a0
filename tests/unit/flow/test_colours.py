"""Where each colour answers for a legacy port."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.config import Settings, Suite, suite_named
from cutover.errors import CutoverError, RefusedError, UsageError
from cutover.flow.colours import addresses, trial_containers
from cutover.flow.request import Options
from cutover.model import TEST_OF_LABEL, TEST_PORTS_LABEL, Container, ContainerState, Endpoint, PortBinding
from cutover.validate.talk import Address
from tests.unit.flow.world import BLUE, GREEN, PORTS

INSIDE = (Endpoint("shop_default", "n1", "127.0.0.3"),)
WARM = replace(GREEN, published=(), wanted=(), endpoints=INSIDE)
SERVING = replace(BLUE, state=ContainerState.RUNNING, published=PORTS, wanted=PORTS, endpoints=INSIDE)
TRIED = Container(
    "t" * 64,
    "shop-new_test",
    "shop",
    "new_test",
    ContainerState.RUNNING,
    published=(PortBinding("127.0.0.1", 20001, 5570), PortBinding("127.0.0.1", 20002, 6570)),
    labels={TEST_OF_LABEL: "new", TEST_PORTS_LABEL: "5570:20001,6570:20002"},
)
NAMED: dict[str, Any] = {"green": "old", "blue": "new", "ports": (5570, 6570)}


@dataclass
class Project:
    """Stands where a session would: containers, settings, options, and Compose's services (None: it rejects them)."""

    containers: tuple[Container, ...]
    settings: Settings
    options: Options = field(default_factory=Options)
    local: bool = True
    path: Path = Path("cutover.yaml")
    services: tuple[str, ...] | None = ("old", "new")

    @property
    def stack(self) -> Any:
        """Return what is asked of Compose."""
        return SimpleNamespace(config=self._config, source=SimpleNamespace(files=()))

    def _config(self) -> dict[str, Any]:
        if self.services is None:
            raise RefusedError("compose-invalid", "Docker Compose rejects the project's files.")
        return {"services": {name: {} for name in self.services}}

    @property
    def daemon(self) -> Any:
        """Return what is asked of the Engine."""
        address = SimpleNamespace(local=self.local, url="tcp://far:2376", host="127.0.0.1" if self.local else "far")
        return SimpleNamespace(containers=lambda _: list(self.containers), address=address)

    def name_project(self) -> str:
        """Return the project's name."""
        return "shop"

    def suites(self, names: Iterable[str]) -> dict[str, Suite]:
        """Return suites, read from their own files where they have them."""
        return {name: suite_named(self.settings, name, self.path) for name in names}

    def spoken(self, words: str) -> str:
        """Return a command as the user types it."""
        return f"cutover {words}"


def where(subject: str, *containers: Container, **settings: Any) -> dict[int, str]:
    """Return where a subject answers, as text."""
    found = addresses(Project(containers, Settings(**{**NAMED, **settings})), subject)  # type: ignore[arg-type]
    return {port: str(address) for port, address in found.items()}


def refusal(subject: str, *containers: Container, **project: Any) -> CutoverError:
    """Return why a subject cannot be asked."""
    settings = Settings(**project.pop("settings", NAMED))
    with pytest.raises(CutoverError) as caught:
        addresses(Project(containers, settings, **project), subject)  # type: ignore[arg-type]
    return caught.value


def test_who_holds_the_ports_is_asked_as_clients_ask() -> None:
    """On the host, at the address to which the port is bound."""
    assert where("green", GREEN) == {5570: "127.0.0.1:5570", 6570: "127.0.0.1:6570"}
    assert where("blue", WARM, SERVING) == {5570: "127.0.0.1:5570", 6570: "127.0.0.1:6570"}


def test_who_holds_none_is_asked_at_its_own_address() -> None:
    """Green after a swap, blue before one; on the port that it listens on inside."""
    assert where("green", WARM, SERVING) == {5570: "127.0.0.3:5570", 6570: "127.0.0.3:6570"}
    parked = replace(SERVING, published=(), wanted=())
    moved = where("blue", GREEN, parked, ports=(5570, "6570:9902"))
    assert moved == {5570: "127.0.0.3:5570", 6570: "127.0.0.3:9902"}


def test_without_ports_in_the_settings_all_that_green_publishes_counts() -> None:
    """As in a swap."""
    assert where("green", GREEN, ports=()) == {5570: "127.0.0.1:5570", 6570: "127.0.0.1:6570"}


def test_a_test_stack_is_asked_on_its_test_ports() -> None:
    """As its label says, or where it has none, by the port inside."""
    assert where("test", GREEN, TRIED) == {5570: "127.0.0.1:20001", 6570: "127.0.0.1:20002"}
    unlabelled = replace(TRIED, labels={TEST_OF_LABEL: "new"})
    assert where("test", GREEN, unlabelled) == {5570: "127.0.0.1:20001", 6570: "127.0.0.1:20002"}


def test_any_host_is_asked_on_the_ports_of_the_settings() -> None:
    """Those of suites, cases and probes included."""
    suite = {"to": "zmq://:7000", "steps": [{"name": "x"}]}
    asked = where("10.0.0.9", suites={"s": suite}, probes=("tcp://:7001",), parity={"cases": [{"to": "http://:7002/"}]})
    assert asked == {port: f"10.0.0.9:{port}" for port in (5570, 6570, 7000, 7001, 7002)}


def test_a_suite_in_a_file_of_its_own_has_ports_too(tmp_path: Path) -> None:
    """A host is asked on them as well."""
    (tmp_path / "s.yaml").write_text("to: zmq://:7003\nsteps: [{name: x}]\n")
    settings = Settings.model_validate({**NAMED, "suites": {"s": "s.yaml"}})
    project = Project((), settings, path=tmp_path / "cutover.yaml")
    assert set(addresses(project, "10.0.0.9")) == {5570, 6570, 7003}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "containers", "reference", "told"),
    [
        ("blue", (GREEN, BLUE), "not-running", "shop-new-1: exited"),
        ("blue", (GREEN,), "not-running", "running services: old"),
        ("test", (GREEN, BLUE), "no-test-stack", ""),
        ("test", (GREEN, replace(TRIED, state=ContainerState.EXITED)), "no-test-stack", ""),
        ("test", (GREEN, replace(TRIED, labels={TEST_OF_LABEL: "other"})), "no-test-stack", ""),
    ],
)
def test_who_does_not_run(subject: str, containers: tuple[Container, ...], reference: str, told: str) -> None:
    """What there is instead is said."""
    error = refusal(subject, *containers)
    assert isinstance(error, RefusedError)
    assert error.reference == reference
    assert told in " ".join(error.evidence)


def test_a_near_name_is_proposed() -> None:
    """For a service that is not in the files; where Compose rejects these, for one of which no container is there."""
    named = {"green": "old", "blue": "newest"}
    error = refusal("blue", GREEN, settings=named, services=("old", "newer"))
    assert isinstance(error, UsageError)
    assert error.reference == "unknown-service"
    assert error.message.endswith("did you mean 'newer'?")
    assert "--blue NAME" in error.hint
    error = refusal("blue", replace(GREEN, service="newer"), settings=named, services=None)
    assert (error.reference, error.hint) == ("not-running", "did you mean newer?")


def test_nobody_said_who_is_blue() -> None:
    """Then nothing is guessed."""
    error = refusal("blue", GREEN, settings={"green": "old"})
    assert isinstance(error, UsageError)
    assert error.reference == "no-blue"


def test_an_address_behind_a_remote_engine() -> None:
    """A container's own address means nothing here."""
    assert refusal("green", WARM, local=False).reference == "unreachable"


def test_containers_of_test_stacks() -> None:
    """Of one service, or of all."""
    stopped = replace(TRIED, state=ContainerState.EXITED)
    assert trial_containers([GREEN, TRIED, stopped], "new") == [TRIED]
    assert trial_containers([GREEN, TRIED], None) == [TRIED]
    assert trial_containers([GREEN, TRIED], "old") == []


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    """As in a URL."""
    assert str(Address("::1", 80)) == "[::1]:80"
