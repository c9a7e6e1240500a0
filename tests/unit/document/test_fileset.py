"""Several compose files that make one project."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.document import FileSet
from cutover.errors import EditRefusedError
from cutover.model import Protocol

GREEN = b'services:\n  green:\n    image: g\n    ports:\n      - "5570:5570"  # zmq\n      - "6570:6570"\n'
BLUE = b"services:\n  blue:\n    image: b\n    restart: always\n"


def refusal(
    files: dict[str, bytes], others: dict[str, bytes] | None = None, source: str = "green", target: str = "blue"
) -> tuple[str, str | None, int | None]:
    """Return reference, file and line of the refusal to move port 5570."""
    with pytest.raises(EditRefusedError) as caught:
        FileSet.parse(files, (others or {}).get).move_ports(source, target, [(5570, Protocol.TCP)])
    return caught.value.reference, caught.value.file, caught.value.line


def test_two_files_change_in_one_go() -> None:
    """The port leaves the file that declares it and enters the one that defines its new owner."""
    files = FileSet.parse({"a.yml": GREEN, "b.yml": BLUE})
    edit = files.move_ports("green", "blue", [(5570, Protocol.TCP)], retarget={5570: 9901})
    assert [e.file for e in edit.edits] == ["a.yml", "b.yml"]
    assert edit.files.contents() == {
        "a.yml": GREEN.replace(b'      - "5570:5570"  # zmq\n', b""),
        "b.yml": BLUE + b'    ports:\n      - "5570:9901"  # zmq\n',
    }
    assert "b/a.yml" in edit.diff()
    assert "b/b.yml" in edit.diff()


def test_the_way_back_gives_both_files_their_ports() -> None:
    """The inverse of a move between files is one too."""
    files = FileSet.parse({"a.yml": GREEN, "b.yml": BLUE})
    edit = files.move_ports("green", "blue", retarget={5570: 9901})
    assert edit.edits[0].inverse is not None
    back = edit.files.apply_inverse(edit.edits[0].inverse)
    assert back.files.contents() == {"a.yml": GREEN, "b.yml": BLUE}


def test_one_file_of_several_changes_where_both_are_in_it() -> None:
    """Files that have nothing to do with the move stay out of the edit."""
    both = GREEN + BLUE.partition(b"\n")[2]
    edit = FileSet.parse({"a.yml": both, "b.yml": b"services:\n  other: {image: o}\n"}).move_ports("green", "blue")
    assert [e.file for e in edit.edits] == ["a.yml"]


def test_the_definition_that_has_ports_gets_them() -> None:
    """Compose adds the lists up, so the override that has one already is the place."""
    override = b"services:\n  blue:\n    ports:\n      - 1:1\n"
    files = FileSet.parse({"a.yml": GREEN, "b.yml": BLUE, "c.yml": override})
    edit = files.move_ports("green", "blue", [(6570, Protocol.TCP)])
    assert edit.files.contents()["c.yml"] == override + b'      - "6570:6570"\n'
    assert [e.file for e in edit.edits] == ["a.yml", "c.yml"]


def test_a_port_from_an_override_is_taken_from_there() -> None:
    """The edit lands in the file that declares the port, not in the first that defines the service."""
    base = b"services:\n  green:\n    image: g\n"
    override = GREEN.replace(b"    image: g\n", b"")
    edit = FileSet.parse({"a.yml": base, "b.yml": BLUE, "c.yml": override}).move_ports("green", "blue")
    assert edit.files.contents()["a.yml"] == base
    assert edit.files.contents()["c.yml"] == b"services:\n  green:\n    ports: []\n"


def test_ports_declared_in_two_files_move_in_one_go() -> None:
    """Each file loses its own; the move and its inverse speak of all of them."""
    override = b"services:\n  green:\n    ports:\n      - 7570:7570\n"
    files = FileSet.parse({"a.yml": GREEN, "b.yml": BLUE, "c.yml": override})
    edit = files.move_ports("green", "blue")
    assert [port for port, _ in edit.move.published] == [5570, 6570, 7570]
    contents = edit.files.contents()
    assert b"ports" not in contents["a.yml"]
    assert contents["b.yml"].count(b"570:") == 3
    assert contents["c.yml"].endswith(b"ports: []\n")
    assert {e.file for e in edit.edits} == {"a.yml", "b.yml", "c.yml"}
    assert all(e.inverse == edit.move.inverse() for e in edit.edits)


def test_what_comes_from_other_files_is_refused_with_file_and_line() -> None:
    """Included and extended services are known, and never edited."""
    included = b"include:\n  - sub/green.yml\n" + BLUE
    assert refusal({"m.yml": included}, {"sub/green.yml": GREEN}) == ("service-from-include", "m.yml", 2)
    extends = b"  green:\n    extends: {file: base.yml, service: green}\n"
    assert refusal({"m.yml": BLUE + extends}, {"base.yml": GREEN}) == ("port-from-extends", "m.yml", 6)
    heir = b"services:\n  heir:\n    extends:\n      file: a.yml\n      service: green\n"
    assert refusal({"a.yml": GREEN, "b.yml": BLUE, "c.yml": heir}) == ("inherited-by-extends", "c.yml", 4)
    assert refusal({"a.yml": GREEN, "b.yml": BLUE + heir.partition(b"\n")[2]}) == ("inherited-by-extends", "b.yml", 7)


def test_a_target_that_inherits_from_a_file_nobody_can_read_is_refused() -> None:
    """What is not known cannot be proven."""
    blue = b"services:\n  blue:\n    extends: {file: away.yml, service: x}\n"
    assert refusal({"a.yml": GREEN, "b.yml": blue}) == ("extends-unreadable", "b.yml", 3)


def test_a_target_that_inherits_the_same_port_is_refused() -> None:
    """Blue would publish it twice."""
    blue = b"services:\n  blue:\n    extends: {file: base.yml, service: green}\n"
    assert refusal({"a.yml": GREEN, "b.yml": blue}, {"base.yml": GREEN}) == ("port-from-extends", "b.yml", 3)


def test_a_port_that_an_included_service_declares_as_well_is_refused() -> None:
    """Compose would start one of the two and let the other fail."""
    included = b"services:\n  third: {image: t, ports: ['5570:1']}\n"
    files = {"a.yml": b"include: [i.yml]\n" + GREEN, "b.yml": BLUE}
    assert refusal(files, {"i.yml": included}) == ("port-already-declared", "i.yml", 2)


def test_a_port_in_two_files_and_unknown_services_are_refused() -> None:
    """The reason is said, with the file."""
    assert refusal({"a.yml": GREEN, "b.yml": BLUE, "c.yml": GREEN}) == ("port-in-several-files", "c.yml", 5)
    assert refusal({"a.yml": GREEN, "b.yml": BLUE}, target="red")[:2] == ("service-unknown", "a.yml")
    assert refusal({"a.yml": GREEN, "b.yml": BLUE}, target="green")[0] == "same-service"


def test_an_anchor_does_not_cross_files() -> None:
    """An alias means something in its own file only."""
    green = b"x-p: &p '5570:5570'\nservices:\n  green:\n    image: g\n    ports:\n      - *p\n      - 1:1\n"
    assert refusal({"a.yml": green, "b.yml": BLUE})[0] in {"anchor-in-use", "port-not-declared"}
    anchored = GREEN.replace(b'"5570:5570"', b'&p "5570:5570"')
    assert refusal({"a.yml": anchored, "b.yml": BLUE}) == ("anchor-in-use", "a.yml", 5)


def test_files_are_read_from_disk_with_what_they_include(tmp_path: Path) -> None:
    """Names are paths; an included file is found beside the one that names it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "green.yml").write_bytes(GREEN)
    (tmp_path / "compose.yml").write_bytes(b"include:\n  - path: [sub/green.yml, gone.yml]\n" + BLUE)
    files = FileSet.open([tmp_path / "compose.yml"])
    assert list(files.included) == [str(tmp_path / "sub" / "green.yml")]
    assert list(files.services()) == ["blue"]
