"""Spaces departures evenly, and forgives a timer that ticks late."""

import math

# How much of a pause may be made up for: a tenth of a departure, and the 20 ms by which a loop on a
# busy core wakes up late (with 2 ms a pace of 150/s became 131/s there, with 20 ms it is kept).
SLACK_SHARE = 0.1
SLACK_SECONDS = 0.02


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
