"""The edge under bad input: what is wrong is named with the next command, and nothing is changed or lost by it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq

from tests.scenarios.edge_overflow import Overflow
from tests.scenarios.edge_show_world import LARGE, address_of_host
from tests.scenarios.edge_world import Clients, EdgeRig, green_up, made

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
JUNK = 1_000_000 if LARGE else 10_000
GROWN_BYTES = 24 * 1024 * 1024
HOLDER = """
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen()
print("up", flush=True)
time.sleep(120)
"""
FLIP = ("--green", "new", "--blue", "old", "--observe", "0")


@pytest.fixture(scope="module")
def plain(engine, edge_image, tmp_path_factory):
    """Give a project that has no edge; each test leaves it so."""
    with green_up(EdgeRig, edge_image, tmp_path_factory.mktemp("plain")) as rig:
        yield rig


@pytest.fixture(scope="module")
def standing(engine, edge_image, tmp_path_factory):
    """Give a project behind an edge that serves `new`, with `old` warm; each test leaves it so."""
    with green_up(EdgeRig, edge_image, tmp_path_factory.mktemp("standing")) as rig:
        for flip in ((), FLIP, ()):  # the first adopts, and taking that back would take the edge away
            done(rig.swap("--observe", "0", *flip))
        yield rig


def done(told):
    """See that a command did what it was told."""
    assert told.code == 0, f"{told!r}"


def refused(told, code, reference, *words):
    """See how a command was refused."""
    assert told.code == code, f"{told!r}"
    error = told.json["error"]
    assert error["reference"] == reference, f"{told!r}"
    assert error["hint"], told
    for word in words:
        assert word in f"{error['message']} {error['evidence']} {error['hint']}", f"{told!r}"


@contextlib.contextmanager
def changed(path: Path, content: bytes):
    """Have a file say something else for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextlib.contextmanager
def settings(rig, old, new):
    """Have `cutover.yaml` say something else for a while."""
    path = rig.folder / "cutover.yaml"
    text = path.read_text()
    assert old in text
    with changed(path, text.replace(old, new).encode()):
        yield


@contextlib.contextmanager
def holder(host, port):
    """Have a process of nobody's project hold a port."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, host, str(port)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline()
            yield
        finally:
            process.kill()


def untouched(rig, before):
    """See that a stack without an edge is as it was."""
    assert rig.answers() == "old"
    assert rig.state() == before
    assert rig.edges() == rig.tables() == rig.leftovers() == []


# -- before there is an edge -------------------------------------------------------------------------------------------


def test_without_its_image(plain):
    """The edge that was asked for cannot be had; `auto` takes what can, and says why."""
    before = plain.state()
    with settings(plain, plain.edge_image, "no-such-edge:1"):
        refused(plain.swap(), 1, "edge-image-missing", "edge")
        auto = plain.swap("--strategy", "auto", "--dry-run")
        assert auto.json["strategy"] == "relink", auto
    untouched(plain, before)


def test_a_file_of_somebody_else(plain):
    """What stands where the edge's compose file has to be is left alone, to the byte."""
    before, place = plain.state(), plain.folder / "overrides" / f"{plain.project}-edge.yml"
    place.parent.mkdir()
    place.write_text("services: {}  # mine\n")
    refused(plain.swap(), 1, "edge-file-taken", str(place), "mv ")
    assert place.read_text() == "services: {}  # mine\n"
    place.unlink()
    place.parent.rmdir()
    untouched(plain, before)


@pytest.mark.parametrize(
    ("port", "mode", "reference"),
    [("zmq", "http", "edge-garbles"), ("http", "zmq-rep", "edge-sees-nobody"), ("zmq", "zmq-pub", "edge-sees-nobody")],
)
def test_a_port_that_speaks_something_else(plain, port, mode, reference):
    """Settings that are wrong about a port are found out while green still has it: no client notices."""
    before = plain.state()
    with settings(plain, "edge: {", f"edge: {{ports: {{{getattr(plain, port)}: {mode}}}, "):
        with Clients(plain.http, plain.zmq) as clients:
            refused(plain.swap(), 3, reference, "cutover.yaml")
        assert clients.failed == [], f"{clients.failed[:20]}"
    untouched(plain, before)


def test_udp_and_the_host_network(plain):
    """The edge forwards TCP between bridges; for the rest another strategy is named."""
    text = plain.file.read_text()
    plain.compose("stop", "-t", "1", "old")
    udp = text.replace(f"- '{plain.http}:6570'", f"- '{plain.http}:6570'\n      - '{plain.http}:6570/udp'")
    with changed(plain.file, udp.encode()):
        plain.up()
        refused(plain.swap(), 1, "edge-tcp-only", "/udp", "relink")
        assert plain.swap("--strategy", "auto", "--dry-run").json["strategy"] == "relink"
    plain.compose("up", "-d", "old")
    host = text[: text.index("    ports:")] + "    network_mode: host\n" + text[text.index("    restart:") :]
    with changed(plain.file, host.encode()):
        refused(plain.swap(), 1, "cannot-park", "network_mode: host", "recreate")
    plain.up()


