"""No secret is written: by name, by text, by rule, and wherever it turns up again."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from cutover.config import Recording
from cutover.probes import Kind
from cutover.validate.record.case import line_of
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Passed

CANARY = "hunter2-canary"


def line(masker: Masker | None = None, **said: Any) -> dict[str, Any]:
    """Return the line that is written of what passed."""
    passed = Passed(**{"kind": Kind.ZMQ, "at": 0.0, "request": b"{}", "reply": b"{}", "elapsed_s": 0.1, **said})
    return line_of(passed, 5570, masker or Masker(Recording()))


@pytest.mark.parametrize(
    "name",
    ["password", "token", "api_key", "apiKey", "X-API-Key", "Authorization", "Cookie", "set-cookie", "client_secret",
     "accessToken", "refresh_tokens", "DB_PASSWORD", "session_id", "credentials", "private-key", "pwd"],
)  # fmt: skip
def test_secrets_by_name(name: str) -> None:
    """In bodies at any depth, in headers and in queries; reply as well as request."""
    body = json.dumps({"a": [{name: CANARY}], "b": {name: {"deep": [CANARY, 1]}}, "kept": "value"}).encode()
    headers = ((name, CANARY), ("X-Kept", "value"))
    path = f"/x?{name}={CANARY}&kept=value"
    told = line(
        kind=Kind.HTTP,
        request=body,
        reply=body,
        path=path,
        method="POST",
        request_headers=headers,
        reply_headers=headers,
    )
    assert CANARY not in json.dumps(told)
    assert told["masked"]
    assert told["case"]["tags"] == ["masked"]
    assert told["case"]["request"]["kept"] == "value"
    assert told["case"]["headers"]["X-Kept"] == "value"
    assert "kept=value" in told["case"]["to"]


@pytest.mark.parametrize(
    "body",
    [
        f"AUTH {CANARY}\r\n",
        f"user=me&password={CANARY}&x=1",
        f'{{"password": "{CANARY}", "password": "{CANARY}"}}',
        f"{{'token': '{CANARY}'}} no JSON",
        f'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n{CANARY}\r\n--x--',
        f"GET /?api_key={CANARY} HTTP/0.9",
        f"login as Bearer {CANARY}",
        f"redis://me:{CANARY}@host/0",
    ],
)
def test_secrets_in_what_is_no_json(body: str) -> None:
    """Forms, commands, objects that name a key twice."""
    for kind in (Kind.TCP, Kind.ZMQ):
        told = line(kind=kind, request=body.encode(), reply=body.encode())
        assert CANARY not in json.dumps(told)
        assert told["masked"]


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "sk-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnop1234",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "postgres://me:hunter2@db/x",
    ],
)
def test_texts_that_look_like_secrets(text: str) -> None:
    """Wherever they stand."""
    told = line(request=json.dumps({"note": f"see {text} there"}).encode())
    assert text not in json.dumps(told).replace("\\n", "\n")
    assert told["case"]["request"]["note"].startswith("see ")


@pytest.mark.parametrize(
    "text", ["The token is lost", "pass the salt", "max_tokens", "a key to success", "secret garden"]
)
def test_words_of_people_stay(text: str) -> None:
    """A prompt that speaks of tokens is no token."""
    request = {"method": "generate_text", "max_tokens": 100, "prompt": text}
    told = line(request=json.dumps(request).encode())
    assert told["case"]["request"] == request
    assert not told["masked"]


def test_a_secret_that_turns_up_again() -> None:
    """In the echo of the same exchange, in a later one, in a path, as a key, and decoded from Basic."""
    masker = Masker(Recording())
    echo = json.dumps({"echo": f"you sent {CANARY}!", CANARY: 1}).encode()
    assert CANARY not in json.dumps(line(masker, request=json.dumps({"password": CANARY}).encode(), reply=echo))
    later = line(masker, kind=Kind.HTTP, request=None, reply=echo, path=f"/users/{CANARY}", method="GET")
    assert CANARY not in json.dumps(later)
    basic = base64.b64encode(b"me:s3cret-of-mine").decode()
    told = line(
        masker, kind=Kind.HTTP, request_headers=(("Authorization", f"Basic {basic}"),), reply=b'"s3cret-of-mine"'
    )
    assert "s3cret-of-mine" not in json.dumps(told)
    assert basic not in json.dumps(told)


def test_rules_of_the_settings() -> None:
    """JSONPaths, names, texts."""
    masker = Masker(
        Recording(mask=("$.params.prompt", "$..rows[0]"), mask_names=("^ssn$",), mask_text=(r"\d{3}-\d{4}",))
    )
    request = {"params": {"prompt": "my own words", "ssn": "1", "tel": "call 555-1234"}, "rows": [[1, 2], [3]]}
    told = line(masker, request=json.dumps(request).encode(), reply=b'{"text": "my own words, and more"}')
    assert told["case"]["request"] == {
        "params": {"prompt": "***", "ssn": "***", "tel": "call ***"},
        "rows": ["***", [3]],
    }
    assert told["reply"]["value"] == {"text": "***, and more"}


def test_compressed_bodies_are_looked_into() -> None:
    """And left out where we cannot."""
    body = json.dumps({"password": CANARY, "x": 1}).encode()
    gzipped = (("Content-Encoding", "gzip"), ("Content-Type", "application/json"))
    told = line(kind=Kind.HTTP, request=gzip.compress(body), request_headers=gzipped, method="POST")
    assert told["case"]["request"] == {"password": "***", "x": 1}
    assert "headers" not in told["case"]
    brotli = (("Content-Encoding", "br"),)
    told = line(kind=Kind.HTTP, request=body, request_headers=brotli, reply=body, reply_headers=brotli, method="POST")
    assert told["case"]["request"] == "***"
    assert CANARY not in json.dumps(told)


def test_what_nests_too_deep_is_not_written() -> None:
    """It cannot be masked for certain."""
    told = line(request=b"[" * 900 + b'{"password":"' + CANARY.encode() + b'"}' + b"]" * 900)
    assert CANARY not in json.dumps(told)
