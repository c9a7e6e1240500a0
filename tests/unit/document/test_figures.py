"""The figures of lossless editing, on a sample of the corpus of real compose files, where that is at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("CUTOVER_CORPUS") or ROOT.parent / "shared" / "corpus")


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no corpus of compose files: CUTOVER_CORPUS names none, none beside the checkout"
)
def test_a_sample_of_real_files_is_edited_without_a_wrong_byte() -> None:
    """Every figure that does not depend on the machine is reached; the table is what is shown if one is not."""
    command = [sys.executable, "scripts/figures_main.py", str(CORPUS), "--quick", "--text-only"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "moves, the corpus" in done.stdout
