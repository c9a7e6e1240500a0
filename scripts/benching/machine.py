"""On what was measured, for the raw data: a figure without its machine says little."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Return processors, memory, kernel, and the versions of what was in the way."""
    return {
        "cpus": os.cpu_count(),
        "cpu": _first("/proc/cpuinfo", "model name"),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": _said("docker", "version", "-f", "{{.Server.Version}}"),
        "compose": _said("docker", "compose", "version", "--short"),
        "load_average_before": os.getloadavg(),
    }


def _first(file: str, key: str) -> str:
    for line in Path(file).read_text("utf-8").splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "unknown"


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
