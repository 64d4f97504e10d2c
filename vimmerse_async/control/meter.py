"""Events per second, over any recent span."""

from collections import deque

GRAIN = 0.25  # s between marks
LATELY = 3.0  # s that "lately" looks back: about one answer's time
MARKS = 512  # two minutes of marks


class Meter:
    """Counts events and remembers when how many had been counted.

    Attributes:
        total: Events counted so far.
        lately: Events per second over the last seconds.
    """

    __slots__ = ("_marks", "_next", "lately", "total")

    def __init__(self) -> None:
        self.total: int = 0
        self.lately: float = 0.0
        self._marks: deque[tuple[float, int]] = deque(maxlen=MARKS)
        self._next = 0.0

    def add(self, now: float, count: int = 1) -> None:
        """Count events, or take some back."""
        if not self._marks or now >= self._next:
            self._marks.append((now, self.total))
            self._next = now + GRAIN
            self.lately = self.over(now, LATELY)
        self.total += count

    def over(self, now: float, span: float) -> float:
        """Events per second over the last `span` seconds, or since the first event."""
        start, total = now, self.total
        for mark in reversed(self._marks):
            start, total = mark
            if start <= now - span:
                break
        return max(0, self.total - total) / max(2 * GRAIN, now - start)

    def count(self, now: float, span: float) -> int:
        """Events in the last `span` seconds."""
        total = self.total
        for start, before in reversed(self._marks):
            if start < now - span:
                break
            total = before
        return max(0, self.total - total)
