"""The queues at the gate: the single calls', and one for each batch."""

import asyncio
from collections import deque

from vimmerse_async.control.limit import Permit

Waiter = tuple[asyncio.Future[Permit], str, float, float]
"""Who waits, for which latency class, until when its answer is wanted, and since when."""


class LaneClosedError(Exception):
    """The batch of a waiting request has ended."""


class Lane:
    """One queue of the gate: the calls', or one batch's.

    Attributes:
        closed: True when no request of this lane shall be sent any more.
    """

    def __init__(self) -> None:
        self.closed: bool = False
        self._waiters: deque[Waiter] = deque()
        self._sleepers: set[asyncio.Future[None]] = set()

    def close(self) -> None:
        """Turn away all that wait, and end all pauses."""
        self.closed = True
        for future, *_ in self._waiters:
            if not future.done():
                future.set_exception(LaneClosedError())
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the batch."""
        if self.closed:
            return
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.add(sleeper)
        timer = loop.call_later(seconds, _wake, sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)

    @property
    def sleeping(self) -> int:
        """How many of this lane wait to be sent again."""
        return len(self._sleepers)

    @property
    def waiting(self) -> int:
        """How many of this lane wait to be admitted."""
        return len(self._waiters) if self._waiters and self.head() is not None else 0

    def head(self) -> Waiter | None:
        """Return the next request that still waits; None when there is none."""
        while self._waiters:
            if not self._waiters[0][0].done():
                return self._waiters[0]
            self._waiters.popleft()
        return None

    def tail(self) -> Waiter | None:
        """Return the request that began to wait last; None when there is none."""
        while self._waiters:
            if not self._waiters[-1][0].done():
                return self._waiters[-1]
            self._waiters.pop()
        return None

    def queue(self, waiter: Waiter, *, front: bool) -> None:
        """Add a request at the end, or at the front."""
        (self._waiters.appendleft if front else self._waiters.append)(waiter)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
