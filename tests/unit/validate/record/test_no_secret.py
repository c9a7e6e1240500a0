"""Whatever a secret is put into, it is not written: not plain, not percent-encoded, not as Basic's Base64."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.config import Recording
from cutover.probes import Kind
from cutover.validate.record.case import line_of
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Passed

NAMES = (
    "password", "passwd", "pw", "login_pw", "DB_PASSWORD", "password_confirmation", "client_secret", "token",
    "token_value", "accessToken", "X-Token", "auth", "Authorization", "credentials", "sessionId", "X-Session",
    "jsessionid", "cookie",
    "api_key", "apikey", "X-API-Key", "privateKey", "aws_secret_access_key", "signature", "otp", "pin",
)  # fmt: skip
CANARY = "hunter2-canary"
secrets = st.text("abcdefghXYZ0123456789+/=&?%#;:!@ \"'<>äß", min_size=8, max_size=24).filter(
    lambda s: s.strip() == s and len(set(s)) > 4
)
names = st.sampled_from(NAMES)


def line(masker: Masker | None = None, **said: Any) -> str:
    """Return what is written of what passed."""
    passed = Passed(**{"kind": Kind.ZMQ, "at": 0.0, "request": b"{}", "reply": b"{}", "elapsed_s": 0.1, **said})
    return json.dumps(line_of(passed, 5570, masker or Masker(Recording())), ensure_ascii=False)


def absent(secret: str, written: str, *more: str) -> None:
    """Say that a secret is in none of its spellings in what was written."""
    for spelt in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret), *more):
        assert spelt not in written
        assert json.dumps(spelt, ensure_ascii=False)[1:-1] not in written


@st.composite
def nested(draw: st.DrawFn, secret: str) -> Any:
    """Draw a value with a secret somewhere below a secret name, or beside one."""
    name = draw(names)
    value: Any = draw(
        st.sampled_from(
            [
                {name: secret},
                {name: [1, {"deep": secret}]},
                [name, secret],
                [{"name": name, "value": secret}],
                {"key": "password", "value": secret, "locked": True},
                {"columns": ["user", name], "rows": [["bob", secret]]},
            ]
        )
    )
    for kind in draw(st.lists(st.sampled_from(["object", "list", "text", "base64"]), max_size=4)):
        match kind:
            case "object":
                value = {"inner": value, "kept": 1}
            case "list":
                value = [0, value]
            case "text":
                value = {"body": json.dumps(value)}
            case "base64":
                value = {"blob": base64.b64encode(json.dumps(value).encode()).decode()}
    return value


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_json_and_msgpack(data: st.DataObject) -> None:
    """At any depth, in texts that are JSON themselves, over each protocol, in question and reply."""
    secret = data.draw(secrets)
    value = data.draw(nested(secret))
    body = json.dumps(value).encode() if data.draw(st.booleans()) else msgpack.packb(value)
    kind = data.draw(st.sampled_from([Kind.ZMQ, Kind.HTTP, Kind.TCP]))
    written = line(kind=kind, request=body, reply=body, method="POST" if kind is Kind.HTTP else None)
    absent(secret, written)


@settings(deadline=None, max_examples=150)
@given(secrets, names, st.sampled_from(["query", "form", "redirect", "multipart", "xml", "header", "envelope"]))
def test_other_places(secret: str, name: str, place: str) -> None:
    """Query, form, a URL in a query, multipart, XML, header, frames."""
    said: dict[str, Any] = {"kind": Kind.HTTP, "method": "POST", "path": "/x"}
    match place:
        case "query":
            said |= {"path": f"/x?a=1&{urlencode({name: secret})}", "request": None}
        case "form":
            said |= {"request": urlencode({"user": "me", name: secret}).encode()}
        case "redirect":
            said |= {"path": "/x?" + urlencode({"to": "https://h/?" + urlencode({name: secret})}), "request": None}
        case "multipart":
            head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: text/plain\r\n\r\n'
            said |= {"request": f"{head}{secret}\r\n--b--".encode()}
        case "xml":
            said |= {"request": f"<a><{name}>{escape(secret)}</{name}><b/></a>".encode()}
        case "header":
            said |= {"request_headers": ((name, secret),)}
        case _:
            said = {"envelope": (name.encode(), secret.encode())}
    absent(secret, line(**said, reply=json.dumps({"echo": secret}).encode()))


@settings(deadline=None)
@given(st.text("abcdefghXYZ0123456789", min_size=8, max_size=20))
def test_basic_auth(secret: str) -> None:
    """Neither the pair nor its Base64, also where it is echoed."""
    pair = base64.b64encode(f"me:{secret}".encode()).decode()
    reply = json.dumps({"you": secret, "raw": pair}).encode()
    written = line(kind=Kind.HTTP, method="GET", request_headers=(("Authorization", f"Basic {pair}"),), reply=reply)
    absent(secret, written, pair)


@pytest.mark.parametrize(
    "body",
    [
        msgpack.packb({"password": CANARY.encode()}),
        msgpack.packb({1: "x", "password": CANARY}),
        msgpack.packb({"password": CANARY, "t": msgpack.Timestamp(1, 2)}),
        msgpack.packb({"x": msgpack.ExtType(5, msgpack.packb({"password": CANARY}))}),
        msgpack.packb({"password": CANARY}) + b"\n",
        json.dumps({"cmd": f"mysql --password {CANARY} -u x", "c": f"curl -u admin:{CANARY} http://h"}).encode(),
        json.dumps({"argv": ["mysql", "--password", CANARY]}).encode(),
        json.dumps({"log": f'got {{"password": "{CANARY}"}}, refused'}).encode(),
        json.dumps({"op": "replace", "path": "/user/password", "value": CANARY}).encode(),
        f"*2\r\n$4\r\nAUTH\r\n${len(CANARY)}\r\n{CANARY}\r\n".encode(),
        f"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n${len(CANARY)}\r\n{CANARY}\r\n".encode(),
        f'<input type="password" name="password" value="{CANARY}">'.encode(),
        f"<d><key>password</key><string>{CANARY}</string></d>".encode(),
        f"<!DOCTYPE x><a><password>{CANARY}</password></a>".encode(),
        f"login bob {CANARY}\n".encode(),
        f"X-Session: {CANARY}\r\nHost: h\r\n".encode(),
        f"export DB_PASSWORD='{CANARY}'".encode(),
        f"name=password&value={CANARY}".encode(),
    ],
)
def test_as_people_send_it(body: bytes) -> None:
    """Each of these was written in clear once, or could have been."""
    for kind in (Kind.TCP, Kind.ZMQ, Kind.HTTP):
        absent(CANARY, line(kind=kind, request=body, reply=body, method="POST"))


@pytest.mark.parametrize(
    "request_",
    [
        {"token_count": 3, "max_tokens": 100, "usage": {"prompt_tokens": 5, "total_tokens": 7}},
        {"text": "the author passes keys to success", "tokenizer": "bpe"},
        {"name": "load_model", "value": "gpt"},
        {"method": "generate", "params": {"prompt": "Tell me: what is 1+1? See https://h/a?b=c%20d"}},
        {"columns": ["user", "age"], "rows": [["bob", 1]]},
        {"a": "x=1&y=2", "b": "50% off", "c": "<b>bold</b>", "d": "aGVsbG8gd29ybGQh"},
    ],
)
def test_what_is_no_secret_stays(request_: dict[str, Any]) -> None:
    """Counts, words of people, markup: a case that can be asked again."""
    for body in (json.dumps(request_).encode(), msgpack.packb(request_)):
        assert '"masked": false' in line(request=body)


def test_explicit_rules_reach_msgpack() -> None:
    """JSONPaths and names of the settings."""
    masker = Masker(Recording(mask=("$.ssn",), mask_names=("^iban$",)))
    written = line(masker, kind=Kind.HTTP, method="POST", request=msgpack.packb({"ssn": CANARY, "x": {"iban": CANARY}}))
    absent(CANARY, written)
