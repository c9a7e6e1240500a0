"""Runs a manager of the demonstration stack as it is, with a registry in memory instead of redis.

`python without_redis.py agent` or `suite`; PORT, HEALTH_PORT, FAIL and LOAD_S as in its container.
"""

import importlib
import os
import sys
from pathlib import Path
from threading import Event
from types import ModuleType

MODELS = {"chars-2": 2, "chars-4": 4, "chars-6": 6}


class Memory:
    """Always reachable; knows three models; wants the default one."""

    def __init__(self, _address):
        """Take the address and ask nobody there."""
        self._wanted = set()

    def watch(self, first_contact):
        """Be there at once."""
        first_contact()
        met = Event()
        met.set()
        return met

    def reachable(self):
        """Say yes."""
        return True

    def orders(self):
        """Return three models."""
        return MODELS

    def wanted(self):
        """Return what is to be loaded."""
        return set(self._wanted)

    def want(self, name):
        """Remember."""
        self._wanted.add(name)

    def unwant(self, name):
        """Forget."""
        self._wanted.discard(name)


def main():
    """Put the registry in the place of redis', and start."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "compose"))
    registry = ModuleType("language_stack.registry")
    registry.RedisRegistry = Memory
    sys.modules["language_stack.registry"] = registry
    os.environ.update(REDIS="nowhere:1", NATS="127.0.0.1:1", DEFAULT_MODEL="chars-4")
    os.environ.setdefault("LOAD_S", "0")
    importlib.import_module(f"language_stack.{sys.argv[1]}").main()


if __name__ == "__main__":
    main()
