"""Options that verbs share, and where errors become exit codes."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cutover.cli.options import gathered, guarded
from cutover.errors import EngineGoneError, NeedsHandsError, RefusedError, StepError, UsageError
from cutover.flow.request import Options
from cutover.flow.signals import Interrupted


def test_options_become_the_request_of_the_flow() -> None:
    """Paths as paths; what belongs to the command line alone is left out."""
    given = {"files": ("a.yaml",), "env_files": ("x.env",), "project": "shop", "as_json": True, "blue": "b"}
    assert gathered(given) == Options(files=(Path("a.yaml"),), env_files=(Path("x.env"),), project="shop", blue="b")
    assert gathered({}) == Options()


def ended(act: Callable[[], int], *, as_json: bool = False) -> int:
    """Return the exit code of a verb that does this."""

    def verb(**_given: object) -> int:
        return act()

    with pytest.raises(SystemExit) as caught:
        guarded(verb)(as_json=as_json)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def raising(error: BaseException) -> Callable[[], int]:
    """Return a verb that fails."""

    def act() -> int:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x", "words"), 2),
        (RefusedError("x", "words"), 1),
        (EngineGoneError("x", "words"), 1),
        (StepError("x", "words"), 3),
        (NeedsHandsError("x", "words"), 4),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """As text on stderr, as JSON on stdout."""
    assert ended(raising(error)) == code
    assert capsys.readouterr() == ("", "cutover: words\n  (x)\n")
    assert ended(raising(error), as_json=True) == code
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"]["message"], err) == ("words", "")


@pytest.mark.parametrize("error", [Interrupted(signal.SIGTERM), KeyboardInterrupt()])
def test_an_interruption_before_anything_was_done(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """130, as shells expect; `commit` may have begun, so nobody says that nothing was changed."""
    assert ended(raising(error)) == 130
    assert capsys.readouterr() == (
        "",
        "cutover: Interrupted; what is left to do, if anything:\n  next: cutover status\n  (interrupted)\n",
    )


def test_a_disk_that_is_full_before_the_run_began_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Not with a traceback: the lock and the state folder are written before there is a run."""
    assert ended(raising(OSError(errno.ENOSPC, "No space left on device", "/srv/x"))) == 1
    assert capsys.readouterr().err == (
        "cutover: The system refused (/srv/x): No space left on device.\n"
        "  next: df -h .; then cutover status\n"
        "  (system-refused)\n"
    )


def test_a_reader_that_has_gone_is_left_to_click() -> None:
    """`cutover history | head -1` ends quietly."""

    def verb(**_given: object) -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        guarded(verb)()


@pytest.mark.parametrize("code", [0, 1, 4])
def test_what_a_verb_returns_is_the_exit_code(code: int) -> None:
    """As it is."""
    assert ended(lambda: code) == code
