"""The demonstration stack in a project of its own, on ports of its own."""

from __future__ import annotations

import shutil

from tests.scenarios.rig import HERE, Rig

COMPOSE = HERE.parents[1] / "compose"
GREEN, BLUE = "model_manager_agent", "model_manager_suite"


class Demo(Rig):
    """A copy of compose/, its two legacy ports moved; `env` is Compose's environment: SUITE_FAIL, SUITE_PORT."""

    def write(self):
        """Copy the files of the project."""
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(COMPOSE, self.folder, dirs_exist_ok=True, ignore=ignored)
        for file in (self.file, self.folder / "cutover.yaml"):
            text = file.read_text().replace("name: language_stack\n", "")
            for legacy, ours in ((5570, self.zmq), (6570, self.http)):
                text = text.replace(f'"{legacy}:{legacy}"', f'"{ours}:{legacy}"').replace(
                    f"://:{legacy}", f"://:{ours}"
                )
            file.write_text(text.replace("ports: [5570, 6570]", f"ports: [{self.zmq}, {self.http}]"))

    def environ(self):
        """Return the environment of every command: blue need not take its time."""
        return {"SUITE_LOAD_S": "0", **super().environ()}

    def up(self):
        """Start green and what it needs."""
        self.compose("up", "-d", "--wait", GREEN)

    def containers(self):
        """Return the names of the project's services that have a container."""
        return sorted(self.compose("ps", "-a", "--format", "{{.Service}}").stdout.split())
