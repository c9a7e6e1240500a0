"""What was saved, in place of `${name}`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cutover.config import Step
from cutover.validate.substitute import with_saved

SAVED = {"model": "chars-4", "n": 3, "list": [1, {"a": None}], "odd": "a/b c?'\\.*", "none": None}


def filled(**said: object) -> Step:
    """Return a step with saved values in place."""
    return with_saved(Step.model_validate({"to": "zmq://:1", **said}), SAVED)


@pytest.mark.parametrize(
    ("value", "with_it"),
    [
        ("${n}", 3),
        ("${list}", [1, {"a": None}]),
        ("${none}", None),
        ("n=${n}, ${model}", "n=3, chars-4"),
        ("${list}!", '[1, {"a": null}]!'),
        ("$${n}", "${n}"),
        ("$${n} ${n} $n {n} $", "${n} 3 $n {n} $"),
        ({"${model}": ["${n}", {"x": "${n}"}]}, {"chars-4": [3, {"x": 3}]}),
        (5, 5),
    ],
)
def test_values(value, with_it):
    """A value that is a name and no more keeps its type; in a text it is text; two dollars are one."""
    assert filled(request=value).request == with_it


def test_everywhere():
    """URL, frames, headers, expectations, saved paths: each as it has to be written there."""
    step = filled(
        to="http://:1/models/${odd}?q=${n}",
        headers={"X-N": "${n}"},
        envelope=["${model}"],
        save={"x": "$.models['${odd}']"},
        expect={
            "json": {"n": "${n}"},
            "paths": {"$['${odd}']": "${list}"},
            "matches": {"$.a": "^${odd}$"},
            "text": "${odd}",
            "absent": ["$['${model}']"],
        },
    )
    assert step.to == "http://:1/models/a%2Fb%20c%3F%27%5C.%2A?q=3"
    assert (step.headers, step.envelope) == ({"X-N": "3"}, ("chars-4",))
    assert step.save == {"x": "$.models['a/b c?\\'\\\\.*']"}
    assert step.expect.json_ == {"n": 3}
    assert step.expect.paths == {"$['a/b c?\\'\\\\.*']": [1, {"a": None}]}
    assert step.expect.matches == {"$.a": "^a/b\\ c\\?'\\\\\\.\\*$"}
    assert step.expect.text == "a/b\\ c\\?'\\\\\\.\\*"
    assert step.expect.absent == ("$['chars-4']",)


def test_a_step_without_names_is_as_it_was():
    """Its expectations as well: null that is expected stays expected."""
    step = Step.model_validate({"to": "tcp://:1", "request": "$n", "expect": {"json": None}})
    assert with_saved(step, {}) is step
    assert filled(request="${n}", expect={"json": None}).expect.names_json


def test_a_name_that_nobody_saved():
    """It is told by its name."""
    with pytest.raises(KeyError, match="modl"):
        filled(request="${modl}")


def test_what_makes_no_sense_with_what_was_saved():
    """A header of two lines, a date."""
    step = Step.model_validate({"to": "http://:1", "headers": {"X": "${a}"}})
    with pytest.raises(ValueError, match="not one line"):
        with_saved(step, {"a": "1\r\nEvil: 1"})
    step = Step.model_validate({"to": "zmq://:1", "request": "${a}"})
    with pytest.raises(ValueError, match="is a datetime"):
        with_saved(step, {"a": datetime(2001, 1, 1, tzinfo=UTC)})
