"""The catalogue of findings is whole, and the documentation is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import cutover
from cutover.ports.catalogue import CATALOGUE, document

PACKAGE = Path(cutover.__file__).parent
CODE = re.compile(
    r"(?:\berror|Finding)\(\s*\"([a-z0-9-]+)\""
    r"|return \"([a-z]+-[a-z-]+)\"|\"([a-z-]+)\" if conflict|else \"([a-z-]+)\"\n"
)


def test_every_code_is_in_the_catalogue_and_no_other() -> None:
    """As the rules and the doctor say them."""
    sources = [*(PACKAGE / "ports" / "rules").glob("*.py"), PACKAGE / "flow" / "doctor.py"]
    said = {code for path in sources for found in CODE.findall(path.read_text()) for code in found if code}
    assert said == set(CATALOGUE)


def test_the_document_is_the_catalogue() -> None:
    """docs/findings.md: `python -m cutover.ports.catalogue > docs/findings.md`."""
    assert (PACKAGE.parent / "docs" / "findings.md").read_text() == document()
