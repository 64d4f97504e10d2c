"""How long callers wait who give up: a visitor who leaves takes the call along, without a word."""

import math

NEWEST = 1 / 8  # weight of who left last: RFC 6298's, as for answers
STALE = 5.0  # s without anybody who left, and twice as long as they waited, after which it is over
OUTLIVED = 2.0  # times as long as those who left: who waits longer is none of them


class Patience:
    """What is known of calls that their callers cancelled.

    Attributes:
        seconds: How long they lasted, the last of them counting most.
    """

    __slots__ = ("_left_at", "seconds")

    def __init__(self) -> None:
        self.seconds: float = 0.0
        self._left_at = -math.inf

    def leave(self, now: float, begun: float) -> None:
        """Take note of a call that began at `begun` and is given up now."""
        lasted = now - begun
        if self._is_over(now):
            self.seconds = lasted
        self.seconds += (lasted - self.seconds) * NEWEST
        self._left_at = now

    def is_ending(self, now: float, begun: float, needed: float) -> bool:
        """Return whether who waits since `begun` may be gone in `needed` seconds."""
        waited = now - begun
        left = self.seconds - waited
        return left < needed and waited < OUTLIVED * self.seconds and not self._is_over(now)

    def _is_over(self, now: float) -> bool:
        return now - self._left_at > max(STALE, 2.0 * self.seconds)
