"""When does a connection rest, so that it can be cut and no request is lost? Pure: told what passed, asked when to cut.

A connection rests when its last bytes went towards the client and a while has passed since. How long that while has to
be, each connection teaches: a service that pauses within its answers (a stream of tokens) needs more than the longest
pause; a client that asks again 4 ms after each answer has to be cut before half of that has passed. What has taught
nothing yet is believed to rest after UNTAUGHT_S. As patience runs out less is asked, down to HURRIED_S.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SETTLED_S = 0.01
RESTLESS_S = 0.004
HURRIED_S = 0.0005
UNTAUGHT_S = 0.25
IN_TIME = 0.5
"""The part of a client's usual thinking time within which it may be cut: later its next request may be under way."""
TAUGHT = 2
PAUSES = 3.0
SLOWEST_S = 1.0
REMEMBERED = 8
BLIND_S = 0.005
"""What passed in a gap of the looks that is longer than this teaches nothing: it may have been several turns."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer. Times are seconds; `think_s` passed between the answer and the next question."""

    delay_s: float
    pause_s: float
    size: int
    think_s: float


@dataclass(slots=True)
class Watch:
    """What is known of one connection. All times are seconds of one monotonic clock.

    `asked` and `answered` lie between two looks; the real moment of the answer is at most `blur_s` earlier.
    """

    opened: float
    received: int = 0
    sent: int = 0
    asked: float = 0.0
    answered: float = 0.0
    blur_s: float = 0.0
    answered_last: bool = False
    pause_s: float = 0.0
    delay_s: float = 0.0
    before_answer: int = 0
    turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def look(self, now: float, received: int, sent: int, *, since: float, answered_last: bool | None = None) -> None:
        """Take the totals as they are at `now`; they were looked at before at `since`.

        `answered_last` says who spoke last where both did, None where nobody can say.
        """
        came, went = received > self.received, sent > self.sent
        if came:
            self._ask(now, since)
        if went:
            self._answer(now, since)
        if came or went:
            # From rest the client speaks first: where both spoke, it was a question and its answer.
            both = self.answered_last or not self.received if answered_last is None else answered_last
            self.answered_last = both if came and went else went
        self.received, self.sent = received, sent

    def _ask(self, now: float, since: float) -> None:
        if self.answered_last and self.received and now - since <= BLIND_S:
            think_s = max(0.0, since - self.answered)
            self.turns.append(Turn(self.delay_s, self.pause_s, self.sent - self.before_answer, think_s))
        if self.answered_last:
            self.pause_s, self.before_answer = 0.0, self.sent
        self.asked = now

    def _answer(self, now: float, since: float) -> None:
        if self.sent > self.before_answer and self.answered >= self.asked:
            self.pause_s = max(self.pause_s, now - self.answered)
        else:
            self.delay_s = now - self.asked if self.asked else 0.0
        self.answered, self.blur_s = now, now - since

    def rests(self, now: float, patience: float = 1.0) -> bool:
        """Say whether it can be cut now; `patience` is 1 at first and 0 when the time is up."""
        if not self.received and not self.sent:
            return now - self.opened >= UNTAUGHT_S * patience
        if not self.answered_last:
            return False
        quiet = now - self.answered
        if quiet >= max(UNTAUGHT_S, PAUSES * self._longest_pause()):
            return True
        if len(self.turns) < TAUGHT or not self._whole():
            return quiet >= max(UNTAUGHT_S * patience, HURRIED_S)
        if now - self.asked < min(self._usual_delay(), SLOWEST_S) * patience:  # another question may be in work
            return False
        settled = max(min(SETTLED_S, self.think_s / 4), HURRIED_S, PAUSES * self._longest_pause())
        return quiet >= settled * min(1.0, 2 * patience) and (self._in_time(quiet) or patience <= 0)

    @property
    def think_s(self) -> float:
        """Return how long the client usually takes to ask again, on the short side."""
        known = sorted(t.think_s for t in self.turns)
        return known[len(known) // 4] if known else 0.0

    def _usual_delay(self) -> float:
        known = sorted(t.delay_s for t in self.turns)
        return known[3 * len(known) // 4]

    def _longest_pause(self) -> float:
        return max((self.pause_s, *(t.pause_s for t in self.turns)))

    def _whole(self) -> bool:
        """Say whether the answer is as long as others were: its first part may have been written, and not the rest."""
        return self.sent - self.before_answer >= min(t.size for t in self.turns) > 0

    def _in_time(self, quiet: float) -> bool:
        """Say whether the client's next question is not due yet."""
        return quiet + self.blur_s <= IN_TIME * self.think_s

    @property
    def restless(self) -> bool:
        """Say whether its client asks again too soon for a rest to be seen."""
        return len(self.turns) >= TAUGHT and self.think_s < RESTLESS_S

    @property
    def has_just_answered(self) -> bool:
        """Say whether the bytes that passed this moment were a whole answer, as far as earlier ones teach.

        For clients that ask again as soon as they are answered: there is no other moment.
        """
        return self.restless and self.answered_last and self._whole()
