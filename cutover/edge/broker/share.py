"""Which requests are the canary's: a share without luck in it, or clients that keep their colour."""

from __future__ import annotations

import zlib

WHOLE = 10_000
"""Shares are counted in hundredths of a per cent."""


class Share:
    """Deals requests by error diffusion: of any 10,000 in a row exactly so many are the canary's, evenly spread."""

    def __init__(self, *, sticky: bool) -> None:
        self.percent = 0.0
        self._sticky = sticky
        self._part = 0
        self._owed = 0

    def set(self, percent: float) -> None:
        """Deal so many per cent to the canary from now on."""
        self.percent = percent
        self._part = round(percent * WHOLE / 100)
        self._owed = 0

    def takes(self, client: bytes) -> bool:
        """Say whether this request of a client goes to the canary.

        Where clients keep their colour, one that is in at 5 % is still in at 25 %, also after a restart.
        """
        if self._sticky:
            return zlib.crc32(client) % WHOLE < self._part
        self._owed += self._part
        if self._owed < WHOLE:
            return False
        self._owed -= WHOLE
        return True

    def give_back(self) -> None:
        """Take back that the last request went to the canary, which could not take it."""
        if not self._sticky:
            self._owed += WHOLE
