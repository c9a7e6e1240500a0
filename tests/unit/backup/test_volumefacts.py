"""What lies in a volume, told from what `find` lists."""

from __future__ import annotations

from cutover.backup.volumefacts import VolumeFacts, weigh


def test_a_file_with_two_names_counts_once() -> None:
    """Folders take room and hold nothing; a hole is apparent and takes none."""
    listed = [
        b"100.5 4096 8 2 9:1 d",
        b"300.25 1000 8 2 9:2 f",
        b"300.25 1000 8 2 9:2 f",
        b"200.0 50000000 8 1 9:3 f",
        b"50.0 11 0 1 9:4 l",
    ]
    assert weigh(listed) == (5, 300.25, 50_001_000, 3 * 8 * 512)


def test_nothing_listed_is_an_empty_volume() -> None:
    """Without a newest entry."""
    facts = VolumeFacts("data", True, "local", {}, {}, (), *weigh([]))
    assert facts.empty
    assert facts.newest_text == ""
    assert VolumeFacts("data", True, entries=1, newest=0.5).newest_text == "1970-01-01T00:00:00+00:00"
