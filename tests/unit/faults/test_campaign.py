"""The campaign's own judgement: what is injected, what counts as struck, and what the table says of it."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.faults.campaign.forks import Disk, Ended, Halt, Kill
from tests.faults.campaign.injections import SAMPLE, VERBS, Map, injections
from tests.faults.campaign.points import label_of, telling, verb_of
from tests.faults.campaign.report import KILLS, report
from tests.faults.campaign.worker import append, hit, read, see_one_worked

STEP = [
    "before journal intent s01",
    "after journal intent s01",
    *(f"{when} engine /containers/ID/json get" for _ in range(9) for when in ("before", "after")),
    "before compose up new",
    "after compose up new",
    "before engine /containers/ID/start post",
    "after engine /containers/ID/start post",
]
PLACES = [f"after journal intent s{step:02} > {label} #{n}." for step in range(20) for n, label in enumerate(STEP)]


def known(verbs):
    """Return a map in which every verb comes by the same places."""
    names = [*verbs, "recover"]
    return Map(dict.fromkeys(names, PLACES), dict.fromkeys(names, 4.0), calls=120, writes=40)


def test_places_that_only_look_are_one():
    """Whoever is killed between two looks leaves the same world."""
    labels = ["before fsync", "after engine /x get", "before engine /y get", "before compose config a", "after fsync"]
    names = [f"after journal plan > {label} #1." for label in labels]
    assert [label_of(name) for name in telling(names)] == ["before fsync", "after engine /x get", "after fsync"]


def test_labels_are_the_same_in_every_run():
    """What differs from run to run is left out of an Engine call."""
    assert verb_of(f"http+docker://localhost/v1.41/containers/{'0af' * 20}/start") == "/containers/ID/start"


@pytest.mark.parametrize("world", list(VERBS))
def test_same_seed_same_injections(world):
    """A campaign that was stopped goes on with the same ones, each under a name of its own."""
    first, second = (injections(world, known(VERBS[world]), 1) for _ in range(2))
    assert first == second
    assert len({i.id for i in first}) == len(first)
    if world != "engine":
        assert injections(world, known(VERBS[world]), 2) != first


def test_five_hundred_kills():
    """In a world of which little is known, the random order alone gives more than the issue asks for."""
    made = injections("relink", known(VERBS["relink"]), 1)
    kinds = Counter(i.fault for i in made)
    assert sum(kinds[k] for k in KILLS) >= 500
    assert {"kill", "kill-in-call", "kill-at-random", "kill-recovery", "disk-full", "clock-back", "beside-swap"} <= set(
        kinds
    )
    assert "edge-killed" not in kinds
    assert {i.everything for i in made if i.fault == "kill"} == {True, False}


def test_what_did_not_strike_is_not_counted():
    """A run that did not come by the place, or did not write so often, was harmed by nobody."""
    lived, killed = Ended(0, "", "", (), 1.0), Ended(-9, "", "", ("before fsync",), 1.0)
    counted = Ended(3, "", "", ("50", "20"), 1.0)
    assert [hit(Kill("fsync"), lived), hit(Kill("fsync"), killed)] == [False, True]
    assert [hit(Disk("fail", 50), counted), hit(Disk("fail", 51), counted)] == [True, False]
    assert [hit(Disk("tear", 20), counted), hit(Disk("tear", 21), counted)] == [True, False]
    assert [hit(Halt("fsync", lambda: None), lived), hit(Halt("fsync", lambda: None), killed)] == [False, True]


def test_two_that_both_worked_at_once():
    """One is done and the other refused, or done after it; any other end is a fault."""
    ended = {code: Ended(code, "", "", (), 1.0) for code in (0, 1, 3, 4)}
    see_one_worked(ended[1], ended[0])
    see_one_worked(ended[0], ended[0])
    for pair in ((1, 1), (3, 0), (0, 4)):
        with pytest.raises(AssertionError):
            see_one_worked(*(ended[code] for code in pair))


def test_report(tmp_path):
    """The table counts what struck, tells what did not converge, and what took too long."""
    results = tmp_path / "results.jsonl"
    base = {"commit": "abc", "start_s": 0.5, "converged": True, "hit": True, "recover_s": 1.0, "own_s": 0.5}
    append(results, {"id": "relink/swap/kill/0001", **base})
    append(results, {"id": "relink/swap/kill/0002", **base, "recover_s": 7.0, "own_s": 6.5, "silence_s": 2.0})
    append(results, {"id": "relink/swap/kill/0003", **base, "hit": False})
    wrong = {"converged": False, "problem": "AssertionError: lost: ['7:old']\nmore", "at": "after fsync"}
    append(results, {"id": "relink/swap/disk-full/0004", **base, **wrong})
    text = report(results, 5)
    assert "**3 faults, 2 of them kills: 2 converged, 1 did not.**" in text
    assert "seed 5; commit abc. Another 1 did not strike" in text
    assert "2 of 3 recoveries took at most 5 s" in text
    kills = next(line for line in text.splitlines() if line.startswith("| SIGKILL before"))
    assert kills.split("|")[2:10] == [" 2 ", " 2 ", " 4.0 ", " 7.0 ", " 6.5 ", " 2.0 ", " 0 ", " 0 "]
    disk = next(line for line in text.splitlines() if line.startswith("| ENOSPC"))
    assert disk.split("|")[2:4] == [" 1 ", " 0 "]
    assert disk.split("|")[8:10] == [" 1 ", " 0 "]
    assert "- `relink/swap/disk-full/0004` (after fsync): AssertionError: lost: ['7:old']" in text


def test_half_a_line_of_a_killed_campaign(tmp_path):
    """A campaign that died while it wrote goes on: what is whole counts."""
    results = tmp_path / "results.jsonl"
    append(results, {"id": "a"})
    with results.open("a") as file:
        file.write('{"id": "b')
    assert [line["id"] for line in read(results)] == ["a"]
    append(results, {"id": "c"})
    assert [line["id"] for line in read(results)] == ["a", "c"]


def test_sample():
    """The sample is of several sorts, and JSON keeps its names."""
    assert len({i.fault for i in SAMPLE}) >= 6
    assert json.loads(json.dumps([i.id for i in SAMPLE])) == [i.id for i in SAMPLE]
