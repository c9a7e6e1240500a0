"""Small files are closed and opened by gpg or age; without the key they stay closed."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cutover.backup.archive import Archive, Draft
from cutover.backup.manifest import Kind, Manifest
from cutover.errors import CutoverError, UsageError
from cutover.flow.backup_seal import closer, opener, opening, sealing


def test_without_a_word_nothing_is_closed() -> None:
    """And a word that says nobody is refused before anything is done."""
    assert sealing(None) is None
    assert sealing("") is None
    assert closer(None) is bytes
    assert opener(None) is bytes
    with pytest.raises(UsageError):
        sealing("rot13:me")


@pytest.mark.skipif(shutil.which("age-keygen") is None, reason="there is no age here")
def test_what_age_closed_comes_back_with_its_identity(tmp_path: Path) -> None:
    """Not without, nor with another."""
    keys = [tmp_path / "key", tmp_path / "other"]
    for key in keys:
        subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    recipient = next(w for w in keys[0].read_text().split() if w.startswith("age1"))
    draft = Draft(tmp_path / "20260301T120000.000-abcd", closer(sealing(f"age:{recipient}")))
    own = tmp_path / ".env"
    own.write_text("PASSWORD=hunter2-canary\n")
    draft.add_file(own)
    draft.add_content(Kind.CONFIG, "config.json", b"{}")
    facts = {
        "cutover": "0",
        "id": "i",
        "made": datetime.now(UTC),
        "why": "w",
        "project": "p",
        "folder": "/",
        "sealed": "age",
    }
    archive: Archive = draft.finish(Manifest.model_validate(facts))
    written = b"".join(p.read_bytes() for p in archive.folder.rglob("*") if p.is_file())
    assert b"hunter2-canary" not in written
    assert list(archive.problems()) == []
    payload = archive.manifest.payloads[0]
    assert archive.saved(payload).content(opener(opening(archive.manifest, keys[0]))) == own.read_bytes()
    with pytest.raises(UsageError):
        opening(archive.manifest, None)
    with pytest.raises(CutoverError):
        archive.saved(payload).content(opener(opening(archive.manifest, keys[1])))
