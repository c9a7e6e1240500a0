"""What goes and what stays, decided from facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cutover.engine.leftovers import ContainerFacts, ImageFacts, NetworkFacts
from cutover.flow.cleanup_choice import Choice, Facts, FileFacts, Keep, RunFacts, What, choose, with_tag
from cutover.model import COPY_OF_LABEL
from tests.unit.flow.world import START

MINE = {"io.cutover.project": "shop"}
HELPER = {**MINE, "io.cutover.helper": "redirect"}
PARK = NetworkFacts("n0", "0-cutover-shop", MINE)
WEB = ContainerFacts("w9", "shop-web-1", running=True, project="shop", service="web", image_id="i9")
COPY = ContainerFacts(
    "c1", "shop-web-1-back", running=False, project="shop", service="web", image_id="i0", labels={COPY_OF_LABEL: "g0"}
)
V0 = ImageFacts("i0", ("web:v0",), size_bytes=100)
ONE = Keep(runs=1)


def run(number: int, outcome: str = "done", **more: object) -> RunFacts:
    """Return a run that replaced web:v<number>, made from image i<number>, by the next; a day after the one before."""
    plain = RunFacts(
        f"r{number}",
        outcome,
        committed=True,
        began=START + timedelta(days=number),
        blue="web",
        green_ids=frozenset({f"g{number}"}),
        green_images=frozenset({(f"web:v{number}", f"i{number}")}),
        size_bytes=10,
        path=f"/state/r{number}",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def facts(**more: object) -> Facts:
    """Return the facts of a project that rolled three times, with the old image still there."""
    plain = Facts(
        "shop", START + timedelta(days=10), runs=(run(0), run(1), run(2)), containers=(WEB,), images=(V0,), asked=ASKED
    )
    return replace(plain, **more)  # type: ignore[arg-type]


ASKED = frozenset({"web:v3"})


def going(choice: Choice, what: What) -> list[str]:
    """Return the names of what goes, of one kind."""
    return [item.name for item in choice.remove if item.what is what]


@pytest.mark.parametrize(
    ("outcomes", "keep", "gone"),
    [
        ("done done done", Keep(), []),
        ("done done done", ONE, ["r0", "r1"]),
        ("done done done", Keep(2), ["r0"]),
        ("done done rolled_back", ONE, ["r0"]),
        ("done rolled_back refused", ONE, ["r1"]),
        ("done needs_hands done", ONE, ["r0"]),
        ("done unfinished done", ONE, ["r0"]),
        ("damaged done done", ONE, ["r1"]),
        ("done done done", Keep(1, days=10), ["r0"]),
        ("done done done", Keep(1, days=9), ["r0", "r1"]),
        ("done done done", Keep(1, days=11), []),
    ],
)
def test_old_runs(outcomes: str, keep: Keep, gone: list[str]) -> None:
    """The newest stays, the newest done one, whatever did not end or cannot be read, and what is too young."""
    runs = tuple(run(n, outcome) for n, outcome in enumerate(outcomes.split()))
    assert going(choose(facts(runs=runs), keep), What.RUN) == gone


def test_image_goes_with_the_run_that_needs_it() -> None:
    """While its run stays it is told why it does; then it goes, and counts with the runs."""
    stays = choose(facts(), Keep())
    assert going(stays, What.IMAGE) == []
    assert [(i.name, i.why) for i in stays.stay] == [("web:v0", "run r0 can be rolled back to it")]
    gone = choose(facts(), ONE)
    assert going(gone, What.IMAGE) == ["web:v0"]
    assert gone.total_bytes == 120


@pytest.mark.parametrize(
    "more",
    [
        {"images": (replace(V0, tags=("web:v0", "web:stable")),)},
        {"images": (replace(V0, tags=("mine:1",)),)},
        {"images": (replace(V0, digests=("elsewhere/web@sha256:1",)),)},
        {"images": (V0, ImageFacts("i7", ("mine:1",), parent="i0"))},
        {"images": (replace(V0, id="other"),)},
        {"containers": (WEB, replace(WEB, id="x", project="other", running=False, image_id="i0"))},
        {"asked": frozenset({"web:v0"})},
        {"asked": frozenset({"i0"})},
        {"elsewhere": frozenset({"i0"})},
        {"runs": (run(0, committed=False), run(1), run(2))},
        {"runs": (run(0, "rolled_back"), run(1), run(2))},
        {"runs": (run(0), run(1), run(2, green_images=frozenset({("web:v0", "i0")})))},
    ],
)
def test_image_that_somebody_may_need_stays(more: dict[str, object]) -> None:
    """Another name, another ID, a child, a container, a compose file, a run that can be rolled back: it stays."""
    assert going(choose(facts(), ONE), What.IMAGE) == ["web:v0"]
    assert going(choose(facts(**more), ONE), What.IMAGE) == []


def test_image_without_a_name_goes() -> None:
    """Its tag went on to a newer build: the journal's ID is enough."""
    assert going(choose(facts(images=(replace(V0, tags=()),)), ONE), What.IMAGE) == ["web:v0"]