def test_a_neighbour_on_another_address(engine, edge_image, tmp_path):
    """A port that is bound to loopback alone stays so: who holds the same port elsewhere is left in peace."""
    rig = made(EdgeRig, edge_image, tmp_path)
    text = rig.file.read_text()
    rig.file.write_text(
        text.replace(f'"{rig.zmq}:', f'"127.0.0.1:{rig.zmq}:').replace(f"'{rig.http}:", f"'127.0.0.1:{rig.http}:")
    )
    before = rig.state()
    try:
        rig.up()
        with holder(address_of_host(), rig.http), Clients(rig.http, rig.zmq) as clients:
            done(rig.swap("--observe", "0"))
            assert rig.answers() == "new"
            done(rig.cutover("rollback"))
        assert clients.failed == [], f"{clients.failed[:20]}"
        assert rig.state() == before
        assert rig.traces() == []
    finally:
        rig.down()


# -- an edge that stands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["swap", "canary"])
def test_no_such_colour(standing, verb):
    """A colour that is not in the project, and one that the edge does not stand before."""
    share = ["5"] if verb == "canary" else []
    refused(standing.cutover(verb, *share, "--json", "--blue", "nobody", "--green", "new"), 2, "unknown-service", "old")
    refused(standing.cutover(verb, *share, "--json", "--blue", "new", "--green", "old"), 1, "green-not-serving", "new")
    assert standing.answers() == "new"


def test_a_port_that_it_does_not_have(standing):
    """The edge has the ports that it took over, and no other; nor can these be moved past it."""
    refused(standing.swap(*FLIP, "--port", "9"), 2, "port-not-published", str(standing.http))
    refused(standing.swap(*FLIP, "--strategy", "relink"), 1, "edge-stands", "--strategy edge")
    refused(standing.swap(*FLIP, "--strategy", "recreate"), 1, "edge-stands", "--strategy edge")


def test_a_service_that_was_renamed(standing):
    """The edge knows the name that it was told; the files do not have it any more."""
    text = standing.file.read_text()
    with changed(standing.file, text.replace("\n  new:", "\n  fresh:").encode()):
        refused(standing.swap(*FLIP), 2, "unknown-service", "fresh")
        refused(standing.swap("--green", "fresh", "--blue", "old"), 1, "green-not-running", "fresh")
        assert f"{standing.http}/tcp  new (behind the edge)" in standing.cutover("status").out
    assert standing.answers() == "new"


@contextlib.contextmanager
def instead_of(sock, how):
    """Have something else stand where a control socket was."""
    away = sock.with_name("away")
    sock.rename(away)
    talker, folder = socket.socket(socket.AF_UNIX), os.open(sock.parent, os.O_PATH)
    try:
        if how == "file":
            sock.write_text("hello\n")
        elif how != "gone":
            talker.bind(f"/proc/self/fd/{folder}/{sock.name}")
            talker.listen()
            threading.Thread(target=babble, args=(talker,), daemon=True).start()
        yield
    finally:
        with contextlib.suppress(OSError):
            talker.shutdown(socket.SHUT_RDWR)
        talker.close()
        os.close(folder)
        away.rename(sock)


def babble(talker):
    """Answer with garbage whoever connects."""
    with contextlib.suppress(OSError):
        while True:
            peer, _ = talker.accept()
            with peer, contextlib.suppress(OSError):
                peer.recv(1000)
                peer.sendall(b'\xff\xfe{"ok": \n,,,\n\n')


@pytest.mark.parametrize("how", ["gone", "file", "garbage"])
@pytest.mark.parametrize("name", ["haproxy/admin.sock", "broker/control.sock"])
def test_a_broken_control_socket(standing, name, how):
    """Nothing is begun that could not be ended; clients do not notice, and the way out is named."""
    sock = standing.folder / ".cutover" / standing.project / "edge" / "1" / name
    with Clients(standing.http, standing.zmq) as clients, instead_of(sock, how):
        for told in (standing.swap(*FLIP), standing.cutover("rollback", "--json")):
            assert told.code == 1, told
            assert told.json["error"]["reference"] in {"edge-silent", "edge-other", "edge-refused"}
        status = standing.cutover("status")
        assert "the edge does not answer" in status.out
        assert f"next: docker restart {standing.project}-edge-" in status.out
    assert clients.failed == [], f"{clients.failed[:20]}"
    assert {who for _, who in clients.answered} == {"new"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"slots": 3}', b'{"slots": {"z": {}}}'])
