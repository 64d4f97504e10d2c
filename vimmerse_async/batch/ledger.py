"""A run's pages in the journal: its results, its counts, its timeline, the limit it learned."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from typing import Any

from vimmerse_async.batch.identity import described, described_refused
from vimmerse_async.batch.source import Row
from vimmerse_async.control.retry import Attempts, verdict_of
from vimmerse_async.errors import JournalError
from vimmerse_async.gate import Gate
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.records import error_values
from vimmerse_async.journal.writer import JournalEntry
from vimmerse_async.models import PromptResult

SAMPLE = 5.0
"""Seconds between the points of the timeline."""

_COUNTS = ("calls", "refused", "answered", "failed", "cached", "possibly_charged")
_UPDATE = (
    "UPDATE runs SET calls = ?, refused = ?, answered = ?, failed = ?, cached = ?, "
    "possibly_charged = ?"
)

Written = Callable[[tuple[Row, PromptResult]], None]


class Bell:
    """Wakes all that wait for something to change; they look for themselves what it was."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake them."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def wait(self) -> None:
        """Wait for the next ring."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


class Ledger:
    """Writes down one run.

    Args:
        journal: Where; open.
        gate: What is sampled, and whose limit is kept.
        base_url: Whose answers they are.
        options: What was asked for.

    Attributes:
        journal: As given.
        unacknowledged: Results that are known but not on disk yet.
        bell: Rung whenever there may be room for more.

    Raises:
        JournalError: The journal belongs to another origin, or cannot be written.
    """

    def __init__(
        self, journal: PromptJournal, gate: Gate, base_url: str, options: dict[str, Any]
    ) -> None:
        journal.bind(base_url)
        self.journal = journal
        self.unacknowledged: int = 0
        self.bell: Bell = Bell()
        self._gate = gate
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._most = 0
        self._loop = asyncio.get_running_loop()
        self._began, self._loop_began = time.time(), self._loop.time()
        self._run = journal.begin_run(options, self._began)
        self._timer = self._loop.call_later(SAMPLE, self._sample_again)
        self._deaf: Callable[[], None] | None = None
        self._idle: Callable[[], object] = self.bell.ring
        self._warm_up()

    def listen(self, fail: Callable[[JournalError], object], idle: Callable[[], object]) -> None:
        """Have functions called when nothing can be written any more, and when all is written."""

        def failed(error: JournalError) -> None:
            self.unacknowledged = 0  # they never will be
            fail(error)
            self.bell.ring()
            idle()

        self._idle = idle
        self._deaf = self.journal.listen(failed)

    def record(self, row: Row, result: PromptResult, written: Written) -> None:
        """Queue a row's result to be written.

        Raises:
            JournalError: It cannot be.
        """
        self.unacknowledged += 1
        try:
            self._add(row, result, result.error, (written, (row, result)))
        except JournalError:
            self.unacknowledged = 0
            raise

    def abandon(self, row: Row, attempts: Attempts, elapsed: float) -> None:
        """Note a row whose call was cancelled: it may have been charged, and is asked again."""
        result = PromptResult(
            row.index, row.item, None, None, attempts.count, elapsed, attempts.possibly_charged
        )
        if self.journal.failure is None:
            self._add(row, result, asyncio.CancelledError("the batch was left early"), None)

    def spent(self, attempts: Attempts) -> None:
        """Count the requests of a row that has ended."""
        counts = self._counts
        counts["calls"] += attempts.sends - attempts.refused
        counts["refused"] += attempts.refused
        counts["possibly_charged"] += attempts.possibly_charged

    def count(self, result: PromptResult) -> None:
        """Count a row that was delivered."""
        self._counts["failed" if result.error else "cached" if result.cached else "answered"] += 1

    def widen(self, window: int) -> None:
        """Note how many calls may be under way: what a kill may cost."""
        if 2 * window > self._most:
            self._most = 4 * window
            self._put("UPDATE runs SET most_under_way = ? WHERE run = ?", self._most, self._run)

    async def settled(self) -> None:
        """Wait until every result is on disk, or none can be any more."""
        while self.unacknowledged:
            await self.bell.wait()

    def close(self, outcome: str) -> None:
        """Note the end of the run."""
        self._timer.cancel()
        if self._deaf is not None:
            self._deaf()
        self._sample()
        self._put(
            f"{_UPDATE}, ended_at = ?, outcome = ? WHERE run = ?",
            *self._counts.values(), self._now(), outcome, self._run,
        )  # fmt: skip

    def _now(self) -> float:
        """Return the beginning and the seconds since, whatever is done to the wall clock."""
        return self._began + self._loop.time() - self._loop_began

    def _add(
        self,
        row: Row,
        result: PromptResult,
        error: BaseException | None,
        waiting: tuple[Written, tuple[Row, PromptResult]] | None,
    ) -> None:
        call = row.call
        request = described_refused(row.item) if call is None else described(row.item, call)
        values = (
            row.question, verdict_of(error), result.prompt, *error_values(error), request,
            result.attempts, result.possibly_charged, result.elapsed, self._run, self._now(),
        )  # fmt: skip
        self.journal.add_result(values, None if waiting is None else self._written, waiting)

    def _written(self, waiting: tuple[Written, tuple[Row, PromptResult]]) -> None:
        self.unacknowledged -= 1
        written, about = waiting
        written(about)
        self.bell.ring()
        if not self.unacknowledged:
            self._idle()

    def _warm_up(self) -> None:
        learned, warm_up = self.journal.learned(), getattr(self._gate.limit, "warm_up", None)
        if learned is not None and warm_up is not None:
            warm_up(learned)

    def _sample_again(self) -> None:
        self._timer = self._loop.call_later(SAMPLE, self._sample_again)
        self._sample()
        self._put(f"{_UPDATE} WHERE run = ?", *self._counts.values(), self._run)

    def _sample(self) -> None:
        limit, counts, now = self._gate.limit.snapshot(), self._counts, self._now()
        rate = limit.rate if math.isfinite(limit.rate) else None
        done = counts["answered"] + counts["failed"] + counts["cached"]
        self._put(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._run, now, self._gate.in_flight, limit.window, rate, done, counts["refused"],
        )  # fmt: skip
        if limit.suspect is not None:
            learned = {"window": limit.window, "rate": rate, "suspect": limit.suspect}
            self._put(
                "INSERT OR REPLACE INTO limits VALUES ('text', ?, ?)", json.dumps(learned), now
            )

    def _put(self, sql: str, *values: Any) -> None:
        if self.journal.failure is None:
            self.journal.put(JournalEntry(sql, values))
