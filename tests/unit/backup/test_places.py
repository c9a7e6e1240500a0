"""Which files of a project are saved: its own wherever they are, what services get inside the folder and small."""

from __future__ import annotations

import os
from pathlib import Path

from cutover.backup.places import LARGEST_BYTES, given_to_services, to_save, volumes_of_model


def test_what_services_are_given(tmp_path: Path) -> None:
    """Bind mounts, configs, secrets, env files in each of their spellings; no volumes."""
    model = {
        "configs": {"c": {"file": "/srv/c"}, "inline": {"content": "x"}},
        "secrets": {"s": {"file": "s.txt"}, "e": {"environment": "S"}},
        "services": {
            "a": {"volumes": [{"type": "bind", "source": "/srv/b"}, {"type": "volume", "source": "data"}]},
            "b": {"volumes": None},
        },
    }
    written = {"services": {"a": {"env_file": ["x.env", {"path": "/srv/y.env"}]}, "b": {"env_file": "z.env"}}}
    found = {str(p) for p in given_to_services(model, written, Path("/srv"))}
    assert found == {"/srv/c", "/srv/s.txt", "/srv/b", "/srv/x.env", "/srv/y.env", "/srv/z.env"}


def test_only_regular_small_files_inside(tmp_path: Path) -> None:
    """A pipe is never opened, a folder left alone; what is large, or leads outside, is told."""
    folder = tmp_path / "stack"
    folder.mkdir()
    (tmp_path / "outside").write_text("x")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "small").write_text("x")
    (folder / "large").write_bytes(b"x" * LARGEST_BYTES)
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    names = ("small", "small", "large", "link", "sub", "pipe", "missing", "../outside")
    found = to_save([folder / "small", tmp_path / "outside"], [folder / n for n in names], folder)
    assert found.files == (folder / "small", tmp_path / "outside")
    assert [line.partition(": ")[2] for line in found.left_out] == ["1.0 MiB, not saved; data belongs into a volume"]
    alone = to_save([], [folder / "link"], folder)
    assert alone.left_out == (f"{folder / 'link'}: outside the project's folder, not saved",)


def test_named_volumes() -> None:
    """By their name in the compose file; external ones by their own."""
    model = {"volumes": {"data": {"name": "shop_data"}, "shared": {"name": "all", "external": True}, "bare": None}}
    assert volumes_of_model(model) == {"data": "shop_data", "shared": "all", "bare": "bare"}
    assert volumes_of_model({}) == {}
