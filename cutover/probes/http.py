"""HTTP and HTTPS: one request, its status and at most 1 MiB of its body.

httpx bounds each read, not the whole: a server that drips its headers byte by byte holds a client for ever. So the
bytes go through `Wire`, which counts against one deadline. No proxy is used, whatever the environment says, and no
redirect is followed unless the spec asks for it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Iterator

import httpcore
import httpx

from cutover.clock import Deadline
from cutover.probes.reply import MAX_REPLY_BYTES, NoReplyError, Reply
from cutover.probes.spec import Kind, ProbeSpec, is_json
from cutover.probes.wire import CLOSED, Wire, connect

_MAX_REDIRECTS = 5


def exchange(spec: ProbeSpec, host: str, port: int, deadline: Deadline) -> Reply:
    """Return the status and body that the service at `host:port` answers with.

    Raises:
        NoReplyError: there was no HTTP answer; says how far it came.

    """
    request = _request(spec, host, port)
    with _client(spec, deadline) as client, _translated():
        response = client.send(request, stream=True, auth=_auth(spec))
        try:
            return Reply(_body(response), code=response.status_code)
        finally:
            response.close()


def _client(spec: ProbeSpec, deadline: Deadline) -> httpx.Client:
    return httpx.Client(
        transport=_Transport(deadline, verify=spec.verify),
        trust_env=False,
        follow_redirects=spec.follow,
        max_redirects=_MAX_REDIRECTS,
        timeout=None,  # noqa: S113  (the Wire knows the deadline)
    )


def _request(spec: ProbeSpec, host: str, port: int) -> httpx.Request:
    """Build the request: what is not said defaults to GET, or to POST where something is sent."""
    body = None if spec.send is None else spec.send.encode("utf-8", "surrogateescape")
    headers = [("Accept-Encoding", "identity"), ("User-Agent", "cutover"), ("Connection", "close")]
    if spec.send is not None and is_json(spec.send):
        headers.append(("Content-Type", "application/json"))
    given = {name.lower() for name, _ in spec.headers}
    headers = [(name, value) for name, value in headers if name.lower() not in given]
    where = f"[{host}]" if ":" in host else host
    return httpx.Request(
        spec.method or ("GET" if body is None else "POST"),
        f"{spec.kind}://{where}:{port}{spec.path or '/'}",
        params=list(spec.query) or None,
        headers=[*headers, *spec.headers],
        content=body,
    )


def _auth(spec: ProbeSpec) -> tuple[str, str] | None:
    if not spec.userinfo:
        return None
    url = httpx.URL(f"{Kind.HTTP}://{spec.userinfo}@x")
    return url.username, url.password


def _body(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= MAX_REPLY_BYTES:
            break
    return body[:MAX_REPLY_BYTES]


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpcore.RemoteProtocolError, httpx.RemoteProtocolError) as error:
        told = str(error)
        gone = "disconnected" in told or "closed" in told
        raise NoReplyError(CLOSED if gone else f"connected, but the answer is no HTTP: {told}") from error
    except httpx.TooManyRedirects as error:
        raise NoReplyError(f"answered with more than {_MAX_REDIRECTS} redirects") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpcore.ProtocolError, ValueError) as error:
        raise NoReplyError(f"no HTTP exchange: {error}") from error


class _Transport(httpx.BaseTransport):
    """One connection pool over `Wire`; unlike httpx's own it makes no TLS context before one is needed."""

    def __init__(self, deadline: Deadline, *, verify: bool) -> None:
        self._backend = _Backend(deadline)
        self._verify = verify
        self._pool: httpcore.ConnectionPool | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._pool is None:
            context = _tls(verify=self._verify) if request.url.scheme == Kind.HTTPS else None
            self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=self._backend)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, Iterable)
        answer = self._pool.handle_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer.stream))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class _Backend(httpcore.NetworkBackend):
    """Opens connections that share the question's deadline; httpcore's own timeouts are not used."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _WireStream(connect(host, port, self._deadline))


class _WireStream(httpcore.NetworkStream):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._wire.read(max_bytes) or b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._wire.write(buffer)

    def close(self) -> None:
        self._wire.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _WireStream(self._wire.secure(ssl_context, server_hostname))


def _tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
