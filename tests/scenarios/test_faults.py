"""A sample of what scripts/faults fights: kills, a full disk, another verb, an edit by hand, each mended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.faults.campaign.injections import SAMPLE
from tests.scenarios.rig import HERE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to make a disk fail with")
def test_a_sample_converges(engine, tmp_path):
    """Each strikes, and `cutover recover` leaves one colour, whole files and nothing behind."""
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "tests.faults.campaign", "--sample", "--workers", "1", "--results", str(results)]
    root = HERE.parent.parent
    subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=True, timeout=280)
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["id"] for line in lines] == [injection.id for injection in SAMPLE]
    assert [line for line in lines if not line["converged"]] == []
    assert [line["id"] for line in lines if not line["hit"]] == []
