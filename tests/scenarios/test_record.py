"""`cutover record` as a user calls it: clients of the demonstration through the test port."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import signal
import stat
import time

import pytest
import zmq

from cutover.config import Case
from cutover.validate.record import read_recording
from tests.scenarios.demo import Demo
from tests.scenarios.rig import ended, free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
CANARY = "hunter2-canary"


@pytest.fixture(scope="module")
def demo(engine, tmp_path_factory):
    """Give the demonstration with green up."""
    ports = free_ports(2)
    rig = Demo(tmp_path_factory.mktemp("demo"), f"ct{secrets.token_hex(4)}", *ports)
    rig.write()
    try:
        rig.up()
        yield rig
    finally:
        rig.down()


def recording(demo, *args):
    """Start the recorder, and return it with the test port that it prints."""
    process = demo.start("record", *args)
    line = process.stderr.readline()
    found = re.search(r"://127\.0\.0\.1:(\d+) -> green", line)
    assert found, line + process.stderr.read()
    return process, int(found[1])


def ask(context, port, requests, kind=zmq.REQ):
    """Ask over one socket, and return the replies."""
    with context.socket(kind) as sock:
        sock.linger = 0
        sock.rcvtimeo = 10_000
        sock.connect(f"tcp://127.0.0.1:{port}")
        replies = []
        for request in requests:
            sock.send_multipart([b"", request] if kind == zmq.DEALER else [request])
            replies.append(json.loads(sock.recv_multipart()[-1]))
        return replies


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_zeromq_until_interrupted(demo, kind):
    """Replies are green's own, Ctrl-C ends it with a valid file, a known secret is nowhere in it."""
    file = demo.folder / f"zmq-{kind}.jsonl"
    process, port = recording(demo, "--to", str(demo.zmq), "-o", str(file), "--json")
    asked = [
        {"method": "health_check"},
        {"method": "list_models", "id": 7},
        {"method": "generate_text", "params": {"prompt": "The rope ", "length": 20, "seed": 7}},
        {"method": "get_status", "params": {"token": CANARY, "note": f"password={CANARY}"}},
        {"method": "sing"},
    ]
    with zmq.Context() as context:
        direct = ask(context, demo.zmq, [json.dumps(r).encode() for r in asked[1:3]], kind)
        through = ask(context, port, [json.dumps(r).encode() for r in asked], kind)
    assert through[1:3] == direct
    deadline = time.monotonic() + 10
    while file.read_bytes().count(b"\n") < 1 + len(asked):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert told.code == 0, told
    assert (told.json["exchanges"], told.json["masked"], told.json["unread"]) == (5, 2, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert CANARY not in file.read_text()
    exchanges = read_recording(file).exchanges
    requests = [Case.model_validate(e.case).request for e in exchanges]
    assert requests[:2] == asked[:2]
    assert requests[2]["params"]["prompt"] == "***"  # `record: {mask: $.params.prompt}` in cutover.yaml
    assert requests[4] == asked[4]
    assert exchanges[1].reply["value"] == direct[0]


def test_http_until_the_count_is_reached(demo):
    """A connection that is kept alive; the protocol is what cutover.yaml says."""
    file = demo.folder / "http.jsonl"
    process, port = recording(demo, "--to", str(demo.http), "--count", "3", "-o", str(file))
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for path in ("/health", f"/health?api_key={CANARY}", "/nope"):
        link.request("GET", path, headers={"Authorization": f"Bearer {CANARY}"})
        reply = link.getresponse()
        assert reply.status == (404 if path == "/nope" else 200)
        assert reply.read()
    link.close()
    told = ended(process)
    assert told.code == 0, told
    assert "3 exchanges over 1 connections" in told.out
    assert "tagged `masked`" in told.out
    assert CANARY not in file.read_text()
    assert [e.reply["code"] for e in read_recording(file).exchanges] == [200, 200, 404]
    assert read_recording(file).exchanges[0].reply["value"]["status"] == "ok"


def test_a_recording_is_a_source_of_surface(demo):
    """What clients were seen to use."""
    file = demo.folder / "used.jsonl"
    process, port = recording(demo, "--to", str(demo.zmq), "--count", "1", "-o", str(file))
    with zmq.Context() as context:
        ask(context, port, [b'{"method": "list_models"}'])
    assert ended(process).code == 0
    told = demo.cutover("surface", "--recording", str(file), "--json")
    methods = {m["name"]: m["green"]["sources"] for m in told.json["verdicts"][0]["figures"]["methods"]}
    assert "recorded" in methods["list_models"]
    assert "recorded" not in methods["load_model"]


def test_bad_input(demo):
    """Each is named, before anything listens."""
    assert "which-port" in demo.cutover("record").err
    assert "no-such-port" in demo.cutover("record", "--to", "1").err
    demo.folder.joinpath("mine.jsonl").write_text("mine")
    told = demo.cutover("record", "--to", str(demo.zmq), "-o", "mine.jsonl")
    assert told.code == 1, told
    assert "recording-exists" in told.err
    told = demo.cutover("record", "--to", str(demo.zmq), "-o", "no/such/folder.jsonl")
    assert "recording-not-writable" in told.err
    told = demo.cutover("record", "--to", str(demo.zmq), "--listen", str(demo.http), "-o", "x.jsonl")
    assert "port-taken" in told.err
    assert not (demo.folder / "x.jsonl").exists()
    assert demo.folder.joinpath("mine.jsonl").read_text() == "mine"


def test_time_is_up(demo):
    """With nothing recorded the file is still one."""
    process, _ = recording(demo, "--to", str(demo.zmq), "--for", "0.5", "-o", "empty.jsonl")
    told = ended(process)
    assert told.code == 0, told
    assert "0 exchanges over 0 connections" in told.out
    assert read_recording(demo.folder / "empty.jsonl").exchanges == ()
