"""How a difference is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cutover.config import Rule
from cutover.validate.parity.compare import compare
from cutover.validate.parity.cures import cure_for
from cutover.validate.parity.difference import SHOWN, Difference, cut
from cutover.validate.parity.values import ABSENT, general_path, path_text
from cutover.validate.paths import find


def test_what_stands_on_one_side_only_has_one_line() -> None:
    """Nothing is shown for nothing."""
    assert Difference("missing-key", "$.a", {"b": 1}, ABSENT, "").lines() == ('- {"b": 1}',)
    assert Difference("extra-key", "$.a", ABSENT, None, "").lines() == ("+ null",)


@pytest.mark.parametrize(
    ("green", "blue", "lines"),
    [
        ({"password": "hunter2"}, {"password": "hunter3"}, ('- "***"', '+ "***"')),
        ({"a": {"api_key": "k-1", "n": 1}}, {"a": [1]}, ('- {"api_key": "***", "n": 1}', "+ [1]")),
        ({"token": ["a"]}, {"token": ["b"]}, ('- "***"', '+ "***"')),
    ],
)
def test_what_looks_like_a_secret_is_masked(green: object, blue: object, lines: tuple[str, ...]) -> None:
    """By the key that it stands under."""
    assert compare(green, blue)[0].lines() == lines


@given(st.text(max_size=600), st.text(max_size=600))
def test_a_cut_is_short_and_shows_where_two_texts_differ(green: str, blue: str) -> None:
    """Unless they are equal."""
    one, other = cut(green, blue)
    assert max(len(one), len(other)) <= SHOWN
    assert (one == other) is (green == blue)


@pytest.mark.parametrize(
    ("path", "general"),
    [
        ("$.a[12].b[0]", "$.a[*].b[*]"),
        ("$['x[3]'][4]", "$['x[3]'][*]"),
        ("$", "$"),
        ("$['it\\'s [1]']", "$['it\\'s [1]']"),
    ],
)
def test_a_general_path_stands_for_all_items(path: str, general: str) -> None:
    """A key that looks like an index stays a key."""
    assert general_path(path) == general


def test_a_path_can_be_evaluated() -> None:
    """It is a JSONPath that finds what it names."""
    value = {"odd key": [{"it's": {"back\\slash": 5}}]}
    location = ("odd key", 0, "it's", "back\\slash")
    assert find(value, path_text(location)) == [(location, 5)]


@pytest.mark.parametrize(
    ("green", "blue", "cure"),
    [
        ({"s": "a"}, {"s": "b"}, "if it is meant to differ: - {path: $.s, rule: ignore}"),
        ({"n": 100.0}, {"n": 100.1}, "if it is meant to differ: - {path: $.n, rule: number, rel: 0.01}"),
        ({"n": 1}, {"n": 900}, "if it is meant to differ: - {path: $.n, rule: type}"),
        ({"n": 10**400}, {"n": 1.5}, "if it is meant to differ: - {path: $.n, rule: type}"),
        ({"l": [1, 2]}, {"l": [2, 1]}, "if it is meant to differ: - {path: $.l, rule: unordered}"),
        ({"l": [{"n": "a"}]}, {"l": [{"n": "b"}]}, 'if it is meant to differ: - {path: "$.l[*].n", rule: ignore}'),
        ({"a": "x" * 9}, {"b": "x" * 9}, "clients read the old name: blue has to answer under it, or under both"),
    ],
)
def test_the_cure_is_a_rule_that_works(green: object, blue: object, cure: str) -> None:
    """Written as it is to be written, and it lets the difference pass."""
    (difference,) = compare(green, blue)
    assert cure_for(difference) == cure
    if "rule:" in cure:
        (written,) = YAML(typ="safe").load(cure.partition(": ")[2])
        assert compare(green, blue, [Rule.model_validate(written)]) == ()
