"""The rows of a batch, pulled one at a time from any iterable or async iterable."""

import asyncio
import inspect
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from vimmerse_async.batch.inputs import plain, size_of
from vimmerse_async.batch.row import Row
from vimmerse_async.batch.sinks import Sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from vimmerse_async.batch.pipeline import Pipeline


class RowSource:
    """Hands out rows until the input ends, raises or is no longer wanted.

    Args:
        inputs: The items, in an iterable or async iterable.
        sink: Tells how far the reader is behind.

    Attributes:
        taken: Rows handed out so far.
        size: Rows in all; None when the input does not tell.
        error: What the input raised; None when it did not.
        is_async: True when rows have to be awaited.
        sink: As given.
    """

    def __init__(self, inputs: Any, sink: Sink) -> None:
        self.taken: int = 0
        self.size: int | None = size_of(inputs)
        self.error: Exception | None = None
        self.is_async: bool = hasattr(inputs, "__aiter__")
        self._rows: Iterator[Any] = iter(()) if self.is_async else iter(plain(inputs))
        self._coming: AsyncIterator[Any] | None = aiter(inputs) if self.is_async else None
        self.sink: Sink = sink
        self._takers: deque[asyncio.Future[Row | None]] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._not_closed: Exception | None = None
        self._puller: asyncio.Task[Any] | None = None
        self._back: deque[Row] = deque()
        self._exhausted = False

    def background(self) -> "tuple[Callable[[], Awaitable[None]], ...]":
        """Return what has to run meanwhile, in a task of its own each."""
        return (self.feed,) if self.is_async else ()

    @property
    def ended(self) -> bool:
        """True when there are no more rows."""
        return self._exhausted and not self._back

    @property
    def never_taken(self) -> int:
        """Rows of a sized input that were never handed out."""
        return 0 if self.size is None else max(0, self.size - self.taken)

    def has_room(self, pipeline: "Pipeline") -> bool:
        """Return whether there may be another row, and the reader keeps up."""
        if self._exhausted and not self._back:
            return False
        return self.sink.has_room(pipeline.size, self.taken + len(self._takers) - len(self._back))

    async def room(self, pipeline: "Pipeline") -> bool:
        """Wait until another row may be begun; False when there are no more."""
        while self._back or not self._exhausted:
            begun = self.taken + len(self._takers) - len(self._back)
            if self.sink.has_room(pipeline.size, begun):
                return True
            await self.sink.room()
        return False

    def take(self) -> Row | None:
        """Return the next row of a plain iterable, or one given back; None when there is none."""
        if self._back:
            return self._back.popleft()
        if self._exhausted:
            return None
        try:
            item = next(self._rows)
        except StopIteration:
            self._exhausted = not self.is_async
            return None
        except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
            self._exhausted, self.error = True, error
            return None
        self.taken += 1
        return Row(self.taken - 1, item)

    async def take_later(self) -> Row | None:
        """Return the next row of an async iterable when `feed` has it; None when there is none."""
        if self._exhausted:
            return None
        taker: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        self._wake()
        try:
            return await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled() and (row := taker.result()) is not None:
                self.give_back(row)
            raise

    async def feed(self) -> None:
        """Await rows of an async iterable while somebody waits for one."""
        try:
            async with self.at_home():
                while not self._exhausted:
                    while self._takers and self._takers[0].done():
                        self._takers.popleft()
                    if not self._takers:
                        self._idle = asyncio.get_running_loop().create_future()
                        await self._idle
                    elif (row := await self.pull()) is not None:
                        self._hand_out(row)
        finally:
            self._hand_out(None)

    @asynccontextmanager
    async def at_home(self) -> "AsyncIterator[None]":
        """Pull rows in this one task, and close the input in it, even when that is cancelled.

        What a generator opens around a `yield` (a timeout, a task group) has to be left by the task
        that entered it, and before any scope that is entered later: so the shield is raised late.
        """
        with anyio.CancelScope() as home:
            try:
                yield
            finally:
                home.shield = True
                try:
                    await self._close_input()
                except Exception as error:  # noqa: BLE001 - it is the user's, and `close` raises it
                    self._not_closed = error

    async def pull(self) -> Row | None:
        """Await the next row of an async iterable; None when there is none."""
        coming = self._coming
        if self._exhausted or coming is None:
            return None
        self._puller = asyncio.current_task()
        try:
            item = await anext(coming)
        except StopAsyncIteration:
            self._exhausted = True
            return None
        except asyncio.CancelledError:
            task = self._puller
            if self._exhausted and task is not None and not task.uncancel():
                return None
            raise
        except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
            self._exhausted, self.error = True, error
            return None
        finally:
            self._puller = None
        self.taken += 1
        return Row(self.taken - 1, item)

    def give_back(self, row: Row) -> None:
        """Take a row back; it is the next to be handed out."""
        self._back.appendleft(row)

    def end(self) -> None:
        """Hand out nothing more, and stop waiting for an input."""
        self._exhausted = True
        if self._puller is not None:
            self._puller.cancel()
        self._wake()
        self._back.clear()

    async def close(self) -> None:
        """Let a generator run its `finally` blocks, and raise what they raise."""
        try:
            await self._close_input()
        finally:
            if inspect.isgenerator(self._rows):
                self._rows.close()
        if self._not_closed is not None:
            raise self._not_closed

    async def _close_input(self) -> None:
        if self._coming is not None and inspect.isasyncgen(self._coming):
            await self._coming.aclose()

    def _hand_out(self, row: Row | None) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(row)
                if row is not None:
                    return
        if row is not None:
            self.give_back(row)

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
