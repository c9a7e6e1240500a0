"""The Engine stops in the middle of a swap and comes back: an Engine of our own, in a network namespace of its own."""

from __future__ import annotations

import signal
import time

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.own_engine import OwnEngine, made
from tests.scenarios.rig import ended

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def own_engine(engine, tmp_path_factory):
    """Give an Engine that may be stopped."""
    with made(OwnEngine(tmp_path_factory.mktemp("engine"))) as own:
        yield own


@pytest.mark.parametrize(
    ("step", "number"),
    [("prove-inside", signal.SIGTERM), ("watch", signal.SIGTERM), ("watch", signal.SIGKILL)],
)
def test_engine_stops_and_comes_back(own_engine, tmp_path, step, number):
    """The swap waits for the Engine and goes back: green answers, the file is as it was."""
    rig = bare_rig(tmp_path)
    rig.prefix, rig.env = own_engine.prefix, {"DOCKER_HOST": own_engine.host, "NEW_LOAD_S": "2", "NEW_START": "30s"}
    try:
        rig.write()
        rig.up()
        before = rig.state()
        process = rig.start("swap", "--json", "--observe", "30")
        rig.wait_record("intent", step)
        own_engine.stop(number)
        time.sleep(1)
        own_engine.start()
        told = ended(process)
        assert told.code == 3, told
        assert told.json["result"] == "rolled_back"
        rig.wait_answer("old")
        assert rig.state() == before
        assert rig.publishes("old") == {rig.zmq, rig.http}
        assert rig.leftovers() == []
        assert rig.nothing_to_do()
    finally:
        rig.down()
