"""Two values, compared place by place."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.config import Rule
from cutover.validate.parity.compare import MOST, compare
from cutover.validate.parity.values import frozen, kind_of, path_text, same

NUMBERS = st.integers() | st.floats(allow_nan=True, allow_infinity=True)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=20)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def rule(path: str, kind: str, **more: Any) -> Rule:
    """Return a rule."""
    return Rule(path=path, rule=kind, **more)


def found(green: Any, blue: Any, *rules: Rule) -> list[tuple[str, str]]:
    """Return codes and paths of what differs."""
    return [(d.code, d.path) for d in compare(green, blue, rules)]


@given(JSON)
def test_a_value_is_equal_to_itself(value: Any) -> None:
    """Whatever JSON can say."""
    assert compare(value, copy.deepcopy(value)) == ()


@given(JSON, JSON)
def test_who_is_called_green_does_not_decide_whether_there_is_a_difference(one: Any, other: Any) -> None:
    """Only what it is called."""
    assert bool(compare(one, other)) is bool(compare(other, one))


@given(JSON, JSON)
def test_same_frozen_and_compare_agree(one: Any, other: Any) -> None:
    """Three ways to ask, one answer."""
    assert same(one, other) is (frozen(one) == frozen(other)) is (compare(one, other) == ())


@given(JSON, JSON)
def test_no_rule_makes_a_value_differ_from_itself(value: Any, other: Any) -> None:
    """And ignoring everything leaves nothing."""
    every = [rule("$..*", "number", abs=0.1), rule("$", "unordered"), rule("$..*", "keys"), rule("$..*", "similar")]
    assert compare(value, copy.deepcopy(value), every) == ()
    assert compare(value, other, [rule("$", "ignore")]) == ()


@given(st.lists(JSON, max_size=6), st.randoms(use_true_random=False))
def test_an_unordered_list_is_equal_to_its_permutations(items: list[Any], random: Any) -> None:
    """With items of any shape, and several that are equal."""
    items = [*items, *items[:2]]
    mixed = copy.deepcopy(items)
    random.shuffle(mixed)
    assert found({"a": items}, {"a": mixed}, rule("$.a", "unordered")) == []


@given(st.lists(JSON, max_size=6), st.randoms(use_true_random=False))
def test_an_unordered_list_is_a_multiset(items: list[Any], random: Any) -> None:
    """One item twice is not the item once."""
    one, other = [*items, "only here", "only here"], [*items, "only here"]
    random.shuffle(one)
    assert [code for code, _ in found(one, other, rule("$", "unordered"))] == ["missing-item"]


@given(st.lists(JSON, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_another_order_is_named_as_that(items: list[Any], random: Any) -> None:
    """Or there is no other order, where the items are equal."""
    mixed = copy.deepcopy(items)
    random.shuffle(mixed)
    expected = [] if same(items, mixed) else [("order-differs", "$.a")]
    assert found({"a": items}, {"a": mixed}) == expected


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return every place in a value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in below for place in places(item, (*at, key)))]


def with_changed(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    """Return a copy with another value at a place."""
    if not place:
        return new
    made = copy.deepcopy(value)
    inner = made
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = new
    return made


class Mark:
    """Something that no value of JSON is equal to."""


@given(JSON, st.data())
def test_a_single_change_is_found_where_it_was_made(value: Any, data: Any) -> None:
    """And nothing else is."""
    place = data.draw(st.sampled_from(places(value)))
    assert found(value, with_changed(value, place, Mark())) == [("type-differs", path_text(place))]


@given(JSON, st.data())
def test_a_single_change_of_a_leaf_to_another_of_its_type_is_found_there(value: Any, data: Any) -> None:
    """Numbers, texts and truth values."""
    leaves = [(p, v) for p in places(value) if kind_of(v := at(value, p)) in {"number", "text", "boolean"}]
    if not leaves:
        return
    place, old = data.draw(st.sampled_from(leaves))
    other = {"number": NUMBERS, "text": st.text(), "boolean": st.booleans()}[kind_of(old)]
    new = data.draw(other.filter(lambda made: not same(made, old)))
    told = compare(value, with_changed(value, place, new))
    code = {"number": "number-differs", "text": "text-differs", "boolean": "value-differs"}[kind_of(old)]
    if [d.code for d in told] != ["order-differs"]:  # [1, 2] became [2, 2]; [true, false] may become its own reverse
        assert [(d.code, d.path) for d in told] == [(code, path_text(place))]


def at(value: Any, place: tuple[str | int, ...]) -> Any:
    """Return what stands at a place."""
    for step in place:
        value = value[step]
    return value


@given(JSON, st.data())
def test_a_key_that_is_dropped_or_added_is_found(value: Any, data: Any) -> None:
    """At its own path."""
    objects = [p for p in places(value) if isinstance(at(value, p), dict)]
    if not objects:
        return
    place = data.draw(st.sampled_from(objects))
    bigger = copy.deepcopy(value)
    at(bigger, place)["a new key"] = "new"
    path = path_text((*place, "a new key"))
    assert found(value, bigger) == [("extra-key", path)]
    assert found(bigger, value) == [("missing-key", path)]


@pytest.mark.parametrize(
    ("green", "blue", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("type-differs", "$.a")]),
        ({"a": 0}, {"a": None}, [("type-differs", "$.a")]),
        ({"a": 1}, {"a": "1"}, [("type-differs", "$.a")]),
        ({"a": []}, {"a": {}}, [("type-differs", "$.a")]),
        ({"a": True}, {"a": False}, [("value-differs", "$.a")]),
        ({"a": math.nan}, {"a": math.nan}, []),
        ({"a": math.nan}, {"a": 1}, [("number-differs", "$.a")]),
        ({"a": math.inf}, {"a": -math.inf}, [("number-differs", "$.a")]),
        ({"a": 10**400}, {"a": 10**400 + 1}, [("number-differs", "$.a")]),
        ({"a": 2**53}, {"a": 2**53 + 1}, [("number-differs", "$.a")]),
        ({"a": b"x"}, {"a": b"y"}, [("value-differs", "$.a")]),
        ("ok", "wrong", [("text-differs", "$")]),
        ({"text": "The harbour"}, {"output": "The harbour"}, [("renamed-key", "$.text")]),
        ({"a": {"model_name": "x"}}, {"a": {"modelName": "x"}}, [("renamed-key", "$.a.model_name")]),
        ({"text": "one thing"}, {"output": "another"}, [("missing-key", "$.text"), ("extra-key", "$.output")]),
        ({"text": "x"}, {"texts": "y"}, [("renamed-key", "$.text"), ("text-differs", "$.text")]),
        ({"n": 1, "m": 1}, {"o": 1, "p": 1}, [(c, f"$.{k}") for c, k in zip(
            ["missing-key", "missing-key", "extra-key", "extra-key"], "nmop", strict=True)]),
        ([1, 2, 3], [1, 2], [("length-differs", "$")]),
        ([1, 2, 3], [1, 3], [("length-differs", "$")]),
        ([1, 2, 3], [3, 2, 1], [("order-differs", "$")]),
        ([1, 2, 3], [1, 2, 4], [("number-differs", "$[2]")]),
        ([1, 1, 2], [1, 2, 2], [("number-differs", "$[1]")]),
        ({"odd key": {"it's": 1}}, {"odd key": {"it's": 2}}, [("number-differs", "$['odd key']['it\\'s']")]),
    ],
)  # fmt: skip
def test_differences_have_names(green: Any, blue: Any, expected: list[tuple[str, str]]) -> None:
    """One kind, one code, one path."""
    assert found(green, blue) == expected


@pytest.mark.parametrize(
    ("green", "blue", "more", "equal"),
    [
        (1.0, 1.1, {"abs": 0.1}, True),
        (1.1, 1.0, {"abs": 0.1}, True),
        (1.0, 1.1000001, {"abs": 0.1}, False),
        (0.3, 0.1, {"abs": 0.2}, True),
        (100, 101, {"rel": 0.01}, True),
        (100, 99, {"rel": 0.01}, True),
        (100, 101.0001, {"rel": 0.01}, False),
        (-100, -101, {"rel": 0.01}, True),
        (0, 0.001, {"rel": 0.5}, False),
        (0, 0.001, {"rel": 0.5, "abs": 0.001}, True),
        (math.inf, 1e308, {"rel": 1}, False),
        (math.nan, 1, {"abs": 5}, False),
        (10**30, 10**30 + 1, {"abs": 1}, True),
        (10**30, 10**30 + 2, {"abs": 1}, False),
        (1, True, {"abs": 5}, False),
    ],
)
def test_a_number_may_be_as_far_off_as_the_rule_says(green: Any, blue: Any, more: Any, equal: bool) -> None:
    """The end of the range included, in decimal digits as they are written."""
    assert (found({"n": green}, {"n": blue}, rule("$.n", "number", **more)) == []) is equal


@given(st.integers(-(10**6), 10**6), st.integers(0, 1000), st.integers(1, 6))
def test_the_border_is_where_the_digits_say(base: int, off: int, places: int) -> None:
    """In any scale: 0.3 is exactly 0.2 away from 0.1."""
    scale = 10**places
    green, near, far = base / scale, (base + off) / scale, (base + off + 1) / scale
    assert found(green, near, rule("$", "number", abs=max(off / scale, 1e-300))) == []
    assert found(green, far, rule("$", "number", abs=max(off / scale, 1e-300))) == [("number-differs", "$")]


def test_how_far_a_number_is_off_is_told() -> None:
    """As the evidence that a person needs."""
    (difference,) = compare({"score": 0.5}, {"score": 0.501})
    assert difference.message == "off by 0.001 (0.2 %)"
    assert difference.lines() == ("- 0.5", "+ 0.501")


def test_the_last_rule_for_a_place_counts() -> None:
    """Rules of a case come after those for all."""
    loose, strict = rule("$.n", "number", abs=1), rule("$.n", "number", abs=0.1)
    assert found({"n": 1}, {"n": 2}, strict, loose) == []
    assert found({"n": 1}, {"n": 2}, loose, strict) == [("number-differs", "$.n")]
    assert found({"n": 1}, {"n": "x"}, rule("$.n", "ignore"), rule("$.*", "number", abs=1)) == [("type-differs", "$.n")]


def test_a_rule_holds_below_its_place_until_another_says_otherwise() -> None:
    """Numbers, texts and lists below; the nearest rule counts."""
    green = {"r": {"a": 1.0, "b": [1.0, {"c": 2.0}], "d": 5, "l": [1, 2]}}
    blue = {"r": {"a": 1.05, "b": [1.05, {"c": 2.05}], "d": 5.05, "l": [2, 1]}}
    rules = [rule("$.r", "number", abs=0.1), rule("$.r.d", "number", abs=0.01)]
    assert found(green, blue, *rules) == [("number-differs", "$.r.d"), ("order-differs", "$.r.l")]
    assert found(green, blue, *rules, rule("$.r.l", "unordered")) == [("number-differs", "$.r.d")]


def test_unordered_lists_are_paired_by_a_key() -> None:
    """The difference that remains is shown inside the right pair."""
    green = {"models": [{"name": n, "order": i} for i, n in enumerate("abc")]}
    blue = {"models": [{"name": "c", "order": 2}, {"name": "a", "order": 7}, {"name": "b", "order": 1}]}
    by_name = rule("$.models", "unordered", by="name")
    assert found(green, blue, by_name) == [("number-differs", "$.models[0].order")]
    assert found(green, blue, by_name, rule("$.models[*].order", "number", abs=7)) == []
    gone = {"models": [*blue["models"][:2], {"name": "d", "order": 1}]}
    assert found(green, gone, by_name) == [
        ("number-differs", "$.models[0].order"), ("missing-item", "$.models[1]"), ("extra-item", "$.models[2]"),
    ]  # fmt: skip


def test_an_unordered_list_without_a_key_pairs_with_what_is_nearest() -> None:
    """One item that changed is not one gone and another come."""
    green = [{"name": "a", "n": 1, "x": [1]}, {"name": "b", "n": 2, "x": [2]}, {"name": "c", "n": 3, "x": [3]}]
    blue = [green[2], {"name": "a", "n": 9, "x": [1]}, {"name": "b", "n": 8, "x": [2]}]
    assert found(green, blue, rule("$", "unordered")) == [("number-differs", "$[0].n"), ("number-differs", "$[1].n")]


def test_what_fits_first_gives_way_to_what_fits_only_there() -> None:
    """1.0 fits both 1.05 and 0.95, 0.9 only 0.95: a greedy pairing would leave one over."""
    rules = [rule("$", "number", abs=0.05), rule("$", "unordered")]
    assert found([1.0, 0.9], [0.95, 1.05], rule("$.*", "number", abs=0.05), *rules[1:]) == []
    assert found([1.0, 0.9], [0.95, 1.06], rule("$.*", "number", abs=0.05), *rules[1:]) != []


def test_a_rule_for_an_item_of_an_unordered_list_follows_the_item() -> None:
    """It may be named from either side."""
    green, blue = [{"id": 1, "at": "x"}, {"id": 2, "at": "y"}], [{"id": 2, "at": "z"}, {"id": 1, "at": "w"}]
    assert found(green, blue, rule("$", "unordered", by="id"), rule("$[*].at", "ignore")) == []
    assert found(green, blue, rule("$", "unordered"), rule("$[?@.id==1].at", "ignore")) == [("text-differs", "$[1].at")]


def test_keys_compares_the_keys_and_nothing_else() -> None:
    """On an object, and in a list item by item."""
    keys = rule("$.r", "keys")
    assert found({"r": {"a": 1, "b": {"c": 1}}}, {"r": {"b": 3, "a": "x"}}, keys) == []
    assert found({"r": {"a": 1}}, {"r": {"a": 2, "b": 1}}, keys) == [("extra-key", "$.r.b")]
    assert found({"r": [{"a": 1}, {"a": 1}]}, {"r": [{"a": 2}, {"b": 2}]}, keys) == [
        ("missing-key", "$.r[1].a"), ("extra-key", "$.r[1].b"),
    ]  # fmt: skip
    assert found({"r": [{"a": 1}]}, {"r": []}, keys) == [("length-differs", "$.r")]
    assert found({"r": {}}, {"r": []}, keys) == [("type-differs", "$.r")]


def test_type_compares_the_type_and_nothing_else() -> None:
    """Whatever is in it."""
    assert found({"t": 1.5}, {"t": 99}, rule("$.t", "type")) == []
    assert found({"t": {"a": 1}}, {"t": {}}, rule("$.t", "type")) == []
    assert found({"t": 1}, {"t": "1"}, rule("$.t", "type")) == [("type-differs", "$.t")]
    assert found({"t": 1}, {}, rule("$.t", "type")) == [("missing-key", "$.t")]


def test_similar_texts_pass_from_a_threshold_on() -> None:
    """Told with their similarity."""
    green, blue = {"text": "The harbour is full of ships."}, {"text": "The harbour is full of shops."}
    assert found(green, blue, rule("$.text", "similar", at_least=0.9)) == []
    (difference,) = compare(green, blue, [rule("$.text", "similar", at_least=0.99)])
    assert (difference.code, difference.message) == ("text-differs", "similarity 0.966, at least 0.99 asked for")


def test_ignored_keys_may_be_missing_on_either_side() -> None:
    """Nobody looks."""
    assert found({"a": 1, "t": 5}, {"a": 1}, rule("$.t", "ignore")) == []
    assert found({"a": 1}, {"a": 1, "t": 5}, rule("$.t", "ignore")) == []


def test_long_values_are_cut_around_the_first_difference() -> None:
    """Both sides at the same place."""
    green, blue = "x" * 5000 + "GREEN" + "y" * 5000, "x" * 5000 + "BLUE" + "y" * 5000
    one, other = compare(green, blue)[0].lines()
    assert "GREEN" in one
    assert "BLUE" in other
    assert max(len(one), len(other)) < 200


def test_a_reply_of_another_kind_altogether_does_not_tell_everything() -> None:
    """The first hundred differences will do."""
    assert len(compare({f"k{i}": i for i in range(5000)}, {f"k{i}": i + 1 for i in range(5000)})) == MOST


def test_what_is_nested_too_deep_is_said_and_does_not_crash() -> None:
    """A reply may be made to hurt."""
    green: Any = 1
    blue: Any = 2
    for _ in range(100_000):
        green, blue = [green], [blue]
    assert found(green, blue) == [("too-deep", "$")]


def test_large_lists_that_differ_everywhere_are_quick() -> None:
    """Embeddings: no search for who belongs to whom where nothing fits."""
    green = {"v": [i / 7 for i in range(4000)]}
    blue = {"v": [i / 7 + 1e-3 for i in range(4000)]}
    assert len(compare(green, blue)) == 100
    assert found(green, blue, rule("$.v", "number", abs=0.0011)) == []


def test_keys_on_a_list_never_takes_another_type() -> None:
    """An object is no text; lists in it are as long, and what stands under the keys does not count."""
    keys = rule("$", "keys")
    assert found([{"a": 1}, {"a": 2}], ["x", 7], keys) == [("type-differs", "$[0]"), ("type-differs", "$[1]")]
    assert found([1, "x", None], [2, "y", None], keys) == []
    assert found([[1, 2]], [[1]], keys) == [("length-differs", "$[0]")]
    assert found([{"a": {"b": 1}}], [{"a": 5}], keys) == []


def test_rules_of_several_kinds_for_one_place_hold_together() -> None:
    """Whichever comes first; of one kind the last counts, and what looks at nothing gives way to what comes after."""
    near, free, alike = rule("$.l", "number", abs=0.1), rule("$.l", "unordered"), rule("$.l", "similar", at_least=0.7)
    green, blue = {"l": [1.0, "abcd", 2.0]}, {"l": [2.05, 1.05, "abce"]}
    for rules in ([near, free, alike], [alike, free, near], [free, near, alike]):
        assert found(green, blue, *rules) == []
    assert found(green, blue, rule("$.l", "ignore"), near, alike) != []
    assert found(green, blue, near, rule("$.l", "ignore")) == []


def test_the_order_of_lists_in_items_of_an_unordered_list_counts() -> None:
    """A point [3, 4] is not [4, 3]; below an object, every list is meant."""
    assert found([[3, 4], [1, 2]], [[1, 2], [4, 3]], rule("$", "unordered")) == [("order-differs", "$[0]")]
    assert found([[3, 4], [1, 2]], [[1, 2], [4, 3]], rule("$", "unordered"), rule("$[*]", "unordered")) == []
    assert found({"a": [1, 2], "b": {"c": [1, 2]}}, {"a": [2, 1], "b": {"c": [2, 1]}}, rule("$", "unordered")) == []


def test_objects_with_one_key_twice_are_paired_with_what_is_equal() -> None:
    """Their order does not count, either."""
    green = [{"id": 1, "n": "a"}, {"id": 1, "n": "b"}, {"id": 2, "n": "c"}]
    by_id = rule("$", "unordered", by="id")
    assert found(green, green[::-1], by_id) == []
    assert found(green, [{"id": 1, "n": "b"}, {"id": 1, "n": "x"}, green[2]], by_id) == [("text-differs", "$[0].n")]
    assert found(green, green[1:], by_id) == [("missing-item", "$[0]")]
