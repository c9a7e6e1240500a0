"""Which compose files make a project: as Compose itself looks for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutover.engine.files import compose_files, see_files
from cutover.errors import UsageError


def made(folder: Path, *names: str) -> Path:
    """Make empty files in a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path, *given: str, **environ: str) -> list[str]:
    """Return the project's files, named from the folder."""
    paths = compose_files(tuple(Path(g) for g in given), folder, environ)
    assert all(p.is_absolute() for p in paths)
    return [str(p.relative_to(folder)) for p in paths]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["compose.yaml", "compose.yml", "docker-compose.yml"], ["compose.yaml"]),
        (["compose.yml", "docker-compose.yml"], ["compose.yml"]),
        (["docker-compose.yaml", "docker-compose.yml"], ["docker-compose.yml"]),
        (["docker-compose.yaml"], ["docker-compose.yaml"]),
        (["compose.yaml", "compose.override.yaml"], ["compose.yaml", "compose.override.yaml"]),
        (["compose.yaml", "compose.override.yaml", "compose.override.yml"], ["compose.yaml", "compose.override.yml"]),
        (["compose.yaml", "docker-compose.override.yml"], ["compose.yaml", "docker-compose.override.yml"]),
    ],
)
def test_the_names_that_compose_looks_for(tmp_path: Path, there: list[str], expected: list[str]) -> None:
    """The first name wins, and one override file follows it."""
    assert found(made(tmp_path, *there)) == expected


def test_folders_above_are_searched(tmp_path: Path) -> None:
    """The nearest one that has a file, with its own override."""
    made(tmp_path, "compose.yaml", "a/compose.yml", "a/compose.override.yml", "a/b/c/x")
    nearest = compose_files((), tmp_path / "a" / "b" / "c", {})
    assert nearest == (tmp_path / "a" / "compose.yml", tmp_path / "a" / "compose.override.yml")


def test_named_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """In their order, without an override, whatever the environment says; links stay links."""
    made(tmp_path, "compose.yaml", "compose.override.yaml", "sub/b.yml")
    (tmp_path / "link.yml").symlink_to("compose.yaml")
    environ = {"COMPOSE_FILE": "compose.yaml"}
    assert found(tmp_path, "sub/b.yml", "link.yml", **environ) == ["sub/b.yml", "link.yml"]
    assert found(tmp_path, "sub/../compose.yaml") == ["compose.yaml"]


def test_compose_file_lists_several(tmp_path: Path) -> None:
    """Separated by a colon, or by what COMPOSE_PATH_SEPARATOR says."""
    made(tmp_path, "a.yml", "b.yml", "compose.yaml")
    assert found(tmp_path, COMPOSE_FILE="a.yml:b.yml") == ["a.yml", "b.yml"]
    assert found(tmp_path, COMPOSE_FILE="b.yml;a.yml", COMPOSE_PATH_SEPARATOR=";") == ["b.yml", "a.yml"]
    assert found(tmp_path, COMPOSE_FILE="a.yml::") == ["a.yml"]


@pytest.mark.parametrize(
    "text",
    [
        "COMPOSE_FILE=b.yml\n",
        "export COMPOSE_FILE='b.yml'\n",
        'OTHER=x\n# COMPOSE_FILE=a.yml\n  COMPOSE_FILE = "b.yml"\n',
        "COMPOSE_PATH_SEPARATOR=,\nCOMPOSE_FILE=b.yml,\n",
        "COMPOSE_FILE=a.yml\nCOMPOSE_FILE=b.yml\n",
        "COMPOSE_FILE=b.yml # the new one\n",
        "\ufeffX=1\r\nCOMPOSE_FILE=b.yml\r\n",
    ],
)
def test_dotenv_may_name_them(tmp_path: Path, text: str) -> None:
    """As people write it; the environment beats it."""
    made(tmp_path, "a.yml", "b.yml", "compose.yaml")
    (tmp_path / ".env").write_text(text)
    assert found(tmp_path) == ["b.yml"]
    assert found(tmp_path, COMPOSE_FILE="a.yml", COMPOSE_PATH_SEPARATOR=":") == ["a.yml"]


def test_a_dotenv_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    """Compose will say what is wrong with it."""
    made(tmp_path, "compose.yaml")
    (tmp_path / ".env").write_bytes(b"\xff\xfe=\x00\nnonsense\n")
    assert found(tmp_path) == ["compose.yaml"]


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named with its whole path."""
    made(tmp_path, "compose.yaml")
    with pytest.raises(UsageError, match=rf"There is no compose file {tmp_path}/other.yml\.") as caught:
        compose_files((Path("other.yml"),), tmp_path, {})
    assert caught.value.reference == "no-compose-file"
    with pytest.raises(UsageError):
        compose_files((), tmp_path, {"COMPOSE_FILE": "gone.yml"})


def test_no_file_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which the search began is named, with how to name a file."""
    monkeypatch.setattr("cutover.engine.files.NAMES", ("no-such-name.yaml",))
    with pytest.raises(UsageError, match=f"no compose file in {tmp_path} or above it") as caught:
        compose_files((), tmp_path, {})
    assert "-f path/to/" in (caught.value.hint or "")


def test_what_compose_reads_again_and_again_has_to_be_a_file(tmp_path: Path) -> None:
    """A pipe (`--env-file <(pass show prod)`) is empty the second time, or nobody ever writes to it."""
    made(tmp_path, ".env")
    see_files(tmp_path / ".env", tmp_path / "not-there")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is a pipe, not a file") as caught:
        see_files(tmp_path / ".env", tmp_path / "pipe")
    assert caught.value.reference == "not-a-file"
