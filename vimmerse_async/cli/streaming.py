"""Rows written in order as their results come, where no journal keeps these."""

from collections import deque
from collections.abc import Iterable

from vimmerse_async.catalog.answers import Answer, not_asked
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.weave import Woven
from vimmerse_async.cli.output import Output


class InOrder:
    """Holds the rows that were taken and are not written yet, which are few.

    Args:
        output: Where they go.

    Attributes:
        woven: What was written.
        pulled: Rows that were taken.
    """

    def __init__(self, output: Output) -> None:
        self.woven: Woven = Woven()
        self.pulled: int = 0
        self._output = output
        self._waiting: deque[CatalogRow] = deque()
        self._early: dict[int, Answer] = {}

    def pull(self, row: CatalogRow) -> CatalogRow:
        """Note that a row was taken, and return it."""
        self.pulled += 1
        self._waiting.append(row)
        return row

    def take(self, index: int, answer: Answer) -> None:
        """Take what stands beside a row.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        self._early[index] = answer
        early = self._early
        while self.woven.rows in early:
            self._write(self._waiting.popleft(), early.pop(self.woven.rows))

    def end(self, rest: Iterable[CatalogRow]) -> None:
        """Write the rows that no result came for, and those that were never taken.

        Raises:
            OutputError: They cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        while self._waiting:
            row = self._waiting.popleft()
            known = self._early.pop(self.woven.rows, not_asked(row))
            self._write(row, known)
        for row in rest:
            self._write(row, not_asked(row))

    def _write(self, row: CatalogRow, answer: Answer) -> None:
        self._output.write(row, answer.prompt, answer.error)
        self.woven.count(answer)
