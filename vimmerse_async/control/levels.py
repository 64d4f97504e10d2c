"""Which levels in flight a server accepts, known before its answers are."""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from vimmerse_async.control.breaker import Passage
from vimmerse_async.control.limit import Outcome
from vimmerse_async.control.meter import Bin

FADE = 0.9998  # factor per accepted request by which the highest level is forgotten: half in 3,500
TURN = 0.002  # s that a turn of the loop takes: what has come is read after the next was sent
SLOW = 0.3  # s that a refusal takes which counted as accepted, as did what left after it
_OK: Final = Outcome.OK
_THROTTLE: Final = Outcome.THROTTLE
_NOWHERE: Final = Bin(-math.inf)


@attrs.define(eq=False)
class LearnedPermit(Passage):
    """The right to send one request, and what was so when it was given.

    Attributes:
        level: Requests in flight, this one included.
        full: Whether it filled the window.
        paced: Whether the pace had held it back.
        refusals: Refusals that had come back by then.
        bin: Where it was counted as accepted.
        settled: Whether its fate was taken for known.
        outcome: How it ended; None while it is under way.
    """

    refusals: int = 0
    paced: bool = False
    level: int = 0
    full: bool = False
    bin: Bin = _NOWHERE
    settled: bool = False
    outcome: Outcome | None = None


class Levels:
    """The highest level that was accepted lately, and the lowest that was refused last.

    A refusal takes milliseconds and an answer seconds: what was not refused within a few refusal
    times counts as accepted. Requests in flight that are refused later never counted for the
    server: they are taken off the level of those that left after them.

    Attributes:
        top: The highest level accepted lately, fading.
        refused: The level of the last refusal that was blamed; `inf` before the first.
        answer: Notes when an answer came: until then it was in flight here, but not there any more.
        young: Requests whose fate is unknown yet, oldest first.
        round_trip: Seconds that an answer and the next request are under way.
    """

    def __init__(self, round_trip: float) -> None:
        self.top: float = 0.0
        self.refused: float = float("inf")
        self.round_trip: float = round_trip
        self._refused = 0
        self._answered_at: deque[float] = deque()
        self.answer: Callable[[float], None] = self._answered_at.append
        self.young: deque[LearnedPermit] = deque()

    def refuse(self, permit: LearnedPermit, now: float) -> None:
        """Take note of a refusal, which may come after the request had counted as accepted."""
        self._refused += permit.settled
        if permit.settled and now - permit.sent > SLOW:
            self.top = min(self.top, permit.level)  # what was beside it was refused as slowly
        self.round_trip = min(self.round_trip, max(TURN, now - permit.sent))

    def beside(self, permit: LearnedPermit) -> int:
        """Return how many were in flight for the server when a request reached it, with itself."""
        answered, sent = self._answered_at, permit.sent
        wired = bisect_right(answered, sent + self.round_trip) - bisect_right(answered, sent)
        return permit.level - wired

    def oldest(self) -> float | None:
        """When the oldest request left whose fate is unknown; None when there is none."""
        return self.young[0].sent if self.young else None

    def confirm(
        self, now: float, silence: float, *, rise: float, note: Callable[[], None] | None = None
    ) -> None:
        """Count what was answered, or not refused for `silence` seconds, as accepted.

        Args:
            now: Seconds.
            silence: Seconds.
            rise: Share of the way to a higher level that it is believed at once.
            note: Called for each; None: nothing is.
        """
        young, answered_at, latest = self.young, self._answered_at, now - silence
        while young:
            permit = young[0]
            outcome, sent = permit.outcome, permit.sent
            if outcome is None and sent > latest:
                return
            young.popleft()
            permit.settled = True
            while answered_at and answered_at[0] <= sent:
                answered_at.popleft()
            if outcome is _OK or outcome is None:
                top = self.top * FADE
                wired = bisect_right(answered_at, sent + self.round_trip)  # as `beside` has it
                level = permit.level - wired - self._refused + permit.refusals
                if level > top:
                    top += (level - top) * rise
                self.top = top
                if note is not None:
                    note()
            elif outcome is _THROTTLE:
                self._refused += 1
