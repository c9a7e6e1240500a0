"""Ports move between services of one file, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.document import Document, apply_inverse, move_ports
from cutover.errors import EditRefusedError, FileChangedError
from cutover.model import Protocol

GREEN = """\
# the stack
services:
  green:
    image: "legacy:1"   # é
    ports:
      - "5570:5570"   # clients know it
      - 6570:6570
    restart: always

  blue:
    image: 'suite:1'

volumes:
  data: {}
"""


def moved(text: str, *published: int, source: str = "green", target: str = "blue", **options: object) -> str:
    """Return the text after a move."""
    ports = [(port, Protocol.TCP) for port in published] or None
    edit = move_ports(Document.parse(text.encode(), "compose.yml"), source, target, ports, **options)
    return edit.content.decode()


def refused(text: str, *published: int, source: str = "green", target: str = "blue", **options: object) -> tuple:
    """Return the reference and the line of a refusal."""
    with pytest.raises(EditRefusedError) as caught:
        moved(text, *published, source=source, target=target, **options)
    return caught.value.reference, caught.value.line


TEMPLATE = "x-t: &t {ports: ['9:1']}\n"


def services(green: str, blue: str = "image: b", rest: str = "") -> str:
    """Return a small file, with the bodies of two services at four columns."""
    parts = ["services:", "  green:", *_indented(green), "  blue:", *_indented(blue), rest]
    return "\n".join(parts)


def _indented(text: str) -> list[str]:
    return ["    " + line for line in text.split("\n")]


def test_one_port_moves_with_its_quotes_and_comment() -> None:
    """The diff is the moved line and the key that it needs, and nothing else."""
    edit = move_ports(Document.parse(GREEN.encode(), "compose.yml"), "green", "blue", [(5570, Protocol.TCP)])
    lines = [line for line in edit.diff(0).splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert lines == [
        '-      - "5570:5570"   # clients know it',
        "+    ports:",
        '+      - "5570:5570"   # clients know it',
    ]
    assert edit.move is not None
    assert edit.move.published == ((5570, Protocol.TCP),)


def test_the_last_port_takes_its_key_along() -> None:
    """Compose rejects an empty `ports:`, so the key goes too."""
    new = moved(GREEN)
    assert new.count("ports:") == 1
    assert new.index("ports:") > new.index("blue:")


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bom_line_ends_and_the_end_of_the_file_stay(newline: str, bom: bytes, ended: bool, pure: bool) -> None:
    """What the file is beyond its lines is not touched, with either parser."""
    text = GREEN.partition("\nvolumes")[0] if not ended else GREEN
    content = bom + (text if ended else text.rstrip("\n")).replace("\n", newline).encode()
    edit = move_ports(Document.parse(content, "compose.yml", pure=pure), "green", "blue")
    assert edit.content.startswith(bom + b"# the stack")
    assert edit.content.endswith(b"\n") is ended
    assert (b"\r\n" in edit.content) is (newline == "\r\n")
    assert edit.content.count(b"\n") == (edit.content.count(b"\r\n") if newline == "\r\n" else content.count(b"\n"))


def test_restore_gives_the_old_bytes_or_refuses() -> None:
    """Bytes come back only over the bytes that the edit wrote."""
    edit = move_ports(Document.parse(GREEN.encode(), "compose.yml"), "green", "blue")
    assert edit.restore(edit.content) == GREEN.encode()
    with pytest.raises(FileChangedError):
        edit.restore(edit.content + b"\n")


def test_the_inverse_works_on_a_file_changed_meanwhile() -> None:
    """Somebody's other change survives the way back."""
    edit = move_ports(
        Document.parse(GREEN.encode(), "compose.yml"), "green", "blue", [(5570, Protocol.TCP)], retarget={5570: 9901}
    )
    assert b'"5570:9901"' in edit.content
    changed = edit.content.replace(b"suite:1", b"suite:2")
    assert edit.inverse is not None
    back = apply_inverse(Document.parse(changed, "compose.yml"), edit.inverse).content.decode()
    assert "suite:2" in back
    assert '      - 6570:6570\n      - "5570:5570"   # clients know it\n' in back
    assert back.count("ports:") == 1


