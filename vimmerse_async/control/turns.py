"""Whose turn it is: calls before batches, but while both wait every fourth turn is a batch's."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

BATCH_SHARE = 4
"""Every so-manieth admission goes to a batch while calls wait too."""

LaneT = TypeVar("LaneT")
HeadT = TypeVar("HeadT")


class Turns(Generic[LaneT]):
    """The queues of one gate in their order: the calls', and the batches', which take turns.

    Attributes:
        calls: The calls' queue.
    """

    def __init__(self, calls: LaneT) -> None:
        self.calls: LaneT = calls
        self._batches: deque[LaneT] = deque()
        self._in_a_row = 0

    def add(self, lane: LaneT) -> None:
        """Take in a batch's queue."""
        self._batches.append(lane)

    def remove(self, lane: LaneT) -> None:
        """Forget a batch's queue, if it is there."""
        if lane in self._batches:
            self._batches.remove(lane)

    def next(
        self, call: HeadT | None, head_of: Callable[[LaneT], HeadT | None]
    ) -> tuple[LaneT, HeadT] | None:
        """Return the queue whose turn it is, and its head; None when nobody waits.

        Args:
            call: The call that is next; None when none waits.
            head_of: Returns what is next in a batch's queue; None when nothing waits there.
        """
        if call is not None and self._in_a_row < BATCH_SHARE - 1:
            return self.calls, call
        batches = self._batches
        for _ in range(len(batches)):
            head = head_of(batches[0])
            if head is not None:
                return batches[0], head
            batches.rotate(-1)
        return None if call is None else (self.calls, call)

    def taken(self, lane: LaneT) -> None:
        """Note that a queue had its turn."""
        if lane is self.calls:
            self._in_a_row += 1
        else:
            self._in_a_row = 0
            self._batches.rotate(-1)
