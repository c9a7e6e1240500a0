"""Ports leave a service for an owner outside the files, and come back as they were."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cutover.document import FileSet, Inverse, PortTake, SetEdit, prove_take, take_of
from cutover.errors import EditRefusedError
from cutover.model import PortBinding, Protocol

CORPUS = Path(os.environ.get("CUTOVER_CORPUS") or Path(__file__).resolve().parents[4] / "shared" / "corpus") / "files"

GREEN = """\
# the stack
services:
  green:
    image: "legacy:1"   # é
    # what clients know
    ports:
      # requests
      - "5570:5570"   # zmq
      # health
      - 6570:6570
    restart: always

  blue:
    image: 'suite:1'
    ports: ["1:1", 2:2]  # two
"""


def taken(text: str, *ports: int, service: str = "green", **options: object) -> SetEdit:
    """Return the edit that takes TCP ports, all of them by default, out of one file."""
    files = FileSet.parse({"compose.yml": text.encode()})
    return files.take_ports(service, [(port, Protocol.TCP) for port in ports] or None, **options)


def text_of(edit: SetEdit) -> str:
    """Return the text of the one file after an edit."""
    return edit.files.contents()["compose.yml"].decode()


def journaled(take: PortTake) -> Inverse:
    """Return the inverse as it comes out of a journal."""
    return Inverse(**json.loads(json.dumps(take.inverse().as_dict())))


def given_back(edit: SetEdit, old: str = "", new: str = "") -> str:
    """Return the text after the ports came back into a file in which somebody replaced `old` meanwhile."""
    changed = text_of(edit).replace(old, new)
    assert bool(old) is (changed != text_of(edit))
    back = FileSet.parse({"compose.yml": changed.encode()}).apply_inverse(journaled(edit.take))
    return text_of(back)


def refused(text: str, *ports: int, **options: object) -> tuple[str, int | None]:
    """Return the reference and the line of a refusal."""
    with pytest.raises(EditRefusedError) as caught:
        taken(text, *ports, **options)
    return caught.value.reference, caught.value.line


def services(green: str, rest: str = "") -> str:
    """Return a small file with the body of one service at four columns."""
    return "\n".join(["services:", "  green:", *("    " + line for line in green.split("\n")), rest])


def test_one_port_goes_and_nothing_else() -> None:
    """The diff is one line that is gone; the take says what it published."""
    edit = taken(GREEN, 5570)
    lines = [line for line in edit.diff(0).splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert lines == ['-      - "5570:5570"   # zmq']
    assert edit.take.service == "green"
    assert edit.take.bindings == (PortBinding("", 5570, 5570),)
    assert edit.take.published == ((5570, Protocol.TCP),)


def test_the_last_port_takes_its_key_and_the_comments_in_its_list_along() -> None:
    """Compose rejects an empty `ports:`; a comment above the key is not the list's."""
    new = text_of(taken(GREEN))
    assert "    # what clients know\n    restart: always\n" in new
    assert "health" not in new


def test_a_key_line_with_a_comment_stays() -> None:
    """As for a move: the list stays as `[]`."""
    assert "    ports: []  # legacy\n" in text_of(taken(services("image: g\nports:  # legacy\n  - 1:1")))


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ports", [(), (5570,), (6570,)])
def test_there_and_back_is_the_same_to_the_byte(newline: str, bom: str, ended: bool, ports: tuple[int, ...]) -> None:
    """Comments, quotes, BOM, line ends and the end of the file included."""
    text = bom + (GREEN if ended else GREEN.rstrip("\n")).replace("\n", newline)
    edit = taken(text, *ports)
    assert text_of(edit).startswith(bom + "# the stack")
    assert text_of(edit).endswith("\n") is ended
    assert ("\r\n" in text_of(edit)) is (newline == "\r\n")
    assert given_back(edit) == text


@pytest.mark.parametrize("ports", [(), (1,), (2,)])
def test_a_list_within_brackets_comes_back_to_the_byte(ports: tuple[int, ...]) -> None:
    """Its plain `2:2` too, which cutover itself would quote."""
    edit = taken(GREEN, *ports, service="blue")
    assert ("ports: [" in text_of(edit)) is bool(ports)
    assert given_back(edit) == GREEN


def test_ports_come_back_beside_what_somebody_changed_elsewhere() -> None:
    """The other change stays, and the lines come back to the byte."""
    edit = taken(GREEN)
    assert given_back(edit, "suite:1", "suite:2") == GREEN.replace("suite:1", "suite:2")
    assert given_back(edit, 'image: "legacy:1"', "image: other") == GREEN.replace('image: "legacy:1"', "image: other")
    assert given_back(edit, "  green:\n", "  green:\n    init: true\n") == GREEN.replace(
        "  green:\n", "  green:\n    init: true\n"
    )


