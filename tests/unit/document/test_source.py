"""Compose text becomes a tree that knows where each of its nodes stands."""

from __future__ import annotations

import pytest

from cutover.document import HAS_LIBYAML, Document
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError

TEXT = """\
x-p: &p []
services:
  größe: &g   # é
    image: "a:1"
    command: |
      one

    environment:
    - A=1
    -
    labels: {x: , "y": [1, 2]}
    ports: *p
    empty:
"""


def each(node: Node) -> list[tuple[object, ...]]:
    """Return every node below and with `node`, with its place."""
    own = [(node.kind, node.start, node.end, node.tag, node.anchor, node.value, node.style, node.flow)]
    below = [*node.items, *(part for pair in node.pairs for part in pair)]
    return own + [entry for child in below for entry in each(child)]


def test_nodes_know_their_own_text() -> None:
    """Marks count characters, so that text before them in any script does not shift them."""
    document = Document.parse(TEXT.encode(), "compose.yml")
    service = ("services", "größe")

    def source(*path: str | int) -> str:
        node = document.find((*service, *path))
        assert node is not None
        return document.source_of(node)

    assert source("image") == '"a:1"'
    assert source("command") == "|\n      one"
    assert source("environment", 0) == "A=1"
    assert source("environment", 1) == ""
    assert source("labels") == '{x: , "y": [1, 2]}'
    assert source("labels", "y") == "[1, 2]"
    assert source("ports") == "*p"
    assert source("empty") == ""
    assert document.line_of(document.service("größe").node) == 3


def test_empty_values_stand_behind_their_colon_or_dash() -> None:
    """The parser's mark of an empty value stands at the next token, where an edit would do harm."""
    document = Document.parse(TEXT.encode(), "compose.yml")
    for path, before in ((("environment", 1), "-"), (("labels", "x"), "x:"), (("empty",), "empty:")):
        node = document.find(("services", "größe", *path))
        assert node is not None
        assert document.text[: node.start].endswith(before)


@pytest.mark.skipif(not HAS_LIBYAML, reason="ruamel.yaml.clib is not installed, so there is only one parser")
def test_both_parsers_see_the_same_tree() -> None:
    """The fallback is of use only if it sees what libyaml sees."""
    quick, pure = (Document.parse(TEXT.encode(), "compose.yml", pure=pure) for pure in (False, True))
    assert each(quick.root) == each(pure.root)


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize(
    ("content", "reference", "line"),
    [
        (b"a: 1\n---\nb: 2\n", "several-documents", 2),
        (b"a: 1\nb: {c: 1,\n  c: 2}\n", "duplicate-key", 3),
        (b"a: 1\rb: 2\n", "bare-cr", 1),
        (b"a: 1\nb: \xff\n", "not-utf8", 2),
        (b"a: 1\n b: 2\n", "invalid-yaml", 2),
        (b"- a\n", "not-a-mapping", 1),
        (b"", "not-a-mapping", 1),
        (b"a: " + b"[" * 200 + b"]" * 200, "nested-too-deep", 1),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(
    content: bytes, reference: str, line: int, pure: bool
) -> None:
    """Each refusal names the file and the line, with either parser."""
    with pytest.raises(EditRefusedError) as caught:
        Document.parse(content, "compose.yml", pure=pure)
    assert caught.value.reference == reference
    assert caught.value.line == line
    assert "compose.yml" in caught.value.message


def test_bom_line_ends_and_missing_newline_are_known() -> None:
    """What the bytes are beyond their text is kept for the way back."""
    document = Document.parse(b"\xef\xbb\xbfservices:\r\n  a: {}", "compose.yml")
    assert (document.bom, document.final_newline) == (True, False)
    assert document.lines.newline(0) == "\r\n"
    assert document.root.kind is Kind.MAPPING
    assert document.root.start == 0
