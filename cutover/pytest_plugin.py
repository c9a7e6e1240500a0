"""`pytest --cutover`: the fixtures `green`, `blue` and `test_stack`, for parity tests of users' own.

It is loaded in every pytest of whoever has cutover installed: it imports nothing before it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cutover.testing import Colours, Service, Wanted

HOW = "needs both colours running: pytest --cutover [--cutover-file docker-compose.yml]"
_KEPT = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what can be asked for."""
    group = parser.getgroup("cutover", "green and blue as fixtures (cutover)")
    group.addoption("--cutover", action="store_true", help="start what the fixtures green, blue and test_stack need")
    group.addoption(
        "--cutover-file",
        action="append",
        default=[],
        metavar="FILE",
        help="Compose file; may be given several times; cutover.yaml lies beside the first",
    )
    group.addoption("--cutover-project", metavar="PROJECT", help="Compose project in which green runs, if it does")
    group.addoption(
        "--cutover-apart", action="store_true", help="start both in a project of their own even where green runs"
    )
    group.addoption("--cutover-keep", action="store_true", help="leave what was started up, to look at it")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "cutover: needs green and blue; skipped without --cutover")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked, unless both colours are asked for."""
    if not config.getoption("--cutover"):
        for item in items:
            if item.get_closest_marker("cutover"):
                item.add_marker(pytest.mark.skip(reason=HOW))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how to take down what was kept."""
    told = config.stash.get(_KEPT, None)
    if told:
        terminalreporter.write_line(f"cutover: kept, as asked; take it down: {told}")


@pytest.fixture(scope="session")
def cutover_wanted(pytestconfig: pytest.Config) -> Wanted:
    """Say what is to be tried, as the command line does; a conftest.py may say it instead."""
    if not pytestconfig.getoption("--cutover"):
        pytest.skip(HOW)
    from cutover.testing import Wanted  # noqa: PLC0415

    here = pytestconfig.invocation_params.dir
    return Wanted(
        files=tuple(here / Path(f) for f in pytestconfig.getoption("--cutover-file")),
        project=pytestconfig.getoption("--cutover-project"),
        apart=pytestconfig.getoption("--cutover-apart"),
        keep=pytestconfig.getoption("--cutover-keep"),
    )


@pytest.fixture(scope="session")
def test_stack(pytestconfig: pytest.Config, cutover_wanted: Wanted) -> Iterator[Colours]:
    """Give both colours, ready: blue's test stack beside a green that runs, else both in a project of their own."""
    from cutover.errors import CutoverError  # noqa: PLC0415
    from cutover.testing import both  # noqa: PLC0415

    try:
        with both(cutover_wanted) as colours:
            if cutover_wanted.keep:
                pytestconfig.stash[_KEPT] = colours.take_down
            yield colours
    except CutoverError as error:
        from cutover.cli.render import error_text  # noqa: PLC0415

        raise pytest.fail.Exception(error_text(error), pytrace=False) from None


@pytest.fixture(scope="session")
def green(test_stack: Colours) -> Service:
    """Give the service that is to be replaced."""
    return test_stack.green


@pytest.fixture(scope="session")
def blue(test_stack: Colours) -> Service:
    """Give the service that is to replace it, on test ports."""
    return test_stack.blue
