"""What a HAProxy edge was told, as a value and on disk."""

from __future__ import annotations

import pytest

from cutover.edge.haproxy.state import FILE, State, load, save
from cutover.edge.shape import Hold, Slot, Target
from cutover.errors import EdgeError

GREEN, BLUE = {80: Target("green", "10.0.0.2", 80)}, {80: Target("blue", "10.0.0.3", 80)}


def test_it_comes_back_as_it_was(tmp_path):
    """Every part of it, readable by its owner only."""
    state = State(Slot.B, {Slot.A: GREEN, Slot.B: BLUE}, frozenset(Slot), 12.5, Hold(1, 2.0, 3.0))
    save(tmp_path, state)
    assert load(tmp_path) == state
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"active": "c"}', '{"active":"a","slots":{"a":{"80":{"name":"a\\nb"}}}}']
)
def test_what_cannot_be_read_is_told(tmp_path, content):
    """Half a file, another file, or a name that nobody may have: an error with the path, never a guess."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(EdgeError) as error:
        load(tmp_path)
    assert error.value.reference == "edge-state-unreadable"
    assert str(tmp_path) in error.value.evidence[0]


def test_the_way_back_is_who_was_active():
    """Until it is aimed elsewhere; a slot that is only aimed at is none."""
    state = State(Slot.A, {Slot.A: GREEN}).aimed(Slot.B, BLUE)
    assert (state.takes(Slot.A), state.takes(Slot.B)) == (True, False)
    flipped = state.switched(Slot.B)
    assert (flipped.takes(Slot.A), flipped.takes(Slot.B)) == (True, True)
    assert flipped.aimed(Slot.A, GREEN).takes(Slot.A)
    assert not flipped.aimed(Slot.A, BLUE).takes(Slot.A)
    assert not flipped.aimed(Slot.A, {}).takes(Slot.A)


def test_a_slot_that_leads_nowhere_is_no_way_back():
    """The first switch of an edge that had nothing active behind it."""
    state = State(Slot.A, {Slot.B: BLUE}).switched(Slot.B)
    assert state.ways == {Slot.B}
