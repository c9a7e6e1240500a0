"""HTTP/1.1 as it passes. h11 reads a copy of both directions; what it would send in return is thrown away."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import h11

from cutover.probes import Kind
from cutover.validate.record.passed import MAX_BODY_BYTES, Emit, Headers, NotOurProtocolError, Passed

_SWITCHED = 101


class HttpWatch:
    """Pairs requests and responses of one connection, kept alive or pipelined.

    Two state machines run side by side: `_server` is told what the client says, `_client` what green says; each event
    of one is played to the other, for the length of a response depends on its request.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._server = h11.Connection(h11.SERVER)
        self._client = h11.Connection(h11.CLIENT)
        self._early: deque[bytes] = deque()
        self._request: h11.Request | None = None
        self._response: h11.Response | None = None
        self._asked: list[bytes] = []
        self._told: list[bytes] = []
        self._at = self._began = 0.0
        self._too_long = False

    def sent(self, data: bytes) -> None:
        """Take what the client said."""
        self._feed(self._server, data)
        self._requests()

    def received(self, data: bytes) -> None:
        """Take what green said."""
        if self._request is None:  # a server that speaks unasked: 408 before it hangs up
            self._early.append(data)
            return
        self._feed(self._client, data)
        self._responses()

    def closed(self) -> None:
        """Tell of a request that had no response, or half of one."""
        if self._request is None:
            return
        if self._response is not None:  # a body that ends with the connection
            try:
                self._feed(self._client, b"")
                self._responses()
            except NotOurProtocolError:
                pass
            if self._request is None:
                return
        self._tell(failure="hung up without a whole response")

    def _feed(self, connection: h11.Connection, data: bytes) -> None:
        try:
            connection.receive_data(data)
        except (h11.ProtocolError, RuntimeError) as error:
            raise NotOurProtocolError(f"not HTTP/1.1: {error}") from error

    def _requests(self) -> None:
        try:
            while True:
                event = self._server.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._at, self._began = event, time.time(), time.perf_counter()
                    self._client.send(h11.Request(method=event.method, target=event.target, headers=event.headers))
                elif isinstance(event, h11.Data):
                    self._keep(self._asked, event.data)
                    self._client.send(h11.Data(data=event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._began = time.perf_counter()
                    self._client.send(event)
                    self._drain_early()
                else:  # NEED_DATA, PAUSED until the response is through, ConnectionClosed
                    return
        except h11.ProtocolError as error:
            raise NotOurProtocolError(f"not HTTP/1.1: {error}") from error

    def _drain_early(self) -> None:
        while self._early:
            self.received(self._early.popleft())

    def _responses(self) -> None:
        try:
            while True:
                event = self._client.next_event()
                if isinstance(event, h11.InformationalResponse):
                    if event.status_code == _SWITCHED:
                        raise NotOurProtocolError("the connection became another protocol (101)")
                    self._server.send(h11.InformationalResponse(status_code=event.status_code, headers=event.headers))
                elif isinstance(event, h11.Response):
                    self._response = event  # h11 sends HTTP/1.1 only: said anew, without the peer's version
                    self._server.send(h11.Response(status_code=event.status_code, headers=event.headers))
                elif isinstance(event, h11.Data):
                    self._keep(self._told, event.data)
                    self._server.send(h11.Data(data=event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._server.send(event)
                    self._tell()
                    self._next()
                else:
                    return
        except h11.ProtocolError as error:
            raise NotOurProtocolError(f"not HTTP/1.1: {error}") from error

    def _next(self) -> None:
        states = {c.our_state for c in (self._server, self._client)} | {
            self._server.their_state,
            self._client.their_state,
        }
        if states == {h11.DONE}:
            self._server.start_next_cycle()
            self._client.start_next_cycle()
            self._requests()

    def _keep(self, body: list[bytes], data: bytes) -> None:
        if sum(map(len, body)) + len(data) > MAX_BODY_BYTES:
            self._too_long = True
            return
        body.append(bytes(data))

    def _tell(self, failure: str = "") -> None:
        request, response = self._request, self._response
        assert request is not None
        body = b"".join(self._asked)
        self._emit(
            Passed(
                kind=Kind.HTTP,
                at=self._at,
                request=body if body or _has_body(request.headers) else None,
                reply=b"".join(self._told) if response is not None and not failure else None,
                elapsed_s=None if failure else time.perf_counter() - self._began,
                path=request.target.decode("utf-8", "surrogateescape"),
                method=request.method.decode("ascii", "replace"),
                request_headers=_plain(request.headers),
                code=response.status_code if response is not None else None,
                reply_headers=_plain(response.headers) if response is not None else (),
                failure=failure,
                too_long=self._too_long,
            )
        )
        self._fresh()

    def _fresh(self) -> None:
        self._request, self._response = None, None
        self._asked, self._told = [], []
        self._too_long = False


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    lengths = [value for name, value in headers if name in {b"content-length", b"transfer-encoding"}]
    return bool(lengths) and lengths != [b"0"]
