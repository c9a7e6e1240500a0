"""A dependant that holds one ZeroMQ REQ connection and asks for text all the time."""

from __future__ import annotations

import json
import os
from typing import Any

import zmq

from language_stack.count import Count
from language_stack.pace import ticks


class Line:
    """A REQ socket with a time limit. One that got no answer is of no use any more: it is thrown away."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address = address
        self._timeout_ms = round(timeout_s * 1000)
        self._socket: zmq.Socket[bytes] | None = None

    def ask(self, request: dict[str, Any]) -> bytes:
        if self._socket is None:
            self._socket = self._open()
        try:
            self._socket.send(json.dumps(request).encode())
            return self._socket.recv()
        except zmq.ZMQError:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> zmq.Socket[bytes]:
        line: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
        line.setsockopt(zmq.LINGER, 0)
        line.setsockopt(zmq.SNDTIMEO, self._timeout_ms)
        line.setsockopt(zmq.RCVTIMEO, self._timeout_ms)
        line.connect(f"tcp://{self._address}")
        return line


def main() -> None:
    count = Count("agent_chat")
    count.publish()
    line = Line(os.environ["MANAGER"], float(os.environ.get("TIMEOUT_S", "0.5")))
    for number in ticks(float(os.environ.get("RATE", "20"))):
        talk(line, count, number)


def talk(line: Line, count: Count, number: int) -> None:
    params = {"prompt": "The harbour ", "length": 40, "seed": number}
    try:
        reply = json.loads(line.ask({"method": "generate_text", "params": params}))
        if reply["status"] == "ok":
            count.answered(reply["service"])
        else:
            count.failed(f"status {reply['status']}")
    except zmq.Again:
        count.failed("timeout")
    except zmq.ZMQError as error:
        count.failed(f"zmq {error.errno}")
    except (ValueError, KeyError, TypeError):
        count.failed("junk")


if __name__ == "__main__":
    main()
