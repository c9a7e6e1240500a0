"""The control socket, and what a broker remembers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from cutover.edge.channel import connected
from cutover.edge.shape import Mode, Slot
from cutover.errors import EdgeError
from tests.unit.edge.broker.rig import ROOT, Colour, Rig, ask, free_port, rig, wait_for


def told(made: Rig, *lines: bytes) -> list[dict[str, object]]:
    """Return the replies to lines that are sent at once."""
    with connected(made.folder / "control.sock", timeout_s=10) as channel:
        channel.sendall(b"".join(line + b"\n" for line in lines))
        file = channel.makefile("rb")
        with file:
            return [json.loads(file.readline()) for _ in lines]


def test_only_its_owner_may_command_it(tmp_path: Path) -> None:
    """Mode 0600, and files that say where colours are as well; the folder's path may be long."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with rig(folder) as made, Colour() as green:
        made.aim(Slot.A, green)
        for name in ("control.sock", "state.json", "broker.json"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert not (folder / "control.sock").exists()


def test_garbage_is_answered_and_harms_nobody(tmp_path: Path) -> None:
    """Each line gets a reply that says what is wrong; the next one is carried out."""
    lines = [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b"[" * 50_000,
        b'{"do": "explode"}',
        b'{"do": "aim", "slot": "c", "targets": {}}',
        b'{"do": "aim", "slot": "a", "targets": {"x": {}}}',
        b'{"do": "aim", "slot": "a", "targets": {"1": {"name": "n", "address": "127.0.0.1", "port": 1}}}',
        b'{"do": "hold", "limit": "many"}',
        b'{"do": "hold", "limit": -1}',
        b'{"do": "share", "slot": "b", "percent": "x"}',
        b'{"do": ["stats"]}',
        b'{"do": "ping"}',
    ]
    with rig(tmp_path) as made:
        aim = json.dumps(
            {"do": "aim", "slot": "a", "targets": {made.ports[0]: {"name": "n", "address": "x", "port": 1}}}
        )
        replies = told(made, aim.encode(), *lines)
        assert [reply["ok"] for reply in replies] == [False] * len(lines) + [True]
        assert all(isinstance(reply["error"], str) for reply in replies[:-1])


def test_a_client_that_never_ends_its_line_or_never_reads_delays_nobody(tmp_path: Path) -> None:
    """Messages flow, others command; a line of megabytes is hung up on, as is the oldest of too many clients."""
    with rig(tmp_path) as made, Colour("a:") as green, made.client() as client:
        made.aim(Slot.A, green)
        with (
            connected(made.folder / "control.sock") as half,
            connected(made.folder / "control.sock") as deaf,
            connected(made.folder / "control.sock") as endless,
        ):
            half.sendall(b'{"do": "st')
            deaf.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    deaf.send(b'{"do": "stats"}\n' * 1000)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while True:
                    endless.sendall(b"x" * 65536)
            assert ask(client, "x") == "a:x"
            assert made.stats().slots[Slot.A].requests == 1
            many = [socket.socket(socket.AF_UNIX) for _ in range(40)]
            try:
                for channel in many:
                    channel.connect(os.path.relpath(made.folder / "control.sock"))
                assert made.stats().slots[Slot.A].requests == 1
            finally:
                for channel in many:
                    channel.close()
    assert "defect" not in made.log()


def test_it_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    """A switch to nowhere; and the face says who refused, and why."""
    with rig(tmp_path) as made:
        with pytest.raises(EdgeError, match="leads nowhere") as refused:
            made.face.switch(Slot.B)
        assert refused.value.reference == "edge-refused"
        assert made.face.down(Slot.A) == {made.ports[0]: "it leads nowhere"}
    with pytest.raises(EdgeError) as silent:
        made.face.stats()
    assert silent.value.reference == "edge-silent"


def test_down_says_why(tmp_path: Path) -> None:
    """Nobody listens; or somebody who is no ZeroMQ socket of the right kind."""
    with rig(tmp_path) as made, Colour(kind=zmq.PUB) as wrong:
        made.face.aim(Slot.A, {made.ports[0]: Colour().target})
        wait_for(lambda: "takes" in made.face.down(Slot.A)[made.ports[0]])
        made.face.aim(Slot.A, {made.ports[0]: wrong.target})
        wait_for(lambda: "takes" not in made.face.down(Slot.A)[made.ports[0]])
        assert made.face.down(Slot.A)


def test_it_comes_up_again_as_it_was_told(tmp_path: Path) -> None:
    """Killed and started: targets, active slot and share are those of before; clients connect again by themselves."""
    with rig(tmp_path) as made, Colour("a:") as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.switch(Slot.B)
        made.face.share(Slot.A, 50)
        with made.client(zmq.DEALER) as client:
            made.stop(signal.SIGKILL)
            made.start()
            wait_for(lambda: not made.face.down(Slot.A) and not made.face.down(Slot.B))
            for number in range(10):
                client.send_multipart([b"", str(number).encode()])
            answers = [client.recv_multipart()[1].decode() for _ in range(10)]
        assert sorted(answer[0] for answer in answers) == ["a"] * 5 + ["b"] * 5
        stats = made.stats()
        assert (stats.active, stats.share_percent) == (Slot.B, 50)


def test_after_a_restart_the_name_leads_to_the_colour(tmp_path: Path) -> None:
    """The address that was told may be another container's by now."""
    with rig(tmp_path, started=False) as made, Colour("a:") as green:
        state = {"slots": {"a": {made.ports[0]: {"name": "localhost", "address": "127.9.9.9", "port": green.port}}}}
        (tmp_path / "state.json").write_text(json.dumps(state))
        made.start()
        with made.client() as client:
            assert ask(client, "x") == "a:x"


def test_a_new_broker_is_written_with_its_slots(tmp_path: Path) -> None:
    """An edge that replaces another starts with what the other knew."""
    with rig(tmp_path, started=False) as made, Colour("a:") as green, Colour("b:") as blue:
        targets = {Slot.A: {made.ports[0]: green.target, 1: green.target}, Slot.B: {made.ports[0]: blue.target}}
        settings = (tmp_path / "broker.json").read_text()
        made.face.write(targets, Slot.B)
        (tmp_path / "broker.json").write_text(settings)
        made.start()
        with made.client() as client:
            assert ask(client, "x") == "b:x"


@pytest.mark.parametrize(
    ("broker", "state"),
    [
        ("{", "{}"),
        ('{"ports": {"1": "zmq-rap"}}', "{}"),
        ('{"ports": {}, "colour": "red"}', "{}"),
        ('{"ports": {}, "hold": {"limit": 0, "timeout_s": 1, "release_per_s": 1}}', "{}"),
        ('{"ports": {}}', "[]"),
        ('{"ports": {}}', '{"active": "c"}'),
        ('{"ports": {}}', '{"slots": {"a": {"1": {"name": "x"}}}}'),
    ],
)
def test_a_broker_that_cannot_begin_says_why(tmp_path: Path, broker: str, state: str) -> None:
    """One line, and exit status 2."""
    (tmp_path / "broker.json").write_text(broker)
    (tmp_path / "state.json").write_text(state)
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_taken_port_and_a_taken_folder_are_said(tmp_path: Path) -> None:
    """Two brokers would steal each other's control socket."""
    with rig(tmp_path, Mode.REP) as made:
        done = run(tmp_path)
        assert (done.returncode, "another broker" in done.stderr) == (2, True)
        folder = tmp_path / "second"
        folder.mkdir()
        (folder / "broker.json").write_text(json.dumps({"ports": {made.ports[0]: "zmq-rep"}, "bind": "127.0.0.1"}))
        done = run(folder)
        assert (done.returncode, "in use" in done.stderr) == (2, True)
    assert free_port()


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a broker that cannot begin."""
    command = [sys.executable, "-m", "cutover.edge.broker", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
