"""The files of a HAProxy edge, from what it is told; pure.

One backend a port with two servers, `a` and `b`. Which of them gets a request is looked up in a map for every request,
so that a flip is one word over the control socket for all ports, and a kept-alive connection follows at once. Nothing
is ever reloaded: a reload drops kept-alive connections.

What is changed at run time is written to these files too, so that a restarted container comes up with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import PurePosixPath
from typing import Final

from cutover.config import Edge
from cutover.edge.haproxy.state import State
from cutover.edge.shape import PATH, EdgePort, Hold, Mode, Slot, valid
from cutover.errors import UsageError

MARK: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""A header or cookie name that needs no quotes in HAProxy's configuration, whose rules for them differ by place."""
MOUNT: Final = PurePosixPath("/run/cutover/haproxy")
"""Where HAProxy sees its folder."""
CONFIG, SOCKET, HOLD_LUA = "haproxy.cfg", "admin.sock", "hold.lua"
ROUTE_MAP, HOLD_MAP = "route.map", "hold.map"
PARTS: Final = 10_000
"""A share is told in this many parts of the whole."""
RING: Final = "samples"
RING_BYTES: Final = 4 * 1024 * 1024
"""About 70,000 answers at some 55 bytes each."""
WAIT: Final = "wait"
"""The server of every backend that leads to its port's waiting room; ready only while a colour is alone."""
NOWHERE: Final = "127.0.0.1:1"
"""The address of a slot that leads nowhere. It has to be one: a server without an address takes none at run time."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What does not change while an edge lives. `ipv6`: the kernel has it, so that listening on `::` works."""

    ports: tuple[EdgePort, ...]
    settings: Edge
    mount: PurePosixPath = MOUNT
    ipv6: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot stand in HAProxy's configuration."""
        valid(PATH, str(self.mount), "the folder of the edge")
        if zeromq := [str(p.port) for p in self.ports if p.mode.zeromq]:
            raise UsageError("edge-mode", "HAProxy serves no ZeroMQ port.", evidence=zeromq)
        sticky = self.settings.sticky
        for name in (sticky.header, sticky.cookie):
            if name is not None:
                valid(MARK, name, "a header or a cookie that HAProxy looks for")

    def inside(self, name: str) -> str:
        """Return a file's path as HAProxy sees it."""
        return str(self.mount / name)


def files(layout: Layout, state: State) -> Mapping[str, bytes]:
    """Return the content of every file of an edge, by name."""
    return {
        HOLD_LUA: hold_lua(),
        ROUTE_MAP: f"route {route(state)}\n".encode(),
        HOLD_MAP: "".join(f"{key} {told}\n" for key, told in [*orders(state).items(), ("part", "off")]).encode(),
        CONFIG: config(layout, state).encode(),
    }


def hold_lua() -> bytes:
    """Return the Lua program that holds requests."""
    return (resources("cutover.edge.haproxy") / HOLD_LUA).read_bytes()


def route(state: State) -> str:
    """Return who gets requests, in one word: `a`, or `a/500` where the other slot gets 500 parts of 10,000."""
    parts = round(state.share_percent * PARTS / 100)
    return f"{state.active}/{parts}" if parts else state.active.value


def orders(state: State) -> Mapping[str, str]:
    """Return what hold.lua is told, by key."""
    return {"hold": order(state.hold), "alone": order(state.alone)}


def order(hold: Hold | None) -> str:
    """Return an order for hold.lua: `off`, or LIMIT:TIMEOUT_MS:RELEASE_PER_S."""
    if hold is None:
        return "off"
    return f"{hold.limit:d}:{max(1, round(hold.timeout_s * 1000)):d}:{max(hold.release_per_s, 0.001):.3f}"


def backend(port: int) -> str:
    """Return the name of a port's backend."""
    return f"p{port}"


def config(layout: Layout, state: State) -> str:
    """Return haproxy.cfg."""
    lines = [*_global(layout), *_defaults(), *_dealt()]
    for port in layout.ports:
        lines += [*_frontend(layout, port), *_waiting_room(port), *_backend(layout, port, state)]
    return "\n".join(lines) + "\n"


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield head
    for line in lines:
        yield f"    {line}"
    yield ""


def _global(layout: Layout) -> Iterator[str]:
    yield "# Written by cutover: what is edited here is lost. Changed at run time over the socket, never by a reload."
    yield from _section(
        "global",
        [
            f"stats socket {layout.inside(SOCKET)} mode 600 level admin",
            "stats timeout 30s",
            # HAProxy works out maxconn from the file limit, and refuses to start with one above it. Without a ceiling
            # it takes Docker's "infinity" (2^30) at its word and reserves gigabytes.
            "fd-hard-limit 50000",
            # One thread: 33 us of CPU a request, 35 with two, which also take the second core from the service.
            "nbthread 1",
            # Header lines of 30 KiB pass, as they do in the servers that it stands before.
            "tune.bufsize 32768",
            # Waiting is not counted as running by HAProxy, but a hold of hours must not depend on that.
            "tune.lua.session-timeout 1d",
            f"lua-load {layout.inside(HOLD_LUA)}",
            *(f"h1-case-adjust {name.lower()} {name}" for name in HEADERS),
        ],
    )
    # `show events` reads it: every answer with its slot, how long it took, and whether it was an error.
    yield from _section(f"ring {RING}", ["format raw", "maxlen 200", f"size {RING_BYTES}"])
    yield from _section("resolvers docker", RESOLVERS)


