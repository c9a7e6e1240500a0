"""JSONPath over every kind of value."""

from __future__ import annotations

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.errors import UsageError
from cutover.validate.paths import find, spelt


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"a": [{"b": 1}, {"b": 2}]}, "$.a[*].b", [(("a", 0, "b"), 1), (("a", 1, "b"), 2)]),
        ({"a": None}, "$.a", [(("a",), None)]),
        ({"a": 1}, "$.b", []),
        ("[1, 2]", "$", [((), "[1, 2]")]),
        ("[1, 2]", "$[0]", []),
        (b"xy", "$[0]", []),
        (None, "$", [((), None)]),
        (None, "$.a", []),
        ({1: 2}, "$.*", [((1,), 2)]),
    ],
)
def test_places(value, path, found):
    """A text is a text, even one that could be read as JSON."""
    assert find(value, path) == found


def test_what_is_nested_too_deep():
    """It is not found, and nothing breaks."""
    value: object = 1
    for _ in range(900):
        value = {"a": value}
    assert find(value, "$..b") == []


@pytest.mark.parametrize("path", ["", "a.b", "$.a[", "$..", "$[?@.x ==", "$.a[99999999999999999999]", "$['a"])
def test_what_is_no_path(path):
    """It is told."""
    with pytest.raises(UsageError) as caught:
        find({}, path)
    assert caught.value.message.startswith(f"{path!r} is no JSONPath: ")


def test_places_as_paths():
    """What is spelt can be asked again."""
    value = {"a": [{"two words": {"it's": 1}}]}
    location = ("a", 0, "two words", "it's")
    assert find(value, spelt(location)) == [(location, 1)]
    assert spelt(("a", 0)) == "$.a[0]"
    assert spelt(()) == "$"


NAMES = st.sampled_from(["a", "b", "0", "two words"])
VALUES = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=15,
)
STEPS = st.lists(
    st.sampled_from(
        [".a", ".b", "['two words']", "['0']", ".*", "[*]", "..a", "..*", "..['b']", "[0]", "[-1]", "[1:]"]
    ),
    max_size=4,
)


@given(st.lists(VALUES) | st.dictionaries(NAMES, VALUES), STEPS)
def test_paths_that_are_walked_without_the_library_find_what_it_finds(value, steps):
    """Names and wildcards, one level or all below, in the same order."""
    path = "".join(["$", *steps])
    assert find(value, path) == [(tuple(m.parts), m.obj) for m in jsonpath.compile(path).finditer(value)]
