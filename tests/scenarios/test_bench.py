"""`scripts/bench --quick`: swaps to and fro on a standing edge, under four kinds of load, and nobody notices."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.rig import free_ports

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
SILENT_S = 0.5
"""Five times what a hundred swaps are held to: other tests run beside this one."""


@pytest.mark.timeout(240)
def test_five_swaps_under_load(engine, tmp_path) -> None:
    """New and kept HTTP connections, REQ sockets, TCP streams: none fails, none is answered twice, none waits long."""
    del engine
    raw = tmp_path / "raw.json"
    told = bench("--quick", "--rate", "120", "--hosts", "127.0.0.1,::1", "--out", str(raw))
    seen = json.loads(told.stdout)
    assert seen["swaps"] == 5, told.stderr
    assert (seen["failed"], seen["lost"], seen["answered_twice"]) == (0, 0, 0), told.stderr
    assert not any(seen["broken"].values()), told.stderr
    assert seen["requests"] > 500
    if not seen["doubtful"]:
        assert seen["longest_silence_s"] < SILENT_S, told.stderr
    assert {"one", "two"} <= set(seen["swapping"]["answered_by"]), "nothing was swapped"
    assert json.loads(raw.read_text())["machine"]["cpus"]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the bench beside whatever else runs."""
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}",
        "BENCH_PROJECT": f"ctbench{secrets.token_hex(3)}",
        "BENCH_PORTS": ",".join(map(str, free_ports(3))),
        "NO_COLOR": "1",
    }
    command = [sys.executable, "-m", "benching", *words]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            process.terminate()  # it takes its project down
            out, err = process.communicate(timeout=50)
            raise AssertionError(f"the bench did not end: {out}{err}") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)
