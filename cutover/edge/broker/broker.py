"""All ports together, and the verbs of the control socket: one for each method of cutover.edge.face.Face."""

from __future__ import annotations

import base64
import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zmq

from cutover.edge.broker.control import Control, Reply
from cutover.edge.broker.keeper import Keeper
from cutover.edge.broker.link import World
from cutover.edge.broker.loop import Loop, log
from cutover.edge.broker.port import Port
from cutover.edge.broker.rep import RepPort
from cutover.edge.broker.resolve import Resolver
from cutover.edge.broker.routed import RoutedPort
from cutover.edge.broker.streams import PubPort, PullPort, PushPort
from cutover.edge.broker.wire import descriptors
from cutover.edge.broker.words import SLOTS, Hold, Settings, State, Target, WordsError, load

KINDS: Mapping[str, type[Port]] = {
    "zmq-rep": RepPort,
    "zmq-router": RoutedPort,
    "zmq-pub": PubPort,
    "zmq-pull": PullPort,
    "zmq-push": PushPort,
}
SAMPLES_TOLD = 20_000
LEAVE_S = 1.0


class Broker:
    """Serves the ports of broker.json as state.json and the control socket say.

    Raises:
        WordsError: broker.json or state.json cannot be meant.
        zmq.ZMQError: a port is taken.

    """

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.read(load(folder / "broker.json"))
        self.loop = Loop()
        self._keeper = Keeper(self.loop, folder)
        state = self._keeper.load()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        context.set(zmq.MAX_SOCKETS, min(descriptors(), 65_000))
        self._context = context
        self._world = World(context, self.loop, Resolver(self.loop), self.settings)
        self.ports: dict[int, Port] = {}
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "ping": lambda _: "pong",
            "aim": self._aim,
            "clear": self._clear,
            "down": self._down,
            "switch": self._switch,
            "share": self._share,
            "hold": self._hold,
            "release": self._release,
            "in_flight": self._in_flight,
            "stats": self._stats,
            "samples": self._samples,
        }
        try:
            for number, mode in self.settings.ports.items():
                self.ports[number] = KINDS[mode](self._world, number)
            self._state = State()
            self._take_up(state)
            self._control = Control(self.loop, folder, self._obey)
        except BaseException:
            self._close_ports()
            raise

    def run(self) -> None:
        """Work until `loop.stop` is called, then let go of everything."""
        log(f"serves {', '.join(f'{port} ({mode})' for port, mode in self.settings.ports.items())}")
        try:
            self.loop.run()
        finally:
            self._control.close()
            self._close_ports()
            self.loop.close()

    def leave(self) -> None:
        """Have `run` return when all that is in flight is answered, or soon; from any thread or signal handler."""
        self.loop.hand_in(self._leave)

    def _leave(self) -> None:
        log("ends")
        for port in self.ports.values():
            port.leave()
        self._leave_by(time.monotonic() + LEAVE_S)

    def _leave_by(self, deadline: float) -> None:
        in_flight = sum(slot.in_flight for port in self.ports.values() for slot in port.slots.values())
        if in_flight and time.monotonic() < deadline:
            self.loop.after(LEAVE_S / 50, lambda: self._leave_by(deadline))
        else:
            self.loop.stop()

    def _close_ports(self) -> None:
        for port in self.ports.values():
            port.close()
        self._context.term()

    def _take_up(self, state: State) -> None:
        """Come up as the last one that had this folder was told."""
        self._state = state
        for number, port in self.ports.items():
            port.switch(state.active)
            for slot in SLOTS:
                port.aim(slot, state.slots.get(slot, {}).get(number), by_name=True)
            port.set_share(state.share)
            port.set_hold(state.hold)

    def _obey(self, request: dict[str, Any], reply: Reply) -> None:
        """Carry out a request, and reply when what it changed is on disk."""
        verb = self._verbs.get(str(request.get("do")))
        if verb is None:
            reply({"ok": False, "error": f"the broker knows: {', '.join(self._verbs)}"})
            return
        before = self._state
        try:
            result = verb(request)
        except WordsError as error:
            reply({"ok": False, "error": str(error)})
            return
        except Exception as error:
            reply({"ok": False, "error": f"a defect of the broker, see its log: {type(error).__name__}"})
            raise
        if self._state == before:
            reply({"ok": True, "result": result})
            return

        def kept(why: str | None) -> None:
            if why is None:
                reply({"ok": True, "result": result})
            else:
                reply({"ok": False, "error": f"it is done, but would not last: state.json cannot be written: {why}"})

        self._keeper.keep(self._state, kept)

    def _aim(self, request: dict[str, Any]) -> None:
        """Have a slot lead to a container, on every port: nowhere where the container has none."""
        slot = _slot(request)
        told = request.get("targets")
        if not isinstance(told, dict):
            raise WordsError("targets should be a JSON object")
        try:
            targets = {int(port): Target.read(target) for port, target in told.items()}
        except ValueError as error:
            raise WordsError("targets are by port") from error
        if unknown := [port for port in targets if port not in self.ports]:
            raise WordsError(f"port {unknown[0]} is none of the broker's")
        self._lead(slot, targets)

    def _clear(self, request: dict[str, Any]) -> None:
        self._lead(_slot(request), {})

    def _lead(self, slot: str, targets: Mapping[int, Target]) -> None:
        for number, port in self.ports.items():
            port.aim(slot, targets.get(number))
        self._state = _with(self._state, slots={**self._state.slots, slot: targets})

    def _down(self, request: dict[str, Any]) -> dict[str, str]:
        slot = _slot(request)
        why = {number: port.slots[slot].why_down() for number, port in self.ports.items()}
        return {str(number): text for number, text in why.items() if text is not None}

    def _switch(self, request: dict[str, Any]) -> None:
        slot = _slot(request)
        if nowhere := [number for number, port in self.ports.items() if port.slots[slot].target is None]:
            raise WordsError(f"slot {slot} leads nowhere for port {nowhere[0]}")
        for port in self.ports.values():
            port.switch(slot)
        share = self._state.share if slot == self._state.active else 0.0
        self._state = _with(self._state, active=slot, share=share)

    def _share(self, request: dict[str, Any]) -> None:
        slot, percent = _slot(request), request.get("percent")
        if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not 0 <= percent <= 100:  # noqa: PLR2004
            raise WordsError("percent should be a number from 0 to 100")
        if percent and slot == self._state.active:
            raise WordsError(f"slot {slot} is active: the share is of the other one")
        for port in self.ports.values():
            port.set_share(float(percent))
        self._state = _with(self._state, share=float(percent))

    def _hold(self, request: dict[str, Any]) -> None:
        hold = Hold.read({**self.settings.hold.as_dict(), **{k: v for k, v in request.items() if k != "do"}})
        for port in self.ports.values():
            port.set_hold(hold)
        self._state = _with(self._state, hold=hold)

    def _release(self, _: dict[str, Any]) -> None:
        for port in self.ports.values():
            port.set_hold(None)
        self._state = _with(self._state, hold=None)

    def _in_flight(self, request: dict[str, Any]) -> int:
        slot = _slot(request)
        return sum(port.slots[slot].in_flight for port in self.ports.values())

    def _stats(self, _: dict[str, Any]) -> dict[str, Any]:
        return {str(number): port.stats() for number, port in self.ports.items()}

    def _samples(self, _: dict[str, Any]) -> dict[str, str]:
        """Return samples as packed numbers, base64: microseconds, then a bit for slot b, then one for an error."""
        found = {}
        for number, port in self.ports.items():
            packed = array("Q")
            while port.samples and len(packed) < SAMPLES_TOLD:
                on_b, elapsed_s, error = port.samples.popleft()
                packed.append(int(elapsed_s * 1e6) << 2 | on_b << 1 | error)
            found[str(number)] = base64.b64encode(packed.tobytes()).decode()
        return found


def _slot(request: Mapping[str, Any]) -> str:
    slot = request.get("slot")
    if slot not in SLOTS:
        raise WordsError("slot should be a or b")
    return str(slot)


def _with(state: State, **changes: Any) -> State:
    fields = {"slots": state.slots, "active": state.active, "share": state.share, "hold": state.hold}
    return State(**{**fields, **changes})
