"""What a restore would do with files: judged before anything is written, never over what is newer, never outside."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cutover.backup.archive import CONFIG, Archive, Draft
from cutover.backup.manifest import Kind, Manifest
from cutover.errors import RefusedError
from cutover.flow.backup_plan import Act, FileAct, RestorePlan, VolumeAct, plan_files
from cutover.flow.backup_text import plan_text

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BEFORE, AFTER = NOW.timestamp() - 60, NOW.timestamp() + 60


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project's folder with two files, and one outside."""
    folder = tmp_path / "stack"
    folder.mkdir()
    for path in (folder / "compose.yaml", folder / ".env", tmp_path / "common.yml"):
        path.write_text("PASSWORD=geheim\nB=2\n")
        os.utime(path, (BEFORE, BEFORE))
    return folder


@pytest.fixture
def archive(project: Path) -> Archive:
    """Give a backup of it."""
    draft = Draft(project / "20260301T120000.000-abcd")
    for path in (project / "compose.yaml", project / ".env", project.parent / "common.yml"):
        draft.add_file(path)
    draft.add_content(Kind.CONFIG, CONFIG, b"{}")
    facts = {"cutover": "0", "id": "i", "made": NOW, "why": "w", "project": "p", "folder": str(project)}
    return draft.finish(Manifest.model_validate(facts))


def acts(archive: Archive, folder: Path, into: Path | None = None, *, own: bool = True) -> dict[str, FileAct]:
    """Return what becomes of each file, by name."""
    return {f.target.name: f for f in plan_files(archive, folder, into, bytes, own=own)}


def test_what_is_equal_is_left_alone(archive: Archive, project: Path) -> None:
    """The model is no file of the project's, and not restored in place."""
    found = acts(archive, project)
    assert {n: a.act for n, a in found.items()} == dict.fromkeys(("compose.yaml", ".env", "common.yml"), Act.SAME)
    assert RestorePlan(archive, tuple(found.values())).nothing_to_do


def test_what_is_newer_is_refused_and_told_without_its_content(archive: Archive, project: Path) -> None:
    """Lines are counted; no value is shown."""
    (project / ".env").write_text("PASSWORD=neu\nB=2\nC=3\n")
    os.utime(project / ".env", (AFTER, AFTER))
    plan = RestorePlan(archive, tuple(acts(archive, project).values()))
    assert plan.blockers(overwrite=False) == [f"{project / '.env'} was changed since the backup (+1 -2 lines)"]
    assert plan.blockers(overwrite=True) == []
    text = plan_text(plan, overwrite=False)
    assert "geheim" not in text
    assert "neu" not in text


def test_what_differs_is_written_and_its_times_prove_nothing(archive: Archive, project: Path) -> None:
    """A file that came here after the backup, with times from before it, is newer. A mode that changed is none such."""
    (project / ".env").write_text("x")
    os.utime(project / ".env", (BEFORE, BEFORE))
    (project / "compose.yaml").chmod(0o600)
    (project.parent / "common.yml").unlink()
    found = acts(archive, project)
    assert [(found[n].act, found[n].newer) for n in (".env", "compose.yaml", "common.yml")] == [
        (Act.WRITE, True),
        (Act.WRITE, False),
        (Act.CREATE, False),
    ]
    assert found["compose.yaml"].change == "mode or owner"


def test_a_folder_in_the_way_is_refused_whatever_is_said(archive: Archive, project: Path) -> None:
    """Nothing is written over it."""
    (project / ".env").unlink()
    (project / ".env").mkdir()
    plan = RestorePlan(archive, tuple(acts(archive, project).values()))
    assert plan.blockers(overwrite=True) == [f"{project / '.env'}: there is something else than a file"]


def test_elsewhere(archive: Archive, project: Path, tmp_path: Path) -> None:
    """Each below the folder that was named, the model too; what was outside goes below `outside/`."""
    into = tmp_path / "into"
    targets = {str(f.target.relative_to(into)) for f in plan_files(archive, project, into, bytes, own=False)}
    outside = f"outside/{(tmp_path / 'common.yml').relative_to('/')}"
    assert targets == {"compose.yaml", ".env", "config.json", outside}


def test_a_link_that_leads_elsewhere_by_now_is_not_followed(project: Path, tmp_path: Path) -> None:
    """A service that may write into the folder could have put it there; one that was a link then stays one."""
    real = tmp_path / "real.yaml"
    real.write_text("a\n")
    (project / "linked.yaml").symlink_to(real)
    draft = Draft(project / "20260301T120000.000-abcd")
    draft.add_file(project / "linked.yaml")
    draft.add_file(project / ".env")
    facts = {"cutover": "0", "id": "i", "made": NOW, "why": "w", "project": "p", "folder": str(project)}
    archive = draft.finish(Manifest.model_validate(facts))
    (project / ".env").unlink()
    (project / ".env").symlink_to(tmp_path / "victim")
    found = acts(archive, project)
    assert found["linked.yaml"].act is Act.SAME
    assert "leads outside" in (found[".env"].trouble or "")


def test_a_project_that_moved(archive: Archive, tmp_path: Path) -> None:
    """Its files go where it is now."""
    moved = tmp_path / "moved"
    assert acts(archive, moved)[".env"].target == moved / ".env"


def test_a_backup_from_elsewhere_writes_nothing_outside(archive: Archive, project: Path) -> None:
    """Who made it nobody knows."""
    found = acts(archive, project, own=False)["common.yml"]
    assert "leads outside" in (found.trouble or "")


@pytest.mark.parametrize("name", ["../../x", "x", "/srv/../etc/passwd"])
def test_a_crafted_name_leads_nowhere(archive: Archive, project: Path, name: str) -> None:
    """Whatever the manifest says."""
    first = archive.manifest.payloads[0].model_copy(update={"name": name})
    archive.__dict__["_read"] = archive.manifest.model_copy(update={"payloads": (first,)})
    if name.startswith("/"):
        (found,) = plan_files(archive, project, None, bytes, own=False)
        assert found.trouble
    else:
        with pytest.raises(RefusedError, match="no absolute path"):
            list(plan_files(archive, project, None, bytes, own=False))


def test_a_damaged_copy_refuses_the_plan(archive: Archive, project: Path) -> None:
    """Before anything is written."""
    (archive.folder / archive.manifest.payloads[0].file).write_text("x")
    with pytest.raises(Exception, match="damaged"):
        acts(archive, project)


def test_a_volume_in_use_is_refused_whatever_is_said(archive: Archive) -> None:
    """What is newer is lifted, a running container is not."""
    saved = None
    volume = VolumeAct(saved, "shop_data", Act.WRITE, True, "an entry of today", ("shop-db-1",))  # type: ignore[arg-type]
    plan = RestorePlan(archive, (), (volume,))
    assert plan.blockers(overwrite=True) == ["volume shop_data is in use by shop-db-1"]
    assert len(plan.blockers(overwrite=False)) == 2