def test_ports_come_back_into_a_service_that_was_indented_anew() -> None:
    """Lines follow the column of their service's keys."""
    edit = taken(services("image: g\nports:\n  - 1:1 # one\nrestart: always"))
    again = given_back(edit, "    image: g\n    restart: always", "      image: g\n      restart: always")
    assert again == "services:\n  green:\n      image: g\n      ports:\n        - 1:1 # one\n      restart: always\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    restart",
            "    ports: [3:3]\n    restart",
            'ports: [3:3, "5570:5570", "6570:6570"]  # requests  # zmq  # ',
        ),
        ("    restart", "    ports:\n    - 3:3\n    restart", '    - 3:3\n    # requests\n    - "5570:5570"   # zmq\n'),
        (
            'image: "legacy:1"',
            "build: .",
            '    ports:\n      # requests\n      - "5570:5570"   # zmq\n      # health\n',
        ),
    ],
)
def test_ports_come_back_where_their_place_is_gone(old: str, new: str, expected: str) -> None:
    """They join a list that somebody made since, in its form; no comment is lost."""
    back = given_back(taken(GREEN), old, new)
    assert expected in back
    assert back.count("#") == GREEN.count("#")


def test_what_somebody_put_back_by_hand_is_left() -> None:
    """Only what is missing comes back; a port that leads elsewhere by now is a matter for a person."""
    edit = taken(GREEN)
    by_hand = given_back(edit, "    restart", "    ports:\n      - '5570:5570'\n    restart")
    assert by_hand.count("5570:5570") == 1
    assert by_hand.count("6570:6570") == 1
    with pytest.raises(EditRefusedError) as caught:
        given_back(edit, "    restart", "    ports:\n      - 5570:9901\n    restart")
    assert (caught.value.reference, caught.value.line) == ("port-already-declared", 7)


def test_another_service_that_has_the_port_by_now_is_refused() -> None:
    """Both would publish it."""
    with pytest.raises(EditRefusedError) as caught:
        given_back(taken(GREEN), '"1:1"', '"5570:1"')
    assert (caught.value.reference, caught.value.line) == ("port-already-declared", 10)


def test_each_file_loses_and_gets_its_own() -> None:
    """Compose adds the lists up; a file that somebody renamed is found by what it defines."""
    override = b"services:\n  green:\n    ports:\n      - 7570:7570\n"
    files = FileSet.parse({"a.yml": GREEN.encode(), "dir/b.yml": override})
    edit = files.take_ports("green")
    assert [port for port, _ in edit.take.published] == [5570, 6570, 7570]
    assert edit.files.contents()["dir/b.yml"].endswith(b"ports: []\n")
    assert edit.files.apply_inverse(journaled(edit.take)).files.contents() == files.contents()
    renamed = FileSet.parse({"a.yml": edit.files.contents()["a.yml"], "b.yml": edit.files.contents()["dir/b.yml"]})
    assert renamed.give_ports(edit.take).files.contents()["b.yml"] == override


TEMPLATE = "x-t: &t {ports: ['9:1']}\n"


@pytest.mark.parametrize(
    ("text", "ports", "expected"),
    [
        (services("ports:\n- 1:1"), (2,), ("port-not-declared", 4)),
        (services("image: g"), (1,), ("port-not-declared", 2)),
        (services("ports:\n- 1:1", "  c: {ports: [1:3]}"), (1,), ("port-already-declared", 5)),
        (services("ports:\n- 1-3:1-3"), (2,), ("port-in-range", 4)),
        ("x-p: &p [1:1]\n" + services("ports: *p"), (1,), ("shared-by-alias", 4)),
        (services("ports: &p\n- 1:1", "  c: {x-p: *p}"), (1,), ("anchor-in-use", 4)),
        (TEMPLATE + services("<<: *t"), (9,), ("port-from-merge-key", 1)),
        (services("ports:\n- 1:1", "  c: {extends: green}"), (1,), ("inherited-by-extends", 5)),
        (services("extends: base", "  base: {ports: [1:1]}"), (1,), ("port-from-extends", 3)),
        (services("ports: !override\n- 1:1"), (1,), ("tagged-list", 3)),
        (services("ports: 1"), (1,), ("not-a-list", 3)),
        ("services:\n  base: &b {image: g, ports: [1:1]}\n  green: *b\n", (1,), ("shared-by-alias", 3)),
    ],
)
def test_what_is_not_safe_is_refused_with_its_line(text: str, ports: tuple[int, ...], expected: object) -> None:
    """Shared, inherited, merged, doubled and halved entries stay where they are, as for a move."""
    assert refused(text, *ports) == expected


