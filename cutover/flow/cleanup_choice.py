"""What a project has left behind and nobody needs any more: facts in, a list out; pure.

A thing is on the list only if it is proven to be cutover's (a label of ours, or its ID or name in a run's journal), and
if nothing that is there asks for it. What was cutover's and is not on the list is told with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cutover.engine.helpers import PROJECT_LABEL, ROLE_LABEL
from cutover.engine.leftovers import ContainerFacts, ImageFacts, NetworkFacts
from cutover.model import COPY_OF_LABEL

KEEP_RUNS = 10
STALE_S = 3600.0
"""A temporary file is written and renamed within moments: one that is older was left by something that died."""
EDGE_IMAGE = re.compile(r"cutover-edge:[\w.-]+-[0-9a-f]{12}")
DONE = "done"
ENDED = {DONE, "rolled_back", "interrupted", "refused"}


class What(StrEnum):
    """What a leftover is, in the order in which they go."""

    HELPER = "helper"
    CONTAINER = "container"
    NETWORK = "network"
    IMAGE = "image"
    EDGE_IMAGE = "edge image"
    FILE = "file"
    RUN = "run"
    TEST_STACK = "test stack"


@dataclass(frozen=True, slots=True)
class Item:
    """One leftover. `id` is the Engine's, or a path; `why` is told. Bytes are the most that can be had back."""

    what: What
    name: str
    id: str
    why: str
    size_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run. `green_ids` and `green_images` (name, ID) are what its journal says that green was made of."""

    id: str
    outcome: str
    committed: bool = False
    began: datetime | None = None
    blue: str = ""
    green_ids: frozenset[str] = frozenset()
    green_images: frozenset[tuple[str, str]] = frozenset()
    edge_image: str | None = None
    size_bytes: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A temporary file that cutover wrote; `age_s` since it was written last."""

    path: str
    size_bytes: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is looked at. `runs` are the project's, oldest first.

    `asked` are the images that its compose files name; `elsewhere` the IDs that runs of other projects in this folder
    need; `edges` the names of edge images that count; `edge_stands` says whether the project has an edge.
    """

    project: str
    now: datetime
    runs: tuple[RunFacts, ...] = ()
    containers: tuple[ContainerFacts, ...] = ()
    images: tuple[ImageFacts, ...] = ()
    networks: tuple[NetworkFacts, ...] = ()
    files: tuple[FileFacts, ...] = ()
    asked: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    edges: frozenset[str] = frozenset()
    edge_stands: bool = False
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the past stays: the newest `runs`, and those that began less than `days` ago."""

    runs: int = KEEP_RUNS
    days: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes, and what stays although it was cutover's, each with why."""

    remove: tuple[Item, ...] = ()
    stay: tuple[Item, ...] = field(default=())

    @property
    def total_bytes(self) -> int:
        """Return the most that can be had back."""
        return sum(item.size_bytes for item in self.remove)


def choose(facts: Facts, keep: Keep) -> Choice:
    """Return what goes and what stays."""
    old = frozenset(run.id for run in _old_runs(facts, keep))
    going = frozenset(c.id for c in facts.containers if _is_helper(facts, c) or _retired_by(facts, c))
    images = list(_images(facts, old, going))
    remove = (
        *_helpers(facts),
        *_retired(facts),
        *_networks(facts, going),
        *(item for item, stays in images if not stays),
        *_edge_images(facts, old, going),
        *_files(facts),
        *_run_items(facts, old),
    )
    tests = (Item(What.TEST_STACK, n, n, f"it was left, or is in use: cutover down {n}") for n in facts.tests)
    return Choice(remove, (*(item for item, stays in images if stays), *tests))


def _old_runs(facts: Facts, keep: Keep) -> Iterator[RunFacts]:
    """Yield the runs that go: never the newest, nor the newest that is done, as that is what `rollback` undoes."""
    done = [run.id for run in facts.runs if run.outcome == DONE]
    last = {facts.runs[-1].id, *done[-1:]} if facts.runs else set()
    beyond = facts.runs[: max(len(facts.runs) - keep.runs, 0)]
    for run in beyond:
        if run.id not in last and run.outcome in ENDED and _is_old(facts, run, keep.days):
            yield run


def _is_old(facts: Facts, run: RunFacts, days: float | None) -> bool:
    return days is None or (run.began is not None and facts.now - run.began >= timedelta(days=days))


def _run_items(facts: Facts, old: frozenset[str]) -> Iterator[Item]:
    for run in facts.runs:
        if run.id in old:
            yield Item(What.RUN, run.id, run.path, f"old, {run.outcome}", run.size_bytes)


def _is_helper(facts: Facts, container: ContainerFacts) -> bool:
    """Say whether a helper was left: one that runs ends with the cutover that started it, but for one that hangs."""
    labels = container.labels
    ours = labels.get(PROJECT_LABEL) == facts.project and ROLE_LABEL in labels
    return ours and (not container.running or facts.now.timestamp() - container.created >= STALE_S)


