"""HAProxy's control socket, with one that answers as it does and as it should not."""

from __future__ import annotations

import pytest

from cutover.edge.haproxy.runtime import RuntimeSocket
from cutover.errors import EdgeError
from tests.unit.edge.haproxy.talkers import Answering


@pytest.fixture
def haproxy(tmp_path):
    """Give a way to have HAProxy answer so."""
    made = []

    def answers(*texts):
        left = list(texts)
        made.append(Answering(tmp_path / "admin.sock", lambda _: left.pop(0)))
        return RuntimeSocket(tmp_path / "admin.sock", timeout_s=0.3), made[0]

    yield answers
    for one in made:
        one.close()


def test_changes_go_in_one_line(haproxy):
    """So that all ports flip together; an empty line is done, and so is what HAProxy says of addresses."""
    said = "\n\nIP changed from '10.0.0.2' to '10.0.0.3', no need to change the port by 'stats socket command'\n\n"
    channel, there = haproxy(said)
    channel.tell("set map x active b", "set server p80/a addr 10.0.0.3 port 80")
    assert there.heard == ["set map x active b; set server p80/a addr 10.0.0.3 port 80\n"]


@pytest.mark.parametrize("said", ["No such server.\n\n", "\n\nentry not found.\n\n", "Unknown command, but maybe\n"])
def test_a_refusal_is_an_error(haproxy, said):
    """With what was told and what HAProxy said."""
    channel, _ = haproxy(said)
    with pytest.raises(EdgeError) as error:
        channel.tell("set server p80/z state ready")
    assert error.value.reference == "edge-refused"
    assert "told: set server p80/z state ready" in error.value.evidence
    assert f"said: {said.strip()}" in error.value.evidence


@pytest.mark.parametrize("said", [None, ""])
def test_silence_is_an_error(haproxy, said):
    """Frozen, or hung up without a word: nothing is taken for done."""
    channel, _ = haproxy(said)
    with pytest.raises(EdgeError) as error:
        channel.tell("set map x active b")
    assert error.value.reference == "edge-silent"
    assert "asked: set map x active b" in error.value.evidence


def test_nobody_there_is_an_error(tmp_path):
    """The container is gone, or was never there."""
    with pytest.raises(EdgeError) as error:
        RuntimeSocket(tmp_path / "admin.sock").ask("show stat")
    assert error.value.reference == "edge-silent"


def test_nothing_to_tell_is_told_to_nobody(tmp_path):
    """No connection is made."""
    RuntimeSocket(tmp_path / "admin.sock").tell()


@pytest.mark.parametrize("command", ["a; b", "a\nb", "a\\b", "a\tb"])
def test_one_command_is_one(tmp_path, command):
    """Two in one are a bug of the caller, and told to nobody."""
    with pytest.raises(ValueError, match="not one command"):
        RuntimeSocket(tmp_path / "admin.sock").tell(command)
