"""`GET /health` on port 6570."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def serve(address: tuple[str, int], read: Callable[[], dict[str, Any]], elsewhere: int = 404) -> Server:
    """Answer with what `read` returns: 200 if its status is ok, else 503; any other path gets `elsewhere`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet, head and body
        disable_nagle_algorithm = True
        timeout = 60

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/health":
                return self._send(elsewhere, {"status": "error", "error": "there is only /health"})
            health = read()
            return self._send(200 if health["status"] == "ok" else 503, health)

        def _send(self, code: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """One line per request would drown the log."""

    server = Server(address, Handler)
    Thread(target=server.serve_forever, daemon=True, name="health").start()
    return server
