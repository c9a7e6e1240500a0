"""The second judge: did the model that Compose itself computes change exactly as it was meant to?

`docker compose config --format json` of the whole set of files and profiles, before and after, is what is compared
here; whoever calls has run it. It knows what two YAML parsers cannot see: `extends:`, `include:`, `!override`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import assert_never, cast

from cutover.document.intent import ImageChange, Intent, PortMove, PortTake
from cutover.errors import EditRefusedError
from cutover.model import PortBinding

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
    prove_intents(before, after, (move,))


def prove_take(before: Model, after: Model, take: PortTake) -> None:
    """Prove that two canonical models differ by ports that a service lost and by nothing else.

    The other way round, with the two models exchanged, it proves that they were given back.

    Raises:
        EditRefusedError: `model-differs`, with the places that are not as expected.

    """
    prove_intents(before, after, (take,))


def prove_image(before: Model, after: Model, change: ImageChange) -> None:
    """Prove that two canonical models differ by the image of one service and by nothing else.

    Raises:
        EditRefusedError: `model-differs`, with the places that are not as expected.

    """
    prove_intents(before, after, (change,))


def prove_intents(before: Model, after: Model, intents: Sequence[Intent]) -> None:
    """Prove that two canonical models differ by what was meant, all of it, and by nothing else.

    Raises:
        EditRefusedError: `model-differs`, with the places that are not as expected.

    """
    expected = before
    for intent in intents:
        expected = _expected(expected, intent)
    wrong = list(differences(expected, after))
    if wrong:
        raise EditRefusedError(
            "model-differs",
            f"docker compose config does not show {_named(intents)} as it was meant; nothing was written.",
            evidence=wrong[:MOST_DIFFERENCES],
            hint="docker compose config",
        )


def expected_model(before: Model, move: PortMove) -> Model:
    """Return the canonical model as it must be after the move.

    Raises:
        EditRefusedError: `model-differs` where the model before does not have the services or ports.

    """
    model = copy.deepcopy(dict(before))
    source, target = (_service(model, name) for name in (move.source, move.target))
    moved = _taken(source, move.source, move.bindings)
    inside = dict(move.retarget)
    there = [{**port, "target": inside.get(cast("int", port["target"]), port["target"])} for port in moved]
    _put(target, [*_ports(target), *there])
    return model


def _expected(before: Model, intent: Intent) -> Model:
    match intent:
        case PortMove():
            return expected_model(before, intent)
        case PortTake():
            model = copy.deepcopy(dict(before))
            _taken(_service(model, intent.service), intent.service, intent.bindings)
            return model
        case ImageChange():
            model = copy.deepcopy(dict(before))
            _service(model, intent.service)["image"] = intent.after
            return model
    assert_never(intent)


def _named(intents: Sequence[Intent]) -> str:
    names = {PortMove: "this move", PortTake: "the taking of these ports", ImageChange: "this image"}
    return " and ".join(names[type(intent)] for intent in intents) or "no change"


def _service(model: Model, name: str) -> dict[str, object]:
    services = cast("dict[str, dict[str, object]]", model.get("services") or {})
    if name not in services:
        raise EditRefusedError(
            "model-differs", f"docker compose config shows no service {name!r}.", hint="activate its profile"
        )
    return services[name]


def _taken(service: dict[str, object], name: str, bindings: Sequence[PortBinding]) -> list[dict[str, object]]:
    """Take the ports out of a service of the model and return them."""
    wanted = {(binding.host_ip, str(binding.host_port), str(binding.protocol)) for binding in bindings}
    moved = [port for port in _ports(service) if _key(port) in wanted]
    if {_key(port) for port in moved} != wanted:
        raise EditRefusedError("model-differs", f"docker compose config shows other ports of {name!r}.")
    _put(service, [port for port in _ports(service) if _key(port) not in wanted])
    return moved


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


def _key(port: Mapping[str, object]) -> tuple[str, str, str]:
    return str(port.get("host_ip", "")), str(port.get("published", "")), str(port.get("protocol", "tcp"))


def _ordered(ports: object) -> object:
    return sorted(ports, key=repr) if isinstance(ports, list) else ports


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."  # noqa: PLR2004 - a line of evidence
