"""Stack traces in replies: of seven languages, also as texts in JSON, and nothing that only looks like one."""

from __future__ import annotations

import json
import time

import pytest

from cutover.validate.leaks import leaks

TRACES = {
    "Python": 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\nKeyError: 1',
    "Java": "java.lang.NullPointerException: x\n\tat com.example.Service.run(Service.java:12)\n",
    "Go": "panic: x\n\ngoroutine 1 [running]:\nmain.main()",
    "Node.js": "Error: x\n    at Object.<anonymous> (/srv/app/index.js:1:7)\n",
    "Ruby": "app.rb:3:in `foo': undefined method (NoMethodError)",
    "PHP": "Fatal error: x\nStack trace:\n#0 /srv/a.php(7): f()\n",
    ".NET": "   at A.B.C(String x) in /src/C.cs:line 42",
    "Rust": "thread 'main' panicked at src/main.rs:2:5",
}


@pytest.mark.parametrize("language", TRACES)
def test_traces(language):
    """As they are, in JSON, in JSON in JSON; the secret beside them is not shown."""
    trace = TRACES[language]
    inner = json.dumps({"password": "hunter2", "error": trace})
    for body in (trace, inner, json.dumps({"body": inner})):
        found = leaks(body.encode())
        assert found is not None
        assert (found.code, found.message) == ("stack-trace", f"the reply leaks a stack trace of {language}")
        assert "hunter2" not in " ".join(found.evidence)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"text": "look at home (see a.java) at noon (file.js)"}', b"main.py line 3", b"\xff\xfe\x00"],
)
def test_what_is_none(body):
    """A file's name alone is no trace."""
    assert leaks(body) is None


@pytest.mark.parametrize("part", [b"a", b"at a", b"at ", b"at a.b.", b"\\\\n", b"#1 /a", b'File "', b"at x("])
def test_a_megabyte_of_anything(part):
    """It is looked through in a moment: no expression goes over it again and again."""
    started = time.monotonic()
    assert leaks(part * ((1 << 20) // len(part))) is None
    assert time.monotonic() - started < 5