def test_retired_container_goes_and_frees_its_image() -> None:
    """By its ID in the journal, or as a copy of that; the image that only it uses goes as well."""
    for container in (COPY, replace(COPY, id="g0", labels={})):
        choice = choose(facts(containers=(WEB, container)), ONE)
        assert going(choice, What.CONTAINER) == [container.name]
        assert going(choice, What.IMAGE) == ["web:v0"]
        assert [i.what for i in choice.remove][:2] == [What.CONTAINER, What.IMAGE], "in this order"


@pytest.mark.parametrize(
    "more",
    [
        {"containers": (WEB, replace(COPY, running=True))},
        {"containers": (WEB, replace(COPY, project="other"))},
        {"containers": (WEB, replace(COPY, labels={COPY_OF_LABEL: "somebody"}))},
        {"containers": (replace(WEB, running=False), COPY)},
        {"runs": (run(0, committed=False),), "containers": (WEB, COPY)},
        {"runs": (run(0, "rolled_back"),), "containers": (WEB, COPY)},
    ],
)
def test_container_that_is_not_surely_retired_stays(more: dict[str, object]) -> None:
    """It runs, is another's, is no copy of ours, nothing else serves, or a rollback may want it."""
    assert going(choose(facts(containers=(WEB, COPY)), ONE), What.CONTAINER) == [COPY.name]
    assert going(choose(facts(**more), ONE), What.CONTAINER) == []


@pytest.mark.parametrize(
    ("network", "containers", "gone"),
    [
        (PARK, (), True),
        (replace(PARK, labels={}), (), False),
        (replace(PARK, labels={"io.cutover.project": "shop2"}), (), False),
        (replace(PARK, name="shop_default"), (), False),
        (PARK, (replace(WEB, networks=frozenset({"n0"})),), False),
        (PARK, (replace(WEB, running=False, networks=frozenset({"0-cutover-shop"})),), False),
    ],
)
def test_networks(network: NetworkFacts, containers: tuple[ContainerFacts, ...], gone: bool) -> None:
    """Ours by its label and its name, and nobody on it, running or not."""
    found = going(choose(facts(networks=(network,), containers=containers), Keep()), What.NETWORK)
    assert found == ([network.name] if gone else [])


@pytest.mark.parametrize(
    ("container", "gone"),
    [
        (ContainerFacts("h", "h", running=False, labels=HELPER), True),
        (ContainerFacts("h", "h", running=True, labels=HELPER, created=START.timestamp()), True),
        (ContainerFacts("h", "h", running=True, labels=HELPER, created=START.timestamp() + 863990), False),
        (ContainerFacts("h", "h", running=False, labels=MINE), False),
        (ContainerFacts("h", "h", running=False, labels={**HELPER, "io.cutover.project": "shop2"}), False),
    ],
)
def test_helpers(container: ContainerFacts, gone: bool) -> None:
    """By both labels; one that runs only when no cutover can be so slow."""
    assert bool(going(choose(facts(containers=(container,)), Keep()), What.HELPER)) is gone


def test_edge_images() -> None:
    """Of older content, named by a run of ours, used by nobody: whatever else is called so is somebody else's."""
    name = "cutover-edge:0.1.0-0123456789ab"
    image, runs = ImageFacts("e", (name,)), (run(0, edge_image=name), run(1))
    plain = facts(runs=runs, images=(image,), edge_stands=True)
    assert going(choose(plain, Keep()), What.EDGE_IMAGE) == [name]
    assert going(choose(replace(plain, edges=frozenset({name})), Keep()), What.EDGE_IMAGE) == []
    assert going(choose(replace(plain, edge_stands=False), Keep()), What.EDGE_IMAGE) == []
    assert going(choose(replace(plain, edge_stands=False), ONE), What.EDGE_IMAGE) == [name]
    assert going(choose(replace(plain, runs=(run(0), run(1))), Keep()), What.EDGE_IMAGE) == []
    user = replace(WEB, project="other", image_id="e")
    assert going(choose(replace(plain, containers=(user,)), Keep()), What.EDGE_IMAGE) == []


def test_files_and_test_stacks() -> None:
    """A temporary file that is old goes; a test stack is told with its cure."""
    files = (FileFacts("/s/.a.12345678.cutover-tmp", 5, 3600.0), FileFacts("/s/.b.12345678.cutover-tmp", 5, 60.0))
    choice = choose(facts(files=files, tests=("new_test",), images=()), Keep())
    assert going(choice, What.FILE) == ["/s/.a.12345678.cutover-tmp"]
    assert [i.why for i in choice.stay] == ["it was left, or is in use: cutover down new_test"]


def test_nothing_there() -> None:
    """A project that never swapped has nothing."""
    assert choose(Facts("shop", START), ONE) == Choice()


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("web", "web:latest"),
        ("host:5000/web", "host:5000/web:latest"),
        ("web:1", "web:1"),
        ("a@sha256:1", "a@sha256:1"),
    ],
)
def test_with_tag(name: str, full: str) -> None:
    """As the Engine lists it."""
    assert with_tag(name) == full
