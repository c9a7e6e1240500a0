"""The runner, with handlers that tell what was asked of them: nothing of this needs an Engine."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from cutover.errors import CutoverError, EngineGoneError, ExitCode, NeedsHandsError, StepError
from cutover.flow import runner
from cutover.flow.back import commit_step
from cutover.flow.journal import Kind, read
from cutover.flow.plan import StepKind
from cutover.flow.runner import Runner, journalled
from cutover.flow.runs import Result, Run
from cutover.flow.signals import Interrupted, interruptible
from cutover.probes import parse
from tests.unit.flow.stage import PLAN, Stage

FORTH = "observe s01 apply s01 check s01 observe s02 apply s02 check s02 observe s03 apply s03 check s03"
FAILED_THERE = "plan intent:s01 done:s01 intent:s02 done:s02 intent:s03 failed"
BACK = "undo:s03 undone:s03 undo:s02 undone:s02 undo:s01 undone:s01"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Give a run whose steps are written down instead of done."""
    made = Stage(tmp_path)
    monkeypatch.setattr(runner, "HANDLERS", dict.fromkeys(StepKind, made.handler))
    monkeypatch.setattr(runner, "prove_outside", made.prove)
    return made


def failing(error: BaseException) -> Any:
    """Return an act that raises."""

    def act() -> None:
        raise error

    return act


def test_every_step_is_journalled_before_it_is_applied(stage: Stage) -> None:
    """The intent with what was before is on the disk when the handler begins."""
    seen = []
    stage.handler.on["apply s02"] = lambda: seen.append(stage.records)
    outcome = Runner(stage.ctx, stage.journal).run()
    assert seen == ["plan intent:s01 done:s01 intent:s02"]
    assert stage.records == (
        "plan intent:s01 done:s01 intent:s02 done:s02 intent:s03 done:s03 intent:s04 done:s04 result"
    )
    assert " ".join(stage.log) == f"{FORTH} observe s04 apply s04 check s04"
    assert (outcome.result, outcome.error) == (Result.DONE, None)
    assert stage.states == ["s01 done", "s02 done", "s03 done", "s04 done"]
    assert [r.data["prior"] for r in read(stage.folder) if r.kind is Kind.INTENT][1] == {"was": "s02"}


def test_a_step_that_fails_half_way_is_undone_first(stage: Stage) -> None:
    """Every intent in reverse, the failed one included; then green has to answer."""
    stage.handler.on["apply s03"] = failing(StepError("not-bound", "Docker did not bind 5570."))
    outcome = Runner(stage.ctx, stage.journal).run()
    assert stage.records == f"{FAILED_THERE} {BACK} result"
    assert stage.log[-5:] == ["apply s03", "undo s03", "undo s02", "undo s01", "prove green"]
    assert outcome.result is Result.ROLLED_BACK
    assert outcome.error is not None
    assert outcome.error.reference == "not-bound"
    assert [str(s.state) for s in outcome.steps] == ["undone", "undone", "undone", "pending"]
    assert stage.states == ["s01 done", "s02 done", "s03 failed", "s03 undone", "s02 undone", "s01 undone"]
    assert Run(stage.folder).outcome == "rolled_back"


def test_a_step_that_could_not_even_look_has_no_intent(stage: Stage) -> None:
    """There is nothing to take back of it."""
    stage.handler.on["observe s02"] = failing(StepError("container-missing", "gone"))
    assert Runner(stage.ctx, stage.journal).run().result is Result.ROLLED_BACK
    assert stage.records == "plan intent:s01 done:s01 failed undo:s01 undone:s01 result"


def test_a_step_counts_only_when_the_state_of_things_shows_it(stage: Stage) -> None:
    """`check` judges, not the absence of an error."""
    stage.handler.on["check s02"] = lambda: False
    outcome = Runner(stage.ctx, stage.journal).run()
    assert outcome.error is not None
    assert (outcome.error.reference, outcome.result) == ("not-applied", Result.ROLLED_BACK)
    assert " done:s02" not in stage.records


@pytest.mark.parametrize(
    ("holders", "told"), [({"old", "new"}, "old and new"), (set(), "nobody"), ({"new"}, None), ({"old"}, None)]
)
def test_exactly_one_colour_holds_the_ports_after_every_step(stage: Stage, holders: set[str], told: str | None) -> None:
    """Two or none turn the run back at once."""
    stage.handler.on["apply s01"] = lambda: setattr(stage.docker, "holders", holders)
    stage.handler.on["undo s01"] = lambda: setattr(stage.docker, "holders", {"old"})
    outcome = Runner(stage.ctx, stage.journal).run()
    if told is None:
        assert outcome.result is Result.DONE
    else:
        assert outcome.error is not None
        assert outcome.error.reference == "not-one-colour"
        assert outcome.error.message == f"After backup compose.yaml the legacy ports are held by {told}."


