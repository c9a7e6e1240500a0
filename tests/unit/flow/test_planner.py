"""Whole plans as text, from observed states built by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cutover.config import Strategy
from cutover.flow import planner
from cutover.flow.edits import Edited
from cutover.flow.observed import ObservedState
from cutover.flow.plan import Plan, StepKind
from cutover.flow.planner import moves_of, plan_swap
from cutover.flow.request import PortRequest, SwapRequest
from cutover.gpu.readings import Gpu
from cutover.model import Container, ContainerState
from tests.unit.flow.world import BLUE, EDIT, GREEN, asked, model, observed

RECREATE = Strategy.RECREATE
ON_A_GPU = {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}}


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold what the bench measures still: the rule is tested here, not the machine."""
    monkeypatch.setattr(planner, "RELINK_BASE_S", 0.12)
    monkeypatch.setattr(planner, "RELINK_PER_BINDING_S", 0.03)
    monkeypatch.setattr(planner, "RECREATE_BASE_S", 0.9)


def planned(state: ObservedState, request: SwapRequest) -> Plan:
    """Return the plan of a swap that edits one file."""
    return plan_swap(state, request, moves_of(state, request), Edited((EDIT,)))


def steps(plan: Plan) -> list[str]:
    """Return the steps in a few words each."""
    return [s.title for s in plan.steps]


def notes(plan: Plan) -> list[str]:
    """Return the notes under the plan."""
    return [line.removeprefix("note: ") for line in plan.text().splitlines() if line.startswith("note: ")]


def test_relink() -> None:
    """Blue is proven before green is touched, and the ports move last; green stays warm."""
    assert (
        planned(observed(), asked()).text()
        == """\
swap old -> new in project shop by relink: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 park-network for new                                 a container on it runs without its host ports
  s03 create-blue new                                      with its final ports 5570, 6570, from the edited file
  s04 start-parked new                                     old still holds 5570, 6570
  s05 prove-inside new                                     old is not touched before new answers
  s06 edit-files compose.yaml                              ports 5570, 6570 belong to new from now on
  s07 relink 5570, 6570                                    park old, unpark new
  s08 prove-outside new                                    through the legacy ports, with proof of who answers
  s09 watch new                                            for 10 s; two failures in a row turn it back
  s10 settle-green old                                     without ports, as the file now says; warm until commit
  s11 remove-park-network of new                           nobody is parked any more
predicted silence of the legacy ports: 0.18 s (Docker moves the ports between running containers)"""
    )


def test_recreate() -> None:
    """Green stops before blue starts, nothing is parked, and the silence rests on what blue took to load before."""
    state = observed(load_seconds={"new": 7.25, "old": 99.0})
    assert (
        planned(state, asked(strategy=RECREATE)).text()
        == """\
swap old -> new in project shop by recreate: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 create-blue new                                      with its final ports 5570, 6570, from the edited file, \
while old serves
  s03 edit-files compose.yaml                              ports 5570, 6570 belong to new from now on
  s04 recreate 5570, 6570                                  stop old, start new
  s05 prove-inside new                                     it loads now, and nobody is served meanwhile
  s06 prove-outside new                                    through the legacy ports, with proof of who answers
  s07 watch new                                            for 10 s; two failures in a row turn it back
  s08 settle-green old                                     without ports, as the file now says; warm until commit
predicted silence of the legacy ports: 8.15 s (new took 7.2 s to load in an earlier run)"""
    )


def test_suites_run_before_green_is_touched_and_again_as_clients_ask() -> None:
    """`recreate` has no moment before: there the ports are silent already."""
    relink = steps(planned(observed(), asked(suites=("chat", "health"))))
    assert relink[4:9] == [
        "prove-inside new",
        "smoke-inside chat, health",
        "edit-files compose.yaml",
        "relink 5570, 6570",
        "prove-outside new",
    ]
    assert relink[9:11] == ["smoke-outside chat, health", "watch new"]
    recreate = steps(planned(observed(), asked(suites=("chat",), strategy=RECREATE)))
    assert [s for s in recreate if s.startswith("smoke")] == ["smoke-outside chat"]
    assert recreate.index("smoke-outside chat") == recreate.index("prove-outside new") + 1


def test_relink_with_commit_and_without_a_watch() -> None:
    """Green's container goes at the end; nobody watches for zero seconds."""
    assert (
        planned(observed(), asked(commit=True, observe_s=0.0)).text()
        == """\
swap old -> new in project shop by relink: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 park-network for new                                 a container on it runs without its host ports
  s03 create-blue new                                      with its final ports 5570, 6570, from the edited file
  s04 start-parked new                                     old still holds 5570, 6570
  s05 prove-inside new                                     old is not touched before new answers
  s06 edit-files compose.yaml                              ports 5570, 6570 belong to new from now on
  s07 relink 5570, 6570                                    park old, unpark new
  s08 prove-outside new                                    through the legacy ports, with proof of who answers
  s09 retire-green old                                     --commit: its container is removed
  s10 remove-park-network of new                           nobody is parked any more
predicted silence of the legacy ports: 0.18 s (Docker moves the ports between running containers)"""
    )


