"""Spaces departures evenly, and forgives a timer that ticks late."""

import math

# What a pause may be made up for: a tenth of a departure, and twice the 1 ms tick of asyncio's
# timers (without it 1,000 departures per second are the most that a loop can wake up for).
SLACK_SHARE = 0.1
SLACK_SECONDS = 0.002


class Pace:
    """Says when the next request may leave.

    Attributes:
        next: When the next request may leave, on the caller's clock, in seconds.
    """

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = -math.inf

    def depart(self, now: float, rate: float) -> None:
        """Let one request leave now, at `rate` requests per second."""
        slack = max(SLACK_SHARE / rate, SLACK_SECONDS)
        self.next = max(self.next, now - slack) + 1.0 / rate
