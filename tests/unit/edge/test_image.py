"""The edge's image: its name follows its content, and the same content gives the same bytes."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import pytest

import cutover
from cutover.edge.image import COPIED, build_context, edge_image_name, image_files

FILES = {"Dockerfile": b"FROM x\n", "cutover/__init__.py": b""}


def test_the_name_has_the_version_and_a_hash() -> None:
    """In letters that Docker takes for a tag."""
    assert re.fullmatch(rf"cutover-edge:{re.escape(cutover.__version__)}-[0-9a-f]{{12}}", edge_image_name())


def test_a_version_that_is_no_tag_is_made_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local version has a plus sign."""
    monkeypatch.setattr(cutover, "__version__", "1.0+mine")
    assert edge_image_name(FILES).startswith("cutover-edge:1.0-mine-")


@pytest.mark.parametrize(
    "other",
    [
        {**FILES, "Dockerfile": b"FROM y\n"},
        {**FILES, "cutover/edge/broker/x.py": b""},
        {"Dockerfile": b"FROM x\n", "cutover/__init__.pyx": b""},
        {"Dockerfile": b"FROM x\ncutover/__init__.py", "cutover": b""},
    ],
    ids=["content", "one more", "path", "border"],
)
def test_another_content_has_another_name(other: dict[str, bytes]) -> None:
    """Wherever it differs."""
    assert edge_image_name(other) != edge_image_name(FILES)


def test_the_context_depends_on_the_content_alone() -> None:
    """Not on the order in which it was read, nor on the time or the user."""
    assert build_context(FILES) == build_context(dict(reversed(FILES.items())))
    with tarfile.open(fileobj=io.BytesIO(build_context(FILES))) as archive:
        entries = archive.getmembers()
        assert [(e.name, e.size) for e in entries] == [("Dockerfile", 7), ("cutover/__init__.py", 0)]
        assert {(e.mtime, e.uid, e.mode) for e in entries} == {(0, 0, 0o644)}


def test_what_python_and_editors_leave_behind_stays_outside(tmp_path: Path) -> None:
    """It would change the name from one machine to the next; a folder that is missing is no error."""
    for name in ("__init__.py", "edge/__init__.py", "edge/broker/__main__.py", "edge/broker/deep/x.lua", "flow/no.py"):
        _write(tmp_path / name)
    left = (
        "edge/broker/__pycache__/x.cpython-311.pyc",
        "edge/broker/.x.swp",
        "edge/broker/.cache/y",
        "edge/broker/z.pyc",
    )
    for name in left:
        _write(tmp_path / name)
    assert sorted(set(image_files(tmp_path)) - {"Dockerfile"}) == [
        "cutover/__init__.py",
        "cutover/edge/__init__.py",
        "cutover/edge/broker/__main__.py",
        "cutover/edge/broker/deep/x.lua",
    ]


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def test_nothing_that_is_copied_imports_what_is_not() -> None:
    """In the image there is no other module of cutover, and nothing of PyPI but pyzmq and msgpack."""
    places = [name.removesuffix("/__init__.py").replace("/", ".") for name in COPIED if "/" in name]
    known = re.compile(rf"(from|import) cutover\.({'|'.join(map(re.escape, places[1:]))})\b")
    wrong = [
        f"{path}: {line.strip()}"
        for path, content in image_files().items()
        for line in content.decode().splitlines()
        if re.match(r"\s*(from|import) cutover\.", line) and not known.match(line.strip())
    ]
    assert wrong == []
