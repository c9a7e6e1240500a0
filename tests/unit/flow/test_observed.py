"""What is read off the observed state and off earlier runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutover.flow.journal import Journal, Kind
from cutover.flow.observed import image_of, load_seconds, reserves_gpu
from cutover.flow.runs import Runs
from cutover.model import ContainerState
from tests.unit.flow.world import GREEN, FakeClock, model, observed


def reserving(device: dict[str, Any]) -> dict[str, Any]:
    """Return a service of Compose's model that reserves a device."""
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (reserving({"capabilities": ["gpu"]}), True),
        (reserving({"driver": "nvidia", "count": 1}), True),
        (reserving({"capabilities": ["tpu"]}), False),
        (reserving({"capabilities": None}), False),
        ({"deploy": {"resources": {"limits": {"memory": "1g"}}}}, False),
        ({"deploy": None}, False),
        ({}, False),
    ],
)
def test_a_service_that_reserves_a_gpu(service: dict[str, Any], expected: bool) -> None:
    """As the canonical model writes it."""
    assert reserves_gpu(service) is expected


@pytest.mark.parametrize(
    ("entry", "image"), [({}, "shop:2"), ({"image": None}, "shop-new"), ({"image": ""}, "shop-new")]
)
def test_a_built_image_has_composes_own_name(entry: dict[str, Any], image: str) -> None:
    """Project and service, where no image is named."""
    assert image_of(observed(model=model(new=entry)), "new") == image


def test_running_containers_come_first_and_other_projects_never() -> None:
    """What is asked for is the one that serves."""
    stopped = replace(GREEN, id="1", state=ContainerState.EXITED)
    foreign = replace(GREEN, id="2", project="other")
    state = observed(containers=(stopped, foreign, GREEN, replace(GREEN, id="3", service="new")))
    assert [c.id for c in state.of_service("old")] == [GREEN.id, "1"]


def test_how_long_a_service_took_to_load_comes_from_the_newest_run_that_measured_it(tmp_path: Path) -> None:
    """Service by service, whatever became of the run."""
    runs = Runs(tmp_path, "shop")
    for name, service, seconds in (("1", "new", 9.0), ("2", "new", 4.5), ("3", "other", 1.0), ("4", None, 0.0)):
        (runs.folder / name).mkdir(parents=True)
        journal = Journal(runs.folder / name, FakeClock())
        journal.write(Kind.DONE, "s05", **({"service": service, "ready_s": seconds} if service else {}))
    assert load_seconds(runs) == {"new": 4.5, "other": 1.0}


def test_secrets_stay_out_of_its_repr() -> None:
    """The environment and the model hold passwords."""
    state = observed(environment={"TOKEN": "hunter2"}, model=model(new={"environment": {"TOKEN": "hunter2"}}))
    assert "hunter2" not in repr(state)