RESOLVERS: Final = (
    "nameserver dns 127.0.0.11:53",
    "resolve_retries 2",
    "timeout resolve 1s",
    "timeout retry 500ms",
    # A colour that is stopped or parked has no name for a while. HAProxy would forget its address, and a server
    # without one cannot be given one at run time: health checks say whether it is alive, not the name.
    *(f"hold {status} 7d" for status in ("nx", "other", "refused", "timeout")),
    "hold obsolete 1s",  # an address that a valid answer does not have any more is left at once
)
HEADERS: Final = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Date",
    "ETag",
    "Expect",
    "Host",
    "Keep-Alive",
    "Last-Modified",
    "Location",
    "Origin",
    "Retry-After",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Server",
    "Set-Cookie",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "X-Request-ID",
)
"""Written as everybody writes them: HAProxy speaks lower case, which old clients that search for bytes do not find."""


def _defaults() -> Iterator[str]:
    yield from _section(
        "defaults all",
        [
            # Refused is noticed at once; this is for a container that is gone with its address, and for a service whose
            # queue of connections is full: those of Python's own servers have room for 5.
            "timeout connect 800ms",
            "timeout client 1h",
            "timeout server 1h",
            "timeout tunnel 24d",
            "timeout queue 5s",
            "timeout check 1s",
            "option clitcpka",
            "option srvtcpka",
            "option dontlognull",
            "option h1-case-adjust-bogus-client",
            "option h1-case-adjust-bogus-server",
            # What could not be connected goes to the other slot at once, where that may be; else it is tried again
            # after a pause. The number holds for what `retry-on` allows to be sent again as well, so it is small.
            "retries 2",
            "option redispatch 1",
            "default-server inter 500ms fastinter 100ms downinter 200ms fall 2 rise 1",
            "default-server resolvers docker resolve-prefer ipv4 resolve-opts allow-dup-ip",
        ],
    )
    # A client that gives up while its request is held must not have it done later, when it has asked again. Only the
    # frontend has this: behind it a client may close its sending side and still wait for the answer.
    yield from _section("defaults http_fronts from all", ["option abortonclose"])


def _dealt() -> Iterator[str]:
    # One counter a port: the n-th request goes to the canary where n * share passes a whole. Exact, and spread evenly.
    yield from _section("backend dealt from all", ["stick-table type integer size 1k store gpc0"])


GIVEN_UP: Final = (
    'return status 503 content-type "text/plain; charset=utf-8" hdr Retry-After 1 hdr Cache-Control no-store '
    'string "This request was held while the service is replaced, and its client gave up: it was not forwarded."'
)


def _frontend(layout: Layout, port: EdgePort) -> Iterator[str]:
    bind = f"bind :::{port.port} v4v6" if layout.ipv6 else f"bind :{port.port}"
    off = f"{{ str(hold),map({layout.inside(HOLD_MAP)},off) -m str off }}"
    part = f"{{ str(part),map({layout.inside(HOLD_MAP)},off) -m str on }} !{{ status 101 }}"
    last = [f"http-response set-header Connection close if {part}"] if port.mode is Mode.HTTP else []
    yield from _front(f"f{port.port}", port, bind, f"lua.hold_{_word(port)} {port.port} unless {off}", *last)


def _waiting_room(port: EdgePort) -> Iterator[str]:
    """Take what the active server could not take, while nobody else can: it waits here, and then is dealt once more.

    A server that leads back into HAProxy is the one way to have a request wait whose connection has failed already. The
    one who leaves meanwhile is not noticed here (see http_fronts): what was sent on for it is done.
    """
    yield from _front(
        f"w{port.port}",
        port,
        f"bind {_room(port)}",
        f"lua.hold_alone_{_word(port)} {port.port}",
        f"{_request(port)} set-var(txn.again) bool(1)",
    )


def _room(port: EdgePort) -> str:
    return f"abns@cutover-wait-{port.port}"


def _word(port: EdgePort) -> str:
    return "http" if port.mode is Mode.HTTP else "tcp"


def _request(port: EdgePort) -> str:
    return "http-request" if port.mode is Mode.HTTP else "tcp-request content"


