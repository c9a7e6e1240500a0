"""The clients as a whole: one process for each kind, started together, stopped together, their logs joined."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benching.asked import Kind, Log, Plan

SCRIPTS = Path(__file__).parents[1]
HEAD_START_S = 1.0
"""Between starting the processes and the first request: an interpreter, and the lasting connections."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What load is put on which ports: requests a second in all, shared equally by the kinds."""

    ports: Mapping[Kind, int]
    hosts: tuple[str, ...] = ("127.0.0.1",)
    rate: float = 500.0
    patience_s: float = 5.0

    def plans(self, begin_s: float) -> list[Plan]:
        """Return each client's part, their requests evenly between one another."""
        each = self.rate / len(self.ports)
        return [
            Plan(kind, self.hosts, port, each, begin_s + number / self.rate, self.patience_s)
            for number, (kind, port) in enumerate(self.ports.items())
        ]


class Load:
    """Load that runs from entering to leaving; `logs` has what the clients saw afterwards."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.logs: list[Log] = []
        self.begin_s = 0.0
        self.until_s = 0.0
        self._clients: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        """Start the clients, and return when the first request is due."""
        self.begin_s = time.monotonic() + HEAD_START_S
        command = [sys.executable, "-m", "benching.client"]
        env = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONWARNINGS": "default"}
        for plan in self.wanted.plans(self.begin_s):
            client = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert client.stdin is not None
            client.stdin.write(json.dumps(plan.as_dict()) + "\n")
            client.stdin.flush()
            self._clients.append(client)
        time.sleep(max(0.0, self.begin_s - time.monotonic()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop them and read their logs; end them where the bench itself failed."""
        del error, at
        self.until_s = time.monotonic()
        if kind is not None:
            for client in self._clients:
                client.kill()
                client.communicate()
            return
        for client in self._clients:  # all of them stop now; reading one after the other takes as long as it takes
            assert client.stdin is not None
            client.stdin.close()
            client.stdin = None
        self.logs = [_log(client, self.wanted.patience_s) for client in self._clients]


def _log(client: subprocess.Popen[str], patience_s: float) -> Log:
    out, _ = client.communicate(timeout=patience_s + 30)
    if client.returncode:
        raise ChildProcessError(f"a client ended with {client.returncode}")
    return Log.from_dict(json.loads(out))
