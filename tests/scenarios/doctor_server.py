"""One small service with many faults: FAULT says which. Its log says what such services say."""

import os
import socket
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import zmq

FAULT = os.environ.get("FAULT", "")
PORT = int(os.environ.get("AGENT_PORT") or os.environ.get("PORT") or "8000")
HEALTH_PORT = int(os.environ.get("HEALTH_PORT", "0"))
CONTEXT = zmq.Context()


def say(text):
    """Log a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Web(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self):
        """Say how it is."""
        well = FAULT != "ill"
        body = b'{"status": "ok"}' if well else b'{"status": "loading"}'
        self.send_response(200 if well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay silent."""


class WebV6(ThreadingHTTPServer):
    """On IPv6, and nothing else."""

    address_family = socket.AF_INET6

    def server_bind(self):
        """Refuse IPv4."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


def web(address="0.0.0.0", port=PORT, kind=ThreadingHTTPServer):
    """Serve HTTP for ever."""
    kind((address, port), Web).serve_forever()


def bound(kind, port=PORT):
    """Return a ZeroMQ socket that is bound."""
    made = CONTEXT.socket(kind)
    made.bind(f"tcp://*:{port}")
    say(f"successfully bound to port {port}")
    return made


def deaf():
    """Listen, and never accept."""
    held = socket.create_server(("0.0.0.0", PORT))
    say(f"listening on port {PORT}")
    time.sleep(3600)
    held.close()


def rep(made, delay_s=0.0):
    """Answer every request."""
    while True:
        request = made.recv()
        time.sleep(delay_s)
        made.send(b'{"status": "ok", "echo": %d}' % len(request))


def routed():
    """Answer every request behind a ROUTER."""
    made = bound(zmq.ROUTER)
    while True:
        *way, _ = made.recv_multipart()
        made.send_multipart([*way, b'{"status": "ok"}'])


def curve():
    """Want keys of every client."""
    made = CONTEXT.socket(zmq.REP)
    made.curve_publickey, made.curve_secretkey = zmq.curve_keypair()
    made.curve_server = True
    made.bind(f"tcp://*:{PORT}")
    rep(made)


def plain():
    """Want a name and a password of every client."""
    made = CONTEXT.socket(zmq.REP)
    made.plain_server = True
    made.bind(f"tcp://*:{PORT}")
    rep(made)


def dead_thread():
    """Bind in this thread, and let the one that should read die of the first request."""
    made = bound(zmq.REP)

    def loop():
        request = made.recv_json()
        raise KeyError(request["model_id"])

    threading.Thread(target=loop).start()
    time.sleep(3600)


def twice():
    """Want one port in two places, log the second failure and live on."""
    made = bound(zmq.REP)
    try:
        bound(zmq.REP)
    except zmq.ZMQError:
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    rep(made)


def twice_dead():
    """Want one port in two places, and end of it; the first is held, or it may be closed before the second comes."""
    return bound(zmq.REP), bound(zmq.REP)


def hog():
    """Take memory until it is taken away."""
    say("loading the model")
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20)) * 16)


def crash():
    """Live for a moment."""
    time.sleep(0.3)
    sys.exit("cannot reach the registry of models")


def loads():
    """Load for a long time before it listens."""
    say("loading model shards: 12%")
    time.sleep(3600)


def suite(after):
    """Log what the original's successor logged, and go on as `after` says."""
    made = bound(zmq.REP, PORT)
    bound(zmq.REP, PORT + 1)
    if HEALTH_PORT:
        threading.Thread(target=web, args=("0.0.0.0", HEALTH_PORT), daemon=True).start()
        say(f"Started HTTP health server on port {HEALTH_PORT}")
    say("initialized")
    after(made)


def late_suite():
    """Log that it is bound long before it is."""
    say(f"successfully bound to ports {PORT} and {PORT + 1}")
    say("initializing the model registry")
    time.sleep(3600)


FAULTS = {
    "": web,
    "ill": web,
    "rep": lambda: rep(bound(zmq.REP)),
    "router": routed,
    "exit": lambda: say("initialized"),
    "crash": crash,
    "hog": hog,
    "loopback": lambda: web("127.0.0.1"),
    "ipv6": lambda: web("::", kind=WebV6),
    "elsewhere": lambda: (say("Starting server on :8888"), web(port=8888)),
    "loads": loads,
    "twice": twice,
    "twice-dead": twice_dead,
    "stuck": lambda: (bound(zmq.REP), time.sleep(3600)),
    "dead-thread": dead_thread,
    "deaf": deaf,
    "slow": lambda: rep(bound(zmq.REP), 4.0),
    "pub": lambda: (bound(zmq.PUB), time.sleep(3600)),
    "pull": lambda: (bound(zmq.PULL), time.sleep(3600)),
    "curve": curve,
    "plain": plain,
    "dealer": lambda: (bound(zmq.DEALER), time.sleep(3600)),
    "suite-exits": lambda: suite(lambda _: os._exit(0)),
    "suite-works": lambda: suite(rep),
    "suite-late": late_suite,
}

if __name__ == "__main__":
    FAULTS[FAULT]()
