"""Host ports change hands under load, without a refused connection, and without a trace, whatever happens meanwhile."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time

import pytest

from cutover.edge.redirect import Redirect, Rule
from cutover.engine.helpers import Helper, start_helper
from cutover.errors import StepError
from cutover.flow.takeover import Way, clear_traces, survey
from cutover.model import PortBinding
from tests.scenarios.rig import HERE, free_ports
from tests.scenarios.takeover_world import World, accepts, clients, own_address, wait_for

pytestmark = pytest.mark.engine
KILLED = -signal.SIGKILL


@pytest.fixture
def world(engine, tmp_path):
    """Give a stack whose old colour holds the ports."""
    made = World(tmp_path, f"ct{secrets.token_hex(4)}", *free_ports(2))
    try:
        made.up()
        yield made
    finally:
        made.down()


def test_ports_move_there_and_back_and_nobody_is_refused(world, edge_image):
    """New connections, kept ones and ZeroMQ, from both loopbacks and a network card."""
    hosts = ("127.0.0.1", "::1", own_address())
    with clients(world, hosts) as asking:
        there = world.take(edge_image, "old", "new")
        wait_for(lambda: all(c.answers.get("new", 0) > 3 for c in asking))
        back = world.take(edge_image, "new", "old")
        before = [c.answers["old"] for c in asking]
        wait_for(lambda: all(c.answers["old"] > n + 3 for c, n in zip(asking, before, strict=True)))
    assert world.traces() == []
    failed = [f for c in asking for f in c.failed]
    assert [f for f in failed if f.startswith("NewHttp") or "Refused" in f] == []
    # A client that asks in the very moment of the cut: there is no such moment unless the machine is out of breath.
    assert len(failed) <= 1, failed
    assert there.at_rest + there.late + there.closed >= 6
    assert back.at_rest + back.passing_at_rest + back.late + back.passing_late >= 6


def killed(world, image, when):
    """Take over, and die at a moment of it."""
    arguments = [when, image, str(world.folder), world.project, str(world.zmq), str(world.http)]
    command = [sys.executable, "-m", "tests.scenarios.takeover_killed", *arguments]
    return subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, check=False, timeout=60).returncode


@pytest.mark.parametrize(("when", "serves"), [("redirecting", "old"), ("held", "new")])
def test_killed_while_somebody_holds_the_ports_it_leaves_nothing(world, edge_image, when, serves):
    """The helpers see that nobody is there any more, and go."""
    assert killed(world, edge_image, when) == KILLED
    wait_for(lambda: world.traces() == [])
    assert world.answers() == world.answers("::1") == serves
    assert clear_traces(world.daemon, world.project, edge_image) is False


def test_killed_between_the_two_it_is_still_answered_until_somebody_holds_the_ports(world, edge_image):
    """The redirect is all that there is then, so it stays; and it can be removed by force."""
    assert killed(world, edge_image, "parked") == KILLED
    time.sleep(1.5)  # the helper looks round twice a second
    assert world.answers() == world.answers("::1") == world.answers(own_address()) == "new"
    assert world.traces() != []
    world.unpark("old")
    wait_for(lambda: world.traces() == [])
    assert world.answers() == "old"


def test_traces_are_cleared_by_force_even_a_table_that_nobody_owns(world, edge_image):
    """As an older kernel leaves it when the helper is killed."""
    assert killed(world, edge_image, "parked") == KILLED
    assert clear_traces(world.daemon, world.project, edge_image) is True
    assert world.traces() == []
    assert world.answers() is None
    script = Redirect(world.project, (Rule("", world.http, 1),)).script(owned=False)
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    helper = Helper(f"cutover-stray-{world.project}", world.project, "stray", edge_image, "http.server", "none")
    start_helper(world.daemon, helper, {}).close()
    assert clear_traces(world.daemon, world.project, edge_image) is True
    assert world.traces() == []
    assert clear_traces(world.daemon, world.project, edge_image) is False


def test_a_successor_that_does_not_answer_is_found_before_anything_is_touched(world, edge_image):
    """And the old colour keeps its ports, its connections too."""
    wrong = [Way(w.binding, w.address, 9) for w in world.ways("new")]
    with socket.create_connection(("127.0.0.1", world.http)) as kept:
        with pytest.raises(StepError, match="nobody accepts there"):
            _take(world, edge_image, wrong)
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(99).startswith(b"HTTP/1.1 200")
    assert world.traces() == []
    assert world.answers() == "old"


def test_a_proof_that_fails_leaves_the_ports_where_they_are(world, edge_image):
    """What was redirected meanwhile is answered, and the redirect goes."""

    def prove():
        assert world.answers() == "new"
        raise StepError("not-good-enough", "It is not.")

    with pytest.raises(StepError, match="It is not"):
        _take(world, edge_image, world.ways("new"), prove=prove)
    assert world.traces() == []
    assert world.answers() == "old"


def _take(world, image, ways, **more):
    from cutover.flow.takeover import take_over  # noqa: PLC0415

    def never():
        pytest.fail("the ports were moved")

    sources = [world.container("old")]
    take_over(world.daemon, world.project, image, ways=ways, sources=sources, park=never, unpark=never, **more)


def test_a_port_on_one_address_is_redirected_there_and_nowhere_else(world, edge_image):
    """Loopback only: neither the port nor the temporary one is open to others."""
    (port,) = free_ports(1)
    ways = [Way(PortBinding("127.0.0.1", port, 6570), world.ways("new")[1].address, 6570)]
    seen = []

    def prove():
        seen.append(accepts("127.0.0.1", port))
        seen.append(accepts(own_address(), port))
        raise StepError("enough", "Enough seen.")

    with pytest.raises(StepError, match="Enough"):
        _take(world, edge_image, ways, prove=prove)
    assert seen == [True, False]
    assert world.traces() == []


def test_whether_it_can_be_done_is_known_beforehand_and_soon(world, edge_image):
    """By trying all of it but the act."""
    began = time.monotonic()
    assert survey(world.daemon, world.project, edge_image).refusal is None
    assert time.monotonic() - began < 5
    assert survey(world.daemon, world.project, "no/such:image").refusal == "there is no image no/such:image"
    assert world.traces() == []
