"""Everything at once: switches, holds, canaries and deaths in any order, while clients ask and count."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest
import zmq

from cutover.edge.shape import Hold, Mode, Slot
from tests.unit.edge.broker.rig import Colour, Rig, rig, wait_for

SECONDS = float(os.environ.get("CUTOVER_TURMOIL_S", "3"))
SETTINGS = {"zmq": {"lost_reply": "lost", "overflow_reply": "full", "codec": "raw"}, "hold": {"limit": 50}}


class Asker(threading.Thread):
    """A client that pipelines, and holds each answer against its question: in order, one each."""

    def __init__(self, made: Rig, name: str, depth: int) -> None:
        super().__init__(name=name)
        self.made, self.depth = made, depth
        self.stopping = threading.Event()
        self.wrong: list[str] = []
        self.counts = {"answered": 0, "lost": 0, "full": 0}

    def run(self) -> None:
        """Ask until told to stop, then take the answers that are left."""
        asked = answered = 0
        with self.made.client(zmq.REQ if self.depth == 1 else zmq.DEALER, rcvtimeo=15_000) as socket:
            envelope = [] if self.depth == 1 else [b""]
            while answered < asked or not self.stopping.is_set():
                while asked - answered < self.depth and not self.stopping.is_set():
                    socket.send_multipart([*envelope, f"{self.name}-{asked}".encode()])
                    asked += 1
                if answered == asked:
                    break
                try:
                    said = socket.recv_multipart()[-1].decode()
                except zmq.Again:
                    self.wrong.append(f"{self.name}-{answered} was never answered")
                    return
                if said in {"lost", "full"}:
                    self.counts[said] += 1
                elif said == f":{self.name}-{answered}":
                    self.counts["answered"] += 1
                else:
                    self.wrong.append(f"{self.name}-{answered} got {said}")
                answered += 1
            if socket.poll(300):
                self.wrong.append(f"{self.name} got one too many: {socket.recv_multipart()[-1].decode()}")


class Turmoil:
    """Two slots of colours that come and go, and an operator without a plan."""

    def __init__(self, made: Rig, kind: int, dice: random.Random) -> None:
        self.made, self.kind, self.dice = made, kind, dice
        self.colours: dict[Slot, Colour] = {}

    def start(self, slot: Slot) -> None:
        """Have a new colour in a slot."""
        self.colours[slot] = Colour(":", self.kind, delay_s=self.dice.choice((0, 0, 0.001, 0.005))).__enter__()
        self.made.face.aim(slot, {self.made.ports[0]: self.colours[slot].target})

    def once(self) -> None:
        """Do one thing."""
        face, slot = self.made.face, self.dice.choice(list(Slot))
        what = self.dice.choice(("switch", "switch", "hold", "share", "kill", "replace"))
        if what == "switch":
            face.switch(slot)
        elif what == "hold":
            face.hold(Hold(self.dice.choice((5, 100)), self.dice.choice((0.05, 5)), 2000))
            time.sleep(0.05)
            face.release()
        elif what == "share":
            face.share(self.made.stats().active.other, self.dice.choice((0, 5, 50)))
        elif what == "kill":
            self.colours[slot].stop()
            time.sleep(self.dice.choice((0, 0.1)))
            self.start(slot)
        else:
            old = self.colours[slot]
            self.start(slot)
            time.sleep(0.05)
            old.stop()
        time.sleep(self.dice.random() * 0.05)


@pytest.mark.parametrize("mode", [Mode.REP, Mode.ROUTER])
def test_each_question_gets_one_answer_of_its_own_in_order(tmp_path: Path, mode: Mode) -> None:
    """Whatever is done to the colours: an answer, or one of the broker's two replies; and nothing stays behind."""
    seed = int(os.environ.get("CUTOVER_SEED", "0")) or random.randrange(1, 1 << 30)
    with rig(tmp_path, mode, settings=SETTINGS) as made:
        turmoil = Turmoil(made, zmq.REP if mode is Mode.REP else zmq.ROUTER, random.Random(seed))
        askers = [Asker(made, f"{mode.value}{number}", depth) for number, depth in enumerate((1, 1, 1, 8, 20))]
        try:
            for slot in Slot:
                turmoil.start(slot)
            for asker in askers:
                asker.start()
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                turmoil.once()
            for asker in askers:
                asker.stopping.set()
            for asker in askers:
                asker.join()
            assert [wrong for asker in askers for wrong in asker.wrong] == [], f"CUTOVER_SEED={seed}"
            assert min(asker.counts["answered"] for asker in askers) > 10
            wait_for(lambda: not any(made.face.in_flight(slot) for slot in Slot), "the end of what is in flight")
        finally:
            for asker in askers:
                asker.stopping.set()
            for colour in turmoil.colours.values():
                colour.stop()
