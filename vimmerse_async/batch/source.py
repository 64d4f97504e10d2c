"""The rows of a batch, pulled one at a time from any iterable or async iterable."""

import asyncio
import inspect
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import attrs

from vimmerse_async.wire import Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


@attrs.define(eq=False)
class Row:
    """One item of the input.

    Attributes:
        index: Its position, from 0.
        item: The item.
        call: What it becomes; None until it was read, and when it cannot be sent.
        question: What tells whether another row asks the same; None: none ever does.
    """

    index: int
    item: Any
    call: Call | None = None
    question: Hashable | None = None


class Source:
    """Hands out rows until the input ends, raises or is no longer wanted.

    Attributes:
        taken: Rows handed out so far.
        size: Rows in all; None when the input does not tell.
        error: What the input raised; None when it did not.
        pulling: How many are waiting for an async input's next row.
        is_async: True when rows have to be awaited.
    """

    def __init__(self, inputs: Any) -> None:
        self.taken: int = 0
        self.size: int | None = len(inputs) if hasattr(inputs, "__len__") else None
        self.error: Exception | None = None
        self.pulling: int = 0
        self.is_async: bool = hasattr(inputs, "__aiter__")
        self._rows: Iterator[Any] = iter(()) if self.is_async else iter(inputs)
        self._coming: AsyncIterator[Any] | None = aiter(inputs) if self.is_async else None
        self._turn = asyncio.Lock()
        self._puller: asyncio.Task[Any] | None = None
        self._back: deque[Row] = deque()
        self._exhausted = False

    def tenders(self) -> "tuple[Callable[[], Awaitable[None]], ...]":
        """Return what has to run meanwhile: nothing."""
        return ()

    @property
    def ended(self) -> bool:
        """True when there are no more rows."""
        return self._exhausted and not self._back

    @property
    def out(self) -> int:
        """Rows handed out or about to be, and not given back."""
        return self.taken + self.pulling - len(self._back)

    @property
    def never_taken(self) -> int:
        """Rows of a sized input that were never handed out."""
        return 0 if self.size is None else max(0, self.size - self.taken)

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
        return self._row(item)

    async def take_later(self) -> Row | None:
        """Await the next row of an async iterable; None when there is none."""
        coming = self._coming
        if self._exhausted or coming is None:
            return None
        self.pulling += 1
        try:
            async with self._turn:
                if self._exhausted:
                    return None
                self._puller = asyncio.current_task()
                try:
                    item = await anext(coming)
                finally:
                    self._puller = None
        except StopAsyncIteration:
            self._exhausted = True
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._exhausted and task is not None and not task.uncancel():
                return None
            raise
        except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
            self._exhausted, self.error = True, error
            return None
        finally:
            self.pulling -= 1
        return self._row(item)

    def give_back(self, row: Row) -> None:
        """Take a row back; it is the next to be handed out."""
        self._back.appendleft(row)

    def end(self) -> None:
        """Hand out nothing more, and stop waiting for an input."""
        self._exhausted = True
        if self._puller is not None:
            self._puller.cancel()
        self._back.clear()

    async def close(self) -> None:
        """Let a generator run its `finally` blocks."""
        if self._coming is not None and inspect.isasyncgen(self._coming):
            await self._coming.aclose()
        elif inspect.isgenerator(self._rows):
            self._rows.close()

    def _row(self, item: Any) -> Row:
        row = Row(self.taken, item)
        self.taken += 1
        return row