@pytest.mark.parametrize(
    ("error", "reference", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/x"), "disk", "refused a write (/srv/x): No space left"),
        (OSError("odd"), "disk", "The disk refused a write: odd."),
        (KeyError("green"), "defect", "cutover itself failed: KeyError: 'green'"),
        (EngineGoneError("engine-gone", "no Engine"), "engine-gone", "no Engine"),
    ],
)
def test_whatever_fails_is_turned_back(stage: Stage, error: Exception, reference: str, message: str) -> None:
    """A full disk, a defect of ours, an Engine that is gone: the ports are not left half way."""
    stage.handler.on["apply s03"] = failing(error)
    outcome = Runner(stage.ctx, stage.journal).run()
    assert stage.records == f"{FAILED_THERE} {BACK} result"
    assert outcome.result is Result.ROLLED_BACK
    assert outcome.error is not None
    assert outcome.error.reference == reference
    assert message in outcome.error.message


def test_a_defect_says_where_it_is(stage: Stage) -> None:
    """File, line and function, for the report."""
    stage.handler.on["apply s01"] = lambda: {}["x"]
    error = Runner(stage.ctx, stage.journal).run().error
    assert error is not None
    assert f"{Path(__file__).name}:" in error.evidence[0]


def test_a_signal_turns_the_run_back(stage: Stage) -> None:
    """As interrupted, by name."""
    stage.handler.on["apply s03"] = failing(Interrupted(signal.SIGTERM))
    outcome = Runner(stage.ctx, stage.journal).run()
    assert stage.records == f"{FAILED_THERE} {BACK} result"
    assert (outcome.result, Run(stage.folder).outcome) == (Result.INTERRUPTED, "interrupted")
    assert outcome.error is not None
    assert outcome.error.message == "Interrupted by SIGTERM; green has the ports back."


