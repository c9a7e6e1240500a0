"""Probe specs as people write them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cutover.errors import UsageError
from cutover.probes.expect import CodeIs, Contains, FieldIs, Matches
from cutover.probes.grammar import EXAMPLES, from_mapping, parse, read
from cutover.probes.spec import Kind, ProbeSpec, SocketKind


def test_issue_example_is_read() -> None:
    """The ZeroMQ example of the README, raw JSON and all, means what it says."""
    spec = parse('zmq://:5570?send={"method":"health_check"}&expect=status:ok')
    assert spec == ProbeSpec(
        kind=Kind.ZMQ, port=5570, send='{"method":"health_check"}', expect=(FieldIs("status", "ok"),)
    )


def test_percent_encoded_json_means_the_same_as_raw_json() -> None:
    """Tools that encode URLs do not change the question."""
    encoded = parse("zmq://:5570?send=%7B%22method%22%3A%22health_check%22%7D&expect=status%3Aok")
    assert encoded == parse('zmq://:5570?send={"method":"health_check"}&expect=status:ok')


def test_ampersand_and_percent_inside_raw_json_belong_to_it() -> None:
    """Raw JSON ends where JSON ends, not at the first `&`."""
    spec = parse('zmq://:1?send={"q":"a&expect=b","p":"100%25 {"}&timeout=2.5&socket=dealer&identity=meta.agent')
    assert spec.send == '{"q":"a&expect=b","p":"100%25 {"}'
    assert (spec.timeout_s, spec.socket, spec.identity) == (2.5, SocketKind.DEALER, "meta.agent")


def test_every_option_of_http_is_read() -> None:
    """Repeated options keep their order; the path keeps its escapes; userinfo and IPv6 hosts are understood."""
    spec = parse(
        "http://user:pw@[::1]:6570/he%20alth?method=put&header=X-A:1&header=Accept: text/plain&query=a=1"
        "&query=b=x%26y&follow=yes&expect=code:200&expect=code:3xx&expect=/re+ady/&send=x+y"
    )
    assert (spec.host, spec.port, spec.path, spec.userinfo) == ("::1", 6570, "/he%20alth", "user:pw")
    assert (spec.method, spec.send, spec.follow) == ("PUT", "x+y", True)
    assert spec.headers == (("X-A", "1"), ("Accept", "text/plain"))
    assert spec.query == (("a", "1"), ("b", "x&y"))
    assert spec.expect == (CodeIs("200"), CodeIs("3xx"), Matches("re+ady"))


def test_tcp_takes_raw_bytes_and_a_banner() -> None:
    """Percent escapes reach the wire as bytes, UTF-8 or not."""
    spec = parse("tcp://h:6379?banner=/^220/&send=PING%0D%0A%FF&expect=+PONG")
    assert spec.banner == Matches("^220")
    assert spec.send is not None
    assert spec.send.encode("utf-8", "surrogateescape") == b"PING\r\n\xff"
    assert spec.expect == (Contains("+PONG"),)


def test_code_is_a_json_field_where_there_is_no_http() -> None:
    """`code:200` means the status only where there is one."""
    assert parse("zmq://:1?send=x&expect=code:200").expect == (FieldIs("code", "200"),)


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_examples_in_errors_are_valid(text: str) -> None:
    """What an error offers as an example can be pasted."""
    assert parse(text).to_text() == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5570", "scheme"),
        ("zqm://:5570", "known: zmq://"),
        ("zmq://:", "needs a port"),
        ("http://h/health", "needs a port"),
        ("zmq://:0", "'0' is no port"),
        ("zmq://:99999", "'99999' is no port"),
        ("zmq://:55x", "'55x' is no port"),
        ("zmq://::1:5570", "brackets"),
        ("zmq://:1/health", "path '/health'"),
        ("tcp://u:p@h:1", "before @"),
        ("zmq://:1?expct=status:ok", "did you mean `expect`"),
        ("zmq://:1?frobnicate=1", "known: send, expect"),
        ("zmq://:1?send", "no value"),
        ("zmq://:1?send=a&expect", "'expect' has no value"),
        ("zmq://:1?method=GET", "belongs to http://, https://"),
        ("http://:1?verify=no", "belongs to https://"),
        ("zmq://:1?send=a&send=b", "given twice"),
        ("zmq://:1?expect=status:ok", "need `send`"),
        ("zmq://:1?send=a&expect=ok", "neither PATH:VALUE"),
        ("zmq://:1?send=a&expect=/(/", "no regular expression"),
        ("zmq://:1?send=a&socket=pub", "neither req nor dealer"),
        ("http://:1?expect=code:ok", "no HTTP status"),
        ("http://:1?timeout=0", "no time"),
        ("http://:1?timeout=nan", "no time"),
        ("http://:1?follow=maybe", "neither yes nor no"),
        ("http://:1?identity=a..b", "no path"),
        ("http://:1?method=G ET", "no HTTP method"),
        ("http://:1?query=x", "NAME=VALUE"),
        ("http://:1?identity=%FF", "not UTF-8"),
        ("tcp://:1?expect=", "empty"),
    ],
)
def test_wrong_specs_say_what_is_wrong(text: str, told: str) -> None:
    """Each mistake gets its own sentence and an example."""
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert told in raised.value.message
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("for example: ")


@pytest.mark.parametrize("value", ["Bearer hunter2", "X-Key hunter2", "X:a%0D%0Ahunter2"])
def test_a_wrong_header_does_not_show_its_value(value: str) -> None:
    """A header may be a password: the complaint does without it."""
    with pytest.raises(UsageError) as raised:
        parse(f"http://:1?header={value}")
    assert "hunter2" not in str(raised.value.as_dict())


def test_mapping_and_url_mean_the_same() -> None:
    """YAML may say JSON as YAML."""
    mapping = {
        "url": "zmq://:5570",
        "send": {"method": "health_check"},
        "expect": {"status": "ok", "ready": True},
        "timeout": 2.5,
        "identity": None,
    }
    text = 'zmq://:5570?send={"method":"health_check"}&expect=status:ok&expect=ready:true&timeout=2.5'
    assert read(mapping) == read(text)


def test_mapping_takes_lists_and_headers() -> None:
    """`expect` as a list and `header` as a mapping are what people try first."""
    spec = from_mapping({"url": "http://:1/x", "expect": ["code:200", "/ok/"], "header": {"A": "b"}, "query": {"c": 1}})
    assert spec == parse("http://:1/x?expect=code:200&expect=/ok/&header=A:b&query=c=1")


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"send": "x"}, "needs `url`"),
        ({"url": "http://:1?method=GET"}, "beside `url`"),
        ({"url": "http://:1", "mehtod": "GET"}, "did you mean `method`"),
    ],
)
def test_wrong_mappings_say_what_is_wrong(mapping: dict[str, object], told: str) -> None:
    """A mapping gets the same care as a URL."""
    with pytest.raises(UsageError) as raised:
        from_mapping(mapping)
    assert told in raised.value.message


def test_secrets_are_masked_in_str_and_repr() -> None:
    """Header values, user information and secret-looking fields stay out of logs; `to_text` keeps them."""
    spec = parse(
        'http://u:hunter2@h:1/?header=Authorization:hunter2&query=api_key=hunter2&send={"a":{"password":"hunter2"},"m":1}'
    )
    assert "hunter2" not in f"{spec} {spec!r}"
    assert '"m": 1' in str(spec)
    assert parse(spec.to_text()) == spec
    assert "hunter2" not in str(parse("tcp://:6379?send=AUTH hunter2%0D%0APING"))
    assert "max_tokens=5" in str(parse("http://:1?send=max_tokens=5"))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(
    send=st.none() | _TEXT | _JSON.map(lambda content: __import__("json").dumps(content)),
    wire=st.binary(max_size=10),
    host=st.sampled_from(["", "127.0.0.1", "::1", "db.example"]),
    timeout_s=st.none() | st.floats(min_value=0.001, max_value=1000),
)
def test_any_spec_survives_being_written_and_read(
    send: str | None, wire: bytes, host: str, timeout_s: float | None
) -> None:
    """`parse(spec.to_text()) == spec`, whatever is sent and expected."""
    literal = wire.decode("utf-8", "surrogateescape")
    expect = (Contains(literal),) if literal and not literal.startswith("/") else ()
    spec = ProbeSpec(kind=Kind.TCP, port=1, host=host, send=send, expect=expect, timeout_s=timeout_s)
    assert parse(spec.to_text()) == spec


@given(st.text(max_size=60))
@example("\r?")
@example("a b")
def test_any_text_is_a_spec_or_a_usage_error(text: str) -> None:
    """Junk never ends in a traceback."""
    for candidate in (text, f"zmq://{text}", f"http://:1/{text}", f"tcp://:1?{text}", f"http://:1?header={text}"):
        try:
            assert parse(parse(candidate).to_text()) == parse(candidate)
        except UsageError as error:
            assert error.hint  # noqa: PT017