@pytest.mark.parametrize(
    ("green", "blue", "expected"),
    [
        ('image: g\nports: ["1:1", "2:2"]  # two', 'image: b\nports: ["3:3"]', 'ports: ["3:3", "1:1", "2:2"]  # two'),
        ("image: g\nports:\n- 1:1 # one", 'ports: ["3:3"] # b', 'ports: ["3:3", "1:1"] # b  # one'),
        ("ports:\n- ${P:-1}:1", 'ports: ["3:3"]', 'ports: ["3:3", "${P:-1}:1"]'),
        ("image: g\nports: [1:1]", "ports:\n  - 3:3", "ports:\n      - 3:3\n      - 1:1"),
        ("ports:\n- target: 1\n  published: 1 # x", "ports:\n    - 3:3", "- target: 1\n          published: 1 # x"),
        ("ports:\n- target: 1\n  published: '1'", "ports: []", "ports:\n    - target: 1\n      published: '1'"),
        ("ports:\n- target: 1\n  published: '1'", "ports: [3:3]", "ports: [3:3, {target: 1, published: '1'}]"),
        ("image: g\nports: [\n  1:1, # a\n  2:2 # b\n]", "image: b", "ports:\n      - 1:1  # a\n      - 2:2  # b"),
        ("image: g\nports:\n  # why\n  - 1:1", "image: b", "ports:\n      # why\n      - 1:1"),
    ],
)
def test_items_take_the_form_of_their_new_place(green: str, blue: str, expected: str) -> None:
    """Block, flow and long syntax turn into each other; comments and quotes are kept, variables quoted in brackets."""
    new = moved(services(green, blue))
    assert expected in new.partition("  blue:\n")[2]
    assert new.count("#") == services(green, blue).count("#")


def test_a_key_line_with_a_comment_stays() -> None:
    """No comment is lost: the list stays as `[]` where its key has one."""
    assert "    ports: []  # legacy\n" in moved(services("image: g\nports:  # legacy\n  - 1:1"))


def test_blank_lines_of_a_kept_block_scalar_are_not_swallowed() -> None:
    """`|+` owns the blank lines behind it; the new key goes where it changes no value."""
    text = services("image: g\nports:\n  - 1:1", "image: b\ncommand: |+\n  run\n\n", "volumes: {}\n")
    document = Document.parse(moved(text).encode(), "compose.yml")
    command = document.find(("services", "blue", "command"))
    assert command is not None
    assert command.value == "run\n\n\n"


def test_json_stays_json() -> None:
    """A file within braces gets its new key quoted as its others are."""
    text = '{"services": {"green": {"image": "g", "ports": ["1:1"]}, "blue": {"image": "b"}}}'
    expected = '{"services": {"green": {"image": "g"}, "blue": {"image": "b", "ports": ["1:1"]}}}'
    assert moved(text) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('"5570:5570"  # c', '"5570:9901"  # c'),
        ("'127.0.0.1:5570:5570/tcp'", "'127.0.0.1:5570:9901/tcp'"),
        ("${PORT:-5570}:${INSIDE:-5570}", "${PORT:-5570}:9901"),
        ('"[::1]:5570:5570"', '"[::1]:5570:9901"'),
        ("{target: 5570, published: '5570'}", "{target: 9901, published: '5570'}"),
        ('target: "5570" # in\n  published: 5570 # out', 'target: "9901" # in\n      published: 5570 # out'),
    ],
)
def test_the_container_port_alone_is_rewritten(entry: str, expected: str) -> None:
    """Blue may listen on another port inside; the host's side, quotes and comments stay."""
    new = moved(services(f"image: g\nports:\n- {entry}"), 5570, retarget={5570: 9901})
    assert f"- {expected}\n" in new.partition("  blue:\n")[2] + "\n"


def test_a_container_port_in_a_variable_with_the_host_port_is_refused() -> None:
    """`$BIND` may hold the whole entry: then nothing says where the container's side is."""
    text = services("ports:\n- $BIND")
    assert refused(text, 80, env={"BIND": "80:80"}, retarget={80: 81}) == ("retarget-in-variable", 4)
    assert "- $BIND" in moved(text, 80, env={"BIND": "80:80"}).partition("blue")[2]


