"""A Docker Engine that has nothing: enough for the verbs that look, and for what says strange things on purpose."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer what it is asked; what it has none of is an empty list."""
        server = self.server
        assert isinstance(server, _Server)
        path = self.path.partition("?")[0]
        if path.endswith("/version"):
            content = json.dumps(VERSION).encode()
        elif path.endswith(("/containers/json", "/networks", "/images/json")):
            content = server.says.get(path.rpartition("/v1.41")[2], b"[]")
        elif path.endswith("/json") and "/containers/" in path:
            content = server.says.get("inspect", b"{}")
        else:
            content = b'{"message":"no such thing"}'
        self.send_response(404 if b"no such thing" in content else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """Have a name: a Unix socket has no address."""
        return "nobody"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    says: dict[str, bytes]

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hung up."""


@contextmanager
def empty_engine(folder: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Run it; yield what DOCKER_HOST has to be, and what it says, by path, which may be changed."""
    path = folder / "engine.sock"
    with _Server(str(path), _Handler) as server:
        server.says = {}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"unix://{path}", server.says
        finally:
            server.shutdown()
            thread.join()
