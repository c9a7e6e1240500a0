"""The second judge: did the model that Compose itself computes change exactly as it was meant to?

`docker compose config --format json` of the whole set of files and profiles, before and after, is what is compared
here; whoever calls has run it. It knows what two YAML parsers cannot see: `extends:`, `include:`, `!override`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from cutover.document.intent import PortMove
from cutover.errors import EditRefusedError

Model = Mapping[str, object]
Config = Callable[[Mapping[str, bytes]], Model]
MOST_DIFFERENCES = 10


def judge_move(config: Config, before: Mapping[str, bytes], after: Mapping[str, bytes], move: PortMove) -> None:
    """Have `config` compute the model of all files before and after a move, and prove it.

    Raises:
        EditRefusedError: as `prove_model`.

    """
    prove_model(config(before), config(after), move)


def prove_model(before: Model, after: Model, move: PortMove) -> None:
    """Prove that two canonical models differ by the move of these ports and by nothing else.

    Raises:
        EditRefusedError: `model-differs`, with the places that are not as expected.

    """
    wrong = list(differences(expected_model(before, move), after))
    if wrong:
        raise EditRefusedError(
            "model-differs",
            "docker compose config does not show this move as it was meant; nothing was written.",
            evidence=wrong[:MOST_DIFFERENCES],
            hint="docker compose config",
        )


def expected_model(before: Model, move: PortMove) -> Model:
    """Return the canonical model as it must be after the move.

    Raises:
        EditRefusedError: `model-differs` where the model before does not have the services or ports.

    """
    model = copy.deepcopy(dict(before))
    services = cast("dict[str, dict[str, object]]", model.get("services") or {})
    for name in (move.source, move.target):
        if name not in services:
            raise EditRefusedError(
                "model-differs", f"docker compose config shows no service {name!r}.", hint="activate its profile"
            )
    kept: list[dict[str, object]] = []
    moved: list[dict[str, object]] = []
    for port in _ports(services[move.source]):
        (moved if _moves(port, move) else kept).append(port)
    if {_key(port) for port in moved} != _keys(move):
        raise EditRefusedError("model-differs", f"docker compose config shows other ports of {move.source!r}.")
    _put(services[move.source], kept)
    inside = dict(move.retarget)
    there = [{**port, "target": inside.get(cast("int", port["target"]), port["target"])} for port in moved]
    _put(services[move.target], [*_ports(services[move.target]), *there])
    return model


def differences(expected: object, found: object, path: str = "") -> Iterator[str]:
    """Yield where two models differ, a line each; the order of published ports does not count."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            where = f"{path}.{key}" if path else key
            old, new = expected.get(key), found.get(key)
            if key == "ports":
                old, new = _ordered(old), _ordered(new)
            yield from differences(old, new, where)
    elif expected != found:
        yield f"{path}: expected {_short(expected)}, found {_short(found)}"


def _ports(service: Mapping[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", service.get("ports") or [])


def _put(service: dict[str, object], ports: list[dict[str, object]]) -> None:
    service.pop("ports", None)
    if ports:
        service["ports"] = ports


def _moves(port: Mapping[str, object], move: PortMove) -> bool:
    return _key(port) in _keys(move)


def _key(port: Mapping[str, object]) -> tuple[str, str, str]:
    return str(port.get("host_ip", "")), str(port.get("published", "")), str(port.get("protocol", "tcp"))


def _keys(move: PortMove) -> set[tuple[str, str, str]]:
    return {(binding.host_ip, str(binding.host_port), str(binding.protocol)) for binding in move.bindings}


def _ordered(ports: object) -> object:
    return sorted(ports, key=repr) if isinstance(ports, list) else ports


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."  # noqa: PLR2004 - a line of evidence
