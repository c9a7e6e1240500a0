"""What fuzzing found, each under its own name: what it was, and what is told now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cutover import config
from cutover.document import Document, FileSet, Inverse
from cutover.document.ports import PortSyntaxError, parse_short, split_short
from cutover.edge import brokerface
from cutover.edge.broker.words import Hold, Settings, State, WordsError, load
from cutover.edge.haproxy import counters, state
from cutover.edge.helper import conntrack, netlink, sockdiag
from cutover.engine.address import resolve
from cutover.engine.inspect import container_from, ids_in
from cutover.engine.stack import read_model
from cutover.errors import CutoverError, EdgeError, EditRefusedError, EngineError, UsageError
from cutover.model import PortBinding
from cutover.ports import firewall, nft
from cutover.ports.sockets import parse_tables
from cutover.probes.expect import complaint
from cutover.probes.grammar import parse
from cutover.probes.reply import Reply
from cutover.validate.record.reading import read_recording
from tests.unit.fuzz.refusals import DEEP, DIGITS, refused

BINDING = PortBinding("", 8080, 80)


def files_of(text: str) -> FileSet:
    """Return the one file of a project."""
    return FileSet.parse({"compose.yml": text.encode()})


# -- the document ----------------------------------------------------------------------------------------------------


def test_ports_that_a_merge_key_has_do_not_come_in_where_the_own_ones_go() -> None:
    """Taking the last own port away published that of the anchor: `ports: []` stays."""
    text = "x: &c\n  ports: ['3:3']\nservices:\n  a:\n    <<: *c\n    ports:\n    - 1:1\n    image: x\n"
    files = files_of(text)
    edit = files.take_ports("a")
    assert b"    ports: []\n" in edit.files.contents()["compose.yml"]
    back_again = edit.files.apply_inverse(Inverse(**json.loads(json.dumps(edit.take.inverse().as_dict()))))
    assert back_again.files.contents() == files.contents()


def test_a_service_that_merges_itself_is_refused() -> None:
    """It was a RecursionError as soon as anything of it was asked for."""
    text = "services:\n a: &simple\n  <<: *simple\n"
    assert refused(lambda: files_of(text), EditRefusedError, "recursive-alias").message.startswith("compose.yml:2")


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
def test_a_line_end_that_only_some_readers_know_is_refused(sign: str) -> None:
    """An image was set in what another reader took for the middle of a comment, and could not be put back."""
    refused(lambda: files_of(f"services:{sign} t:{sign}  image: t{sign}"), EditRefusedError, "odd-line-end")


def test_lines_that_end_in_two_ways_are_not_said_to_come_back_to_the_byte() -> None:
    """The region of the ports is kept without its line ends."""
    edit = files_of('services:\n a:\r\n\n  ports: ["8:8"]\n  image: x\n').take_ports("a")
    assert edit.take.places[0].before is None
    assert b'"8:8"' in edit.files.apply_inverse(edit.take.inverse()).files.contents()["compose.yml"]


def test_a_key_without_a_name_before_the_ports_is_not_taken_for_none() -> None:
    """The ports came back above it."""
    edit = files_of("services:\n a:\n    :\n    ports:\n      - 1:8\n      - 2\n").take_ports("a")
    assert edit.take.places[0].before is None


def test_every_refusal_of_an_edit_has_a_next_command() -> None:
    """Half of them had none."""
    assert refused(lambda: Document.parse(b"\xff", "a.yml"), EditRefusedError, "not-utf8").hint == (
        "look at a.yml:1; docker compose config shows what Compose makes of it"
    )


def test_a_message_that_quotes_a_broken_file_can_be_read_to_its_end() -> None:
    """Messages of 50,000 characters were seen."""
    error = CutoverError("x", "a" * 90_000, evidence=["b" * 90_000])
    assert len(error.message) < 5000 > len(error.evidence[0])
    assert error.message.endswith("(86000 more characters)")


# -- ports and probes ------------------------------------------------------------------------------------------------


def test_a_port_of_thousands_of_digits_is_no_port() -> None:
    """It was the ValueError of `int`."""
    for text in (DIGITS, f"80:{DIGITS}", f"1-{DIGITS}:2"):
        with pytest.raises(PortSyntaxError) as caught:
            parse_short(text)
        assert len(str(caught.value)) < 100
    assert parse_short("0" * 5000 + "80:080")[0] == (PortBinding("", 80, 80),)


def test_braces_that_nobody_closes_are_read_in_a_moment() -> None:
    """10,000 of them were looked through to the end from each."""
    text = "80" + "${" * 50_000 + ":80"
    assert ":".join(split_short(text)) == text


@pytest.mark.parametrize(
    "text", ['zmq://:1?send="a%%120b"', 'tcp://:9?send=&expect="&expect=%00"', 'zmq://:7?send={"":"&expect=a:']
)
def test_a_value_that_looks_like_json_once_written_is_read_back_as_it_was(text: str) -> None:
    """What it was written as was taken for JSON, with the option behind it."""
    spec = parse(text)
    assert parse(spec.to_text()) == spec


def test_a_pattern_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe hung on `(a+)+$`, and its deadline did not count."""
    monkeypatch.setattr("cutover.config.paths.PATTERN_S", 0.1)
    (wanted,) = parse("tcp://:1?expect=/(a|a)+$/").expect
    assert "had no result" in str(complaint((wanted,), Reply(b"a" * 60 + b"!")))


