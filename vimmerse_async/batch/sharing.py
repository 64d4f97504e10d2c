"""One payment per question: rows that ask the same share one call, and its answer."""

from typing import TYPE_CHECKING

from vimmerse_async.batch.row import Row
from vimmerse_async.models import PromptResult

if TYPE_CHECKING:
    from collections.abc import Hashable


class Sharing:
    """Knows which questions of a batch are under way, and which rows wait for their answers.

    A call ends when it is answered or its batch ends, never because one of its rows goes away.

    Args:
        keep: Remember every answer until the batch ends; False: only what is under way, in memory
            that does not grow.
    """

    def __init__(self, *, keep: bool) -> None:
        self._under_way: dict[Hashable, list[Row] | None] = {}
        self._answers: dict[Hashable, PromptResult] | None = {} if keep else None

    def claim(self, row: Row) -> bool | PromptResult:
        """Return True for a row that is to be asked: no other asks the same.

        Otherwise return its result, if that is known already, or False: it waits for it.
        """
        question = row.question
        if question is None:
            return True
        if self._answers and (found := self._answers.get(question)) is not None:
            return shared(row, found)
        under_way = self._under_way
        if question not in under_way:
            under_way[question] = None
            return True
        waiting = under_way[question]
        if waiting is None:
            under_way[question] = [row]
        else:
            waiting.append(row)
        return False

    def finish(self, row: Row, result: PromptResult) -> list[Row] | None:
        """Note the end of a row's question and return the rows that waited; None for none."""
        if self._answers is not None:
            self._answers[row.question] = result
        return self._under_way.pop(row.question, None)


def shared(row: Row, result: PromptResult) -> PromptResult:
    """Return a row's result that another row's call has given."""
    return PromptResult(row.index, row.item, result.prompt, result.error, cached=True)
