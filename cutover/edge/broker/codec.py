"""What the broker reads of messages, and the replies it writes itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cutover.edge.broker.loop import log
from cutover.edge.broker.words import Rules

try:
    import msgpack
except ImportError:  # the image may do without, where nobody says codec: msgpack
    msgpack = None

LOST = "the service went away while it had this request"
LATE = "the service did not answer in time"
FULL = "too many requests wait for the service"
ENDED = "the edge ended while the service had this request"
WAITED = "the service did not come back in time"

Frames = bytes | list[bytes]
"""A message body: one frame, as nearly always, or several. What is read of several is the last."""


class Reader:
    """The rules of cutover.yaml, applied to messages."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._path = rules.method.split(".")
        self._replay = frozenset(rules.replay)
        self._packed = rules.codec == "msgpack" and msgpack is not None
        if rules.codec == "msgpack" and msgpack is None:
            log("msgpack is not installed: nothing is replayed, and replies of the broker are JSON")
        self._needles = _needles(rules.error_if)
        self.keeps = bool(rules.replay) and rules.codec != "raw"
        self.looks: Callable[[Frames], bool] | None = self.is_error if rules.error_if else None

    def may_replay(self, body: Frames | None) -> bool:
        """Say whether a request names a method that may be asked twice."""
        if body is None or not self.keeps:
            return False
        value = self._decode(body)
        for key in self._path:
            value = value.get(key) if isinstance(value, dict) else None
        return isinstance(value, str) and value in self._replay

    def is_error(self, body: Frames) -> bool:
        """Say whether a reply says that it is an error: every key of `error_if` has its value there."""
        last = body[-1] if isinstance(body, list) else body
        if not all(needle in last for needle in self._needles):
            return False  # decoding is dear, and most replies are none
        reply = self._decode(body)
        return isinstance(reply, dict) and all(_at(reply, key) == value for key, value in self._rules.error_if.items())

    def lost(self, reason: str) -> bytes:
        """Return the reply to a request that was lost."""
        return self._encode(self._rules.lost_reply, reason)

    def overflow(self, reason: str) -> bytes:
        """Return the reply to a request that could not wait."""
        return self._encode(self._rules.overflow_reply, reason)

    def _decode(self, body: Frames) -> Any:
        last = body[-1] if isinstance(body, list) else body
        try:
            return msgpack.unpackb(last) if self._packed else json.loads(last)
        except (ValueError, RecursionError):
            return None
        except Exception:  # noqa: BLE001  msgpack has errors of its own, and a broker must not die of a message
            return None

    def _encode(self, template: Any, reason: str) -> bytes:
        filled = _fill(template, reason)
        if self._rules.codec == "raw":
            return filled.encode() if isinstance(filled, str) else json.dumps(filled).encode()
        return bytes(msgpack.packb(filled)) if self._packed else json.dumps(filled).encode()


def _fill(template: Any, reason: str) -> Any:
    if isinstance(template, str):
        return template.replace("${reason}", reason)
    if isinstance(template, dict):
        return {key: _fill(value, reason) for key, value in template.items()}
    return [_fill(value, reason) for value in template] if isinstance(template, list) else template


def _at(value: Any, key: str) -> Any:
    """Return what a key leads to; `a.b` is b inside a, where there is no key of that whole name."""
    if isinstance(value, dict) and key in value:
        return value[key]
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _needles(error_if: Mapping[str, Any]) -> list[bytes]:
    """Return texts that stand in every such reply as they are, whichever way it was written."""
    texts = [value for value in error_if.values() if isinstance(value, str)]
    texts += [key.rpartition(".")[2] for key in error_if]
    return [text.encode() for text in texts if text.isascii() and text.replace("_", "a").replace("-", "a").isalnum()]
