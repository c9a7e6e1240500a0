"""Streams of plain TCP end with the colour that has them: between two lines, so that nothing is lost."""

from __future__ import annotations

import contextlib
import select
import threading

import pytest

from tests.scenarios.edge_show_world import Wire, behind_an_edge, done
from tests.scenarios.edge_world import reported_lost

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
STREAMS = 4
EVERY_S = 0.03


class Stream(threading.Thread):
    """Sends lines on one connection, and opens another where it finds that it was ended before a line."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.over = port, threading.Event()
        self.answers: list[str] = []
        self.lost: list[str] = []
        self.opened = 0

    def run(self) -> None:
        """Ask until told to stop."""
        wire = self._open()
        number = 0
        while not self.over.wait(EVERY_S):
            if select.select([wire.sock], [], [], 0)[0]:
                wire.close()
                wire = self._open()
            number += 1
            try:
                wire.send(f"{number}\n".encode())
                name, echo = wire.until(b"\n").decode().split()
                assert echo == str(number)
                self.answers.append(name)
            except OSError as error:
                self.lost.append(f"{number}, connection {self.opened}, after {len(self.answers)} answers: {error!r}")
        wire.close()

    def _open(self) -> Wire:
        self.opened += 1
        return Wire(self.port)


@contextlib.contextmanager
def streams(port):
    """Give streams that ask all the time."""
    asking = [Stream(port) for _ in range(STREAMS)]
    for one in asking:
        one.start()
    try:
        yield asking
    finally:
        for one in asking:
            one.over.set()
            one.join()


@pytest.mark.parametrize("options", [("--commit",), ("--exclusive",)], ids=["commit", "exclusive"])
def test_streams_end_at_rest(engine, edge_image, tmp_path, options):
    """Green is retired, or stopped for blue: every stream is ended once, between two lines, and goes on with blue."""
    with behind_an_edge(edge_image, tmp_path) as rig, streams(rig.tcp) as asking:
        told = rig.swap("--observe", "0.3", *options)
        done(told)
        threading.Event().wait(0.5)
    lost = [line for one in asking for line in one.lost]
    assert not [line for line in lost if "timed out" in line], lost
    # Asked in the very moment of the end: the machine has to be out of breath for that, and cutover says so.
    assert len(lost) <= reported_lost(told), (lost, told)
    assert [one.opened for one in asking] == [2] * STREAMS
    for one in asking:
        assert one.answers == sorted(one.answers, key=["old", "new"].index)
        assert set(one.answers) == {"old", "new"}
