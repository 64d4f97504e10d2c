"""The ledger that keeps nothing: every result is as safe as it will ever be, at once."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vimmerse_async.batch.pipeline import Pipeline
    from vimmerse_async.batch.plan import BatchPlan
    from vimmerse_async.batch.row import Row
    from vimmerse_async.batch.source import RowSource
    from vimmerse_async.control.retry import Attempts
    from vimmerse_async.models import PromptResult


class Unkept:
    """Stands for a journal where there is none, so that nobody asks whether there is one.

    Attributes:
        remembers: False: a question that was answered is not known later.
        binding: None: nothing is kept of whoever answers.
        record: Takes a row's result, which is delivered at once.
        covered: So many calls may be lost that none is ever noted.
    """

    remembers = False
    binding: None = None
    covered: int = sys.maxsize
    record: "Callable[[Row, PromptResult], None]"

    def attach(self, pipeline: "Pipeline") -> None:
        """Note whose results these are; nobody need be told when one is read."""
        self.record = pipeline.settle

    async def begun(self) -> None:
        """Return at once: no run is known later."""

    def source_of(
        self,
        source: "RowSource",
        plan: "BatchPlan",  # noqa: ARG002 - it tells what a journal answers
        pipeline: "Pipeline",  # noqa: ARG002 - it takes what a journal answers
    ) -> "RowSource":
        """Return the rows that are to be asked: all."""
        return source

    def abandon(self, row: "Row", attempts: "Attempts", elapsed: float) -> None:
        """Keep nothing of a row whose call was cancelled."""

    def cover(self, under_way: int) -> None:
        """Keep nothing of how many calls are under way."""

    def expect(self, window: int) -> None:
        """Do nothing: nothing waits."""

    def hurry(self) -> None:
        """Do nothing: nothing waits."""

    def close(self, outcome: str) -> None:
        """Keep nothing of the end."""
