"""When does a connection rest, so that it can be cut and no request is lost? Pure: told what passed, asked when to cut.

A connection rests when its last bytes went towards the client and a while has passed since. How long that while has to
be, each connection teaches: a service that pauses within its answers (a stream of tokens) needs more than the longest
pause. And the client's next question must not be due: of the times that it took to ask again before, those that are
over by now say nothing, and the shortest of the others says how much time is left. So a client that mostly asks again
at once, and sometimes after 8 ms, is cut 2 ms into one of the latter. What has taught nothing yet is believed to rest
after UNTAUGHT_S. As patience runs out less is asked of what has taught.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SETTLED_S = 0.01
HURRIED_S = 0.001
LEFT_S = 0.001
"""How long it has to be until the next question is due: a cut takes a tenth of that, and its packet has to travel."""
UNTAUGHT_S = 0.25
LAST_S = 0.005
"""What is asked when the time is up."""
RESTLESS_S = 0.003
TAUGHT = 2
PAUSES = 3.0
SLOWEST_S = 1.0
REMEMBERED = 16
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
        last = went
        if came and went:  # from rest the client speaks first, else it was answered and asked again at once
            rested = self.answered_last or not self.received
            last = rested if answered_last is None else answered_last
        if came and (last or not went):
            self._ask(now, since, self.sent)
        if went:
            self._answer(now, since)
            self.answered_last = True
        if came and not last:
            if went:
                self._ask(now, since, sent)
            self.answered_last = False
        self.received, self.sent = received, sent

    def _ask(self, now: float, since: float, sent: int) -> None:
        if self.answered_last and self.received and now - since <= BLIND_S:
            think_s = max(0.0, since - self.answered)
            self.turns.append(Turn(self.delay_s, self.pause_s, sent - self.before_answer, think_s))
        if self.answered_last:
            self.pause_s, self.before_answer = 0.0, sent
        self.asked = now

    def _answer(self, now: float, since: float) -> None:
        if self.sent > self.before_answer and self.answered >= self.asked:
            self.pause_s = max(self.pause_s, now - self.answered)
        else:
            self.delay_s = now - self.asked if self.asked else 0.0
        self.answered, self.blur_s = now, now - since

    def rests(self, now: float, patience: float = 1.0, lag_s: float = 0.0) -> bool:
        """Say whether it can be cut now; `patience` is 1 at first and 0 when the time is up.

        On a busy machine everybody runs late, by `lag_s` or so: a service between two parts of its answer, too.
        """
        fresh = not self.received and not self.sent
        if fresh or not self.answered_last or patience <= 0:
            rested = now - (self.answered if self.answered_last else self.opened)
            return (fresh or self.answered_last) and rested >= (UNTAUGHT_S if patience > 0 else LAST_S)
        quiet = now - self.answered
        over_s = PAUSES * max(self._longest_pause() * patience, lag_s)
        if len(self.turns) < TAUGHT or not self._whole():
            return quiet >= max(UNTAUGHT_S, over_s)
        in_work_s = min(self._usual_delay(), SLOWEST_S) * patience  # so long another question may have been in work
        return now - self.asked >= in_work_s and self._taught_to_rest(quiet, over_s, patience, lag_s)

    def _taught_to_rest(self, quiet: float, over_s: float, patience: float, lag_s: float) -> bool:
        """Say whether an answer is over and the next question not due, as earlier turns have it."""
        ahead = self._ahead(quiet)
        if ahead is None:  # it never took so long to ask again
            longest = max(t.think_s for t in self.turns)
            return quiet >= max(2 * longest, UNTAUGHT_S, over_s)
        latest = min(ahead * (1 - patience / 2), ahead - LEFT_S - lag_s)
        return max(min(SETTLED_S, ahead / 4), HURRIED_S, over_s) <= quiet <= latest - self.blur_s

    def _ahead(self, quiet: float) -> float | None:
        """Return when the next question is due, counted from the answer, as far as it has not been due already."""
        return min((t.think_s for t in self.turns if t.think_s > quiet), default=None)

    def _usual_delay(self) -> float:
        known = sorted(t.delay_s for t in self.turns)
        return known[3 * len(known) // 4]

    def _longest_pause(self) -> float:
        return max((self.pause_s, *(t.pause_s for t in self.turns)))

    def _whole(self) -> bool:
        """Say whether the answer is as long as most were: its first part may have been written, and not the rest."""
        sizes = sorted(t.size for t in self.turns)
        return self.sent - self.before_answer >= sizes[len(sizes) // 2] > 0

    @property
    def restless(self) -> bool:
        """Say whether its client asks again too soon for a rest to be seen."""
        return len(self.turns) >= TAUGHT and max(t.think_s for t in self.turns) < RESTLESS_S

    @property
    def has_just_answered(self) -> bool:
        """Say whether the bytes that passed this moment were a whole answer, as far as earlier ones teach.

        For clients that ask again as soon as they are answered: there is no other moment.
        """
        return self.restless and self.answered_last and self._whole()
