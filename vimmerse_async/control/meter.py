"""Events per second, over any recent span, when some of them are taken back later."""

import math
from collections import deque

GRAIN = 0.25  # s that a bin lasts
YOUNG = 0.02  # s, the shortest time that the first events are divided by: a fast server's are many
LATELY = 3.0  # s that "lately" looks back: about one answer's time
BINS = 512  # two minutes of bins


class Bin:
    """What was counted in one short time.

    Attributes:
        start: When it began, in seconds on the caller's clock.
        count: Events in it that still count.
    """

    __slots__ = ("count", "start")

    def __init__(self, start: float) -> None:
        self.start: float = start
        self.count: int = 0


class Meter:
    """Counts events by when they happened."""

    __slots__ = ("_bin", "_bins", "_lately", "_next", "_young", "_young_at", "_young_until")

    def __init__(self) -> None:
        self._bins: deque[Bin] = deque(maxlen=BINS)
        self._bin = Bin(-math.inf)
        self._next = -math.inf
        self._lately = 0.0
        self._young = 0  # events while there are too few bins for a mean
        self._young_at = -math.inf  # the last of them, when it came after the last bin was begun
        self._young_until = 0.0

    @property
    def lately(self) -> float:
        """Events per second over the last seconds."""
        if self._young_at == -math.inf:
            return self._lately
        return self._young / max(YOUNG, self._young_at - self._young_until + LATELY)

    def add(self, now: float) -> Bin:
        """Count an event; who must take it back later takes one off its bin's count."""
        if now >= self._next:
            self._begin(now)
        if now < self._young_until:
            self._young += 1
            self._young_at = now
        current = self._bin
        current.count += 1
        return current

    def _begin(self, now: float) -> None:
        if not self._bins:
            self._young_until = now + LATELY
        self._next = now + GRAIN
        self._lately, self._young_at = self.over(now - LATELY, now), -math.inf
        self._bin = Bin(now)
        self._bins.append(self._bin)

    @property
    def begun(self) -> float:
        """When the first event happened that is remembered; 0.0 before any."""
        return self._bins[0].start if self._bins else 0.0

    def count(self, since: float, until: float) -> int:
        """Events between two moments, to the grain."""
        total = 0
        for each in reversed(self._bins):
            if each.start < since:
                break
            if each.start <= until:
                total += each.count
        return total

    def over(self, since: float, until: float) -> float:
        """Events per second between two moments, or since the first event."""
        total, first = 0, until
        for each in reversed(self._bins):
            if each.start > until:
                continue
            first = each.start
            total += each.count
            if first <= since:
                break
        return total / max(2 * GRAIN, until - first)
