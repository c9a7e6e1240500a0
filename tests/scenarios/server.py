"""A small real service for the scenarios: ZeroMQ REP on 5570, HTTP on 6570, with ways to be broken (FAIL)."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import zmq

NAME, FAIL = os.environ["NAME"], os.environ.get("FAIL", "")
HTTP_PORT = int(os.environ.get("HTTP_PORT", "6570"))
STATUS = "wrong" if FAIL == "wrong" else "ok"
WHO = "somebody-else" if FAIL == "stranger" else NAME


class Health(BaseHTTPRequestHandler):
    """Answers every GET, on connections that are kept."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Say how this service is, and what was asked; what is to be kept is on the disk before it is acknowledged."""
        if self.path.startswith("/keep/"):
            with Path("/data/kept").open("a") as kept:
                kept.write(f"{self.path.removeprefix('/keep/')}:{NAME}\n")
                kept.flush()
                os.fsync(kept.fileno())
        body = json.dumps({"status": STATUS, "name": WHO, "path": self.path}).encode()
        self.send_response(503 if FAIL == "unhealthy" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay silent."""


def main():
    """Load, listen, answer."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    time.sleep(float(os.environ.get("LOAD_S", "0")))
    if FAIL == "exit":
        sys.exit("cannot read the weights")
    if FAIL == "crash-later":
        threading.Timer(float(os.environ.get("CRASH_AFTER_S", "3")), os._exit, (1,)).start()
    threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), Health).serve_forever, daemon=True).start()
    socket = zmq.Context().socket(zmq.REP)
    socket.bind("tcp://0.0.0.0:5570")
    sys.stdout.write("successfully bound\n")
    sys.stdout.flush()
    worked = 0
    while True:
        request = json.loads(socket.recv())
        if FAIL == "silent":
            time.sleep(3600)
        reply = {"status": STATUS, "name": WHO, "id": request.get("id")}
        if request.get("method") == "double":
            worked += 1
            lazy = FAIL == "lazy" or (FAIL == "tired" and worked > 1)
            reply["result"] = request["number"] * (1 if lazy else 2)
        socket.send_json(reply)


main()
