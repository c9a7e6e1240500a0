"""A rollback whose image was pruned is refused before anything is undone, and names the backup that has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cutover.backup.archive import Draft
from cutover.backup.manifest import Manifest
from cutover.backup.stored import Stored
from cutover.errors import RefusedError
from cutover.flow.backup_images import see_old_image
from tests.unit.flow.stage import Docker, Stage

RUN, LATER = "20260301T120000.000-abcd", "20260302T120000.000-abcd"
USE = {"service": "old", "container": "shop-old-1", "reference": "shop:1", "image_id": "sha256:1"}


class Pruned(Docker):
    """An Engine without green's container; `here` are the images that it has."""

    def __init__(self, *here: str) -> None:
        super().__init__()
        self.here = here

    def of_service(self, project: str, service: str) -> list:  # type: ignore[type-arg]
        """Return nothing for green."""
        return [] if service == "old" else super().of_service(project, service)

    def image_id(self, reference: str) -> str | None:
        """Return the ID of an image."""
        return "sha256:1" if reference in self.here else None


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Give a run that is done, with the backup that it took."""
    (tmp_path / "shop" / RUN).mkdir(parents=True)
    made = Stage(tmp_path / "shop" / RUN)
    made.ctx.state = tmp_path
    made.ctx.daemon = Pruned()  # type: ignore[assignment]
    backup(tmp_path, RUN)
    return made


def backup(state: Path, backup_id: str, *, images: bool = False) -> None:
    """Make a backup."""
    stored = Stored("images/images.tar.zst", "0" * 64, 1, 1)
    facts = {"cutover": "0", "id": backup_id, "made": datetime.now(UTC), "why": "w", "project": "shop", "folder": "/"}
    saved = {"images": {"references": ["shop:1"], "stored": stored}} if images else {}
    draft = Draft(state / "shop" / "backups" / backup_id)
    draft.finish(Manifest.model_validate({**facts, **saved, "containers": [USE]}))


def test_the_backup_that_has_it_is_named(stage: Stage) -> None:
    """Else where an image comes from."""
    with pytest.raises(RefusedError) as caught:
        see_old_image(stage.ctx)
    assert (caught.value.reference, caught.value.hint) == (
        "old-image-gone",
        "docker pull shop:1, or build it; then again",
    )
    backup(stage.ctx.state, LATER, images=True)
    with pytest.raises(RefusedError) as caught:
        see_old_image(stage.ctx)
    assert caught.value.hint == f"cutover restore {LATER} --images --apply, then again"


def test_what_is_there_is_no_matter(stage: Stage) -> None:
    """The image by its name, or by its ID where the very same one is to come back; or the container itself."""
    stage.ctx.daemon = Pruned("shop:1")  # type: ignore[assignment]
    see_old_image(stage.ctx)
    stage.ctx.plan = replace(stage.ctx.plan, rolls="1" * 64)
    with pytest.raises(RefusedError):
        see_old_image(stage.ctx)
    stage.ctx.daemon = Pruned("sha256:1")  # type: ignore[assignment]
    see_old_image(stage.ctx)
    stage.ctx.plan = replace(stage.ctx.plan, rolls=None)
    stage.ctx.daemon = Docker()  # type: ignore[assignment]
    see_old_image(stage.ctx)


def test_without_a_backup_nothing_is_said(stage: Stage) -> None:
    """A run of an older cutover took none."""
    (stage.ctx.state / "shop" / "backups" / RUN / "manifest.json").unlink()
    see_old_image(stage.ctx)
