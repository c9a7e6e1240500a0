"""Real servers on ephemeral ports, in threads of the test process; all of them end with the test."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import zmq

RawHandler = Callable[[socket.socket, threading.Event], None]
RawServer = Callable[[RawHandler], int]
ZmqServer = Callable[..., int]
HttpServer = Callable[..., int]


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over: servers wait on it instead of sleeping."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def raw_server(over: threading.Event) -> Iterator[RawServer]:
    """Start a TCP server whose connections are each handed to a function, and return its port."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def handle(connection: socket.socket, handler: RawHandler) -> None:
        with connection, contextlib.suppress(OSError):
            handler(connection, over)

    def accept(listener: socket.socket, handler: RawHandler) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=handle, args=(connection, handler)))
                threads[-1].start()

    def start(handler: RawHandler, host: str = "127.0.0.1") -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listeners.append(socket.create_server((host, 0), family=family, backlog=128))
        listeners[-1].settimeout(0.05)
        threads.append(threading.Thread(target=accept, args=(listeners[-1], handler)))
        threads[-1].start()
        return int(listeners[-1].getsockname()[1])

    yield start
    over.set()
    for thread in threads:
        thread.join(10)
    for listener in listeners:
        listener.close()


@pytest.fixture
def zmq_server(over: threading.Event) -> Iterator[ZmqServer]:
    """Start a ZeroMQ socket that answers each message as a function says, and return its port."""
    context = zmq.Context()
    threads: list[threading.Thread] = []
    sockets: list[zmq.Socket[bytes]] = []

    def serve(sock: zmq.Socket[bytes], answer: Callable[[list[bytes]], list[bytes] | None]) -> None:
        while not over.is_set():
            if sock.poll(20) and (reply := answer(sock.recv_multipart())) is not None:
                sock.send_multipart(reply)

    def start(
        kind: int = zmq.REP,
        answer: Callable[[list[bytes]], list[bytes] | None] | None = None,
        host: str = "127.0.0.1",
        **options: object,
    ) -> int:
        sock = context.socket(kind)
        sock.linger = 0
        sock.ipv6 = True
        for name, value in options.items():
            setattr(sock, name, value)
        sockets.append(sock)
        port = sock.bind_to_random_port(f"tcp://{host}")
        if answer is not None:
            threads.append(threading.Thread(target=serve, args=(sock, answer)))
            threads[-1].start()
        return port

    yield start
    over.set()
    for thread in threads:
        thread.join(10)
    for sock in sockets:
        sock.close(0)
    context.term()


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    """Start an HTTP server that answers as a function of the request says, and return its port."""
    servers: list[http.server.ThreadingHTTPServer] = []
    threads: list[threading.Thread] = []

    def start(answer: Callable[[http.server.BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str], bytes]]) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                code, headers, reply = answer(self, body)
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST = do_PUT = _answer  # noqa: N815  (http.server names them)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}))
        threads[-1].start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
    for thread in threads:
        thread.join(10)


@pytest.fixture
def closed_port() -> int:
    """Return a port on 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