# -- what the kernel says --------------------------------------------------------------------------------------------


def test_a_range_of_ports_that_cannot_be_is_none() -> None:
    """A rule for 1-99999999999 took all memory; a digit of another script was a ValueError."""
    for ports in ("1-99999999999", "\u00b2", DIGITS):
        ruleset = (
            f"table inet f {{\n\tchain c {{\n\t\ttype filter hook forward priority 0;\n\t\ttcp dport {ports} drop\n"
        )
        assert nft.dropping(ruleset, (), (BINDING,)) == ()
        assert firewall.dropping(f"-A FORWARD -p tcp --dport {ports.replace('-', ':')} -j DROP", (), (BINDING,)) == ()
    assert nft.dropping(
        "table inet f {\n\tchain c {\n\t\ttype filter hook forward priority 0;\n\t\ttcp dport 1-100 drop\n",
        (),
        (BINDING,),
    )


def test_a_socket_with_a_port_beyond_all_is_junk() -> None:
    """1F90F is no port; the line is left out, as other junk is."""
    good = "sl\n 0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 5"
    assert [s.port for s in parse_tables(good)] == [8080]
    assert parse_tables(good.replace("1F90", "1F90F")) == parse_tables(good.replace("1F90", "-1")) == ()


def test_netlink_messages_without_a_length_end_the_reading() -> None:
    """It went round for ever."""
    assert list(netlink._messages(bytes(64))) == []


def test_connections_that_are_cut_short_are_left_out() -> None:
    """They were a KeyError, a StopIteration, a struct.error."""
    tcp = netlink.attribute(0x8002, netlink.attribute(1, b"\x06"))
    assert conntrack.parsed(tcp) is None
    assert conntrack.parsed(tcp + netlink.attribute(0x8001, netlink.attribute(3, bytes(16)))) is None
    assert sockdiag._parsed(bytes(20)) is None


# -- the edge --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    ["nonsense,svname\n1,2\n", "pxname,svname\n\x00,a\n", "Unknown command: 'cutover'", "1 2 3", "1 2 3 " + DIGITS],
)
def test_an_answer_of_haproxy_that_makes_no_sense_is_an_edge_error(answer: str) -> None:
    """KeyError, csv.Error and ValueError."""
    refused(lambda: [counters.held_by_port(answer), counters.servers(answer)], EdgeError, "edge-garbled")
    assert list(counters.samples([f"samples 80 a {DIGITS} 2 3 200 -- 1 1", "samples x a 1 2 3 200 -- 1 1"])) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("share_percent", float("nan")), ("share_percent", 1e999), ("hold", {"limit": 1e999}), ("ways", 5)],
)
def test_a_state_of_the_edge_that_cannot_be_is_told(tmp_path: Path, key: str, value: object) -> None:
    """NaN went in, infinity was an OverflowError."""
    told = {"active": "a", "slots": {}, "ways": [], "share_percent": 0, "hold": None, "alone": None}
    (tmp_path / state.FILE).write_text(json.dumps(told | {key: value}))
    refused(lambda: state.load(tmp_path), EdgeError, "edge-state-unreadable")


