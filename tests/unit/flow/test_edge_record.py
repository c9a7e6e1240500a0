"""What is on disk about a standing edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.edge.shape import Slot
from cutover.errors import NeedsHandsError
from cutover.flow.edge_record import Place, edge_folder, forget, load, save
from cutover.flow.runs import Runs
from tests.unit.flow.test_strategy import RECORD


def test_a_record_lasts(tmp_path: Path) -> None:
    """As it was written, in a folder that nobody else may read; and it is no run."""
    assert load(tmp_path, "shop") is None
    save(tmp_path, RECORD)
    assert load(tmp_path, "shop") == RECORD
    assert edge_folder(tmp_path, "shop").stat().st_mode & 0o777 == 0o700
    assert Runs(tmp_path.parent, "shop").all() == []
    forget(tmp_path, "shop")
    forget(tmp_path, "shop")
    assert load(tmp_path, "shop") is None


def test_a_damaged_record_is_no_missing_one(tmp_path: Path) -> None:
    """Else a second edge would be made beside the one that holds the ports."""
    save(tmp_path, RECORD)
    (edge_folder(tmp_path, "shop") / "edge.json").write_text('{"project": "shop"')
    with pytest.raises(NeedsHandsError) as caught:
        load(tmp_path, "shop")
    assert caught.value.reference == "edge-record-damaged"


def test_a_service_that_rolls_is_in_both_slots() -> None:
    """The container tells which is meant; without one the first is as good."""
    rolled = RECORD.with_slot(Slot.B, Place("old", "shop-old-2", "n" * 64, {5570: 5570}))
    assert rolled.slot_of("old", "n" * 64) is Slot.B
    assert rolled.slot_of("old", "g" * 64) is Slot.A
    assert rolled.slot_of("old") is Slot.A
    assert rolled.slot_of("new") is None
    assert set(rolled.with_slot(Slot.B, None).slots) == {Slot.A}