@pytest.mark.parametrize(
    ("text", "ports", "expected"),
    [
        (services("ports:\n- 1:1"), (2,), ("port-not-declared", 4)),
        (services("image: g"), (1,), ("port-not-declared", 2)),
        (services("ports:\n- 1:1", "ports:\n- 1:2"), (1,), ("port-already-declared", 7)),
        (services("ports:\n- 1:1", rest="  c: {ports: [1:3]}"), (1,), ("port-already-declared", 7)),
        (services("ports:\n- 1-3:1-3"), (2,), ("port-in-range", 4)),
        (services("ports: &p\n- 1:1", rest="  c: {ports: *p}"), (1,), ("port-already-declared", 4)),
        ("x-p: &p [1:1]\n" + services("ports: *p"), (1,), ("shared-by-alias", 4)),
        (services("ports: *p"), (1,), ("dangling-alias", 3)),
        (TEMPLATE + services("<<: *t"), (9,), ("port-from-merge-key", 1)),
        (TEMPLATE + services("ports:\n- 1:1", "<<: *t"), (1,), ("merged-list", 1)),
        (services("ports:\n- 1:1", rest="  c: {extends: blue}"), (1,), ("inherited-by-extends", 7)),
        (services("extends: base", rest="  base: {ports: [1:1]}"), (1,), ("port-from-extends", 3)),
        (services("ports:\n- 1:1", "network_mode: host"), (1,), ("cannot-publish", 6)),
        (services("ports: !override\n- 1:1"), (1,), ("tagged-list", 3)),
        (services("ports:\n- 1:1", "").replace("    \n", ""), (1,), ("service-empty", 5)),
        (services("ports: 1"), (1,), ("not-a-list", 3)),
    ],
)
def test_what_is_not_safe_is_refused_with_its_line(text: str, ports: tuple[int, ...], expected: object) -> None:
    """Shared, inherited, merged, doubled and half-moved ports stay where they are, and the reason is said."""
    assert refused(text, *ports) == expected


def test_an_anchor_used_above_its_new_place_is_refused() -> None:
    """An anchor must come before what names it, or the alias means nothing."""
    text = "services:\n  green:\n    ports:\n    - &one 1:1\n    x-one: *one\n  blue:\n    image: b\n"
    assert refused(text, 1) == ("anchor-in-use", 4)


def test_unknown_and_same_services_are_refused() -> None:
    """The refusal names the services that there are."""
    with pytest.raises(EditRefusedError, match="defines no service 'red'") as caught:
        moved(GREEN, source="red")
    assert caught.value.reference == "service-unknown"
    assert caught.value.evidence == ("services: green, blue",)
    assert refused(GREEN, target="green") == ("same-service", None)


def test_one_port_of_two_protocols_moves_alone() -> None:
    """One number is two ports: tcp and udp."""
    text = services("ports:\n- 53:53\n- 53:53/udp")
    edit = move_ports(Document.parse(text.encode(), "c.yml"), "green", "blue", [(53, Protocol.UDP)])
    assert edit.content.decode().partition("blue")[2].count("53:53") == 1
    assert "- 53:53\n" in edit.content.decode().partition("blue")[0]


def test_several_addresses_of_one_port_move_together() -> None:
    """A port is moved with every address that it is bound to."""
    new = moved(services('ports:\n- "127.0.0.1:80:80"\n- "[::1]:80:80"\n- 81:81'), 80)
    assert "81:81" in new.partition("blue")[0]
    assert new.partition("blue")[2].count(":80:80") == 2


ENTRIES = st.sampled_from(
    ['"{0}:80"', "{0}:80", "'127.0.0.1:{0}:80/udp'", '"{0}:80"  # why', "{{target: 80, published: {0}}}"]
)
BODIES = st.lists(st.tuples(ENTRIES, st.integers(1000, 60000)), min_size=1, max_size=4, unique_by=lambda item: item[1])


@settings(max_examples=60, deadline=None)
@given(green=BODIES, blue=BODIES, flows=st.tuples(st.booleans(), st.booleans()), wide=st.integers(0, 4), data=st.data())
def test_there_and_back_means_the_same(
    green: list, blue: list, flows: tuple[bool, bool], wide: int, data: st.DataObject
) -> None:
    """Any subset of ports, moved and moved back, leaves every service with the ports that it had."""
    taken = {port for _, port in green}
    texts = [_list_of(green, flows[0], wide), _list_of([e for e in blue if e[1] not in taken], flows[1], 4 - wide)]
    document = Document.parse(services(*texts).encode(), "compose.yml")
    entries = document.port_entries("green")
    chosen = data.draw(st.lists(st.sampled_from(entries), min_size=1, unique_by=lambda e: e.index))
    edit = move_ports(document, "green", "blue", [port for entry in chosen for port in entry.published])
    assert edit.inverse is not None
    back = apply_inverse(edit.document, edit.inverse).document
    for name in ("green", "blue"):
        assert _bindings(back, name) == _bindings(document, name)
    assert len(_bindings(edit.document, "blue")) == len(_bindings(document, "blue")) + len(chosen)
    assert back.text.count("#") == document.text.count("#")


def _list_of(entries: list, flow: bool, indent: int) -> str:
    items = [entry.format(port) for entry, port in entries]
    if not items:
        return "image: x"
    if flow:
        return "image: x\nports: [" + ", ".join(item.partition("  #")[0] for item in items) + "]"
    return "image: x\nports:\n" + "\n".join(" " * indent + "- " + item for item in items)


def _bindings(document: Document, service: str) -> list[object]:
    return sorted(binding for entry in document.port_entries(service) for binding in entry.bindings)
