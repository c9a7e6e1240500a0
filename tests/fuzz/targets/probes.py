"""The grammar of probes, and what is expected of replies."""

from __future__ import annotations

import json
from contextlib import suppress

from cutover.probes.expect import complaint
from cutover.probes.expect import field as json_field
from cutover.probes.grammar import parse, read
from cutover.probes.reply import Reply
from cutover.probes.spec import MASK
from tests.fuzz.target import Target, see, text_of, told

SEEDS = (
    b'zmq://:5570?send={"method":"health_check"}&expect=status:ok&identity=service',
    b"http://:6570/health?expect=code:200&expect=/ready/&header=Accept:text/plain&follow=yes",
    b"https://user:pass@host:8443/x?verify=no&query=token=abc&timeout=2.5&method=POST",
    b"tcp://[::1]:6379?send=PING%0D%0A&expect=+PONG&banner=220",
    b'zmq://:1?send="a%20b"&expect=a.0.b:c&socket=dealer&timeout=1',
)
WORDS = (
    b"zmq://", b"http://", b"https://", b"tcp://", b"&expect=", b"&send=", b"&identity=", b"&header=", b"&query=",
    b"&timeout=", b"&banner=", b"&method=", b"&socket=dealer", b"&verify=no", b"&follow=yes", b"code:2xx", b"/(a+)+$/",
    b"%00", b"%FF", b"%", b"[::1]", b"@", b'{"a":', b'"}', b"1e400", b"nan", b"[" * 40, b"\xed\xa0\x80",
)  # fmt: skip
REPLIES = (b'{"status":"ok","a":[{"b":"c"}]}', b"a" * 60 + b"!", b"\xff\xfe", b"[" * 5000, b"1" * 5000)


def grammar(data: bytes) -> None:
    """Read a probe; what it is written as means the same, and its masked form tells no secret."""
    text = text_of(data)
    spec = told(lambda: parse(text))
    if spec is None:
        return
    again = parse(spec.to_text())
    see(again == spec and again.to_text() == spec.to_text(), f"{spec.to_text()!r} is read as something else")
    see(not spec.userinfo or str(spec).startswith(f"{spec.kind}://{MASK}@"), "the user is shown")
    for reply in REPLIES:
        wrong = complaint(spec.expect, Reply(reply))
        see(wrong is None or (wrong and len(wrong) < 20_000), "a complaint that is none")


def mapping(data: bytes) -> None:
    """Read a probe as cutover.yaml has it: any JSON."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(content, str | dict):
        told(lambda: read(content))


def reply(data: bytes) -> None:
    """Ask a reply, which anybody may send, all that can be asked of it."""
    asked = parse("http://:1/?expect=status:ok&expect=a.0.b:c&expect=/^ok$/")
    for code in (None, 200, 503, 99999):
        for one in asked.expect:
            complaint((one,), Reply(data, code))
    with suppress(ValueError, RecursionError):
        json_field(json.loads(data), "a.0.b")


MAPPINGS = tuple(
    json.dumps(
        {"url": "http://:1/", "expect": {"code": 200}, "header": ["a:b"], "query": {"a": 1}, "send": {"x": [1]}}
    ).encode()
    for _ in range(1)
)
TARGETS = (
    Target("probe-grammar", grammar, lambda: SEEDS, WORDS),
    Target(
        "probe-mapping",
        mapping,
        lambda: (*MAPPINGS, b'"tcp://:1"', b'{"url":"zmq://:1","send":1}'),
        (b'"url":', b'"expect":', b"null", b"1e999"),
    ),
    Target("probe-reply", reply, lambda: REPLIES, (b'{"a":', b'[{"b":', b'"status":"ok"', b"NaN", b"9" * 40)),
)
