"""What is the edge to take a port for? What cannot be told apart is TCP: never wrong, only less able."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.edge.shape import Mode
from cutover.wire.speech import QUESTION, QUIET_SHARE, SHOWN, Speech, Tongue, speech
from cutover.wire.zmtp import Peer

MODES = {
    "REP": Mode.REP,
    "ROUTER": Mode.ROUTER,
    "PUB": Mode.PUB,
    "XPUB": Mode.PUB,
    "PULL": Mode.PULL,
    "PUSH": Mode.PUSH,
}
"""ZMTP's Socket-Type of what is bound there -> what the broker stands in for."""
HINTED = {
    "http": (Mode.HTTP, "waits to be asked, and a probe asks it over HTTP"),
    "tcp": (Mode.TCP, "waits to be asked, and a probe asks it over TCP"),
    "zmq": (Mode.TCP, "a probe asks it over ZeroMQ, but it does not begin as ZMTP does"),
}


@dataclass(frozen=True, slots=True)
class Identified:
    """What a port speaks, None where nobody is there, and from what that was told: a clause for a plan."""

    mode: Mode | None
    evidence: str


def identify(host: str, port: int, hint: str | None = None, timeout_s: float = 2.0) -> Identified:
    """Say what the edge is to take the service at `host:port` for.

    `hint` is what a probe of the user asks there, `http`, `zmq` or `tcp`: it decides where the service says nothing,
    and then nothing is asked. Without one a silent service is asked an HTTP question. A TCP connection that merely
    opens is no hint.
    """
    patience_s = timeout_s if hint == "zmq" else timeout_s * QUIET_SHARE
    heard = speech(host, port, ask=hint is None, timeout_s=timeout_s, patience_s=patience_s)
    if heard.tongue is Tongue.SILENT and hint is not None:
        return Identified(*HINTED[hint])
    return _taken(heard)


def _taken(heard: Speech) -> Identified:
    if heard.peer is not None:
        return _zeromq(heard.peer)
    if not heard.tongue.there:
        return Identified(None, heard.why)
    match heard.tongue:
        case Tongue.TLS:
            return Identified(Mode.TCP, "TLS: the edge cannot read what is in it")
        case Tongue.HTTP:
            return Identified(Mode.HTTP, f"answers {QUESTION.split(b' HTTP')[0].decode()} with HTTP {heard.status}")
        case Tongue.SILENT:
            return Identified(Mode.TCP, "says nothing")
    how = f"no HTTP answer to {QUESTION[:10]!r}, but" if heard.asked else "speaks first, and not ZMTP:"
    return Identified(Mode.TCP, f"{how} {heard.said[:SHOWN]!r}")


def _zeromq(peer: Peer) -> Identified:
    version = "ZMTP {}.{}".format(*peer.version)
    if peer.mechanism not in {None, "NULL"}:
        return Identified(Mode.TCP, f"{version} with {peer.mechanism}: only the service itself can let clients in")
    if peer.socket_type is None:
        return Identified(Mode.TCP, f"{version}, but its socket does not tell its type")
    mode = MODES.get(peer.socket_type)
    if mode is None:
        return Identified(Mode.TCP, f"{version}, a {peer.socket_type} socket: the broker cannot stand in for one")
    return Identified(mode, f"{version}, a {peer.socket_type} socket")
