"""For Compose healthchecks: exits 0 if a URL answers 200 within a second and a half.

By hand on a socket: it runs every two seconds in every container, and urllib takes longer to import than to answer.
"""

import socket
import sys


def status(url: str, timeout_s: float = 1.5) -> int:
    """Return the status code of a GET; OSError or ValueError if there is none."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=timeout_s) as line:
        line.sendall(f"GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
        return int(line.recv(64).split(b" ", 2)[1][:3])


if __name__ == "__main__":
    try:
        sys.exit(status(sys.argv[1]) != 200)
    except (OSError, ValueError, IndexError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