def test_recreate_of_one_port_that_leads_elsewhere_in_blue_never_measured() -> None:
    """`--port 5570:9901 --commit`: only that port moves, to 9901 inside; nothing predicts the silence."""
    request = asked(strategy=RECREATE, ports=(PortRequest(5570, 9901),), commit=True, observe_s=0.5)
    plan = planned(observed(), request)
    assert (
        plan.text()
        == """\
swap old -> new in project shop by recreate: ports 5570:5570 (in blue: 9901)
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 create-blue new                                      with its final ports 5570, from the edited file, \
while old serves
  s03 edit-files compose.yaml                              ports 5570 belong to new from now on
  s04 recreate 5570                                        stop old, start new
  s05 prove-inside new                                     it loads now, and nobody is served meanwhile
  s06 prove-outside new                                    through the legacy ports, with proof of who answers
  s07 watch new                                            for 0.5 s; two failures in a row turn it back
  s08 retire-green old                                     --commit: its container is removed
predicted silence of the legacy ports: unknown (at least 0.9 s, and as long as new takes to load, \
never measured here)
note: 127.0.0.1:6570:6570 of old does not move and is silent from recreate on: --commit removes old"""
    )
    assert str(plan.moves[0].to_blue) == "5570:9901"


def test_every_port_costs_relink_some_silence() -> None:
    """What is measured per binding counts per binding."""
    one = replace(GREEN, published=GREEN.published[:1], wanted=GREEN.wanted[:1])
    fewer = planned(observed(containers=(one,)), asked()).stall_predicted_s
    more = planned(observed(), asked()).stall_predicted_s
    assert fewer is not None
    assert more == pytest.approx(fewer + 0.03)


def test_dependencies_of_blue_that_do_not_run_are_started_first() -> None:
    """In a stable order, after the backup; green is none of them, and what runs is left alone."""
    wanted = {name: {"condition": "service_started"} for name in ("queue", "db", "cache", "old")}
    others = {"db": {}, "queue": {}, "cache": {}}
    running = replace(GREEN, id="c", name="shop-cache-1", service="cache", published=(), wanted=())
    stopped = replace(running, id="q", name="shop-queue-1", service="queue", state=ContainerState.EXITED)
    state = observed(model=model(new={"depends_on": wanted}, **others), containers=(GREEN, running, stopped))
    assert steps(planned(state, asked()))[:4] == [
        "backup compose.yaml",
        "dependency db",
        "dependency queue",
        "park-network for new",
    ]


@pytest.mark.parametrize(
    ("condition", "exit_code", "expected"),
    [
        ("service_completed_successfully", 0, []),
        ("service_completed_successfully", 1, ["dependency job"]),
        ("service_started", 0, ["dependency job"]),
    ],
)
def test_a_job_that_succeeded_is_not_done_again(condition: str, exit_code: int, expected: list[str]) -> None:
    """What blue waits for to be completed need not run; what failed, or should go on running, is started."""
    job = replace(GREEN, id="j", service="job", state=ContainerState.EXITED, exit_code=exit_code)
    described = model(new={"depends_on": {"job": {"condition": condition}}}, job={})
    plan = planned(observed(model=described, containers=(GREEN, job)), asked())
    assert [s for s in steps(plan) if s.startswith("dependency")] == expected


def needs(*names: str, condition: str = "service_started") -> dict[str, Any]:
    """Return a service that depends on others."""
    return {"depends_on": {name: {"condition": condition} for name in names}}


def up(service: str, **changes: Any) -> Container:
    """Return a container of a service."""
    return replace(GREEN, id=service, name=f"shop-{service}-1", service=service, published=(), wanted=(), **changes)


DONE = "service_completed_successfully"


