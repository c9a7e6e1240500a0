"""Single values, list items, labels, networks, profiles, GPU reservations and whole services."""

from __future__ import annotations

import pytest

from cutover.document import (
    Document,
    Edit,
    add_gpu_reservation,
    add_service_after,
    append_item,
    apply_inverse,
    delete,
    put,
    remove_item,
    remove_service,
    set_entry,
    set_scalar,
    unset_entry,
)
from cutover.errors import EditRefusedError, UsageError

TEXT = """\
x-base: &base
  restart: always
services:
  web:
    image: "web:1"  # pinned
    labels:
      - role=green  # ours
      - other=1
    networks:
      front: {}
    profiles: [a]
    # deploy:
    #   replicas: 2

  db:
    <<: *base
    image: 'db:1'
    depends_on: [web]
    labels: {role: green}
    deploy:
      resources:
        limits: {cpus: "1"}
    command: >
      run
      it
"""

DOCUMENT = Document.parse(TEXT.encode(), "compose.yml")
WEB, DB = ("services", "web"), ("services", "db")


def changes(edit: Edit) -> list[str]:
    """Return the lines that an edit takes and gives."""
    lines = edit.diff(0).splitlines()
    return [line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"}]


def reference(document: Document, do: object, *args: object, **options: object) -> tuple[str, int | None]:
    """Return reference and line of the refusal of an edit."""
    with pytest.raises(EditRefusedError) as caught:
        do(document, *args, **options)
    return caught.value.reference, caught.value.line


def test_a_scalar_keeps_its_quotes_and_comment() -> None:
    """Only the value between the quotes changes."""
    assert changes(set_scalar(DOCUMENT, (*WEB, "image"), "web:2")) == [
        '-    image: "web:1"  # pinned',
        '+    image: "web:2"  # pinned',
    ]
    assert changes(set_scalar(DOCUMENT, (*DB, "image"), "it's")) == ["-    image: 'db:1'", "+    image: 'it''s'"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("0755", '"0755"'),
        ("yes", '"yes"'),
        ("a: b", '"a: b"'),
        ("x\ny\té", '"x\\ny\\té"'),
        ("", '""'),
        (3, "3"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_a_new_scalar_is_quoted_where_it_could_be_mistaken(value: object, written: str) -> None:
    """Text stays text, numbers stay numbers."""
    edit = set_scalar(DOCUMENT, (*WEB, "x-new"), value)
    assert changes(edit) == [f"+    x-new: {written}"]
    node = edit.document.find((*WEB, "x-new"))
    assert node is not None
    assert node.value == {None: "null", True: "true"}.get(value, str(value))


def test_new_keys_stand_above_commented_out_ones() -> None:
    """Commented-out keys below a service belong to it and stay where they are."""
    lines = set_scalar(DOCUMENT, (*WEB, "x-new"), "a").content.decode().splitlines()
    assert lines[lines.index("    x-new: a") - 1] == "    profiles: [a]"


def test_a_folded_scalar_at_the_end_of_a_file_keeps_its_value() -> None:
    """Appending behind it would end its last line, which is part of its value."""
    document = Document.parse(TEXT.rstrip("\n").encode(), "compose.yml")
    edit = set_scalar(document, (*DB, "x-new"), "a")
    command = edit.document.find((*DB, "command"))
    assert command is not None
    assert command.value == "run it"
    assert not edit.content.endswith(b"\n")


EDITS = {
    "set": lambda d: set_scalar(d, (*WEB, "image"), "web:2"),
    "set a block scalar": lambda d: set_scalar(d, (*DB, "command"), "other"),
    "put": lambda d: put(d, (*WEB, "deploy", "labels"), {"a": ["b", 1]}),
    "delete": lambda d: delete(d, (*WEB, "labels")),
    "delete the first key": lambda d: delete(d, (*WEB, "image")),
    "append": lambda d: append_item(d, (*WEB, "labels"), "new=1"),
    "remove": lambda d: remove_item(d, (*WEB, "labels"), "other=1"),
    "add a service": lambda d: add_service_after(d, "web", "blue", {"image": "b:1", "ports": ["1:1"]}),
    "remove a service": lambda d: remove_service(d, "db"),
    "gpu": lambda d: add_gpu_reservation(d, "web", count=1),
    "gpu below deploy": lambda d: add_gpu_reservation(d, "db", device_ids=["0", "1"], capabilities=["gpu", "utility"]),
    "network": lambda d: set_entry(d, (*WEB, "networks"), "back"),
    "label": lambda d: set_entry(d, (*DB, "labels"), "new", "x"),
    "profile": lambda d: set_entry(d, (*WEB, "profiles"), "b"),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("name", EDITS)
def test_every_edit_is_taken_back_to_the_same_bytes(name: str, ended: bool, newline: str) -> None:
    """The inverse of an edit, applied to what it made, leaves no trace."""
    text = TEXT if ended else TEXT.rstrip("\n")
    document = Document.parse(text.replace("\n", newline).encode(), "compose.yml")
    edit = EDITS[name](document)
    assert edit.changed
    assert edit.inverse is not None
    assert apply_inverse(edit.document, edit.inverse).content == document.content


def test_a_gpu_reservation_makes_what_is_missing_above_it() -> None:
    """Nothing of `deploy` is there, or a part of it, or the list itself."""
    edit = add_gpu_reservation(DOCUMENT, "db", count=1)
    assert changes(edit) == [
        "+        reservations:",
        "+          devices:",
        "+            - driver: nvidia",
        "+              count: 1",
        "+              capabilities: [gpu]",
    ]
    assert changes(add_gpu_reservation(DOCUMENT, "web"))[:2] == ["+    deploy:", "+      resources:"]
    assert reference(edit.document, add_gpu_reservation, "db") == ("gpu-already-reserved", 25)
    with pytest.raises(UsageError):
        add_gpu_reservation(DOCUMENT, "web", count=1, device_ids=["0"])


def test_entries_are_written_as_their_owner_is() -> None:
    """Labels and networks may be lists or have keys."""
    assert changes(set_entry(DOCUMENT, (*WEB, "labels"), "role", "blue")) == [
        "-      - role=green  # ours",
        "+      - role=blue  # ours",
    ]
    assert changes(set_entry(DOCUMENT, (*DB, "labels"), "role", "blue"))[1] == "+    labels: {role: blue}"
    assert changes(set_entry(DOCUMENT, (*WEB, "networks"), "back")) == ["+      back: {}"]
    assert changes(set_entry(DOCUMENT, (*DB, "networks"), "back")) == ["+    networks: [back]"]
    assert changes(unset_entry(DOCUMENT, (*WEB, "labels"), "role")) == ["-      - role=green  # ours"]
    assert changes(unset_entry(DOCUMENT, (*WEB, "profiles"), "a")) == ["-    profiles: [a]"]
    assert changes(unset_entry(DOCUMENT, (*WEB, "networks"), "front")) == ["-    networks:", "-      front: {}"]
    assert reference(DOCUMENT, unset_entry, (*WEB, "labels"), "none") == ("item-unknown", 7)


def test_a_service_comes_with_its_text_and_goes_with_its_comments() -> None:
    """Blank lines set it off as the others are; commented-out keys below it are its own."""
    body = """
        image: blue:1
        # soon
        ports: []
    """
    edit = add_service_after(DOCUMENT, "web", "blue", body)
    assert changes(edit) == ["+  blue:", "+    image: blue:1", "+    # soon", "+    ports: []", "+"]
    gone = remove_service(edit.document, "blue")
    assert gone.content == TEXT.encode()
    free = Document.parse(TEXT.replace("    depends_on: [web]\n", "").encode(), "compose.yml")
    assert "deploy:\n    #   replicas" not in remove_service(free, "web").content.decode()


@pytest.mark.parametrize(
    ("do", "args", "expected"),
    [
        (set_scalar, ((*WEB, "labels"), "x"), ("not-a-scalar", 7)),
        (set_scalar, (("services", "none", "image", "x"), "x"), ("service-unknown", None)),
        (set_scalar, ((*DB, "restart"), "no"), ("merged-value", 16)),
        (set_scalar, (("x-base", "restart"), "no"), ("shared-by-alias", 16)),
        (delete, ((*WEB, "none"),), ("path-unknown", None)),
        (put, ((*WEB, "image"), "x"), ("path-taken", 5)),
        (append_item, ((*WEB, "labels"), "other=1"), ("item-exists", 7)),
        (append_item, ((*WEB, "image"), "x"), ("not-a-list", 5)),
        (remove_item, ((*WEB, "labels"), "x"), ("item-unknown", 7)),
        (remove_service, ("web",), ("service-in-use", 18)),
        (remove_service, ("none",), ("service-unknown", None)),
        (add_service_after, ("web", "db", "image: x"), ("service-exists", 16)),
        (add_service_after, ("web", "blue", "- x"), ("body-invalid", None)),
        (add_service_after, ("web", "blue", "a: ["), ("body-invalid", None)),
    ],
)  # fmt: skip
def test_what_is_not_safe_is_refused(do: object, args: tuple[object, ...], expected: tuple[str, int | None]) -> None:
    """Shared and merged values, unknown places and doubled names, with their line."""
    assert reference(DOCUMENT, do, *args) == expected


def test_the_last_service_stays() -> None:
    """A project without services is none."""
    document = Document.parse(b"services:\n  a: {image: x}\n", "compose.yml")
    assert reference(document, remove_service, "a") == ("last-service", 2)
