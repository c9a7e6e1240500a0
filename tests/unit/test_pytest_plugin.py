"""The pytest plugin as users' projects see it, without Docker: what is skipped, what is told, what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import INSTALLED
from tests.unit.compose.running import running

ROOT = Path(__file__).parents[2]
PLUGIN = () if INSTALLED else ("-p", "cutover.pytest_plugin")
MINE = """
import pytest
from cutover.testing import assert_parity

QUESTION = {"method": "generate_text", "params": {"prompt": "the ", "seed": 1}}

def test_equal(green, blue):
    assert green.zmq(5570, QUESTION)["result"] == blue.zmq(5570, QUESTION)["result"]

def test_parity(green, blue, test_stack):
    assert test_stack.green is green
    assert_parity(green, blue, to="zmq://:5570", request={"method": "list_models"})

@pytest.mark.cutover
def test_marked():
    pass

def test_plain():
    pass
"""
CONFTEST = """
import pytest
from pathlib import Path
from cutover.config import load
from cutover.testing import Colours, Service
from cutover.validate.talk import Address

@pytest.fixture(scope="session")
def test_stack():
    settings = load(Path({settings!r}))
    ports = {ports}
    green, blue = (Service(n, {{5570: Address("127.0.0.1", p)}}, settings, lambda tail: []) for n, p in ports.items())
    yield Colours(green, blue, "mine", apart=True, take_down="")
    green.close()
    blue.close()
"""


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run it in a process of its own, as users do; warnings are errors."""
    return pytester.runpytest_subprocess("-W", "error", *PLUGIN, *args)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process find cutover where it is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def conftest(*ports: int) -> str:
    """Return a conftest.py that says where both are, instead of starting them."""
    settings = str(ROOT / "compose" / "cutover.yaml")
    return CONFTEST.format(settings=settings, ports=dict(zip(("agent", "suite"), ports, strict=True)))


def test_unasked_the_fixtures_skip_and_say_how(pytester: pytest.Pytester) -> None:
    """What needs no colours runs as ever."""
    pytester.makepyfile(MINE)
    result = run(pytester, "-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["*pytest --cutover*"])


def test_the_marker_is_known_and_the_options_are_listed(pytester: pytest.Pytester) -> None:
    """With --strict-markers too."""
    pytester.makepyfile(MINE)
    run(pytester, "--strict-markers").assert_outcomes(passed=1, skipped=3)
    told = run(pytester, "--help").stdout.str()
    for option in (
        "--cutover ",
        "--cutover-file=FILE",
        "--cutover-project=PROJECT",
        "--cutover-apart",
        "--cutover-keep",
    ):
        assert option in told


def test_a_project_that_is_not_there_is_told_without_a_traceback(pytester: pytest.Pytester) -> None:
    """What happened and the next command, as on cutover's own command line."""
    pytester.makepyfile(MINE)
    result = run(pytester, "--cutover", "--cutover-file", "gone.yml")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["cutover: *gone.yml*", "  next: *"])
    assert "Traceback" not in result.stdout.str()
    assert "stack.py" not in result.stdout.str()


def test_a_healthy_blue_passes(pytester: pytest.Pytester) -> None:
    """A few lines, over real sockets."""
    pytester.makepyfile(MINE)
    with running("agent") as agent, running("suite") as suite:
        pytester.makeconftest(conftest(agent.port, suite.port))
        run(pytester, "--cutover").assert_outcomes(passed=4)


def test_a_broken_blue_fails_with_a_diff_and_the_users_own_line(pytester: pytest.Pytester) -> None:
    """And without ours."""
    pytester.makepyfile(MINE)
    with running("agent") as agent, running("suite", FAIL="reordered_list") as suite:
        pytester.makeconftest(conftest(agent.port, suite.port))
        result = run(pytester, "--cutover")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "> *assert_parity(green, blue, *",
            "E *suite does not answer as agent does",
            "E *$.result.models: *another order",
        ]
    )
    assert "_differences" not in result.stdout.str()


def test_it_costs_nothing_where_nobody_asks() -> None:
    """It is imported in every pytest of everybody who has cutover installed."""
    script = (
        "import sys, pytest; before = set(sys.modules); import cutover.pytest_plugin; print(*set(sys.modules) - before)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(told) == ["cutover", "cutover.pytest_plugin"]
