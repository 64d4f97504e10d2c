"""Spaces departures evenly, and forgives a timer that ticks late."""

import math

# How much of a pause may be made up for. After idling: a tenth of a departure, and twice the 1 ms
# tick of asyncio's timers. After waiting for the pace: the 20 ms by which a loop on a busy core
# wakes up late (with 2 ms a pace of 150/s became 131/s there).
SLACK_SHARE = 0.1
SLACK_SECONDS = 0.002
SLACK_LATE = 0.02


class Pace:
    """Says when the next request may leave.

    Attributes:
        next: When the next request may leave, on the caller's clock, in seconds.
        waited: Whether somebody was told to come back at `next`.
    """

    __slots__ = ("next", "waited")

    def __init__(self) -> None:
        self.next: float = -math.inf
        self.waited: bool = False

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may leave, and expect somebody then."""
        self.waited = True
        return self.next - now

    def depart(self, now: float, rate: float) -> None:
        """Let one request leave now, at `rate` requests per second."""
        slack = SLACK_LATE if self.waited else SLACK_SECONDS
        if slack * rate < SLACK_SHARE:
            slack = SLACK_SHARE / rate
        earliest = now - slack
        if self.next > earliest:  # noqa: PLR1730 - max is slow
            earliest = self.next
        self.next = earliest + 1.0 / rate
        if self.waited:
            self.waited = self.next < now
