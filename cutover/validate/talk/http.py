"""HTTP and HTTPS over one connection that is kept; every byte counts against the question's one deadline.

No proxy is used, whatever the environment says, and no redirect is followed: a redirect is the answer.
"""

from __future__ import annotations

import contextlib
import ssl
import time
import zlib
from collections.abc import Iterator

import httpcore

from cutover.probes.reply import Failure, NoReplyError
from cutover.probes.wire import CLOSED, Wire
from cutover.validate.talk.answer import MAX_BODY_BYTES, Raw
from cutover.validate.talk.base import Address, Question
from cutover.validate.talk.kept import KeptConnection

_DEFAULTS = ((b"accept-encoding", b"identity"), (b"accept", b"*/*"), (b"user-agent", b"cutover"))


class HttpConnection(KeptConnection):
    """One HTTP/1.1 connection, behind TLS where `secure`; `verify` False takes any certificate."""

    def __init__(self, address: Address, *, secure: bool, verify: bool) -> None:
        super().__init__(address)
        self._origin = httpcore.Origin(b"https" if secure else b"http", _host(address.host), address.port)
        self._tls = _context(verify=verify) if secure else None
        self._http: httpcore.HTTP11Connection | None = None

    def close(self) -> None:
        """Let go of the socket, with nothing lingering."""
        super().close()
        self._http = None

    def _secured(self, wire: Wire) -> Wire:
        return wire if self._tls is None else wire.secure(self._tls, self._address.host)

    def _once(self, wire: Wire, question: Question) -> Raw:
        if self._http is None:
            self._http = httpcore.HTTP11Connection(self._origin, _Stream(wire, self))
        with self._translated():
            response = self._http.handle_request(self._request(question))
        try:
            with self._translated(begun=True):
                body = _body(response)
        finally:
            with contextlib.suppress(NoReplyError, httpcore.ProtocolError):
                response.close()
        at = time.perf_counter()
        if not self._http.is_idle():  # the peer said that it closes, or there is more of the body than we take
            self.close()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Raw(_inflated(body, headers), response.status, headers, at=at)

    def _request(self, question: Question) -> httpcore.Request:
        host = str(Address(self._origin.host.decode(), self._origin.port)).encode()
        given = [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in question.headers
        ]
        named = {name.lower() for name, _ in given}
        length = [(b"content-length", str(len(question.body)).encode())] if question.body is not None else []
        ours = ((b"host", host), *_DEFAULTS, *length)
        return httpcore.Request(
            (question.method or ("GET" if question.body is None else "POST")).encode(),
            httpcore.URL(
                scheme=self._origin.scheme,
                host=self._origin.host,
                port=self._origin.port,
                target=question.path.encode(),
            ),
            headers=[*((name, value) for name, value in ours if name not in named), *given],
            content=question.body,
        )

    @contextlib.contextmanager
    def _translated(self, *, begun: bool = False) -> Iterator[None]:
        try:
            yield
        except httpcore.LocalProtocolError as error:
            raise NoReplyError(f"the question cannot be sent as HTTP: {error}", Failure.GARBLED) from error
        except (httpcore.ProtocolError, httpcore.ConnectionNotAvailable) as error:
            if self.heard and not begun:
                raise NoReplyError(f"connected, but the answer is no HTTP: {error}", Failure.GARBLED) from error
            raise NoReplyError(f"cut off within the answer: {error}" if begun else CLOSED) from error


class _Stream(httpcore.NetworkStream):
    """A wire as httpcore wants it; the wire knows the deadline, so httpcore's own timeouts are not used."""

    def __init__(self, wire: Wire, owner: HttpConnection) -> None:
        self._wire = wire
        self._owner = owner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        data = self._wire.read(max_bytes) or b""
        self._owner.heard = self._owner.heard or bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._wire.write(buffer)

    def close(self) -> None:
        self._wire.close()


def _host(name: str) -> bytes:
    """Return a host's name as HTTP carries it; one that is none will not be resolved either."""
    try:
        return name.encode("idna")
    except UnicodeError:
        return b"invalid"


def _body(response: httpcore.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_stream():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise NoReplyError(f"the answer is above {MAX_BODY_BYTES >> 20} MiB", Failure.GARBLED)
    return b"".join(parts)


def _inflated(body: bytes, headers: dict[str, str]) -> bytes:
    """Undo what a server compresses although it was asked not to."""
    if headers.get("content-encoding", "").lower() not in {"gzip", "deflate", "x-gzip"}:
        return body
    parts: list[bytes] = []
    room = MAX_BODY_BYTES
    try:
        while body and (
            not parts or body.strip(b"\0")
        ):  # gzip may stand several times one after the other, and be padded
            member = zlib.decompressobj(wbits=47)
            parts.append(member.decompress(body, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise NoReplyError(f"the unpacked answer is above {MAX_BODY_BYTES >> 20} MiB", Failure.GARBLED)
            if not member.eof:
                raise NoReplyError("connected, but the packed body is cut short", Failure.GARBLED)
            body = member.unused_data
    except zlib.error as error:
        raise NoReplyError(f"connected, but the body does not unpack: {error}", Failure.GARBLED) from error
    return b"".join(parts)


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
