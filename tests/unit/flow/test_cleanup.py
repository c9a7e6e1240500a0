"""The removal: each thing looked at again, one that cannot go keeps no other from going, runs go in one instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cutover.engine.leftovers import ContainerFacts, NetworkFacts
from cutover.errors import EngineError, EngineGoneError, RefusedError
from cutover.flow import cleanup
from cutover.flow.cleanup import clean, leftovers
from cutover.flow.cleanup_choice import Facts, Keep, RunFacts, What, choose
from cutover.flow.cleanup_facts import RUN_ID
from cutover.flow.runs import Runs
from tests.unit.flow.test_runs import run_of
from tests.unit.flow.world import START, FakeClock

MINE = {"io.cutover.project": "shop"}
PARK = NetworkFacts("n0", "0-cutover-shop", MINE)
HELPER = ContainerFacts("h", "cutover-h", running=False, labels={**MINE, "io.cutover.helper": "redirect"})
IDS = [f"2026030{n}T120000.000-000{n}" for n in (1, 2)]


@dataclass
class FakeSession:
    """A project in a folder, and an Engine that has nothing."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    daemon: object = None
    notes: list[str] = field(default_factory=list)

    def runs(self) -> Runs:
        """Return the runs."""
        return Runs(self.folder, "shop")

    def observer_note(self, message: str) -> None:
        """Keep what is told."""
        self.notes.append(message)


@pytest.fixture
def session(tmp_path: Path) -> Any:
    """Give a project with two runs that are done."""
    for run_id in IDS:
        run_of(tmp_path / ".cutover" / "shop" / run_id, "plan +s01 s01 =done")
    return FakeSession(tmp_path)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, session: Any) -> dict[str, Any]:
    """Give what the Engine has, to be changed, and what was removed of it."""
    runs = tuple(RunFacts(i, "done", path=str(session.runs().folder / i)) for i in IDS)
    now: dict[str, Any] = {"facts": Facts("shop", START, runs, (HELPER,), networks=(PARK,)), "removed": []}
    monkeypatch.setattr(cleanup, "look", lambda *_: now["facts"])
    monkeypatch.setattr(cleanup, "images_asked", lambda _: frozenset())
    monkeypatch.setattr(cleanup, "size_of_container", lambda *_: 7)
    monkeypatch.setattr(cleanup, "remove_helper", lambda _, i: now["removed"].append(i))
    monkeypatch.setattr(cleanup, "remove_network", lambda _, i: now["removed"].append(i) or True)
    return now


def test_all_goes(session: Any, world: dict[str, Any]) -> None:
    """What was shown is gone, the old run's folder as well, and the newest run is there."""
    keep = Keep(runs=1)
    shown = leftovers(session, keep)
    assert shown.total_bytes == 7
    assert world["removed"] == []
    done = clean(session, keep, shown)
    assert [i.what for i in done.removed] == [What.HELPER, What.NETWORK, What.RUN]
    assert world["removed"] == ["h", "n0"]
    assert [r.id for r in session.runs().all()] == IDS[1:]
    assert not list((session.folder / ".cutover").glob(".*.cutover-tmp"))


def test_got_used_meanwhile(session: Any, world: dict[str, Any]) -> None:
    """A container joined the network after the list was shown: it is left, and told."""
    shown = leftovers(session, Keep())
    world["facts"] = Facts(
        "shop", START, containers=(HELPER, ContainerFacts("x", "x", True, networks=frozenset({"n0"}))), networks=(PARK,)
    )
    done = clean(session, Keep(), shown)
    assert [i.name for i in done.left] == [PARK.name]
    assert world["removed"] == ["h"]
    assert any("left network 0-cutover-shop" in note for note in session.notes)


def test_the_engine_refuses_the_removal(session: Any, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody was faster by a moment: left, not failed."""
    monkeypatch.setattr(cleanup, "remove_network", lambda *_: False)
    done = clean(session, Keep(), choose(world["facts"], Keep()))
    assert ([i.name for i in done.left], done.failed) == ([PARK.name], [])


def test_one_that_cannot_go(session: Any, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the rest goes; without an Engine nothing goes on."""
    shown = choose(world["facts"], Keep())

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(cleanup, "remove_helper", fails)
    error: Exception = EngineError("engine-refused", "no")
    done = clean(session, Keep(), shown)
    assert [(i.name, e) for i, e in done.failed] == [(HELPER.name, error)]
    assert world["removed"] == ["n0"]
    error = PermissionError(13, "Permission denied")
    assert clean(session, Keep(), shown).as_dict()["failed"][0]["error"]["reference"] == "system-refused"
    error = EngineGoneError("engine-gone", "no")
    with pytest.raises(EngineGoneError):
        clean(session, Keep(), shown)


def test_unfinished_run_comes_first(session: Any, world: dict[str, Any]) -> None:
    """Neither looked at nor removed while `recover` has something to do."""
    shown = choose(world["facts"], Keep())
    run_of(session.runs().folder / "20260303T120000.000-0003", "plan +s01")
    for act in (lambda: leftovers(session, Keep()), lambda: clean(session, Keep(), shown)):
        with pytest.raises(RefusedError) as refused:
            act()
        assert (refused.value.reference, refused.value.hint) == ("unfinished-run", "cutover recover")
    assert world["removed"] == []


def test_names_of_runs(tmp_path: Path) -> None:
    """A folder that is no run of ours is not taken for one."""
    assert RUN_ID.fullmatch(Runs(tmp_path, "shop").new(FakeClock()).id)
    assert not RUN_ID.fullmatch("backups")
