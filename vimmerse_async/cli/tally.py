"""What a run has done, how fast, and what it has cost; time is an argument."""

from collections import deque
from decimal import Decimal

from vimmerse_async.catalog.money import Invoice
from vimmerse_async.models import PromptResult

_REMEMBERED = 120
"""Ticks, half a minute of them, over which the rate is taken."""
_FADES = 0.995
"""What is left at each result of the longest time that one took."""


class Tally:
    """What was done, how fast, and how long the rest will take; time is an argument.

    Args:
        total: Rows; None when nobody knows.
        now: Seconds.
        most: Calls that may be made; None for any number.
        price: What a call costs; None: nobody knows.

    Attributes:
        done: Rows that have ended.
        failed: Those of them that failed.
        cached: Those of them whose answer was known.
        answered: Those of them that a call has answered.
        calls: Calls that were made for them.
        doubtful: Those of them that may have been charged although no answer came.
        longest: Seconds that a row takes, the longest of late.
        idle: Seconds since the last row ended.
    """

    def __init__(
        self,
        total: int | None,
        now: float,
        most: int | None = None,
        price: Decimal | None = None,
    ) -> None:
        self.total: int | None = total
        self.most: int | None = most
        self.price: Decimal | None = price
        self.answered: int = 0
        self.doubtful: int = 0
        self.longest: float = 0.0
        self._known = 0
        self.done: int = 0
        self.failed: int = 0
        self.cached: int = 0
        self.calls: int = 0
        self.idle: float = 0.0
        self._begun = self._moved = now
        self._marks = deque([(now, 0)], _REMEMBERED)

    def invoice(self) -> Invoice | None:
        """Return what the rows have cost; None when nobody knows what a call costs."""
        if self.price is None:
            return None
        return Invoice.of(self.price, self.answered, self.doubtful, self._known)

    def know(self, count: int) -> None:
        """Count rows whose answers were known."""
        self.done += count
        self.cached += count
        self._known += count

    def mark(self, now: float) -> None:
        """Remember how far it was at this moment."""
        before = self._marks[-1][1]
        self._marks.append((now, self.done - self.cached))
        if before != self._marks[-1][1]:
            self._moved = now
        self.idle = now - self._moved

    def rate(self) -> float:
        """Return the rows a second that were asked, of late."""
        (then, before), (now, after) = self._marks[0], self._marks[-1]
        return (after - before) / (now - then) if now > then else 0.0

    def left(self) -> float | None:
        """Return the seconds that are left; None when nobody knows."""
        rate = self.rate()
        return (self.total - self.done) / rate if self.total is not None and rate else None

    def elapsed(self, now: float) -> float:
        """Return the seconds since it began."""
        return now - self._begun

    def see(self, result: PromptResult) -> None:
        """Note how long a result took, and whether it may have been charged for nothing."""
        self.longest = max(result.elapsed, _FADES * self.longest)
        self.doubtful += result.possibly_charged
