"""The text of an override: whatever names and files are called, it says what was meant and no more."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cutover.document.override.text import Line, document, signed, untouched

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LINES = st.text(st.sampled_from("a:#-{}\n\r\x85\u2028\u2029\t \x00\x1b'\"&*!|>%@`"), max_size=20)


@given(comment=TEXT | LINES, value=TEXT | LINES, header=TEXT | LINES)
def test_no_text_adds_a_line(comment: str, value: str, header: str) -> None:
    """A newline in a file's name would end its comment, and the rest be read as a service: privileged, say."""
    body = document("web", [Line("command", [value], comment)])
    written = signed([header, f"docker compose -f {header}"], body)
    assert untouched(written)
    assert YAML(typ="safe", pure=True).load(written) == {"services": {"web": {"command": [value]}}}


def test_a_comment_is_shown_as_it_was_meant() -> None:
    """Plain text is untouched; an empty line stays a bare mark."""
    assert signed(["from a.yml", ""], "x: 1\n").startswith("# from a.yml\n#\n# sha256")
    assert re.search(r"^    # a  b$", document("web", [Line("image", "i", "a \nb")]), re.MULTILINE)
