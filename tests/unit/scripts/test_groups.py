"""The dependency groups that old pips cannot read."""

from __future__ import annotations

from groups import requirements


def test_groups_of_requirements_include_others() -> None:
    """Each requirement in its place, as PEP 735 says."""
    groups: dict[str, list[str | dict[str, str]]] = {"a": ["x", {"include-group": "b"}, "z"], "b": ["y>=1"]}
    assert list(requirements(groups, "a")) == ["x", "y>=1", "z"]