@pytest.mark.parametrize("told", [None, 3, [], {"x": 1}, {"80": {"active": "c"}}, {"80": "AAA"}, float("inf")])
def test_a_reply_of_the_broker_that_makes_no_sense_is_an_edge_error(told: Any) -> None:
    """AttributeError, KeyError, TypeError, OverflowError and binascii.Error."""
    for read in (brokerface.read_stats, brokerface.read_samples):
        if told != []:
            refused(lambda read=read: read(told or None), EdgeError, "edge-garbled")
    refused(lambda: brokerface.read_count({}), EdgeError, "edge-garbled")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (State, {"slots": {"a": {"x": {}}}}),
        (State, {"share": None}),
        (State, {"share": 1e999}),
        (Settings, {"ports": {DIGITS: "zmq-rep"}}),
        (Settings, {"ports": {}, "rules": {"method": 5}}),
        (Hold, {"limit": 1, "timeout_s": float("nan"), "release_per_s": 1.0}),
        (Hold, {"limit": 1, "timeout_s": int(DIGITS[:400]), "release_per_s": 1.0}),
    ],
)
def test_what_the_broker_is_told_is_refused_in_one_sentence(kind: Any, told: object) -> None:
    """ValueError, TypeError, OverflowError; a hold of NaN seconds was taken."""
    with pytest.raises(WordsError):
        kind.read(told)


def test_brackets_without_end_are_no_words_for_the_broker(tmp_path: Path) -> None:
    """A RecursionError."""
    (tmp_path / "state.json").write_text(DEEP)
    with pytest.raises(WordsError):
        load(tmp_path / "state.json")


# -- what people write -----------------------------------------------------------------------------------------------


LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "aliases stand for more than 100,000 values"),
        ("&a [*a]", "an alias stands within what it stands for"),
        ("[" * 2000, "nests deeper"),
        ("- " * 2000, "nests deeper"),
        (f"ports: [{DIGITS}]", "not valid YAML"),
        ("green: ._", "not valid YAML"),
        ("green: 2001-13-45", "not valid YAML"),
    ],
)
def test_yaml_that_nobody_means_is_told_in_a_moment(tmp_path: Path, text: str, why: str) -> None:
    """A billion laughs, an alias within itself, 2,000 brackets (4 s and a RecursionError), odd numbers."""
    (tmp_path / "cutover.yaml").write_text(text)
    assert why in refused(lambda: config.read_yaml(tmp_path / "cutover.yaml"), UsageError, "config-invalid").message


def test_a_recording_that_took_longer_than_a_number_says_is_read(tmp_path: Path) -> None:
    """An OverflowError."""
    line = json.dumps({"case": {}, "elapsed_s": int("9" * 400)})
    (tmp_path / "r").write_text(f'{{"recording": 1}}\n{line}\n')
    (exchange,) = read_recording(tmp_path / "r").exchanges
    assert exchange.elapsed_s == 0.0


# -- Docker ----------------------------------------------------------------------------------------------------------


def test_a_container_in_a_state_that_nobody_knows_is_told() -> None:
    """As other engines have them: it was a ValueError."""
    details = {"Id": "0", "Name": "/a", "State": {"Status": "stopping"}, "Config": {}, "HostConfig": {}}
    assert "/a" in refused(lambda: container_from(details), EngineError, "engine-unknown-words").message
    ports = {"80/tcp": [{"HostPort": port} for port in ("\u00b2", DIGITS, "70000", "8080")]}
    good = details | {"State": {"Status": "running"}, "HostConfig": {"PortBindings": ports}}
    assert container_from(good).wanted == (BINDING,)


@pytest.mark.parametrize("listed", [[1], {"message": "no"}, None, [{}]])
def test_a_list_of_containers_that_is_none_is_told(listed: object) -> None:
    """A proxy before the Engine may say anything: it was a TypeError."""
    refused(lambda: ids_in(listed), EngineError, "engine-unknown-words")
    assert ids_in([{"Id": "a"}]) == ["a"]


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"name": 5}', '{"name": "a", "services": {"b": 1}}', DEEP])
def test_a_model_that_compose_did_not_print_is_told(text: str) -> None:
    """JSONDecodeError and KeyError."""
    refused(lambda: read_model(text), EngineError, "compose-unreadable")


@pytest.mark.parametrize("host", ["tcp://[::1", "tcp://a b:99999", "tcp://a:b"])
def test_an_address_of_the_engine_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """DOCKER_HOST with one bracket was a traceback."""
    monkeypatch.setenv("DOCKER_HOST", host)
    assert refused(resolve, UsageError, "engine-address-invalid").evidence == (host,)
