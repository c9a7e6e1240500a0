"""Whoever is held for a backup goes on: after it, after an error, and after a crash, by the note written first."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cutover.engine.writers import Writer
from cutover.errors import EngineError, NeedsHandsError, RefusedError
from cutover.flow import backup_writers
from cutover.flow.backup_writers import Hold, held, let_go
from cutover.flow.signals import Interrupted, interruptible
from cutover.model import Container, ContainerState

WRITERS = [Writer("1" * 64, "shop-db-1"), Writer("2" * 64, "shop-app-1")]


@dataclass
class Docker:
    """Containers by ID; what is done to them is written down. `broken` refuses to go on."""

    states: dict[str, ContainerState] = field(default_factory=lambda: {w.id: ContainerState.RUNNING for w in WRITERS})
    log: list[str] = field(default_factory=list)
    broken: str = ""

    def container(self, container_id: str) -> Container | None:
        """Return one."""
        state = self.states.get(container_id)
        return Container(container_id, container_id[:1], "shop", "db", state) if state else None

    def set(self, container_id: str, state: ContainerState) -> None:
        """Change one."""
        if container_id == self.broken:
            raise EngineError("refused", "no")
        self.log.append(f"{container_id[:1]} {state}")
        self.states[container_id] = state

    def stop(self, container: Container) -> None:
        """Stop one."""
        self.set(container.id, ContainerState.EXITED)

    def start(self, container_id: str) -> None:
        """Start one."""
        self.set(container_id, ContainerState.RUNNING)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Give an Engine with two containers."""
    monkeypatch.setattr(backup_writers, "pause", lambda daemon, i: daemon.set(i, ContainerState.PAUSED))
    monkeypatch.setattr(backup_writers, "unpause", lambda daemon, i: daemon.set(i, ContainerState.RUNNING))
    monkeypatch.setattr(backup_writers, "goes_when_stopped", lambda _daemon, _id: False)
    return Docker()


def test_nobody_is_stopped_who_would_be_gone(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker run --rm`: nobody is touched, and no note is left."""
    monkeypatch.setattr(backup_writers, "goes_when_stopped", lambda _, i: i == WRITERS[1].id)
    with pytest.raises(RefusedError, match="shop-app-1 was started with --rm"), hold(docker, tmp_path / "n", Hold.STOP):
        pass
    assert docker.log == []
    assert not (tmp_path / "n").exists()


def hold(docker: Any, note: Path, how: Hold | None = Hold.PAUSE) -> Any:
    """Hold both."""
    return held(docker, note, WRITERS, how, lambda _: None)


@pytest.mark.parametrize(("how", "state"), [(Hold.PAUSE, "paused"), (Hold.STOP, "exited")])
def test_they_wait_and_go_on(docker: Docker, tmp_path: Path, how: Hold, state: str) -> None:
    """Last first; nothing is left of it."""
    note = tmp_path / "held.json"
    with hold(docker, note, how):
        assert docker.log == [f"1 {state}", f"2 {state}"]
        assert [e["name"] for e in json.loads(note.read_bytes())["containers"]] == ["shop-db-1", "shop-app-1"]
    assert docker.log[2:] == ["2 running", "1 running"]
    assert not note.exists()


def test_they_go_on_after_an_error(docker: Docker, tmp_path: Path) -> None:
    """Of the copy, or of the second pause: the first one is let go."""
    with pytest.raises(OSError, match="full"), hold(docker, tmp_path / "held.json"):
        raise OSError("full")
    assert set(docker.states.values()) == {ContainerState.RUNNING}
    docker.broken = WRITERS[1].id
    docker.log.clear()
    with pytest.raises(EngineError, match="no"), hold(docker, tmp_path / "held.json"):
        raise AssertionError
    assert docker.log == ["1 paused", "1 running"]


def test_a_signal_waits_until_the_engine_is_done(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a stop, and in the middle of the way back: nobody is left behind."""
    note = tmp_path / "held.json"
    plain = Docker.stop

    def interrupted(self: Docker, container: Container) -> None:
        signal.raise_signal(signal.SIGTERM)
        plain(self, container)

    monkeypatch.setattr(Docker, "stop", interrupted)
    with pytest.raises(Interrupted), interruptible(), hold(docker, note, Hold.STOP):
        raise AssertionError
    assert docker.log == ["1 exited", "1 running"]
    assert not note.exists()


def test_a_crash_leaves_the_note_and_the_next_one_brings_them_back(docker: Docker, tmp_path: Path) -> None:
    """Also where it came before anybody was held, and where one is gone meanwhile."""
    note = tmp_path / "held.json"
    with hold(docker, note):
        kept = note.read_bytes()
    note.write_bytes(kept)
    docker.states = {WRITERS[0].id: ContainerState.PAUSED}
    told: list[str] = []
    assert let_go(docker, note, told.append) == 2  # type: ignore[arg-type]
    assert told == ["shop-db-1 goes on"]
    assert not note.exists()
    assert let_go(docker, note, told.append) == 0  # type: ignore[arg-type]


def test_who_cannot_be_brought_back_stays_noted(docker: Docker, tmp_path: Path) -> None:
    """The others are; the error names the commands."""
    note = tmp_path / "held.json"
    with pytest.raises(NeedsHandsError) as caught, hold(docker, note):
        docker.broken = WRITERS[0].id
    assert caught.value.evidence == ("shop-db-1: no",)
    assert "docker unpause shop-db-1" in (caught.value.hint or "")
    assert docker.states[WRITERS[1].id] is ContainerState.RUNNING
    assert note.exists()


def test_nobody_is_held_unasked(docker: Docker, tmp_path: Path) -> None:
    """Without --pause and --stop nothing is written."""
    with hold(docker, tmp_path / "held.json", None):
        assert list(tmp_path.iterdir()) == []
    assert docker.log == []


@pytest.mark.parametrize("content", ["", "{}", '{"containers": [{"id": 1}]}', '{"containers": 3}'])
def test_a_damaged_note_needs_hands(docker: Docker, tmp_path: Path, content: str) -> None:
    """Who was held nobody knows then."""
    note = tmp_path / "held.json"
    note.write_text(content)
    with pytest.raises(NeedsHandsError) as caught:
        let_go(docker, note, print)  # type: ignore[arg-type]
    assert caught.value.reference == "writers-note-damaged"
