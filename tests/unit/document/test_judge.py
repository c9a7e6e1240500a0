"""The second judge: the canonical model changes as it was meant to, and nowhere else."""

from __future__ import annotations

import copy

import pytest

from cutover.document import PortMove, expected_model, judge_move, prove_model
from cutover.errors import EditRefusedError
from cutover.model import PortBinding

MOVE = PortMove("green", "blue", (PortBinding("", 5570, 5570),), ((5570, 9901),))
PORT = {"mode": "ingress", "target": 5570, "published": "5570", "protocol": "tcp"}
OTHER = {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"}
BEFORE = {"name": "p", "services": {"green": {"image": "g", "ports": [PORT, OTHER]}, "blue": {"image": "b"}}}
AFTER = {
    "name": "p",
    "services": {
        "green": {"image": "g", "ports": [OTHER]},
        "blue": {"image": "b", "ports": [{**PORT, "target": 9901}]},
    },
}


def test_the_meant_model_is_accepted() -> None:
    """The port is blue's, at blue's own container port; the input is left as it was."""
    kept = copy.deepcopy(BEFORE)
    assert expected_model(BEFORE, MOVE) == AFTER
    prove_model(BEFORE, AFTER, MOVE)
    assert kept == BEFORE


def test_the_order_of_ports_does_not_count() -> None:
    """Compose sorts them its own way."""
    before = {"services": {"green": {"ports": [PORT]}, "blue": {"ports": [OTHER]}}}
    for ports in ([{**PORT, "target": 9901}, OTHER], [OTHER, {**PORT, "target": 9901}]):
        prove_model(before, {"services": {"green": {}, "blue": {"ports": ports}}}, MOVE)


@pytest.mark.parametrize(
    ("after", "evidence"),
    [
        (BEFORE, "services.blue.ports"),
        ({**AFTER, "networks": {}}, "networks"),
        ({"name": "p", "services": {**AFTER["services"], "heir": {}}}, "services.heir"),
        ({"name": "p", "services": {**AFTER["services"], "blue": {"image": "c"}}}, "services.blue.image"),
    ],
)
def test_anything_else_is_refused_with_its_place(after: dict, evidence: str) -> None:
    """An heir that got the port too, a missing port, a changed image: each is named."""
    with pytest.raises(EditRefusedError) as caught:
        prove_model(BEFORE, after, MOVE)
    assert caught.value.reference == "model-differs"
    assert any(line.startswith(evidence) for line in caught.value.evidence)


@pytest.mark.parametrize("service", ["green", "blue"])
def test_a_service_without_an_active_profile_is_refused(service: str) -> None:
    """Compose leaves it out of the model, so that nothing can be proven."""
    services = {name: value for name, value in BEFORE["services"].items() if name != service}
    with pytest.raises(EditRefusedError, match=service):
        expected_model({"services": services}, MOVE)


def test_a_port_that_compose_does_not_see_is_refused() -> None:
    """`!override` in another file may hide it."""
    with pytest.raises(EditRefusedError, match="other ports"):
        expected_model({"services": {"green": {"ports": [OTHER]}, "blue": {}}}, MOVE)


def test_the_judge_asks_for_both_sets_of_files() -> None:
    """The caller's command gets all files of the project, before and after."""
    models = {b"old": BEFORE, b"new": AFTER}
    asked = []

    def config(files: dict[str, bytes]) -> dict[str, object]:
        asked.append(sorted(files))
        return models[files["a.yml"]]

    judge_move(config, {"a.yml": b"old", "b.yml": b""}, {"a.yml": b"new", "b.yml": b""}, MOVE)
    assert asked == [["a.yml", "b.yml"]] * 2
