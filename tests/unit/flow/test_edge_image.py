"""Which image the edge runs from, and on what it is built."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.config.edge import Edge
from cutover.edge.image import edge_image_name
from cutover.errors import EngineError, RefusedError
from cutover.events import Silence
from cutover.flow import edge_image
from cutover.flow.edge_image import build_edge_image


class Images:
    """An Engine's images, and what was pulled and built there."""

    def __init__(self, *here: str, can_be_pulled: str = "") -> None:
        self.here = {name: f"id of {name}" for name in here}
        self.can_be_pulled = can_be_pulled
        self.pulled: list[str] = []
        self.built: list[tuple[str, str]] = []

    def image_id(self, reference: str) -> str | None:
        """Return the ID of an image that is here."""
        return self.here.get(reference)

    def pull(self, _: object, reference: str, tell: Any) -> None:
        """Pull an image."""
        tell(f"pulling {reference}")
        if reference != self.can_be_pulled:
            raise EngineError("image-failed", "no", evidence=["no such host"])
        self.pulled.append(reference)

    def build(self, _: object, context: bytes, tag: str, base: str, tell: Any, *, cache: bool) -> None:
        """Build an image."""
        del context, cache
        tell("Step 1/1 : FROM x")
        self.here[tag] = "new"
        self.built.append((tag, base))


def engine(monkeypatch: pytest.MonkeyPatch, *here: str, can_be_pulled: str = "") -> Any:
    """Return an Engine with these images."""
    made = Images(*here, can_be_pulled=can_be_pulled)
    monkeypatch.setattr(edge_image, "pull", made.pull)
    monkeypatch.setattr(edge_image, "build", made.build)
    return made


@pytest.mark.parametrize(
    ("given", "said", "base"),
    [("a:1", "b:1", "a:1"), (None, "b:1", "b:1"), (None, None, "debian:bookworm-slim")],
    ids=["option", "cutover.yaml", "neither"],
)
def test_the_nearest_word_decides_the_base(
    monkeypatch: pytest.MonkeyPatch, given: str | None, said: str | None, base: str
) -> None:
    """The option, then cutover.yaml, then Debian's own."""
    images = engine(monkeypatch, "a:1", "b:1", "debian:bookworm-slim")
    built = build_edge_image(images, Edge(base=said), Silence(), base=given)
    assert built.as_dict() == {"image": edge_image_name(), "id": "new", "base": base}
    assert (images.built, images.pulled) == ([(edge_image_name(), base)], [])


def test_a_base_that_is_not_here_is_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, before anything is built."""
    images = engine(monkeypatch, can_be_pulled="debian:bookworm-slim")
    build_edge_image(images, Edge(), Silence())
    assert images.pulled == ["debian:bookworm-slim"]


def test_a_base_that_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that says another."""
    images = engine(monkeypatch)
    with pytest.raises(RefusedError) as caught:
        build_edge_image(images, Edge(), Silence())
    assert (caught.value.reference, caught.value.evidence) == ("no-image", ("no such host",))
    assert "cutover edge build --base IMAGE" in (caught.value.hint or "")
    assert images.built == []
