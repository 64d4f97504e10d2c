"""A run's pages in the journal: its results, its counts, its timeline, the limit it learned."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from typing import Any

from vimmerse_async.batch.identity import described, described_refused
from vimmerse_async.batch.intake import Intake
from vimmerse_async.batch.pipeline import Pipeline
from vimmerse_async.batch.plan import Allowance, BatchPlan
from vimmerse_async.batch.row import Row
from vimmerse_async.batch.source import RowSource
from vimmerse_async.control.retry import Attempts, verdict_of
from vimmerse_async.errors import JournalError
from vimmerse_async.gate import Gate
from vimmerse_async.journal.commits import Done, JournalEntry
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.origin import Binding
from vimmerse_async.journal.records import error_values
from vimmerse_async.models import PromptResult

SAMPLE = 5.0
"""Seconds between the points of the timeline."""

_NO_ERROR = error_values(None)
_UPDATE = (
    "UPDATE runs SET calls = ?, refused = ?, answered = ?, failed = ?, cached = ?, "
    "possibly_charged = ?"
)


class Ledger:
    """Writes down one run.

    Args:
        journal: Where; open.
        gate: What is sampled, and whose limit is kept.
        binding: Knows whose answers they are; begun.
        options: What was asked for.
        allowance: Tells how many requests were sent.

    Attributes:
        remembers: True: a question that was answered is known later.
        binding: As given.
        covered: Calls whose loss is noted, should the process be killed.
    """

    remembers = True
    _pipeline: Pipeline
    _acknowledge: Done
    _run: int
    _timer: asyncio.TimerHandle
    _deaf: Callable[[], None]

    def __init__(
        self,
        journal: PromptJournal,
        gate: Gate,
        binding: Binding,
        options: dict[str, Any],
        allowance: Allowance,
    ) -> None:
        self._journal = journal
        self.binding: Binding | None = binding
        self._gate = gate
        self._options = options
        self._allowance = allowance
        self._loop = asyncio.get_running_loop()
        self.covered: int = 0

    def attach(self, pipeline: Pipeline) -> Callable[[], None]:
        """Begin the run of a pipeline, and return what is to be told when a result is read.

        Raises:
            JournalError: The journal cannot be written.
        """
        self._began, self._loop_began = time.time(), self._loop.time()
        self._run = self._journal.begin_run(self._options, self._began)
        self._warm_up()
        self.cover(1)
        self._pipeline, self._acknowledge = pipeline, pipeline.acknowledge
        self._deaf = self._journal.listen(pipeline.lose)
        self._timer = self._loop.call_later(SAMPLE, self._sample_again)
        return pipeline.changed.notify_all

    async def begun(self) -> None:
        """Wait until the run is known to the disk: killed right after, it is the last one there.

        Raises:
            JournalError: The journal cannot be written.
        """
        await self._journal.flush()

    def source_of(self, source: RowSource, plan: BatchPlan, pipeline: Pipeline) -> Intake:
        """Return the rows that are to be asked: those that the journal does not answer."""
        return Intake(source, plan, self._journal, pipeline)

    def record(self, row: Row, result: PromptResult) -> None:
        """Queue a row's result to be written; the pipeline is told when it is on disk.

        Raises:
            JournalError: It cannot be written.
        """
        self._add(row, result, result.error, self._acknowledge)

    def abandon(self, row: Row, attempts: Attempts, elapsed: float) -> None:
        """Note a row whose call was cancelled: it may have been charged, and is asked again."""
        result = PromptResult(
            row.index, row.item, None, None, attempts.count, elapsed, attempts.possibly_charged
        )
        if self._journal.failure is None:
            self._add(row, result, asyncio.CancelledError("the batch was left early"), None)

    def cover(self, under_way: int) -> None:
        """Note what a kill may cost: as many again, before they are under way, too."""
        self._note(2 * under_way)

    def expect(self, window: int) -> None:
        """Note how many results a commit may wait for: as many as may be recorded at once."""
        self._journal.expect(window)

    def hurry(self) -> None:
        """Write what is recorded now: no more results are to come."""
        self._journal.hurry()

    def close(self, outcome: str) -> None:
        """Note the end of the run."""
        self._timer.cancel()
        self._deaf()
        self._sample()
        self._put(
            f"{_UPDATE}, ended_at = ?, outcome = ? WHERE run = ?",
            *self._counts(), self._now(), outcome, self._run,
        )  # fmt: skip

    def _now(self) -> float:
        """Return the beginning and the seconds since, whatever is done to the wall clock."""
        return self._began + self._loop.time() - self._loop_began

    def _add(
        self,
        row: Row,
        result: PromptResult,
        error: BaseException | None,
        written: Done | None,
    ) -> None:
        call = row.call
        request = described_refused(row.item) if call is None else described(row.item, call)
        told = _NO_ERROR if error is None else error_values(error)
        values = (
            row.question, verdict_of(error), result.prompt, *told, request,
            result.attempts, result.possibly_charged, result.elapsed, self._run, self._now(),
        )  # fmt: skip
        self._journal.add_result(values, written, (row, result))

    def _counts(self) -> tuple[int, ...]:
        """Return what `_UPDATE` wants."""
        spent, done = self._allowance, self._pipeline.outcomes
        journal = self._journal
        failed, cached = done["failed"] + journal.known_failed, done["cached"] + journal.known
        rows = done["answered"], failed, cached
        return spent.calls, spent.refused, *rows, spent.possibly_charged

    def _note(self, most: int) -> None:
        self.covered = most
        self._put("UPDATE runs SET most_under_way = ? WHERE run = ?", most, self._run)

    def _tighten(self) -> None:
        """Note less where of late no more was under way, a quarter more left aside."""
        most = self._pipeline.peak
        most += 1 + most // 4
        if most < self.covered:
            self._note(most)
        self._pipeline.peak = self._pipeline.under_way

    def _warm_up(self) -> None:
        learned, warm_up = self._journal.learned(), getattr(self._gate.limit, "warm_up", None)
        if learned is not None and warm_up is not None:
            warm_up(learned)

    def _sample_again(self) -> None:
        self._timer = self._loop.call_later(SAMPLE, self._sample_again)
        try:
            self._sample()
            self._put(f"{_UPDATE} WHERE run = ?", *self._counts(), self._run)
            self._tighten()
        except JournalError as error:  # closed by its owner: the loop would only log it
            self._pipeline.lose(error)

    def _sample(self) -> None:
        limit, now = self._gate.limit.snapshot(), self._now()
        rate = limit.rate if math.isfinite(limit.rate) else None
        done = self._pipeline.delivered + self._journal.known + self._journal.known_failed
        refused = self._allowance.refused
        self._put(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._run, now, self._gate.in_flight, limit.window, rate, done, refused,
        )  # fmt: skip
        if limit.suspect is not None:
            learned = {"window": limit.window, "rate": rate, "suspect": limit.suspect}
            self._put(
                "INSERT OR REPLACE INTO limits VALUES ('text', ?, ?)", json.dumps(learned), now
            )

    def _put(self, sql: str, *values: Any) -> None:
        if self._journal.failure is None:
            self._journal.put(JournalEntry(sql, values))