def test_a_damaged_record(standing, content):
    """edge.json is read or refused, never guessed; the edge itself does not need it."""
    record = standing.folder / ".cutover" / standing.project / "edge" / "edge.json"
    with changed(record, content):
        refused(standing.swap(*FLIP), 1, "edge-record-damaged", "edge.json", "docs/edge.md")
        told = standing.cutover("status")
        assert told.code == 4, told
        assert "edge-record-damaged" in told.err
        assert standing.answers() == "new"
    done(standing.cutover("status"))


def test_a_hold_that_overflows(standing):
    """Of more than may wait, some get 503 with Retry-After, or the overflow reply; the others are answered by blue."""
    done(standing.swap(*FLIP, "--commit"))
    standing.env["NEW_LOAD_S"] = "2"
    asking = Overflow(standing)
    with settings(standing, "edge: {", "edge: {hold: {limit: 3}, "), asking:
        done(standing.swap("--exclusive", "--observe", "0"))
    del standing.env["NEW_LOAD_S"]
    assert asking.wrong == []
    assert asking.names >= {"old", "new", "503", "cutover-overflow"}
    assert standing.answers() == "new"


def test_junk_for_the_broker(standing, record_property):
    """Frames that nobody can use, and bytes that are no ZMTP: neither a crash nor memory that is not given back."""
    name = next(n for n in standing.edges() if "zmq" in n)
    junk(standing.zmq, JUNK // 2)
    settled = rss(name)
    with Clients(standing.http, standing.zmq) as clients:
        junk(standing.zmq, JUNK)
        noise(standing.zmq, 100)
    time.sleep(1.0)
    grown = rss(name) - settled
    record_property("junk: frames, memory before, grown by", (JUNK, settled, grown))
    print(f"junk: {JUNK} frames; {settled} bytes before, grown by {grown}")  # noqa: T201
    assert clients.failed == [], f"{clients.failed[:20]}"
    assert grown < GROWN_BYTES


def junk(port, frames):
    """Send messages that no REQ client sends: without a delimiter, or without anything behind it."""
    shapes = ([b"\x00\xff" * 50], [b""], [b"x"] * 7, [b"x" * 5000])
    with zmq.Context() as context, context.socket(zmq.DEALER) as sending:
        sending.linger, sending.sndtimeo = 0, 20_000
        sending.connect(f"tcp://127.0.0.1:{port}")
        sent = 0
        while sent < frames:
            shape = shapes[sent % len(shapes)]
            sending.send_multipart(shape)
            sent += len(shape)
            while sending.poll(0):
                sending.recv_multipart()


def noise(port, connections):
    """Send random bytes to the port, as one who takes it for something else."""
    for _ in range(connections):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock, contextlib.suppress(OSError):
            sock.sendall(secrets.token_bytes(500))


def rss(name):
    """Return the resident memory of a container's process."""
    form = "{{.State.Pid}}"
    pid = subprocess.run(["docker", "inspect", "-f", form, name], capture_output=True, text=True, check=True).stdout
    status = Path(f"/proc/{pid.strip()}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def test_stopped_and_its_port_taken(standing):
    """The edge was stopped and a stranger has its port: both are said; once he is gone, it goes on as it was told."""
    edge = next(n for n in standing.edges() if "http" in n)
    subprocess.run(["docker", "stop", "-t", "1", edge], check=True, capture_output=True)
    with holder("0.0.0.0", standing.http):
        refused(standing.swap(*FLIP), 1, "edge-silent")
        assert f"next: docker start {edge}" in standing.cutover("status").out
        refused(standing.cutover("recover", "--json"), 4, "edge-ports-held", "address already in use")
    done(standing.cutover("recover"))
    standing.wait_answer("new", 5)


def test_removed_by_hand(standing):
    """`docker rm -f` of the edge: everything says so, and `recover` makes it again, with all that it was told."""
    for name in standing.edges():
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)
    refused(standing.swap(*FLIP), 1, "edge-silent")
    refused(standing.cutover("rollback", "--json"), 1, "edge-silent", "cutover recover")
    assert "next: cutover recover" in standing.cutover("status").out
    assert "no container of it is left" in standing.cutover("edge", "status").out
    done(standing.cutover("recover"))
    standing.wait_answer("new", 5)
    with Clients(standing.http, standing.zmq) as clients:
        done(standing.swap(*FLIP))
        assert standing.answers() == "old"
        done(standing.cutover("rollback"))
    assert clients.failed == [], f"{clients.failed[:20]}"