def _helpers(facts: Facts) -> Iterator[Item]:
    for c in facts.containers:
        if _is_helper(facts, c):
            yield Item(What.HELPER, c.name, c.id, f"{c.labels[ROLE_LABEL]}: its cutover is gone")


def _retired_by(facts: Facts, container: ContainerFacts) -> RunFacts | None:
    """Return the committed run whose green a stopped container is, or is a copy of, while what replaced it runs."""
    if container.running or container.project != facts.project:
        return None
    known = {container.id, container.labels.get(COPY_OF_LABEL, container.id)}
    for run in facts.runs:
        if run.outcome == DONE and run.committed and known & run.green_ids and _runs(facts, run.blue):
            return run
    return None


def _runs(facts: Facts, service: str) -> bool:
    return any(c.running and (c.project, c.service) == (facts.project, service) for c in facts.containers)


def _retired(facts: Facts) -> Iterator[Item]:
    for c in facts.containers:
        run = None if _is_helper(facts, c) else _retired_by(facts, c)
        if run is not None:
            why = f"stopped; run {run.id} retired it, and {run.blue} runs"
            yield Item(What.CONTAINER, c.name, c.id, why)


def _networks(facts: Facts, going: frozenset[str]) -> Iterator[Item]:
    """Yield the project's park network where no container is on it, running or not."""
    used = {network for c in facts.containers if c.id not in going for network in c.networks}
    for n in facts.networks:
        ours = n.labels.get(PROJECT_LABEL) == facts.project and n.name == f"0-cutover-{facts.project}"
        if ours and not {n.id, n.name} & used:
            yield Item(What.NETWORK, n.name, n.id, "nothing is attached to it")


def _images(facts: Facts, old: frozenset[str], going: frozenset[str]) -> Iterator[tuple[Item, bool]]:
    """Yield what green was made from in committed runs, and whether it stays; not what is plainly in use."""
    by_id = {image.id: image for image in facts.images}
    named = {pair: run for run in facts.runs if run.outcome == DONE and run.committed for pair in run.green_images}
    for (name, image_id), run in sorted(named.items(), key=lambda entry: entry[0]):
        image = by_id.get(image_id)
        if image is None or image.id in _used(facts, going) or _asked(image, facts.asked):
            continue
        why = _image_stays(facts, image, name, old)
        told = why or f"green of run {run.id} ran it; no container and no compose file here uses it"
        yield Item(What.IMAGE, name, image.id, told, image.size_bytes), why is not None


def _image_stays(facts: Facts, image: ImageFacts, name: str, old: frozenset[str]) -> str | None:
    """Return why an image that is not in use stays all the same, None where it may go."""
    need = [r.id for r in facts.runs if r.outcome == DONE and r.id not in old and _made_green(r, image)]
    if need:
        return f"run {need[-1]} can be rolled back to it"
    if image.id in facts.elsewhere:
        return "a run of another project can be rolled back to it"
    if not _only_ours(image, name):
        return f"it has other names: {', '.join(sorted({*image.tags, *image.digests}))}"
    if any(other.parent == image.id for other in facts.images):
        return "another image is built on it"
    return None


def _made_green(run: RunFacts, image: ImageFacts) -> bool:
    return any(image_id == image.id for _, image_id in run.green_images)


def _only_ours(image: ImageFacts, name: str) -> bool:
    """Say whether an image has no name but the one that the journal has, in the same repository."""
    full = with_tag(name)
    repository = full.rpartition(":")[0]
    return set(image.tags) <= {full} and {d.partition("@")[0] for d in image.digests} <= {repository}


def _used(facts: Facts, going: frozenset[str]) -> set[str]:
    return {c.image_id for c in facts.containers if c.id not in going}


def _asked(image: ImageFacts, asked: frozenset[str]) -> bool:
    names = {image.id, image.id.removeprefix("sha256:"), *image.tags, *image.digests}
    return bool(names & {*asked, *map(with_tag, asked)})


def _edge_images(facts: Facts, old: frozenset[str], going: frozenset[str]) -> Iterator[Item]:
    """Yield edge images that a run of this project used and nothing does now; the standing edge's own is in `edges`."""
    named = {run.edge_image for run in facts.runs if run.edge_image and EDGE_IMAGE.fullmatch(run.edge_image)}
    need = {r.edge_image for r in facts.runs if r.outcome == DONE and r.id not in old and not facts.edge_stands}
    for image in facts.images:
        free = image.id not in _used(facts, going) and not any(o.parent == image.id for o in facts.images)
        mine = len(image.tags) == 1 and image.tags[0] in named - need - facts.edges and not image.digests
        if mine and free and not _asked(image, facts.asked):
            yield Item(What.EDGE_IMAGE, image.tags[0], image.id, "of older content, no edge uses it", image.size_bytes)


def _files(facts: Facts) -> Iterator[Item]:
    for file in facts.files:
        if file.age_s >= STALE_S:
            yield Item(What.FILE, file.path, file.path, "temporary; what wrote it died", file.size_bytes)


def with_tag(reference: str) -> str:
    """Return an image's name with its tag, as the Engine lists it; one by digest or ID as it is."""
    if "@" in reference or reference.startswith("sha256:"):
        return reference
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