@pytest.mark.parametrize(
    ("services", "there", "expected"),
    [
        ({"new": needs("api"), "api": needs("db"), "db": needs("disk"), "disk": {}}, (), ["disk", "db", "api"]),
        ({"new": needs("a", "b"), "a": needs("c"), "b": needs("c"), "c": {}}, (), ["c", "a", "b"]),
        ({"new": needs("a", "z"), "a": needs("z"), "z": {}}, (), ["z", "a"]),
        ({"new": needs("api"), "api": needs("db"), "db": {}}, (up("db"),), ["api"]),
        ({"new": needs("api"), "api": needs("db"), "db": {}}, (up("api"),), []),
        ({"new": needs("api"), "api": needs("mid"), "mid": needs("db"), "db": {}}, (up("mid"),), ["db", "api"]),
        ({"new": needs("api"), "api": needs("old", "db"), "db": {}}, (), ["db", "api"]),
        (
            {"new": needs("api"), "api": needs("job", condition=DONE), "job": {}},
            (up("job", state=ContainerState.EXITED),),
            ["api"],
        ),
        (
            {"new": needs("api", "b"), "api": needs("job", condition=DONE), "b": needs("job"), "job": {}},
            (up("job", state=ContainerState.EXITED),),
            ["api", "job", "b"],
        ),
        ({"new": needs("api"), "api": needs("gone")}, (), ["api"]),
    ],
)
def test_what_dependencies_depend_on_is_started_before_them(
    services: dict[str, Any], there: tuple[Container, ...], expected: list[str]
) -> None:
    """Each by a step of its own, once; green, what runs and jobs that are done are none of them."""
    plan = planned(observed(model=model(**services), containers=(GREEN, *there)), asked())
    assert [s.resource for s in plan.steps if s.kind is StepKind.DEPENDENCY] == expected


def test_who_needs_a_dependency_is_said() -> None:
    """Blue, or what blue depends on."""
    plan = planned(observed(model=model(new=needs("api"), api=needs("db"), db={})), asked())
    assert [s.cause for s in plan.steps if s.kind is StepKind.DEPENDENCY] == [
        "api depends on it and it does not run",
        "new depends on it and it does not run",
    ]


def test_a_container_of_another_project_is_no_dependency() -> None:
    """Two projects may have services of the same name."""
    foreign = replace(GREEN, id="f", project="other", service="db")
    state = observed(model=model(new={"depends_on": {"db": {}}}, db={}), containers=(GREEN, foreign))
    assert "dependency db" in steps(planned(state, asked()))


@pytest.mark.parametrize(
    ("state", "request_", "expected"),
    [
        ({}, {}, []),
        ({}, {"probes": ()}, ["no probes given: only TCP connections are tried (cutover init proposes some)"]),
        (
            {"containers": (GREEN, replace(BLUE, state=ContainerState.RUNNING))},
            {},
            ["shop-new-1 runs already; it is replaced by one with the legacy ports before the move"],
        ),
        ({"containers": (GREEN, BLUE)}, {}, []),
        (
            {"model": model(new={"networks": {"other": None}}, old={"networks": {"b": None, "a": None}})},
            {},
            ["new is not on a, b, where old can be reached by name"],
        ),
        (
            {"model": model(new=ON_A_GPU), "gpus": (Gpu(0, "H100", 80 * 2**30, 30 * 2**30),)},
            {},
            [
                "old and new run at the same time, so the GPU must hold both: GPU 0 (H100): 30.0 of 80.0 GiB free",
            ],
        ),
        (
            {"model": model(new=ON_A_GPU)},
            {},
            ["old and new run at the same time, so the GPU must hold both: no GPU can be read from here"],
        ),
        ({"model": model(new=ON_A_GPU)}, {"strategy": RECREATE}, []),
        ({"model": model(old=ON_A_GPU)}, {}, []),
        ({}, {"strategy": RECREATE}, []),
        (
            {},
            {"strategy": RECREATE, "ports": (PortRequest(5570),)},
            [
                (
                    "127.0.0.1:6570:6570 of old does not move and is silent as well, from recreate until settle-green: "
                    "old is stopped, and comes back once new has loaded and was watched for 10 s"
                )
            ],
        ),
        (
            {},
            {"strategy": RECREATE, "ports": (PortRequest(6570),), "observe_s": 0.0},
            [
                (
                    "5570:5570 of old does not move and is silent as well, from recreate until settle-green: "
                    "old is stopped, and comes back once new has loaded"
                )
            ],
        ),
    ],
)
def test_notes(state: dict[str, Any], request_: dict[str, Any], expected: list[str]) -> None:
    """What a person should know before the swap, and nothing where there is nothing to know."""
    assert notes(planned(observed(**state), asked(**request_))) == expected


def test_a_file_with_other_names_is_told_of() -> None:
    """It is replaced whole, and the other names keep the old content: a person may want it otherwise."""
    source = replace(observed().files[0], names=3)
    told = "compose.yaml has 2 other names (hard links), which will keep the old content"
    assert told in notes(planned(observed(files=(source,)), asked()))


def test_the_plan_as_json_has_what_its_text_has() -> None:
    """`--dry-run --json` names every step with its cause, the prediction and the edit."""
    plan = planned(observed(), asked())
    content = plan.as_dict()
    assert [f"{s['kind']} {s['resource']}" for s in content["steps"]] == steps(plan)
    assert {s["state"] for s in content["steps"]} == {"pending"}
    assert (content["ports"], content["diff"], content["error"]) == ([5570, 6570], EDIT.diff, None)
    assert content["stall_predicted_s"] == pytest.approx(0.18)
