"""The figures of lossless editing, on a sample of the corpus of real compose files, where that is at hand."""

from __future__ import annotations

import importlib
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


OLD = b"services:\n  g:\n    image: g\n    ports:\n      - 1:1 # x\n  b:\n    image: b\n"
NEW = b"services:\n  g:\n    image: g\n  b:\n    image: b\n    ports:\n      - 1:1 # x\n"


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (NEW, None),
        (NEW.replace(b"image: g", b"image:  g"), "old line 3"),
        (NEW.replace(b" # x", b""), "comment"),
        (NEW.replace(b"image: b", b"image: c"), "something else"),
        (NEW.replace(b"  b:", b"\n  b:"), "old line 6"),
        (NEW.replace(b"1:1", b"1:2"), "ports are"),
        (NEW.replace(b"\n", b"\r\n"), "old line 1"),
        (NEW.rstrip(b"\n"), "end of the file"),
    ],
)
def test_the_figures_would_show_a_wrong_edit(new: bytes, problem: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier shares no code with the editor, and every kind of damage is seen by it."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    verify = importlib.import_module("figures_verify")
    found = verify.moved(verify.View.of(OLD), verify.View.of(new), "g", "b", ["1:1"])
    assert (found is None) is (problem is None)
    assert problem is None or problem in found
