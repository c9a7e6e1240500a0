"""For tests of users' own: green and blue as objects that answer, and what it takes to start both.

`pytest --cutover` makes fixtures of it (`cutover.pytest_plugin`); nothing here needs pytest.
"""

from cutover.testing.colours import Colours
from cutover.testing.same import assert_parity
from cutover.testing.service import Service
from cutover.testing.stack import Wanted, both

__all__ = ["Colours", "Service", "Wanted", "assert_parity", "both"]
