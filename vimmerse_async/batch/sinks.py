"""Where results go: into a list, or to a reader who may be slower than the server."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Protocol

from vimmerse_async.models import PromptResult


class Sink(Protocol):
    """What a run needs of the place its results go to.

    Attributes:
        streams: True when results are read one by one; False when they are kept to the end.
        on_read: Called when one was read; None for nobody.
    """

    streams: bool
    on_read: Callable[[], None] | None

    @property
    def unread(self) -> int:
        """Results that could be read and are not yet."""
        ...

    def space(self, window: int, ahead: int, begun: int) -> int:
        """Return how many rows more may be pulled."""
        ...

    def put(self, result: PromptResult) -> None:
        """Take a finished row."""
        ...

    def has_room(self, window: int, begun: int) -> bool:
        """Return whether another row may be begun."""
        ...

    async def room(self) -> None:
        """Wait until the reader has taken something."""
        ...

    def wake(self) -> None:
        """Let all that wait for room look again."""
        ...

    def finish(self) -> None:
        """Note that nothing more will come."""
        ...


class ListSink:
    """Keeps every result, in input order."""

    streams = False
    unread = 0

    def __init__(self) -> None:
        self.on_read: Callable[[], None] | None = None
        self._results: list[PromptResult | None] = []

    def put(self, result: PromptResult) -> None:
        """Take a finished row."""
        missing = result.index + 1 - len(self._results)
        if missing > 0:
            self._results.extend([None] * missing)
        self._results[result.index] = result

    def has_room(self, window: int, begun: int) -> bool:  # noqa: ARG002 - a list is never full
        """Return True: a list is never full."""
        return True

    def space(self, window: int, ahead: int, begun: int) -> int:  # noqa: ARG002 - never full
        """Return a large number: a list is never full."""
        return sys.maxsize

    async def room(self) -> None:
        """Return at once."""

    def wake(self) -> None:
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

    streams = True

    def __init__(self, *, ordered: bool) -> None:
        self.on_read: Callable[[], None] | None = None
        self._ordered = ordered
        self._ready: deque[PromptResult] = deque()
        self._early: dict[int, PromptResult] = {}
        self._next = 0
        self._delivered = 0
        self._finished = False
        self._readers: deque[asyncio.Future[None]] = deque()
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
        _wake(self._readers, len(self._ready))

    def has_room(self, window: int, begun: int) -> bool:
        """Return whether another row may be begun: at most a window is unread, or two in order.

        What is in flight counts: all of it may end before the reader takes the next result. One
        more spares the row that was put this moment a wait for its reader.
        """
        return begun - self._delivered < (2 * window if self._ordered else window + 1)

    @property
    def unread(self) -> int:
        """Results that could be read and are not; in order, `space` alone bounds them."""
        return 0 if self._ordered else len(self._ready)

    def space(self, window: int, ahead: int, begun: int) -> int:
        """Return how many rows more may be pulled: a window ahead of the reader, in order two."""
        most = max(2 * window, window + ahead) if self._ordered else window + ahead
        return most - (begun - self._delivered)

    async def room(self) -> None:
        """Wait until the reader has taken something."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writers.append(future)
        await future

    def finish(self) -> None:
        """Note that nothing more will come; what waits for an earlier row comes out now."""
        self._finished = True
        self._ready.extend(self._early.pop(index) for index in sorted(self._early))
        _wake(self._readers, len(self._readers))

    async def get(self) -> PromptResult | None:
        """Return the next result; None when there are no more."""
        while not self._ready:
            if self._finished:
                return None
            reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            try:
                await reader
            except asyncio.CancelledError:
                _wake(self._readers, len(self._ready))
                raise
        self._delivered += 1
        if self._writers:
            _wake(self._writers, 1)
        elif self.on_read is not None:
            self.on_read()
        return self._ready.popleft()

    def wake(self) -> None:
        """Let all that wait for room look again."""
        _wake(self._writers, len(self._writers))


def _wake(waiting: deque[asyncio.Future[None]], count: int) -> None:
    while waiting and count > 0:
        future = waiting.popleft()
        if not future.done():
            future.set_result(None)
            count -= 1
