"""The way of a result to its reader: onto the disk, to `on_result`, into the sink, to its likes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vimmerse_async.batch.sharing import Sharing, shared
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import Row
from vimmerse_async.errors import JournalError
from vimmerse_async.models import PromptResult

if TYPE_CHECKING:
    from vimmerse_async.batch.ledger import Ledger


class Delivery:
    """Hands results on, each once it is safe.

    Args:
        sink: Where they go.
        on_result: Called with each before it goes there; None for nobody.
        sharing: Knows who else waits for the same answer; None: nobody ever does.
        ledger: Keeps them on disk; None: nobody does.
        fail: Called with what `on_result` raises, or why the disk cannot be written.

    Attributes:
        finished: Rows whose results are known.
        delivered: Rows whose results went into the sink.
    """

    def __init__(
        self,
        sink: Sink,
        on_result: Callable[[PromptResult], object] | None,
        sharing: Sharing | None,
        ledger: "Ledger | None",
        fail: Callable[[Exception], None],
    ) -> None:
        self.finished: int = 0
        self.delivered: int = 0
        self._sink = sink
        self._on_result = on_result
        self._sharing = sharing
        self._ledger = ledger
        self._fail = fail

    def finish(self, row: Row, result: PromptResult) -> None:
        """Take a row's result; it is delivered now, or as soon as it is on disk."""
        if self._ledger is None:
            self.settle(row, result)
            return
        self.finished += 1
        try:
            self._ledger.record(row, result, self._written)
        except JournalError as error:
            self._fail(error)

    def know(self, row: Row, result: PromptResult) -> None:
        """Take a result that is on disk already."""
        self.finished += 1
        self.settle(row, result)

    def settle(self, row: Row, result: PromptResult) -> None:
        """Deliver a row's result, and those of the rows that waited for it."""
        self.deliver(result)
        waiting = None if self._sharing is None else self._sharing.finish(row, result)
        for other in waiting or ():
            self.finished += 1
            self.deliver(shared(other, result))

    def deliver(self, result: PromptResult) -> None:
        """Hand over one result."""
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
                self._fail(error)
        self.delivered += 1
        if self._ledger is not None:
            self._ledger.count(result)
        self._sink.put(result)

    def _written(self, about: tuple[Row, PromptResult]) -> None:
        self.settle(*about)
