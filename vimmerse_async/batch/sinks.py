"""Where results go: into a list, or to a reader who may be slower than the server."""

import asyncio
from collections import deque
from typing import Protocol

from vimmerse_async.models import PromptResult

LEAST_ROOM = 16
"""Results that a reader may be behind, however small the window."""


class Sink(Protocol):
    """What a run needs of the place its results go to."""

    def put(self, result: PromptResult) -> None:
        """Take a finished row."""
        ...

    def has_room(self, window: int, taken: int) -> bool:
        """Return whether another row may be begun."""
        ...

    async def room(self) -> None:
        """Wait until the reader has taken something."""
        ...

    def wake(self, count: int) -> None:
        """Let up to `count` of those that wait for room look again."""
        ...

    def finish(self) -> None:
        """Note that nothing more will come."""
        ...


class ListSink:
    """Keeps every result, in input order."""

    def __init__(self) -> None:
        self._results: list[PromptResult | None] = []

    def put(self, result: PromptResult) -> None:
        """Take a finished row."""
        missing = result.index + 1 - len(self._results)
        if missing > 0:
            self._results.extend([None] * missing)
        self._results[result.index] = result

    def has_room(self, window: int, taken: int) -> bool:  # noqa: ARG002 - a list is never full
        """Return True: a list is never full."""
        return True

    async def room(self) -> None:
        """Return at once."""

    def wake(self, count: int) -> None:
        """Do nothing: nobody waits."""

    def finish(self) -> None:
        """Do nothing: nobody waits."""

    def results(self) -> list[PromptResult]:
        """Return what came, in input order."""
        return [result for result in self._results if result is not None]


class QueueSink:
    """Hands results to one reader, as they come or in input order, and holds few of them.

    Args:
        ordered: Whether the reader gets them in input order.
    """

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[PromptResult] = deque()
        self._early: dict[int, PromptResult] = {}
        self._next = 0
        self._delivered = 0
        self._finished = False
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()

    def put(self, result: PromptResult) -> None:
        """Take a finished row."""
        if not self._ordered:
            self._ready.append(result)
        else:
            self._early[result.index] = result
            while (following := self._early.pop(self._next, None)) is not None:
                self._ready.append(following)
                self._next += 1
        if self._ready:
            self._wake_reader()

    def has_room(self, window: int, taken: int) -> bool:
        """Return whether another row may be begun: at most a window is unread, or two in order."""
        window = max(window, LEAST_ROOM)
        if self._ordered:
            return taken - self._delivered < 2 * window
        return len(self._ready) < window

    async def room(self) -> None:
        """Wait until the reader has taken something."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writers.append(future)
        await future

    def finish(self) -> None:
        """Note that nothing more will come; what waits for an earlier row comes out now."""
        self._finished = True
        self._ready.extend(self._early.pop(index) for index in sorted(self._early))
        self._wake_reader()

    async def get(self) -> PromptResult | None:
        """Return the next result; None when there are no more."""
        while not self._ready:
            if self._finished:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        self._delivered += 1
        self.wake(1)
        return self._ready.popleft()

    def wake(self, count: int) -> None:
        """Let up to `count` of those that wait for room look again."""
        while self._writers and count:
            writer = self._writers.popleft()
            if not writer.done():
                writer.set_result(None)
                count -= 1

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