def _front(name: str, port: EdgePort, bind: str, hold: str, *more: str) -> Iterator[str]:
    http, request = port.mode is Mode.HTTP, _request(port)
    elapsed = "%Tc %Tr %Td" if http else "%Tc 0 0"
    stop = f"{request} {GIVEN_UP}" if http else f"{request} reject"
    yield from _section(
        f"frontend {name} from {'http_fronts' if http else 'all'}",
        [
            f"mode {_word(port)}",
            bind,
            f"log ring@{RING} format raw local0 info",
            f'log-format "{RING} {port.port} %s {elapsed} {"%ST" if http else "0"} %ts %Ts %rt"',
            *([] if http else ["tcp-request inspect-delay 24d"]),
            f"{request} {hold}",
            # Where the program ends before its time (the client left, or it failed) the request would go on.
            f"{stop} if {{ var(txn.held) -m found }}",
            *more,
            f"default_backend {backend(port.port)}",
        ],
    )


def _backend(layout: Layout, port: EdgePort, state: State) -> Iterator[str]:
    http = port.mode is Mode.HTTP
    lines = [f"mode {_word(port)}", "balance roundrobin"]
    if http and port.check_path:
        asked = f"http-check send meth GET uri {port.check_path} ver HTTP/1.1 hdr Host localhost"
        lines += ["option httpchk", f"{asked} hdr User-Agent cutover-edge", "http-check expect status 200-399"]
    if http:
        # A colour that dies over a request without a byte of reply: asked again, elsewhere, only what changes nothing
        # (RFC 9110 9.2.1). What may change something is answered 502, for it must not be done twice.
        lines += ["retry-on conn-failure empty-response", f"http-request disable-l7-retry unless {SAFE}"]
    lines += [*_choice(layout, port), *(_server(port, slot, state) for slot in Slot)]
    # Heavy: a connection that failed is to be dealt to the room, not to a slot that is just found down.
    lines.append(f"server {WAIT} {_room(port)} weight 256{'' if state.alone else ' disabled'}")
    yield from _section(f"backend {backend(port.port)} from all", lines)


SAFE: Final = "{ method GET HEAD OPTIONS }"


def _choice(layout: Layout, port: EdgePort) -> Iterator[str]:
    """Say which server gets a request; one that is down is passed over, and the other gets it if it may.

    Every line is read for every request: where no canary runs, one look into the map has to do.
    """
    request = _request(port)
    yield f"{request} set-var(txn.route) str(route),map({layout.inside(ROUTE_MAP)},{Slot.A})"
    yield "acl shared var(txn.route) -m sub /"
    yield f"{request} set-var(txn.share) var(txn.route),field(2,/),add(0) if shared"
    yield f"{request} track-sc0 int({port.port}) table dealt if shared"
    yield f"{request} set-var(txn.dealt) sc_inc_gpc0(0),mul(txn.share),mod({PARTS}),sub(txn.share) if shared"
    if port.mode is Mode.HTTP:
        yield from _sticky(layout)
    # Health is for choosing between two. Where neither seems well, the active one is asked all the same: the edge must
    # not refuse what the service, asked directly, would have answered.
    yield f"force-persist if {{ nbsrv({backend(port.port)}) eq 0 }}"
    # Who has waited is not sent to wait again, in a room within a room.
    yield "force-persist if { var(txn.again) -m found }"
    yield "acl canary var(txn.dealt) -m int lt 0"
    for slot in Slot:
        yield f"use-server {slot} if {{ var(txn.route) -m str {slot} }}"
    for slot in Slot:
        yield f"use-server {slot} if {{ var(txn.route) -m beg {slot} }} !canary"
        yield f"use-server {slot} if {{ var(txn.route) -m beg {slot.other} }} canary"


def _sticky(layout: Layout) -> Iterator[str]:
    """Deal by a client's own mark: it keeps its colour, and as the share grows clients only move to the canary."""
    header, cookie = layout.settings.sticky.header, layout.settings.sticky.cookie
    if header:
        yield f"http-request set-var(txn.mark) req.fhdr({header}) if shared"
    if cookie:
        fresh = "shared !{ var(txn.mark) -m found }"
        yield f"http-request set-var(txn.mark) req.cook({cookie}) if shared"
        yield f"http-request set-var(txn.fresh) uuid() if {fresh}"
        yield f"http-request set-var(txn.mark) var(txn.fresh) if {fresh}"
        value = f"{cookie}=%[var(txn.fresh)]; Path=/; HttpOnly; SameSite=Lax"
        yield f'http-response add-header Set-Cookie "{value}" if {{ var(txn.fresh) -m found }}'
    if header or cookie:
        dealt = f"var(txn.mark),xxh32,mod({PARTS}),sub(txn.share)"
        yield f"http-request set-var(txn.dealt) {dealt} if shared {{ var(txn.mark) -m found }}"


def _server(port: EdgePort, slot: Slot, state: State) -> str:
    target = state.leads(slot).get(port.port)
    if target is None:
        return f"server {slot} {NOWHERE} check weight 0 disabled"
    weight = 1 if state.takes(slot) else 0
    return f"server {slot} {target.name}:{target.port} check weight {weight} init-addr libc,{target.address}"
