"""ZeroMQ probes against real sockets: every way to answer, and every way not to."""

from __future__ import annotations

import os
import socket
import statistics
import threading
import time
from pathlib import Path

import pytest
import zmq

from cutover.probes import ask, parse
from tests.unit.probes.conftest import RawServer, ZmqServer

HEALTH = 'zmq://:5570?send={"method":"health_check"}&expect=status:ok&identity=agent'
OK = b'{"status":"ok","agent":"blue-1"}'


def test_rep_answers_with_its_identity(zmq_server: ZmqServer) -> None:
    """A healthy REP service is ok, and tells who it is."""
    port = zmq_server(zmq.REP, lambda frames: [OK] if frames == [b'{"method":"health_check"}'] else [b"{}"])
    answer = ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5)
    assert (answer.ok, answer.identity, answer.detail) == (True, "blue-1", "")
    assert answer.address == f"127.0.0.1:{port}"


@pytest.mark.parametrize("kind", ["req", "dealer"])
def test_router_sees_the_empty_delimiter(zmq_server: ZmqServer, kind: str) -> None:
    """REQ and DEALER probes look the same to a ROUTER: identity, delimiter, body."""
    seen: list[list[bytes]] = []
    port = zmq_server(zmq.ROUTER, lambda frames: (seen.append(frames), [frames[0], b"", b"meta", OK])[1])
    answer = ask(parse(f"{HEALTH}&socket={kind}"), "127.0.0.1", port, timeout_s=5)
    assert answer.ok
    assert seen[0][1:] == [b"", b'{"method":"health_check"}']


def test_dealer_tells_of_a_reply_without_delimiter(zmq_server: ZmqServer) -> None:
    """A ROUTER that forgets the delimiter answers DEALER clients only: that is worth a word."""
    port = zmq_server(zmq.ROUTER, lambda frames: [frames[0], OK])
    answer = ask(parse(f"{HEALTH}&socket=dealer"), "127.0.0.1", port, timeout_s=5)
    assert answer.ok
    assert "no empty delimiter" in answer.detail
    assert "reply without the empty delimiter" in ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5).detail


def test_a_wrong_answer_is_shown(zmq_server: ZmqServer) -> None:
    """A service that is still loading is not ok, and the answer says what it said; its identity is kept."""
    port = zmq_server(zmq.REP, lambda _: [b'{"status":"loading","agent":"blue-1"}'])
    answer = ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5)
    assert (answer.ok, answer.identity) == (False, "blue-1")
    assert answer.detail == "answered, but `status` was 'loading', not 'ok'"


def test_an_answer_without_identity_is_not_ok(zmq_server: ZmqServer) -> None:
    """Where the spec asks who answers, an answer that does not say is no answer."""
    port = zmq_server(zmq.REP, lambda _: [b'{"status":"ok"}'])
    answer = ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5)
    assert (answer.ok, answer.identity) == (False, None)
    assert "no `agent`" in answer.detail


def test_without_send_the_handshake_is_the_answer(zmq_server: ZmqServer) -> None:
    """Nothing is asked of the service, so nothing disturbs it."""
    answer = ask(parse("zmq://:5570"), "127.0.0.1", zmq_server(zmq.REP), timeout_s=5)
    assert answer.ok
    assert answer.detail == "ZMTP handshake done, nothing asked"


def test_refused_is_said_at_once(closed_port: int) -> None:
    """A refused connection does not use up the time."""
    answer = ask(parse(HEALTH), "127.0.0.1", closed_port, timeout_s=5)
    assert (answer.ok, answer.detail) == (False, "refused")
    assert answer.elapsed_s < 1


def test_a_service_that_reads_nothing_is_told_from_a_port_without_zmq(
    zmq_server: ZmqServer, raw_server: RawServer
) -> None:
    """'No reply' after a handshake is the request loop; no handshake is another thing."""
    deaf = ask(parse(HEALTH), "127.0.0.1", zmq_server(zmq.REP), timeout_s=0.3)
    silent = ask(parse(HEALTH), "127.0.0.1", raw_server(lambda _, over: over.wait()), timeout_s=0.3)
    assert deaf.detail == "ZMTP handshake done, but no reply within 0.3 s"
    assert silent.detail == "connected, but no ZMTP handshake within 0.3 s"
    assert 0.25 < deaf.elapsed_s < 1
    assert 0.25 < silent.elapsed_s < 1


