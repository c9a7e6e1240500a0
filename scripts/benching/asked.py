"""What a client notes of a request, and how it travels from the client's process to the bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The kinds of clients; each is a process of its own."""

    HTTP_NEW = "http-new"
    HTTP_KEPT = "http-kept"
    ZMQ = "zmq-req"
    TCP = "tcp-stream"


OK, LOST, TWICE, WRONG = "ok", "lost", "twice", "wrong"
"""Answered; not answered within the patience; answered again; answered with what another request asked.

Every other outcome is a failure by its own name: refused, reset, closed, status 503 ...
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it was due and when it came to its end (monotonic seconds), how it ended, who answered."""

    kind: Kind
    due_s: float
    ended_s: float
    outcome: str
    who: str = ""
    host: str = ""

    @property
    def good(self) -> bool:
        """Say whether it was answered as it should be."""
        return self.outcome == OK

    @property
    def took_s(self) -> float:
        """Return how long it took from when it was due, not from when the client got round to it."""
        return self.ended_s - self.due_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What one client does: so many requests a second to these hosts in turn. Times in seconds, `begin_s` monotonic."""

    kind: Kind
    hosts: tuple[str, ...]
    port: int
    rate: float
    begin_s: float
    patience_s: float = 5.0
    connections: int = 6

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `as_dict` gave."""
        return cls(**{**data, "kind": Kind(data["kind"]), "hosts": tuple(data["hosts"])})


@dataclass
class Log:
    """What one client saw. `lags_s`: how late the client itself came to each request; the rest counts events."""

    kind: Kind
    requests: list[Request] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    reopened: int = 0
    """Connections that the server had closed before a request was written on them: no failure (RFC 9112, 9.3.1)."""
    broken: int = 0
    """Connections that ended with a request on them, and streams that ended at all."""
    unsent: int = 0
    """Requests that the client itself came too late to: the machine was too busy, the server is not to blame."""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data, by columns: there are many requests."""
        words: dict[str, int] = {}

        def number(word: str) -> int:
            return words.setdefault(word, len(words))

        rows = [(r.due_s, round(r.took_s, 6), number(r.outcome), number(r.who), number(r.host)) for r in self.requests]
        lags = [round(lag, 6) for lag in self.lags_s]
        counts = {"reopened": self.reopened, "broken": self.broken, "unsent": self.unsent}
        return {"kind": self.kind, "words": list(words), "rows": rows, "lags_s": lags, **counts}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Log:
        """Read what `as_dict` gave."""
        kind, words = Kind(data["kind"]), data["words"]
        counts = {name: data[name] for name in ("reopened", "broken", "unsent")}
        return cls(kind, list(_read(kind, words, data["rows"])), data["lags_s"], **counts)


def _read(kind: Kind, words: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[Request]:
    for due, took, outcome, who, host in rows:
        yield Request(kind, due, due + took, words[outcome], words[who], words[host])
