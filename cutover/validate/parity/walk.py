"""What comparing objects and lists needs of whoever walks through both values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from cutover.validate.parity.difference import Difference
from cutover.validate.parity.rules import Inherited, Located, Place


class Walk(Protocol):
    """Walks through two values at once, with the rules that hold in them."""

    @property
    def explains(self) -> bool:
        """Say whether differences are to be named well; if not, one is as good as another."""
        ...

    @property
    def rules(self) -> Located:
        """Return the rules, and where they hold."""
        ...

    def differences(self, green: Any, blue: Any, place: Place, above: Inherited) -> Iterator[Difference]:
        """Yield what differs at a place and below, of two values that are not the same."""
        ...

    def equal(self, green: Any, blue: Any, place: Place, above: Inherited) -> bool:
        """Say whether nothing differs at a place and below."""
        ...

    def ignored(self, place: Place) -> bool:
        """Say whether a place does not count."""
        ...
