"""A colour behind HAProxy, with nothing but the standard library: HTTP of many kinds on 6570, an echo on 5571.

Every POST is told on stdout, so that a request that was delivered twice is seen.
"""

import asyncio
import base64
import hashlib
import os
import sys

NAME = os.environ["NAME"]
well = [True]
CRASH = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


async def serve(reader, writer):
    """Answer the requests of one connection, in turn."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *rest = head.decode("latin-1").split("\r\n")
            method, target, version = line.split()
            headers = {k.lower(): v.strip() for k, _, v in (r.partition(":") for r in rest if r)}
            path, _, argument = target.strip("/").partition("/")
            if path == "websocket":
                return await tunnel(reader, writer, headers["sec-websocket-key"])
            body = await read_body(reader, writer, headers)
            if method == "POST":
                sys.stdout.write(f"POST {target} {len(body)}\n")
                sys.stdout.flush()
            await answer(writer, path, argument, body, head)
            if version == "HTTP/1.0":
                return None
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.close()


async def read_body(reader, writer, headers):
    """Return the body, however it is framed."""
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while (line := await reader.readline()) != b"\r\n":
        body += b"+" + line.strip()
    return body


async def answer(writer, path, argument, body, head):
    """Answer as the path asks."""
    match path:
        case "sleep":
            await asyncio.sleep(float(argument))
        case "unwell" | "well":
            well[0] = path == "well"
        case "hang-up":
            return writer.close()
        case "crash" | "health" if path == "crash" or not well[0]:
            return writer.write(CRASH)
        case "head":
            return writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        case "echo":
            return writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        case "stream":
            return await stream(writer, int(argument))
    text = f"{NAME}\n".encode()
    return writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Colour: %b\r\n\r\n%b" % (len(text), NAME.encode(), text)
    )


async def stream(writer, events):
    """Send server-sent events, one every 50 ms, and a trailer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
    writer.write(head)
    for number in range(events):
        event = f"data: {NAME} {number}\n\n".encode()
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(0.05)
    writer.write(b"0\r\nX-End: yes\r\n\r\n")


async def tunnel(reader, writer, key):
    """Switch protocols, then echo whatever comes, as a WebSocket would."""
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"]
    writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
    await echo(reader, writer)


async def echo(reader, writer):
    """Return what comes, with who returned it."""
    try:
        while data := await reader.read(65536):
            writer.write(f"{NAME}:".encode() + data)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    """Listen."""
    await asyncio.sleep(float(os.environ.get("LOAD_S", "0")))
    await asyncio.start_server(serve, "0.0.0.0", 6570, backlog=1000)
    await asyncio.start_server(echo, "0.0.0.0", 5571, backlog=1000)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
