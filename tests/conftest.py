"""What all tests share: pytest's own tests of plugins, and cutover's plugin where nobody installed the package."""

from __future__ import annotations

from importlib.metadata import entry_points

INSTALLED = any(entry.value == "cutover.pytest_plugin" for entry in entry_points(group="pytest11"))

pytest_plugins = ["pytester", *([] if INSTALLED else ["cutover.pytest_plugin"])]
