"""What a rollback without cutover tells a standing edge. Runs inside the edge's container, by rollback.sh.

It is copied beside the script and may import nothing but the standard library. Two arguments: a verb (`back`, `hold`,
`serves`), and as JSON where green was before the swap. Exit codes: 0 done, 1 it does not do so, with why on stderr.
"""

from __future__ import annotations

import csv
import json
import re
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

HTTP, ZMQ = "/run/cutover/haproxy/admin.sock", "/run/cutover/broker/control.sock"
ANSWER_S, ALIVE_S, LOOK_S = 5.0, 20.0, 0.05
COMMENTS = re.compile(r"(IP changed from|no need to change|port changed from|\S+ changed its FQDN from)")
"""What HAProxy says of a change that it made; of others it says nothing."""
ALIVE = ("UP", "DRAIN", "no check")
"""DRAIN is what HAProxy calls a living server of weight 0."""

Told = Mapping[str, Any]


class EdgeSilentError(Exception):
    """The edge does not do as it is told."""


def main() -> int:
    """Do what the first argument says."""
    verb, told = sys.argv[1], json.loads(sys.argv[2])
    try:
        {"back": back, "hold": hold, "serves": serves}[verb](told)
    except (OSError, ValueError, KeyError, EdgeSilentError) as error:
        sys.stderr.write(f"edge: {error}\n")
        return 1
    return 0


def back(told: Told) -> None:
    """Aim green's slot at green, wait until it is seen alive, send everything there, and let go of what waits."""
    http, zmq, green = told["http"], told["zmq"], told["green"]
    if http:
        _http_aim(http, green)
    if zmq:
        _zmq("aim", slot=green, targets=_addressed(zmq["slots"][green]))
    _wait_alive(told)
    if http:
        _http_switch(http, green)
    if zmq:
        _zmq_switch(zmq, green)


def hold(told: Told) -> None:
    """Let requests wait."""
    if told["http"]:
        _http(f"set map {told['http']['hold_map']} hold {told['hold']['order']}")
    if told["zmq"]:
        _zmq("hold", **told["hold"]["bounds"])


def serves(told: Told) -> None:
    """See that green gets every new request, and that none waits."""
    http, zmq, green = told["http"], told["zmq"], told["green"]
    if http:
        found = dict(line.split()[1:3] for line in _http(f"show map {http['route_map']}") if len(line.split()) > 2)  # noqa: PLR2004
        held = dict(line.split()[1:3] for line in _http(f"show map {http['hold_map']}") if len(line.split()) > 2)  # noqa: PLR2004
        _see(found.get("route") == green and held.get("hold") == "off", "requests over HTTP and TCP do not go to green")
    if zmq:
        stats = _zmq("stats").values()
        _see(all(s["active"] == green and not s["holding"] for s in stats), "requests over ZeroMQ do not go to green")
    wrong = _down(told)
    _see(not wrong, "; ".join(wrong))


def _see(well: bool, wrong: str) -> None:
    if not well:
        raise EdgeSilentError(wrong)


def _wait_alive(told: Told) -> None:
    end = time.monotonic() + ALIVE_S
    while wrong := _down(told):
        _see(time.monotonic() < end, "; ".join(wrong))
        time.sleep(LOOK_S)


def _down(told: Told) -> list[str]:
    """Return the ports on which green's slot is not seen alive."""
    green, down = told["green"], []
    if told["http"]:
        status = {key: row["status"] for key, row in _servers().items()}
        for port in told["http"]["ports"]:
            found = status.get((port, green), "unknown")
            down += [] if found.startswith(ALIVE) else [f"port {port}: green is {found}"]
    if told["zmq"]:
        down += [f"port {port}: {why}" for port, why in _zmq("down", slot=green).items()]
    return down


# -- HAProxy -----------------------------------------------------------------------------------------------------------


def _http_aim(http: Told, slot: str) -> None:
    servers = _servers()
    for port, slots in http["ports"].items():
        target, now = slots[slot], servers[port, slot]
        address, server = _address(target["name"]), f"set server {_backend(port)}/{slot}"
        if now["status"].startswith(ALIVE) and now.get("addr") == f"{address}:{target['port']}":
            continue
        _http(f"{server} state maint; {server} weight 0")
        _http(f"{server} addr {address} port {target['port']}; {server} fqdn {target['name']}")
        _http(f"{server} state ready; {server} health down")


def _http_switch(http: Told, green: str) -> None:
    """Send everything to green at once; the other slot is what it was before the swap."""
    weights = [
        f"set server {_backend(port)}/{slot} weight {target['weight'] if target else 0}"
        for port, slots in http["ports"].items()
        for slot, target in sorted(slots.items())
    ]
    rooms = [f"set server {_backend(port)}/wait state maint" for port in http["ports"] if (port, "wait") in _servers()]
    let_go = [f"set map {http['hold_map']} {key} off" for key in ("hold", "alone")]
    _http("; ".join([*weights, f"set map {http['route_map']} route {green}", *rooms, *let_go]))
    for port, slots in http["ports"].items():
        for slot, target in slots.items():
            if target is None:
                _http(f"set server {_backend(port)}/{slot} state maint")


def _servers() -> dict[tuple[str, str], dict[str, str]]:
    """Return what HAProxy says of each server: (port, slot) -> its row."""
    head, *rows = _http("show stat")
    found = csv.DictReader([head.lstrip("# "), *rows])
    return {(row["pxname"][1:], row["svname"]): row for row in found if row["pxname"][:1] == "p"}


def _backend(port: str) -> str:
    return f"p{int(port)}"


def _http(command: str) -> list[str]:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(ANSWER_S)
        channel.connect(HTTP)
        channel.sendall(f"{command}\n".encode())
        said = b"".join(iter(lambda: channel.recv(1 << 16), b"")).decode(errors="replace")
    lines = [line for line in said.splitlines() if line.strip()]
    refused = [line for line in lines if not COMMENTS.match(line)] if command.startswith("set") else []
    _see(not refused, f"HAProxy refused {command!r}: {' '.join(refused)}")
    return lines


# -- the broker --------------------------------------------------------------------------------------------------------


def _zmq_switch(zmq: Told, green: str) -> None:
    other = "b" if green == "a" else "a"
    _zmq("share", slot=other, percent=0)
    _zmq("switch", slot=green)
    _zmq("release")
    targets = zmq["slots"].get(other)
    try:
        there = _addressed(targets) if targets else None
    except EdgeSilentError:  # what was there before the swap is gone
        there = None
    if there:
        _zmq("aim", slot=other, targets=there)
    else:
        _zmq("clear", slot=other)


def _zmq(verb: str, **words: object) -> Any:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(ANSWER_S)
        channel.connect(ZMQ)
        channel.sendall(json.dumps({"do": verb, **words}).encode() + b"\n")
        with channel.makefile("rb") as lines:
            reply = json.loads(lines.readline() or b"null")
    _see(isinstance(reply, dict) and bool(reply.get("ok")), f"the broker refused {verb}: {reply}")
    return reply["result"]


# -- names -------------------------------------------------------------------------------------------------------------


def _addressed(targets: Told) -> dict[str, dict[str, Any]]:
    found = {}
    for port, target in targets.items():
        address = _address(target["name"])
        found[port] = {"name": target["name"], "address": address, "port": target["port"]}
    return found


def _address(name: str) -> str:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EdgeSilentError(f"{name} has no address on the networks of the edge: {error}") from error
    return str(min(found, key=lambda f: f[0] is not socket.AF_INET)[4][0])


if __name__ == "__main__":
    sys.exit(main())
