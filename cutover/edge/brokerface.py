"""The broker of an edge that runs, asked over its control socket; and the files that a new one starts from."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cutover.config.edge import Edge
from cutover.edge.channel import connected
from cutover.edge.shape import EdgePort, Hold, PortStats, Sample, Slot, SlotStats, Target, Targets
from cutover.errors import EdgeError
from cutover.files import UNREADABLE, private_folder, write_atomic

REPLY_BYTES: Final = 16 * 1024 * 1024
TIMEOUT_S: Final = 5.0


class BrokerFace:
    """Implements cutover.edge.face.Face for the ZeroMQ ports among `ports`; `folder` holds the broker's files."""

    def __init__(self, folder: Path, ports: Iterable[EdgePort], settings: Edge) -> None:
        self._folder = folder
        self._ports = {port.port: port for port in ports if port.mode.zeromq}
        self._settings = settings

    def write(self, targets: Mapping[Slot, Targets], active: Slot) -> None:
        """Write what a new broker starts from: its ports and rules, and where its slots lead."""
        private_folder(self._folder)
        state = {
            "slots": {slot.value: self._targets(found) for slot, found in targets.items()},
            "active": active.value,
        }
        for name, content in ("broker.json", self._settings_told()), ("state.json", state):
            write_atomic(self._folder / name, json.dumps(content, indent=1).encode() + b"\n", mode=0o600)

    def aim(self, slot: Slot, targets: Targets) -> None:
        """Have a slot lead to a container; a port of ours that is not among the targets leads nowhere there."""
        self._ask("aim", slot=slot.value, targets=self._targets(targets))

    def clear(self, slot: Slot) -> None:
        """Have a slot lead nowhere; what it has in flight is still answered."""
        self._ask("clear", slot=slot.value)

    def down(self, slot: Slot) -> Mapping[int, str]:
        """Return the ports on which no ZMTP connection to the slot's container stands, with why."""
        return read_down(self._ask("down", slot=slot.value))

    def switch(self, slot: Slot) -> None:
        """Send every new request to a slot."""
        self._ask("switch", slot=slot.value)

    def share(self, slot: Slot, percent: float) -> None:
        """Send this share of new requests to a slot that is not active."""
        self._ask("share", slot=slot.value, percent=percent)

    def hold(self, hold: Hold) -> None:
        """Let requests wait from now on."""
        self._ask("hold", limit=hold.limit, timeout_s=hold.timeout_s, release_per_s=hold.release_per_s)

    def release(self, *, alone: Hold | None = None) -> None:
        """Let the requests that wait go; what nobody can take waits in the broker anyhow, `alone` or not."""
        del alone
        self._ask("release")

    def part(self, *, on: bool) -> None:
        """Do nothing: no answer over ZeroMQ can say that it is the last."""

    def in_flight(self, slot: Slot) -> int:
        """Return how many requests a slot has been given and not answered."""
        return read_count(self._ask("in_flight", slot=slot.value))

    def stats(self) -> Mapping[int, PortStats]:
        """Return the counters of every port."""
        return read_stats(self._ask("stats"))

    def samples(self) -> list[Sample]:
        """Return what was answered since the last call; the broker remembers 20,000 a port."""
        return read_samples(self._ask("samples"))

    def _targets(self, targets: Targets) -> dict[str, dict[str, object]]:
        return {str(port): _target(target) for port, target in targets.items() if port in self._ports}

    def _settings_told(self) -> dict[str, Any]:
        return {
            "ports": {str(port.port): port.mode.value for port in self._ports.values()},
            "rules": self._settings.zmq.model_dump(mode="json"),
            "hold": self._settings.hold.model_dump(mode="json"),
            "sticky": self._settings.sticky.identity,
        }

    def _ask(self, verb: str, **told: object) -> Any:
        """Return the result of a verb.

        Raises:
            EdgeError: the broker does not answer, or refuses.

        """
        line = json.dumps({"do": verb, **told}).encode() + b"\n"
        with connected(self._folder / "control.sock", timeout_s=TIMEOUT_S) as channel:
            try:
                channel.sendall(line)
                said = bytearray()
                while not said.endswith(b"\n"):
                    part = channel.recv(65536)
                    if not part or len(said) > REPLY_BYTES:
                        raise ConnectionError("it hung up within its reply")
                    said += part
                reply = json.loads(said)
            except (OSError, ValueError, RecursionError) as error:
                why = str(error) if isinstance(error, OSError) else "what it said is no JSON"
                raise EdgeError(
                    "edge-silent",
                    f"The broker of the edge did not answer to {verb}: {why}.",
                    evidence=[str(self._folder / "control.sock")],
                    hint="cutover edge status",
                ) from error
        if not isinstance(reply, dict) or reply.get("ok") is not True:
            refusal = reply.get("error") if isinstance(reply, dict) else "its reply is no JSON object"
            raise EdgeError(
                "edge-refused", f"The broker of the edge refused {verb}: {refusal}.", hint="cutover edge status"
            )
        return reply.get("result")


def read_stats(told: Any) -> dict[int, PortStats]:
    """Return the result of `stats`; EdgeError (`edge-garbled`) where it is none, as in all of these."""
    with _readable("stats"):
        return {int(port): _port_stats(int(port), found) for port, found in told.items()}


def read_samples(told: Any) -> list[Sample]:
    """Return the result of `samples`."""
    with _readable("samples"):
        return [
            Sample(int(port), Slot.B if number & 2 else Slot.A, (number >> 2) / 1e6, bool(number & 1))
            for port, packed in told.items()
            for number in array("Q", base64.b64decode(packed))
        ]


def read_down(told: Any) -> dict[int, str]:
    """Return the result of `down`."""
    with _readable("down"):
        return {int(port): str(why) for port, why in told.items()}


def read_count(told: Any) -> int:
    """Return the result of `in_flight`."""
    with _readable("in_flight"):
        return int(told)


@contextmanager
def _readable(verb: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise EdgeError(
            "edge-garbled",
            f"What the broker of the edge answered to {verb} cannot be read: {error}.",
            hint="cutover edge status",
        ) from error


def _target(target: Target) -> dict[str, object]:
    return {"name": target.name, "address": target.address, "port": target.port}


def _port_stats(port: int, told: Mapping[str, Any]) -> PortStats:
    return PortStats(
        port=port,
        active=Slot(told["active"]),
        serving=Slot(told["serving"]) if told["serving"] else None,
        slots={Slot(name): _slot_stats(slot) for name, slot in told["slots"].items()},
        share_percent=float(told["share_percent"]),
        holding=bool(told["holding"]),
        held=int(told["held"]),
        overflowed=int(told["overflowed"]),
        rejected=int(told["rejected"]),
    )


def _slot_stats(told: Mapping[str, Any]) -> SlotStats:
    return SlotStats(**{key: value for key, value in told.items() if key != "why"})
