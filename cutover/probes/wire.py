"""A TCP connection on which every operation ends with the question's one deadline, whatever the peer does."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from cutover.clock import Deadline
from cutover.probes.reply import Failure, NoReplyError

if TYPE_CHECKING:
    import ssl

CLOSED = "connected, but closed without an answer (behind Docker's proxy: nothing listens inside)"


class Wire:
    """An open connection; `deadline` is shared by all its operations. Made by `connect`."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, max_bytes: int, within_s: float | None = None) -> bytes | None:
        """Return the next bytes, b"" at the end of the stream, None if nothing came within `within_s` seconds.

        Raises:
            NoReplyError: the deadline passed, or the peer reset the connection.

        """
        left_s = _left_s(self.deadline, "connected, but no answer")
        self.sock.settimeout(left_s if within_s is None else min(left_s, within_s))
        try:
            return self.sock.recv(max_bytes)
        except TimeoutError as error:
            if within_s is not None and not self.deadline.passed:
                return None
            raise NoReplyError(timed_out("connected, but no answer", self.deadline), Failure.TIMEOUT) from error
        except OSError as error:
            raise NoReplyError(f"connected, but cut off: {reason(error)}") from error

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            NoReplyError: the deadline passed, or the peer closed the connection.

        """
        self.sock.settimeout(_left_s(self.deadline, "connected, but the question was not taken"))
        try:
            self.sock.sendall(data)
        except TimeoutError as error:
            raise NoReplyError(
                timed_out("connected, but the question was not taken", self.deadline), Failure.TIMEOUT
            ) from error
        except OSError as error:
            raise NoReplyError(f"connected, but cut off while asking: {reason(error)}") from error

    def secure(self, context: ssl.SSLContext, server_name: str | None) -> Wire:
        """Return the connection after a TLS handshake.

        Raises:
            NoReplyError: no TLS could be agreed on, or the deadline passed.

        """
        self.sock.settimeout(_left_s(self.deadline, "connected, but no TLS handshake"))
        try:
            return Wire(context.wrap_socket(self.sock, server_hostname=server_name), self.deadline)
        except TimeoutError as error:
            raise NoReplyError(timed_out("connected, but no TLS handshake", self.deadline), Failure.TIMEOUT) from error
        except OSError as error:
            raise NoReplyError(f"connected, but TLS failed: {reason(error)}", Failure.GARBLED) from error

    def close(self) -> None:
        """Close the connection; nothing is waited for."""
        self.sock.close()


def connect(host: str, port: int, deadline: Deadline) -> Wire:
    """Return a connection to the first address of `host` that takes one.

    Name lookup is the system's and is not bounded by the deadline.

    Raises:
        NoReplyError: refused, unreachable, unknown name, or the deadline passed.

    """
    failure = f"{host} has no address"
    for family, address in addresses(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left_s(deadline, "no connection"))
            sock.connect(address)
        except TimeoutError as error:
            sock.close()
            raise NoReplyError(timed_out("no connection", deadline), Failure.TIMEOUT) from error
        except OSError as error:
            sock.close()
            failure = "refused" if isinstance(error, ConnectionRefusedError) else f"no connection: {reason(error)}"
        except NoReplyError:
            sock.close()
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Wire(sock, deadline)
    raise NoReplyError(failure, Failure.REFUSED)


def addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str | int, ...]]]:
    """Return what a host name stands for, in the system's order.

    Raises:
        NoReplyError: the name is unknown.

    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoReplyError(f"{host!r} cannot be resolved: {error}", Failure.REFUSED) from error
    return [(family, address) for family, _, _, _, address in found if not isinstance(address[0], int)]


def timed_out(what: str, deadline: Deadline) -> str:
    """Say that `what` went on until the deadline passed."""
    return f"{what} within {deadline.seconds:.3g} s"


def reason(error: OSError) -> str:
    """Return an operating system error in its own words, without its number."""
    return error.strerror or str(error)


def _left_s(deadline: Deadline, what: str) -> float:
    left_s = deadline.left_s
    if left_s <= 0:
        raise NoReplyError(timed_out(what, deadline), Failure.TIMEOUT)
    return left_s