@pytest.mark.parametrize("moment", ["failed", "undo", "result"])
def test_a_second_signal_does_not_stop_the_way_back(stage: Stage, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it comes: with the first record of the way back, in the middle, or with the last."""
    write = stage.journal.write

    def interrupted_write(kind: Kind, step: str = "", /, **data: Any) -> None:
        if kind == moment:
            os.kill(os.getpid(), signal.SIGINT)
        write(kind, step, **data)

    monkeypatch.setattr(stage.journal, "write", interrupted_write)
    stage.handler.on["apply s03"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    with interruptible():
        outcome = Runner(stage.ctx, stage.journal).run()
    assert outcome.result is Result.INTERRUPTED
    assert stage.records == f"{FAILED_THERE} {BACK} result"
    assert stage.notes
    assert set(stage.notes) == {"going back to green; this cannot be interrupted, only watched"}


def test_the_way_back_waits_for_an_engine_that_is_gone(stage: Stage) -> None:
    """It is told once, and goes on when the Engine answers."""
    tries = iter(range(20))

    def gone() -> None:
        if next(tries) < 9:
            raise EngineGoneError("engine-gone", "no Engine")

    stage.handler.on.update({"apply s02": failing(StepError("x", "x")), "undo s02": gone})
    began = stage.clock.seconds
    assert Runner(stage.ctx, stage.journal).run().result is Result.ROLLED_BACK
    assert stage.log.count("undo s02") == 10
    assert stage.clock.seconds - began == pytest.approx(9 * runner.ENGINE_RETRY_S)
    assert stage.notes == ["no Docker Engine answers; waiting up to 90 s for it"]


def test_an_engine_that_does_not_come_back_needs_hands(stage: Stage) -> None:
    """After its patience, and with what failed first; nothing earlier is undone under a step that is not."""
    stage.handler.on["apply s03"] = failing(StepError("not-bound", "first", evidence=["seen"]))
    stage.handler.on["undo s03"] = failing(EngineGoneError("engine-gone", "no Engine", hint="start it"))
    began = stage.clock.seconds
    outcome = Runner(stage.ctx, stage.journal).run()
    assert runner.ENGINE_PATIENCE_S <= stage.clock.seconds - began < runner.ENGINE_PATIENCE_S + 2
    assert stage.records == f"{FAILED_THERE} undo:s03 result"
    assert outcome.result is Result.NEEDS_HANDS
    assert isinstance(outcome.error, NeedsHandsError)
    assert outcome.error.exit_code is ExitCode.NEEDS_HANDS
    assert outcome.error.as_dict() == {
        "reference": "engine-gone",
        "message": "Going back failed: no Engine",
        "evidence": ["what failed first: first", "seen"],
        "hint": "start it",
    }


def test_files_that_cannot_be_put_back_do_not_keep_the_ports_from_green(stage: Stage) -> None:
    """Serving matters more than the file: the rest is undone, and the run still needs hands."""
    stage.handler.on["apply s04"] = failing(StepError("wrong-answerer", "first"))
    stage.handler.on["undo s02"] = failing(CutoverError("file-changed", "edited meanwhile"))
    outcome = Runner(stage.ctx, stage.journal).run()
    assert stage.log[-4:] == ["undo s04", "undo s03", "undo s02", "undo s01"]
    assert stage.records.endswith("undo:s03 undone:s03 undo:s02 undo:s01 undone:s01 result")
    assert outcome.result is Result.NEEDS_HANDS
    assert outcome.error is not None
    assert (outcome.error.reference, outcome.error.hint) == ("file-changed", "cutover recover")


def test_a_green_that_does_not_answer_in_the_end_needs_hands(stage: Stage) -> None:
    """Undoing everything is not enough."""
    stage.handler.on["apply s02"] = failing(StepError("x", "x"))
    stage.handler.on["undo s01"] = stage.docker.holders.clear
    outcome = Runner(stage.ctx, stage.journal).run()
    assert outcome.error is not None
    assert (outcome.result, outcome.error.reference) == (Result.NEEDS_HANDS, "not-bound")


def test_a_journal_that_cannot_be_written_does_not_stop_the_way_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the hand-over on: green gets the port back, and it is told what could not be recorded."""

    def full(*_args: object, **_data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stage.handler.on["apply s03"] = lambda: monkeypatch.setattr(stage.journal, "write", full)
    outcome = Runner(stage.ctx, stage.journal).run()
    assert stage.log[-4:] == ["undo s03", "undo s02", "undo s01", "prove green"]
    assert outcome.result is Result.ROLLED_BACK
    assert outcome.error is not None
    assert outcome.error.reference == "disk"
    assert "`cutover recover` will look again" in outcome.warnings[0]


def test_a_run_that_cannot_even_begin_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a journal there is no step."""
    monkeypatch.setattr(stage.journal, "write", failing_write)
    assert Runner(stage.ctx, stage.journal).run().result is Result.ROLLED_BACK
    assert stage.log == ["prove green"]


def failing_write(*_args: object, **_data: object) -> None:
    """Refuse every record."""
    raise OSError(errno.EROFS, "Read-only file system")


def test_recovery_undoes_what_another_process_began(stage: Stage) -> None:
    """In reverse, with what that process saw before."""
    intents = [(s, {"was": s.id}) for s in PLAN.steps[:3]]
    stage.docker.holders = {"new"}
    outcome = Runner(stage.ctx, stage.journal).go_back(intents)
    assert stage.log == ["undo s03", "undo s02", "undo s01", "prove green"]
    assert stage.records == f"failed {BACK} result"
    assert (outcome.result, outcome.error) == (Result.ROLLED_BACK, None)


def test_one_more_step_closes_a_run(stage: Stage) -> None:
    """`commit` adds its step and a new end, which says so."""
    Runner(stage.ctx, stage.journal).run()
    outcome = Runner(stage.ctx, stage.journal).do_more(commit_step(PLAN))
    assert stage.records.endswith("result intent:c01 done:c01 result")
    assert outcome.result is Result.DONE
    assert (Run(stage.folder).result or {})["committed"] is True


def test_one_more_step_that_fails_takes_nothing_back(stage: Stage) -> None:
    """The swap stays done; the step is there to be done again."""
    Runner(stage.ctx, stage.journal).run()
    stage.handler.on["apply c01"] = failing(StepError("x", "x"))
    outcome = Runner(stage.ctx, stage.journal).do_more(commit_step(PLAN))
    assert outcome.result is Result.NEEDS_HANDS
    assert outcome.error is not None
    assert outcome.error.message == "Closing the swap failed: x"
    assert stage.records.endswith("done:s04 result intent:c01")
    assert not [entry for entry in stage.log if entry.startswith("undo")]
    assert Run(stage.folder).outcome == "unfinished"


def test_facts_of_a_step_are_journalled_with_it_once(stage: Stage) -> None:
    """How long blue took to load stands in one record, for the next plan to predict from."""
    stage.handler.on["apply s02"] = lambda: stage.ctx.facts.update(service="new", ready_s=4.2)
    Runner(stage.ctx, stage.journal).run()
    done = [dict(r.data) for r in read(stage.folder) if r.kind is Kind.DONE]
    assert done == [{}, {"service": "new", "ready_s": 4.2}, {}, {}]


def test_no_secret_of_a_probe_is_journalled() -> None:
    """Such a probe is kept as a mere connection; the others as they are."""
    plain = 'zmq://:5570?send={"method":"health_check"}&expect=status:ok'
    secret = parse("http://user:hunter2@:6570/health")
    assert journalled((parse(plain), secret)) == [str(parse(plain)), "tcp://:6570"]
