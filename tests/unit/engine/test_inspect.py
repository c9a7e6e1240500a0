"""`docker inspect` as recorded from a real Engine (20.10; environment values taken out), read into values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cutover.engine.inspect import container_from
from cutover.model import Container, ContainerState, Endpoint, Health, PortBinding, Protocol

RECORDED = Path(__file__).parents[2] / "recorded" / "inspect"


def recorded(name: str) -> dict[str, Any]:
    """Return one recorded answer of the Engine."""
    content: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return content


def test_a_service_of_a_project_that_runs_and_is_healthy() -> None:
    """Names, ports and networks come out as the model has them; one binding stands for IPv4 and IPv6."""
    ports = (PortBinding("", 25570, 5570), PortBinding("", 26570, 6570))
    found = container_from(recorded("compose-healthy"))
    assert found == Container(
        id="cdeccf85503941b200b9f78d8e443e4a28f74cb06a0ed1498e325461e8263a5f",
        name="mytry-model_manager_agent-1",
        project="mytry",
        service="model_manager_agent",
        state=ContainerState.RUNNING,
        health=Health.HEALTHY,
        pid=3595,
        image="mytry:1",
        image_id="sha256:ee641acda8dd593b741a60bcaa7cc04e7a520841aa32bef9762e400b31ed5d86",
        started_at="2026-11-22T11:22:00.316997053Z",
        restart_policy="unless-stopped",
        stop_timeout_s=3.0,
        published=ports,
        wanted=ports,
        endpoints=(
            Endpoint(
                "mytry_default",
                "d9f5bcb720c405080d867c0dc366c1276c13a34c8c85d06b140f4944b5121f98",
                "172.30.0.7",
                ("mytry-model_manager_agent-1", "model_manager_agent", "cdeccf855039"),
            ),
        ),
        labels=found.labels,
    )
    assert found.running
    assert not found.parked


def test_ports_that_docker_is_to_choose_are_not_wanted_ones() -> None:
    """`-p 18700-18702:80`, `-p 0:83` and `-p 127.0.0.1::81/udp` name no fixed port, in whatever container they are."""
    found = container_from(recorded("created-with-ranges"))
    assert found.wanted == (PortBinding("127.0.0.1", 18799, 82),)
    assert (found.published, found.restart_policy, found.stop_timeout_s) == ((), "on-failure:3", 3.0)
    assert (found.state, found.project, found.service) == (ContainerState.CREATED, "", "")


def test_a_container_that_ended_keeps_its_exit_code_and_what_it_wants() -> None:
    """It is not running, publishes nothing, and is not taken for a parked one."""
    found = container_from(recorded("exited"))
    assert (found.state, found.exit_code, found.pid) == (ContainerState.EXITED, 7, 0)
    assert (found.wanted, found.published, found.parked) == ((PortBinding("127.0.0.1", 18799, 82),), (), False)


def test_a_parked_container_runs_and_has_none_of_the_ports_it_wants() -> None:
    """Docker lists the ports of a container on the park network without a host."""
    details = recorded("compose-healthy")
    details["NetworkSettings"]["Ports"] = {"5570/tcp": None, "6570/tcp": []}
    found = container_from(details)
    assert (found.published, found.parked, len(found.wanted)) == ((), True, 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"StopTimeout": None}, 10.0), ({"StopTimeout": 0}, 0.0), ({"StopTimeout": 90}, 90.0)],
)
def test_the_grace_period_is_dockers_own_where_none_was_given(change: dict[str, Any], expected: float) -> None:
    """Zero is a grace period too."""
    details = recorded("exited")
    details["Config"].update(change)
    assert container_from(details).stop_timeout_s == expected


def test_health_failures_and_restarts_are_counted() -> None:
    """What a proof gives up on."""
    details = recorded("compose-healthy")
    details["State"]["Health"].update(Status="unhealthy", FailingStreak=4)
    details["RestartCount"] = 2
    found = container_from(details)
    assert (found.health, found.failing_streak, found.restart_count) == (Health.UNHEALTHY, 4, 2)


def test_what_docker_leaves_out_is_nothing() -> None:
    """Old Engines and bare containers have no health, labels, networks or restart policy."""
    details = recorded("exited")
    del details["State"]["ExitCode"], details["NetworkSettings"]
    details["Config"]["Labels"], details["HostConfig"]["RestartPolicy"] = None, None
    details["HostConfig"]["PortBindings"] = {"53/udp": [{"HostIp": "::", "HostPort": "53"}], "1/tcp": None}
    found = container_from(details)
    assert (found.health, found.exit_code, found.endpoints, found.labels) == (Health.NONE, 0, (), {})
    assert (found.restart_policy, found.wanted) == ("no", (PortBinding("", 53, 53, Protocol.UDP),))


def test_no_recorded_sample_carries_a_secret() -> None:
    """Environment values were taken out before the samples came into the repository."""
    for sample in RECORDED.glob("*.json"):
        assert all(e.endswith("=") for e in json.loads(sample.read_text())["Config"]["Env"]), sample.name
