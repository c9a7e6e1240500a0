"""A manifest gives back what was written, or is told to be damaged, newer, or missing; it never ends in a traceback."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.backup import manifest as manifests
from cutover.backup.manifest import FORMAT, GitState, ImageUse, Kind, Manifest, Payload, SavedVolume
from cutover.backup.stored import Stored
from cutover.errors import RefusedError

HASH = "0" * 64
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WHOLE = Manifest(
    cutover="0.1.0",
    id="20260301T120000.000-abcd",
    made=NOW,
    why="on demand",
    project="shop",
    folder="/srv/shop",
    files=("/srv/shop/compose.yaml",),
    payloads=(
        Payload(
            kind=Kind.FILE,
            name="/srv/shop/compose.yaml",
            file="files/00-compose.yaml",
            size_bytes=3,
            sha256=HASH,
            mode=0o640,
            uid=1,
            gid=2,
            stored_sha256=HASH,
        ),
    ),
    containers=(ImageUse(service="a", container="shop-a-1", reference="a:1", image_id="sha256:1"),),
    volumes=(SavedVolume(key="data", volume="shop_data", as_of=NOW, stored=Stored("volumes/x", HASH, 1, 2)),),
    git=GitState(top="/srv/shop", commit="1" * 40, branch="main", dirty=(" M compose.yaml",)),
)


def written(folder: Path, **changes: Any) -> Path:
    """Write the manifest, and change its body as if nobody had signed it."""
    manifests.write(folder, WHOLE)
    path = folder / manifests.NAME
    if changes:
        body = {k: v for k, v in json.loads(path.read_bytes()).items() if k != "manifest_sha256"} | changes
        path.write_text(json.dumps({**body, "manifest_sha256": manifests._digest(body)}))
    return path


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """All of it, for the owner only."""
    path = written(tmp_path)
    assert manifests.read(tmp_path) == WHOLE
    assert path.stat().st_mode & 0o777 == 0o600


def test_none_is_half_a_backup(tmp_path: Path) -> None:
    """The manifest is written last."""
    with pytest.raises(FileNotFoundError):
        manifests.read(tmp_path)


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    """Whatever else it says, which nobody here can know."""
    path = written(tmp_path)
    body = json.loads(path.read_bytes())
    path.write_text(json.dumps({"format": FORMAT + 1, "cutover": "9.9", "manifest_sha256": 1, "odd": body}))
    with pytest.raises(RefusedError, match=r"format 2, from cutover 9\.9") as caught:
        manifests.read(tmp_path)
    assert caught.value.reference == "backup-newer"


@pytest.mark.parametrize(
    "changes",
    [
        {"payloads": [{"kind": "file"}]},
        {"made": "yesterday"},
        {"unknown": 1},
        {"format": 0},
        {"format": "1.0"},
        {"volumes": [{"key": "data", "volume": "v", "as_of": NOW.isoformat(), "stored": 3}]},
    ],
)
def test_what_does_not_hold_is_damaged(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Also where the hash is right: somebody else's tool wrote it."""
    written(tmp_path, **changes)
    with pytest.raises(RefusedError) as caught:
        manifests.read(tmp_path)
    assert caught.value.reference == "backup-damaged"


@pytest.mark.parametrize("file", ["/etc/passwd", "../x", "files/../../x", "", "a\0b"])
def test_no_payload_lies_outside_the_archive(tmp_path: Path, file: str) -> None:
    """A manifest that says so is damaged, or worse."""
    payload = WHOLE.payloads[0].model_dump(mode="json")
    written(tmp_path, payloads=[{**payload, "file": file}])
    with pytest.raises(RefusedError) as caught:
        manifests.read(tmp_path)
    assert caught.value.reference == "backup-damaged"


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": 1e999}'])
def test_what_is_no_manifest_is_damaged(tmp_path: Path, content: bytes) -> None:
    """Never a traceback."""
    (tmp_path / manifests.NAME).write_bytes(content)
    with pytest.raises(RefusedError) as caught:
        manifests.read(tmp_path)
    assert caught.value.reference == "backup-damaged"


@given(at=st.integers(0), bit=st.integers(0, 7), cut=st.booleans())
def test_one_flipped_bit_or_a_cut_is_told(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int, cut: bool
) -> None:
    """Wherever it is; a space that became another one changes nothing that was said."""
    folder = tmp_path_factory.mktemp("m")
    path = written(folder)
    content = bytearray(path.read_bytes())
    at %= len(content)
    if cut:
        content = content[:at]
    else:
        content[at] ^= 1 << bit
    path.write_bytes(content)
    assert told(folder) in {"as written", "backup-damaged", "backup-newer"}


def told(folder: Path) -> str:
    """Return what reading comes to: what was written, or the reference of the error."""
    try:
        found = manifests.read(folder)
    except RefusedError as error:
        return error.reference
    return "as written" if found == WHOLE else "something else"
