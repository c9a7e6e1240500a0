"""What all tests share: pytest's own tests of plugins, and cutover's plugin where nobody installed the package."""

from __future__ import annotations

from importlib.metadata import entry_points

from hypothesis import settings

INSTALLED = any(entry.value == "cutover.pytest_plugin" for entry in entry_points(group="pytest11"))

# How long an example takes on a busy machine says nothing.
settings.register_profile("cutover", deadline=None)
settings.load_profile("cutover")

pytest_plugins = ["pytester", *([] if INSTALLED else ["cutover.pytest_plugin"])]
