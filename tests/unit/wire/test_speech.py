"""What ports speak: first words, answers to the one question, and those who are not there."""

from __future__ import annotations

import socket

import pytest
import zmq

from cutover.wire.speech import QUESTION, Tongue, speech
from tests.unit.edge.talkers import HOST, answering, bound, saying, serving

QUICK_S = 0.6


@pytest.mark.parametrize(
    ("words", "tongue", "text"),
    [
        (b'INFO {"server_id":"x"} \r\n', Tongue.NATS, "NATS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Tongue.SSH, "SSH"),
        (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", Tongue.HTTP2, "HTTP/2"),
        (b"220 mail ESMTP\r\n", Tongue.TCP, "TCP, begins with b'220 mail ESMTP\\r\\n'"),
    ],
    ids=["nats", "ssh", "http2", "mail"],
)
def test_who_speaks_first_is_asked_nothing(words: bytes, tongue: Tongue, text: str) -> None:
    """Its first words tell."""
    with serving(saying(words)) as port:
        heard = speech(HOST, port, timeout_s=QUICK_S)
    assert (heard.tongue, str(heard), heard.asked) == (tongue, text, False)


@pytest.mark.parametrize(
    ("answer", "tongue"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Tongue.HTTP),
        (b"-ERR unknown command 'OPTIONS', with args beginning with: '*' 'HTTP/1.0' \r\n", Tongue.REDIS),
        (b"-NOAUTH Authentication required.\r\n", Tongue.REDIS),
        (b"\x15\x03\x01\0\x02\x02\x46", Tongue.TLS),
        (b"what?\n", Tongue.TCP),
    ],
    ids=["http", "redis", "redis with a password", "tls", "unknown"],
)
def test_who_waits_is_asked_one_question(answer: bytes, tongue: Tongue) -> None:
    """And told by the answer."""
    with serving(answering(answer)) as port:
        heard = speech(HOST, port, timeout_s=QUICK_S)
    assert (heard.tongue, heard.asked) == (tongue, True)


def test_nothing_is_asked_where_nothing_is_to_be_asked() -> None:
    """Not one byte comes to it."""
    came: list[bytes] = []
    with serving(lambda connection: came.append(connection.recv(99))) as port:
        heard = speech(HOST, port, ask=False, timeout_s=QUICK_S)
    assert (heard.tongue, str(heard)) == (Tongue.SILENT, "waits to be asked")
    assert came == [b""]


def test_who_never_answers_is_silent() -> None:
    """It was asked, and that is told."""
    came: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        came.append(connection.recv(99))
        connection.recv(99)

    with serving(serve) as port:
        heard = speech(HOST, port, timeout_s=QUICK_S)
    assert (heard.tongue, str(heard)) == (Tongue.SILENT, "says nothing")
    assert came == [QUESTION]


def test_zeromq_tells_version_type_and_mechanism() -> None:
    """Without a handshake that is completed."""
    with bound(zmq.ROUTER) as (_, port):
        assert str(speech(HOST, port)) == "ZMTP 3.1 ROUTER"
    public, secret = zmq.curve_keypair()
    with bound(zmq.REP, curve_server=True, curve_publickey=public, curve_secretkey=secret) as (_, port):
        assert str(speech(HOST, port)) == "ZMTP 3.1 CURVE"


def test_nobody_is_told_from_one_who_hangs_up() -> None:
    """Refused, and closed at once."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    assert speech(HOST, port).tongue is Tongue.NOBODY
    with serving(lambda connection: connection.close()) as port:
        heard = speech(HOST, port, timeout_s=QUICK_S)
    assert heard.tongue is Tongue.HUNG_UP
    assert not heard.tongue.there
