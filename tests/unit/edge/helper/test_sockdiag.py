"""What the kernel says of real connections, and the end of one of them."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest

from cutover.edge.helper.holder import Holders
from cutover.edge.helper.sockdiag import Connection, SockDiag, TcpState, within

WAIT_S = 5.0


@pytest.fixture
def pair(request) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give a client's and a server's end of a connection, the server dual-stacked."""
    host = getattr(request, "param", "127.0.0.1")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        client = stack.enter_context(socket.create_connection((host, listener.getsockname()[1]), timeout=WAIT_S))
        server = stack.enter_context(listener.accept()[0])
        yield client, server


@pytest.fixture
def diag() -> Iterator[SockDiag]:
    """Give a connection to the kernel."""
    with contextlib.closing(SockDiag()) as opened:
        yield opened


def seen(diag: SockDiag, server: socket.socket) -> Connection:
    """Return the server's end as the kernel sees it."""
    port = server.getsockname()[1]
    return next(c for c in diag.all({port}) if c.inode == os.fstat(server.fileno()).st_ino)


@pytest.mark.parametrize(("pair", "peer"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1")], indirect=["pair"])
def test_totals_and_what_waits_are_told(pair, peer, diag) -> None:
    """Three bytes came, of which two are not read; five went."""
    client, server = pair
    client.sendall(b"abc")
    assert server.recv(1) == b"a"
    server.sendall(b"hello")
    assert client.recv(9) == b"hello"
    found = seen(diag, server)
    assert (found.state, found.received, found.sent, found.unread) == (TcpState.ESTABLISHED, 3, 5, 2)
    assert (found.port, found.peer) == (server.getsockname()[1], peer)
    assert diag.one(found.key) is not None


def test_a_connection_that_is_gone_is_none(pair, diag) -> None:
    """Not an error, and not somebody else's that has its ports."""
    client, server = pair
    key = seen(diag, server).key
    client.close()
    server.close()
    end = time.monotonic() + WAIT_S
    while (found := diag.one(key)) is not None and found.state != TcpState.TIME_WAIT:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_connection_is_destroyed_and_its_neighbour_lives(pair, diag) -> None:
    """The peer sees a RST. It takes NET_ADMIN, and a kernel that can."""
    client, server = pair
    try:
        assert diag.destroy(seen(diag, server).key)
    except OSError as error:
        pytest.skip(f"this kernel, or this user, cannot: {error}")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(OSError, match="abort"):
        server.recv(1)


def test_a_borrowed_socket_ends_in_order(pair, diag) -> None:
    """The client reads the end, and so does the server that did not close it."""
    client, server = pair
    with Holders().borrow(seen(diag, server).inode) as held:
        held.shutdown(socket.SHUT_RDWR)
    assert client.recv(1) == b""
    assert server.recv(1) == b""


def test_nobody_holds_what_is_not_there() -> None:
    """And nothing is borrowed."""
    assert Holders().borrow(1) is None


def test_neighbours_are_told_by_their_networks() -> None:
    """Of both families."""
    assert within("172.18.0.7", ["172.18.0.2/16", "fd00::2/64"])
    assert within("fd00::9", ["172.18.0.2/16", "fd00::2/64"])
    assert not within("192.0.2.7", ["172.18.0.2/16", "fd00::2/64"])
