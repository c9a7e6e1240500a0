"""How what was found is refused now."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cutover.errors import CutoverError

DIGITS = "9" * 5000
"""More than Python makes a number of."""
DEEP = "[" * 100_000


def refused(call: Callable[[], object], kind: type[CutoverError], reference: str) -> CutoverError:
    """See how something is refused, with a next command."""
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.reference == reference
    assert caught.value.hint
    return caught.value
