"""Long lists, and who belongs to whom in them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cutover.config import Rule
from cutover.validate.parity import pairing
from cutover.validate.parity.compare import compare
from cutover.validate.parity.values import frozen


def rule(path: str, kind: str, **more: Any) -> Rule:
    """Return a rule."""
    return Rule(path=path, rule=kind, **more)


def found(green: Any, blue: Any, *rules: Rule) -> list[tuple[str, str]]:
    """Return codes and paths of what differs."""
    return [(d.code, d.path) for d in compare(green, blue, rules)]


MANY = 1500


def many(more: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items, each with a name of its own."""
    return [{"name": f"n{i}", **more(i)} for i in range(MANY)]


@pytest.mark.parametrize(
    ("green", "blue", "rules"),
    [
        (many(lambda i: {"at": i}), many(lambda i: {"at": -i}), [rule("$[*].at", "ignore")]),
        (many(lambda i: {"at": i}), many(lambda i: {}), [rule("$[*].at", "ignore")]),
        (many(lambda i: {"s": i / 7}), many(lambda i: {"s": i / 7 + 1e-9}), [rule("$[*].s", "number", abs=1e-6)]),
        ([{"s": i / 7} for i in range(MANY)], [{"s": i / 7 + 0.05} for i in range(MANY)],
         [rule("$", "number", abs=0.05000001)]),
        ([{"s": i % 3, "t": i} for i in range(MANY)],
         [{"s": i % 3 + (i % 5) / 1e9, "t": i + 1e-9} for i in range(MANY)], [rule("$", "number", abs=1e-6)]),
        (many(lambda i: {"t": "same"}), many(lambda i: {"t": "sane"}), [rule("$[*].t", "similar", at_least=0.7)]),
    ],
)  # fmt: skip
def test_many_items_in_another_order_are_paired_under_the_rules(green: Any, blue: Any, rules: list[Rule]) -> None:
    """More than can be tried each with each."""
    mixed = list(blue)
    Random(1).shuffle(mixed)
    assert found(green, mixed, rule("$", "unordered"), *rules) == []
    mixed[3] = {"name": "another"}
    codes = {code for code, _ in found(green, mixed, rule("$", "unordered"), *rules)}
    assert codes & {"missing-item", "missing-key", "renamed-key", "text-differs"}


def test_giving_up_is_said() -> None:
    """Nothing is told as missing that was not looked for everywhere."""
    rules = [rule("$", "unordered"), rule("$", "similar", at_least=0.95)]
    green, blue = [[f"{i:05}xx"] for i in range(500)], [[f"{i:05}yyyy"] for i in range(500)]
    (difference,) = compare(green, blue, rules)
    assert (difference.code, difference.path) == ("too-many-to-pair", "$")
    assert difference.message.startswith("gave up for 420 items of green")  # 80 have been tried with each of the 500


@pytest.mark.parametrize("rules", [(), (rule("$", "unordered"),), (rule("$[*].s", "number", abs=0.1),)])
def test_long_lists_take_work_in_proportion(rules: tuple[Rule, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: what both begin and end with is neither hashed nor tried, the middle once."""
    counted = {"hashed": 0, "tried": 0}
    fits = pairing.Pairing._fits

    def freezing(value: Any) -> Any:
        counted["hashed"] += 1
        return frozen(value)

    def fitting(*told: Any) -> bool:
        counted["tried"] += 1
        return fits(*told)

    monkeypatch.setattr(pairing, "frozen", freezing)
    monkeypatch.setattr(pairing.Pairing, "_fits", fitting)
    green = [{"i": i, "s": i / 7} for i in range(20_000)]
    for first, last in ((10_000, 10_050), (0, 20_000)):
        blue = [*green[:first], *({**item, "s": item["s"] + 1} for item in green[first:last]), *green[last:]]
        counted.update(hashed=0, tried=0)
        assert found(green, blue, *rules)
        assert counted["hashed"] <= 2 * (last - first)
        assert counted["tried"] <= 2 * len(green)
