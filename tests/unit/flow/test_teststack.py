"""`up` without an Engine: ports that are lost on the way are chosen again, and every failure is taken down."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.config import Settings
from cutover.errors import EngineError, NeedsHandsError, ProbeError, RefusedError
from cutover.events import Event, Note
from cutover.flow import override, teststack
from cutover.flow.request import Options
from cutover.flow.runs import Runs
from cutover.flow.signals import Interrupted
from cutover.flow.teststack import NotReadyError, UpRequest, up
from cutover.flow.teststack_start import PortGoneError
from cutover.flow.teststack_target import Target
from cutover.model import Container, ContainerState, PortBinding
from cutover.ports.facts import Facts
from tests.unit.flow.world import FakeClock

BLUE = Container("b" * 64, "shop-new_test-1", "shop", "new_test", ContainerState.EXITED, exit_code=1)


@dataclass
class Held:
    """Ports that are held, and when they were let go of."""

    ports: tuple[int, ...]
    log: list[str]

    def close(self) -> None:
        """Let go."""
        self.log.append(f"let go of {self.ports[0]}")


@dataclass
class Theatre:
    """Everything around `up`, and a log of what was asked of it; `fails` says what `start` and `ready` raise."""

    folder: Path
    log: list[str] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    fails: dict[str, list[BaseException | None]] = field(default_factory=dict)
    ports: list[int] = field(default_factory=lambda: [20001, 20002, 20003, 20004])

    def __post_init__(self) -> None:
        self.options, self.settings, self.clock = Options(), Settings(blue="new"), FakeClock()
        self.observer = self
        self.stack = None
        self.daemon = SimpleNamespace(of_service=lambda *_: [])

    def tell(self, event: Event) -> None:
        """Keep what is told."""
        self.told.append(event)

    def name_project(self) -> str:
        """Return the project."""
        return "shop"

    def runs(self) -> Runs:
        """Return the runs of the project."""
        return Runs(self.folder, "shop")

    def spoken(self, words: str) -> str:
        """Return a command."""
        return f"cutover {words}"

    def act(self, name: str, detail: object) -> Any:
        """Write down what is asked, and fail as told."""
        self.log.append(f"{name} {detail}")
        failure = self.fails[name].pop(0) if self.fails.get(name) else None
        if failure is not None:
            raise failure

    def derived(self, request: Any) -> Any:
        """Return an override with the next free port."""
        self.port = self.ports.pop(0)
        self.act("derive", self.port)
        return SimpleNamespace(path=self.folder / "overrides" / "new_test.yml", held=Held((self.port,), self.log))


@pytest.fixture
def theatre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    """Give an `up` whose parts are told of and do nothing."""
    made = Theatre(tmp_path)

    def read_target(session: Any, file: Path, name: str | None, *, no_gpu: bool) -> Target:
        binding = PortBinding("127.0.0.1", made.port, 5570)
        model = {"name": "shop", "services": {"new_test": {"image": "shop:2"}}}
        return Target("new_test", "new", file, None, model, {5570: binding})  # type: ignore[arg-type]

    def start(session: Any, target: Target, held: Held) -> Container:
        made.act("start", held.ports[0])
        return BLUE

    monkeypatch.setattr(override, "derive", lambda _, request: made.derived(request))
    monkeypatch.setattr(override, "write", lambda _: made.act("write", made.port))
    monkeypatch.setattr(teststack, "read_target", read_target)
    monkeypatch.setattr(teststack, "see_harmless", lambda *_, run_jobs: made.act("harmless", run_jobs))
    monkeypatch.setattr(teststack, "see_image", lambda *_: made.act("image", ""))
    monkeypatch.setattr(teststack, "start", start)
    monkeypatch.setattr(teststack, "places_of", lambda *_: ())
    monkeypatch.setattr(teststack, "wait_ready", lambda *_: made.act("ready", ""))
    monkeypatch.setattr(teststack, "gather", lambda *_: Facts(BLUE, log=("Traceback", "no weights")))
    monkeypatch.setattr(teststack, "take_down", lambda _, service: made.act("down", service))
    monkeypatch.setattr(teststack, "test_address", lambda _, binding: binding.host_port)
    monkeypatch.setattr(teststack, "locked", lambda *_: contextlib.nullcontext())
    return made


def gone() -> PortGoneError:
    """Return what a start says whose port was taken."""
    return PortGoneError("port-taken", "Host port 20001 is not free.")


def test_ports_that_are_lost_are_chosen_again(theatre: Theatre) -> None:
    """The half-made stack is taken down, and the next one is started on other ports."""
    theatre.fails["start"] = [gone(), gone(), None]
    stack = up(theatre)  # type: ignore[arg-type]
    assert stack.ports == {5570: 20003}
    assert [line for line in theatre.log if line.split()[0] in {"start", "down", "ready"}] == [
        "start 20001",
        "down new_test",
        "start 20002",
        "down new_test",
        "start 20003",
        "ready ",
    ]
    assert [n.message for n in theatre.told if isinstance(n, Note)] == [
        "Host port 20001 is not free. Other ports are chosen."
    ] * 2
    assert theatre.log.count("let go of 20003") == 1


def test_three_times_and_no_more(theatre: Theatre) -> None:
    """Then somebody is at war with us, and a person has to look."""
    theatre.fails["start"] = [gone(), gone(), gone(), gone()]
    with pytest.raises(PortGoneError):
        up(theatre)  # type: ignore[arg-type]
    assert [line for line in theatre.log if line.startswith("start")] == ["start 20001", "start 20002", "start 20003"]
    assert theatre.log[-1] == "down new_test"


def test_an_override_that_was_handed_in_is_not_changed(theatre: Theatre) -> None:
    """Its ports were chosen elsewhere, with options that are not known here."""
    theatre.fails["start"] = [gone()]
    with pytest.raises(PortGoneError):
        up(theatre, theatre.derived(None))  # type: ignore[arg-type]
    assert "start 20002" not in theatre.log


@pytest.mark.parametrize("failure", [EngineError("x", "no"), Interrupted(2), OSError("disk"), ZeroDivisionError()])
def test_whatever_fails_is_taken_down(theatre: Theatre, failure: BaseException) -> None:
    """Also a defect of ours."""
    theatre.fails["start"] = [failure]
    with pytest.raises(type(failure)):
        up(theatre)  # type: ignore[arg-type]
    assert theatre.log[-2:] == ["let go of 20001", "down new_test"]


def test_a_stack_that_is_not_ready_says_why(theatre: Theatre) -> None:
    """The finding first, then what the wait saw, then the end of the log; the log is not told twice."""
    theatre.fails["ready"] = [ProbeError("not-ready", "new is not ready", evidence=["last answer: refused", "log: x"])]
    with pytest.raises(NotReadyError) as caught:
        up(theatre)  # type: ignore[arg-type]
    assert [f.code for f in caught.value.findings] == ["exited"]
    assert caught.value.evidence == (
        "exited: shop-new_test-1 exited with code 1.",
        "last answer: refused",
        "log: Traceback",
        "log: no weights",
    )
    assert caught.value.hint == "cutover up new_test --keep, then docker logs shop-new_test-1"
    assert caught.value.findings[0].cure == caught.value.hint
    assert theatre.log[-1] == "down new_test"
    assert "findings" in caught.value.as_dict()


def test_keep_keeps_a_failure_but_not_an_interruption(theatre: Theatre) -> None:
    """Who interrupts wants it gone."""
    theatre.fails["ready"] = [ProbeError("not-ready", "no"), Interrupted(2)]
    with pytest.raises(NotReadyError) as caught:
        up(theatre, request=UpRequest(keep=True))  # type: ignore[arg-type]
    assert "down new_test" not in theatre.log
    assert caught.value.hint == "docker logs shop-new_test-1"
    with pytest.raises(Interrupted):
        up(theatre, request=UpRequest(keep=True))  # type: ignore[arg-type]
    assert theatre.log[-1] == "down new_test"


def test_a_stack_that_cannot_be_taken_down_needs_hands(theatre: Theatre) -> None:
    """Both failures are told."""
    theatre.fails["start"] = [EngineError("x", "start refused")]
    theatre.fails["down"] = [EngineError("y", "remove refused")]
    with pytest.raises(NeedsHandsError) as caught:
        up(theatre)  # type: ignore[arg-type]
    assert "remove refused" in caught.value.message
    assert "before that: start refused" in caught.value.evidence
    assert caught.value.hint == "cutover down new_test"


def test_a_stranger_of_the_same_name_is_left_alone(theatre: Theatre) -> None:
    """A container without our label and without our record is not ours to replace."""
    theatre.daemon = SimpleNamespace(of_service=lambda *_: [BLUE])
    with pytest.raises(RefusedError) as caught:
        up(theatre)  # type: ignore[arg-type]
    assert caught.value.reference == "not-ours"
    assert not any(line.startswith(("start", "down")) for line in theatre.log)
