"""Whether refusals come at like intervals, as they do where only one's own climb brings them. Pure.

Who is alone with a limit that stands still is refused each time it is back at its peak. In company
others' climbs refuse it, too, at any moment.
"""

import math

ALIKE = 0.2  # periods by which an interval differs at most from the one before
EVEN = 4  # like intervals in a row from which on it is even; by chance they seldom are


class Rhythm:
    """Compares each interval between refusals with the one before; at first it is even."""

    __slots__ = ("_alike", "_last")

    def __init__(self) -> None:
        self._alike = EVEN
        self._last = math.inf

    @property
    def is_even(self) -> bool:
        """Whether the last intervals were alike."""
        return self._alike >= EVEN

    def note(self, interval: float) -> None:
        """Take note of the periods between two refusals."""
        self._alike = self._alike + 1 if abs(interval - self._last) < ALIKE else 0
        self._last = interval
