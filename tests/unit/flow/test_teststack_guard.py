"""What a test stack may not start: green, and jobs over what others use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.config import Settings
from cutover.engine.belongings import Belongings
from cutover.errors import RefusedError
from cutover.flow import teststack_guard
from cutover.flow.request import Options
from cutover.flow.teststack_guard import needs_of, see_harmless, serving
from cutover.flow.teststack_target import Target
from cutover.model import Container, ContainerState, PortBinding

LEGACY = {"published": "5570", "target": 5570}
DONE = {"condition": "service_completed_successfully"}


def volume(source: str, **more: Any) -> dict[str, Any]:
    """Return a mount of a named volume."""
    return {"type": "volume", "source": source, "target": "/data", **more}


def bind(source: str, **more: Any) -> dict[str, Any]:
    """Return a mount of a folder of the host."""
    return {"type": "bind", "source": source, "target": "/data", **more}


def container(service: str, state: ContainerState = ContainerState.RUNNING, **more: Any) -> Container:
    """Return a container of the project."""
    return Container(service * 9, f"shop-{service}-1", "shop", service, state, **more)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a judge: services and containers -> the refusal, None where there is none."""
    there = Belongings(frozenset(), {"shop_live": "then"})
    monkeypatch.setattr(teststack_guard, "belongings", lambda _: there)
    monkeypatch.setattr(
        teststack_guard, "users_of", lambda *_: {"shop-seed-old": ("shop", "seed"), "x-1": ("x", "seed")}
    )

    def judge(services: Any, *containers: Container, run_jobs: bool = False, green: str | None = None) -> Any:
        volumes = {"live": {"name": "shop_live"}, "fresh": {"name": "shop_fresh"}}
        model = {"name": "shop", "services": services, "volumes": volumes}
        binding = PortBinding("127.0.0.1", 20001, 5570)
        file = Path("/shop/overrides/new_test.yml")
        target = Target("new_test", "new", file, None, model, {5570: binding})  # type: ignore[arg-type]
        source = SimpleNamespace(files=(), project="shop")
        session = SimpleNamespace(
            options=Options(),
            settings=Settings(green=green),
            folder=Path("/shop"),
            stack=SimpleNamespace(source=source),
            daemon=SimpleNamespace(containers=lambda _: list(containers)),
            name_project=lambda: "shop",
            spoken=lambda words: f"cutover {words}",
        )
        try:
            see_harmless(session, target, run_jobs=run_jobs)  # type: ignore[arg-type]
        except RefusedError as error:
            return error
        return None

    return judge


def waiting_for(job: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return services of which the test stack waits for a job."""
    return {"new_test": {"depends_on": {"seed": DONE}}, "seed": job, **others}


@pytest.mark.parametrize(
    ("green", "entry", "running"),
    [
        ("old", {}, []),
        (None, {"ports": [LEGACY]}, []),
        ("old", {}, [container("old", ContainerState.EXITED)]),
        ("old", {"depends_on": {}}, [container("other")]),
    ],
)
def test_green_that_does_not_run(refused: Any, green: str | None, entry: Any, running: list[Container]) -> None:
    """By name or by what it publishes, also where it ended well, and where it is needed by what is needed."""
    services = {"new_test": {"depends_on": {"mid": {}}}, "mid": {"depends_on": {"old": {}}}, "old": entry}
    error = refused(services, *running, green=green)
    assert (error.reference, error.hint) == ("green-not-running", "docker compose up -d old")
    assert refused(services, container("old"), green=green) is None
    assert refused({"new_test": {"depends_on": {"store": {}}}, "store": {}}, green=green) is None


def test_who_serves() -> None:
    """The service that is called green, and the one that holds the port, whatever the settings say."""
    session: Any = SimpleNamespace(options=Options(), settings=Settings(green="old"))
    holder = container("new", published=(PortBinding("", 5570, 5570),))
    assert serving(session, [holder, container("store")], [5570, 6570]) == {"old", "new"}


@pytest.mark.parametrize(
    ("job", "telling"),
    [
        ({"volumes": [volume("live")]}, "seed can write volume shop_live: old, x-1 mounts it too"),
        ({"volumes": [bind("/srv/data")]}, "seed can write /srv/data: old mounts it too"),
        ({"volumes": [bind("/srv/data/models/large")]}, "old mounts it too"),
        ({"volumes": [bind("/srv")]}, "old mounts it too"),
        ({"volumes_from": ["old"]}, "seed has the volumes of old"),
        ({"depends_on": {"store": {}}}, "seed is made to work on store, which runs"),
    ],
)
def test_a_job_that_could_do_harm(refused: Any, job: dict[str, Any], telling: str) -> None:
    """It is named with what it reaches; it may run where that is asked for, and where it is done already."""
    old = {"volumes": [volume("live"), bind("/srv/data/models", read_only=True)]}
    services = waiting_for(job, old=old, store={})
    error = refused(services, container("store"))
    assert error.reference == "job-would-run"
    assert any(telling in line for line in error.evidence), error.evidence
    assert error.hint.startswith("cutover up new_test --run-jobs runs it; docker compose up seed")
    assert refused(services, container("store"), run_jobs=True) is None
    for state in (ContainerState.EXITED, ContainerState.RUNNING):
        assert refused(services, container("store"), container("seed", state)) is None
    failed = container("seed", ContainerState.EXITED, exit_code=1)
    assert refused(services, container("store"), failed).reference == "job-would-run"


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"volumes": [volume("live", read_only=True), bind("/srv/data", read_only=True)]},
        {"volumes": [volume("fresh")]},
        {"volumes": [{"type": "volume", "target": "/anonymous"}, {"type": "tmpfs", "target": "/tmp"}]},
        {"volumes": [bind("/srv/database")]},
        {"volumes_from": ["old:ro"]},
        {"depends_on": {"store": {}}},
    ],
)
def test_a_job_that_cannot(refused: Any, job: dict[str, Any]) -> None:
    """What it reads, what is not there yet, and what only it has, is nobody's data."""
    old = {"volumes": [volume("live"), bind("/srv/data"), volume("fresh")]}
    assert refused(waiting_for(job, old=old, store={})) is None


def test_a_service_is_no_job(refused: Any) -> None:
    """Nobody waits for its end: it is started as it is."""
    services = {"new_test": {"depends_on": {"store": {}}}, "store": {"volumes": [volume("live")]}}
    assert refused({**services, "old": {"volumes": [volume("live")]}}) is None


def test_what_is_needed_comes_first() -> None:
    """Each service after what it needs itself; one that is not in the model is not required."""
    services = {
        "t": {"depends_on": {"a": {}, "nobody": {"required": False}}},
        "a": {"depends_on": {"b": {}, "c": {}}},
        "b": {"depends_on": {"c": {}}},
        "c": {},
    }
    target = Target("t", "new", Path("f"), None, {"services": services}, {})  # type: ignore[arg-type]
    assert needs_of(target) == ["c", "b", "a"]
