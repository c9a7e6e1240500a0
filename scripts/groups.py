"""Print the requirements of a dependency group (PEP 735), one a line: groups.py PYPROJECT GROUP."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path


def main() -> None:
    """Read the file that argv names and print the group that argv names."""
    pyproject, group = sys.argv[1:]
    groups = tomllib.loads(Path(pyproject).read_text("utf-8"))["dependency-groups"]
    print("\n".join(dict.fromkeys(requirements(groups, group))))


def requirements(groups: Mapping[str, list[str | dict[str, str]]], name: str) -> Iterator[str]:
    """Yield a group's requirements, included groups in their place."""
    for item in groups[name]:
        if isinstance(item, str):
            yield item
        else:
            yield from requirements(groups, item["include-group"])


if __name__ == "__main__":
    main()