def test_a_peer_that_hangs_up_is_told(raw_server: RawServer) -> None:
    """docker-proxy accepts and closes when nobody listens inside."""
    answer = ask(parse(HEALTH), "127.0.0.1", raw_server(lambda *_: None), timeout_s=5)
    assert "closed during the ZMTP handshake" in answer.detail
    assert answer.elapsed_s < 1


def test_bytes_that_are_no_zmtp_are_told(raw_server: RawServer) -> None:
    """Any first byte looks like a ZMTP 1 peer to libzmq, which then waits; we say so."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"-ERR unknown command\r\n")
        over.wait()

    answer = ask(parse(HEALTH), "127.0.0.1", raw_server(speak), timeout_s=0.3)
    assert answer.detail == "connected, but what answered is no ZMTP 3 peer within 0.3 s"


@pytest.mark.parametrize("kind", [zmq.PUB, zmq.PULL, zmq.SUB, zmq.REQ])
def test_a_wrong_socket_type_is_told_at_once(zmq_server: ZmqServer, kind: int) -> None:
    """A peer that cannot talk to REQ is refused by libzmq during the handshake."""
    answer = ask(parse(HEALTH), "127.0.0.1", zmq_server(kind), timeout_s=5)
    assert "another socket type" in answer.detail
    assert answer.elapsed_s < 1


def test_a_server_that_wants_curve_is_told(zmq_server: ZmqServer) -> None:
    """A NULL client never gets into a CURVE server."""
    public, secret = zmq.curve_keypair()
    port = zmq_server(zmq.REP, curve_publickey=public, curve_secretkey=secret, curve_server=True)
    assert "security mechanism" in ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5).detail


def test_a_reply_above_the_limit_is_not_taken(zmq_server: ZmqServer) -> None:
    """More than 1 MiB is refused by libzmq itself, and memory stays bounded."""
    port = zmq_server(zmq.REP, lambda _: [b"x" * ((1 << 20) + 1)])
    answer = ask(parse(HEALTH), "127.0.0.1", port, timeout_s=5)
    assert "above 1 MiB" in answer.detail


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_ipv6_and_names_are_reached(zmq_server: ZmqServer, host: str) -> None:
    """An address in brackets or a name with several addresses finds the one that listens."""
    port = zmq_server(zmq.REP, lambda _: [OK], host="[::1]" if ":" in host else "127.0.0.1")
    assert ask(parse(HEALTH), host, port, timeout_s=5).ok


def test_an_unknown_name_is_told() -> None:
    """A name that nobody knows is no traceback."""
    assert "cannot be resolved" in ask(parse(HEALTH), "no-such-host.invalid", 1, timeout_s=5).detail


def test_a_thousand_questions_leave_nothing_behind(zmq_server: ZmqServer, closed_port: int) -> None:
    """Neither descriptors nor threads pile up, whether answered, refused, or left without reply."""
    good = zmq_server(zmq.REP, lambda _: [OK])
    deaf = zmq_server(zmq.REP)
    spec = parse(HEALTH)
    elapsed: list[float] = []

    def round_of_questions(count: int) -> None:
        for number in range(count):
            port, timeout_s = (deaf, 0.002) if number % 10 == 9 else (closed_port if number % 10 == 8 else good, 5.0)
            answer = ask(spec, "127.0.0.1", port, timeout_s=timeout_s)
            assert answer.ok is (port == good)
            if answer.ok:
                elapsed.append(answer.elapsed_s)

    round_of_questions(10)
    before = _held()
    round_of_questions(1000)
    after = _settled(before)
    assert after <= before
    assert statistics.median(elapsed) < 0.010


def _held() -> int:
    """Count open descriptors without sockets accepted by the test's own servers, plus threads."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    return threads + len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def _settled(target: int) -> int:
    """Give the servers in this process up to two seconds to notice closed connections."""
    end = time.monotonic() + 2
    while _held() > target and time.monotonic() < end:
        threading.Event().wait(0.01)
    return _held()
