"""Where an override may be written, and over what."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import pytest

from cutover.config import Settings
from cutover.document.override import Override
from cutover.document.override.text import signed
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import RefusedError
from cutover.flow.override import Derived, write
from cutover.flow.override_file import files_of
from cutover.flow.override_world import World
from cutover.flow.request import Options
from cutover.flow.session import Session
from cutover.ports.allocate import allocate

FIRST, SECOND = signed(["x"], "services: {}\n"), signed(["x"], "services: {a: {}}\n")
EDITED = SECOND.replace("a:", "b:")
BY_HAND = "services: {t: {image: i, labels: !override {cutover.test-of: blue}}}\n"
LISTED = "services: {t: {image: i, labels: ['cutover.test-of=blue']}}\n"


def derived(path, text, reserved=None):
    """Return a derived override without ports."""
    return Derived(Override("blue_test", "blue", text, ()), path, allocate(0), reserved or {})


def refusal(path, *, force=True, reserved=None):
    """Return why a file is not written, and see that what is there stays as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(RefusedError) as error:
        write(derived(path, FIRST, reserved), force=force)
    assert (path.read_bytes() if path.is_file() else None) == before
    return error.value


def test_a_file_is_written_once(tmp_path):
    """Over one of ours as it was written, nobody is asked."""
    path = tmp_path / "overrides" / "blue_test.yml"
    assert write(derived(path, FIRST))
    assert not write(derived(path, FIRST))
    assert write(derived(path, SECOND))
    assert path.read_text() == SECOND
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.write_text("")
    assert write(derived(path, FIRST))


def test_a_secret_is_for_the_owner_alone(tmp_path):
    """Also in a file that others could read until now."""
    path = tmp_path / "x.yml"
    assert write(derived(path, FIRST))
    secret = replace(derived(path, FIRST), override=Override("blue_test", "blue", FIRST, (), private=True))
    assert write(secret)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not write(secret)


@pytest.mark.parametrize("content", [EDITED, BY_HAND, LISTED])
def test_an_override_that_was_edited_is_written_over_by_force_alone(tmp_path, content):
    """And it is said that the edits are lost."""
    path = tmp_path / "x.yml"
    path.write_text(content)
    error = refusal(path, force=False)
    assert error.reference == "override-not-ours"
    assert "edited in it is lost" in error.hint
    assert write(derived(path, FIRST), force=True)
    assert path.read_text() == FIRST


@pytest.mark.parametrize(
    "content",
    [
        "services: {}\n",
        "services: {a: {image: i}}\n",
        "services: {t: {labels: {cutover.test-of: blue}}, a: {image: i}}\n",
        "DB_PASSWORD=hunter2\n",
        "a: [",
        "notes\n" + FIRST,
    ],
)
def test_any_other_file_is_written_over_by_nobody(tmp_path, content):
    """A compose file, an env file, notes: not by force either, and force is not recommended."""
    path = tmp_path / "x.yml"
    path.write_text(content)
    for force in (False, True):
        error = refusal(path, force=force)
        assert error.reference == "override-not-ours"
        assert "--force" not in error.hint


def test_what_is_no_file_is_left_alone(tmp_path):
    """A rename over /dev/null would take it away from everybody."""
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refusal(tmp_path / "pipe").message
    assert "directory" in refusal(tmp_path).message
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def project(folder):
    """Write a project of many files; return what is reserved in it."""
    for name, content in {
        "compose.yaml": "include: [more/in.yml]\nservices:\n  a: {extends: {file: base.yml, service: z}}\n",
        "second.yml": "services: {b: {image: i}}\n",
        "more/in.yml": "services: {c: {image: i}}\n",
        "base.yml": BY_HAND.replace("t:", "z:", 1),
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    source = ProjectFiles((folder / "compose.yaml", folder / "second.yml"), env_files=(folder / "given.env",))
    stack = Stack(None, source)
    written = {"services": {"a": {"env_file": [{"path": str(folder / "a.env")}]}, "b": {"env_file": "b.env"}}}
    world = World(stack, "demo", {"services": {}}, written, {}, (), {})
    session = Session(Options(), Settings(), None, stack, None, None, folder / "cutover.yaml")
    return files_of(session, world)


NAMES = ("compose.yaml", "second.yml", "more/in.yml", "base.yml", "cutover.yaml", ".env", "given.env", "a.env", "b.env")


@pytest.mark.parametrize("name", [*NAMES, "compose.override.yaml", "docker-compose.yml", "link.yml", "hard.yml"])
def test_a_file_of_the_project_is_never_written_over(tmp_path, name):
    """Nor made where Compose or cutover would read it, nor reached by a link."""
    reserved = project(tmp_path)
    (tmp_path / "link.yml").symlink_to("second.yml")
    os.link(tmp_path / "second.yml", tmp_path / "hard.yml")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for force in (False, True):
        error = refusal(tmp_path / name, force=force, reserved=reserved)
        assert error.reference == "override-is-project-file"
        assert "--force" not in error.hint
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_the_usual_place_is_not_reserved(tmp_path):
    """The folder of overrides belongs to them."""
    reserved = project(tmp_path)
    assert write(derived(tmp_path / "overrides" / "blue_test.yml", FIRST, reserved))


def test_a_folder_that_cannot_be_written(tmp_path):
    """Something else stands in its place."""
    (tmp_path / "overrides").write_text("a file")
    with pytest.raises(RefusedError) as error:
        write(derived(tmp_path / "overrides" / "x.yml", "x"))
    assert error.value.reference == "override-not-writable"