def test_a_port_in_two_files_or_from_an_included_one_is_refused() -> None:
    """The reason is said, with the file."""
    with pytest.raises(EditRefusedError) as caught:
        FileSet.parse({"a.yml": GREEN.encode(), "c.yml": GREEN.encode()}).take_ports("green")
    assert (caught.value.reference, caught.value.file) == ("port-in-several-files", "c.yml")
    main = b"include: [g.yml]\nservices: {x: {image: x}}\n"
    with pytest.raises(EditRefusedError) as caught:
        FileSet.parse({"m.yml": main}, {"g.yml": GREEN.encode()}.get).take_ports("green")
    assert caught.value.reference == "service-from-include"


def test_a_whole_range_and_variables_go_and_come_back() -> None:
    """An entry goes as a whole; a variable stays one."""
    text = services('image: g\nports:\n  - "1-2:1-2"\n  - ${P:-80}:80\n  - 3:3')
    edit = taken(text, 1, 2, 8080, env={"P": "8080"})
    assert text_of(edit).count("- ") == 1
    assert given_back(edit) == text


PORT = {"mode": "ingress", "target": 5570, "published": "5570", "protocol": "tcp"}
OTHER = {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"}


def test_the_judge_accepts_the_taken_ports_and_nothing_else() -> None:
    """In both directions: with the models exchanged it judges what was given back."""
    take = taken(GREEN, 5570).take
    before = {"name": "p", "services": {"green": {"image": "g", "ports": [PORT, OTHER]}, "blue": {}}}
    after = {"name": "p", "services": {"green": {"image": "g", "ports": [OTHER]}, "blue": {}}}
    prove_take(before, after, take)
    prove_take({"services": {"green": {"ports": [PORT]}}}, {"services": {"green": {}}}, take)
    for wrong in (before, {**after, "networks": {}}, {"name": "p", "services": {"green": {"image": "g"}, "blue": {}}}):
        with pytest.raises(EditRefusedError, match="taking of these ports"):
            prove_take(before, wrong, take)
    with pytest.raises(EditRefusedError, match="other ports"):
        prove_take(after, after, take)
    with pytest.raises(EditRefusedError, match="no service"):
        prove_take({"services": {}}, {"services": {}}, take)


def test_the_text_of_entries_survives_a_journal() -> None:
    """The inverse is JSON, and gives the same take back."""
    take = taken(GREEN).take
    assert take_of(journaled(take)) == take


@pytest.mark.timeout(120)
@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no corpus of compose files: CUTOVER_CORPUS names none, none beside the checkout"
)
def test_real_files_lose_their_ports_and_get_them_back_to_the_byte() -> None:
    """Each entry alone and all together, with a reader of YAML that shares no code with the editor."""
    wrong, done = [], 0
    for files, service, ports in _takes():
        edit = files.take_ports(service, ports)
        before, after = (_loaded(next(iter(f.contents().values()))) for f in (files, edit.files))
        left = after["services"][service].pop("ports", None) or []
        had = before["services"][service].pop("ports")
        gone = len(had) - len(left)
        if before != after or gone != len(edit.take.places[0].entries) or not _only_fewer_lines(edit):
            wrong.append((files.documents[0].name, service, ports, "taken"))
        if edit.files.apply_inverse(journaled(edit.take)).files.contents() != files.contents():
            wrong.append((files.documents[0].name, service, ports, "given"))
        done += 1
    assert wrong == []
    assert done > 50


def _takes() -> Iterator[tuple[FileSet, str, Collection[tuple[int, Protocol]] | None]]:
    for path in sorted(CORPUS.iterdir())[::9]:
        content = path.read_bytes()
        try:
            files = FileSet.parse({path.name: content})
            _loaded(content)
        except Exception:  # noqa: BLE001 - whatever either of the two readers cannot read is not this test's
            continue
        for service in files.services():
            ports = [e.published for e in files.documents[0].port_entries(service) if e.published]
            yield from ((files, service, each) for each in ([None, *ports[1:]] if ports else []))


def _loaded(content: bytes) -> dict:
    return YAML(typ="safe", pure=True).load(BytesIO(content))


def _only_fewer_lines(edit: SetEdit) -> bool:
    """Say whether the diff adds nothing, or nothing but the line of the list itself."""
    added = [line for line in edit.diff(0).splitlines() if line.startswith("+") and not line.startswith("+++")]
    return all("ports" in line for line in added)
