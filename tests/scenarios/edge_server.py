"""A service that is spoken to over everything that an edge forwards: TCP lines, HTTP, WebSocket, ZeroMQ (REP).

FAIL makes it a bad blue: `slow` answers late, `errors` answers every second request with an error.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import os
import signal
import threading
import time

import zmq

NAME, FAIL = os.environ["NAME"], os.environ.get("FAIL", "")
SLOW_S = 0.08 if FAIL == "slow" else 0.0
BACKLOG = 1024
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_count = itertools.count()


def wrong() -> bool:
    """Say whether this answer is to be an error."""
    return FAIL == "errors" and next(_count) % 2 == 0


async def lines(reader, writer):
    """Answer each line of a TCP connection with our name and the line."""
    while line := await reader.readline():
        writer.write(f"{NAME} ".encode() + line)
        await writer.drain()
    writer.close()


async def http(reader, writer):
    """Answer every request on connections that are kept, or become a WebSocket."""
    while (head := await _head(reader)) is not None:
        path, headers = head
        if "sec-websocket-key" in headers:
            await _websocket(reader, writer, headers["sec-websocket-key"])
            break
        await asyncio.sleep(SLOW_S)
        body = json.dumps({"status": "ok", "name": NAME, "path": path}).encode()
        status = "500 Internal Server Error" if path != "/" and wrong() else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
    writer.close()


async def _head(reader):
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *rest = head.splitlines()
    headers = dict(line.lower().split(": ", 1) if "key" not in line.lower() else _kept(line) for line in rest if line)
    return first.split(" ")[1], headers


def _kept(line):
    name, _, value = line.partition(": ")
    return name.lower(), value


async def _websocket(reader, writer, key):
    """Echo text frames of at most 125 bytes, after our name (RFC 6455)."""
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    try:
        while True:
            _, length = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(length & 127)))
            reply = f"{NAME} ".encode() + text
            writer.write(bytes([0x81, len(reply)]) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return


def replies():
    """Answer ZeroMQ requests, one after the other."""
    socket = zmq.Context().socket(zmq.REP)
    socket.bind("tcp://0.0.0.0:5570")
    while True:
        request = json.loads(socket.recv())
        time.sleep(SLOW_S)
        told = {"status": "ok", "name": NAME, "id": request.get("id")}
        if request.get("id") is not None and wrong():
            told["status"] = "error"
        socket.send_json(told)


async def main():
    """Load, listen, answer."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    await asyncio.sleep(float(os.environ.get("LOAD_S", "0")))
    threading.Thread(target=replies, daemon=True).start()
    served = [await asyncio.start_server(*what, backlog=BACKLOG) for what in ((lines, "", 7570), (http, "", 6570))]
    await asyncio.gather(*(server.serve_forever() for server in served))


asyncio.run(main())
