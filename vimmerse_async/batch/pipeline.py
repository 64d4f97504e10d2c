"""Where the rows of a batch are, and whether there is room for more."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from vimmerse_async.batch.plan import BatchPlan
from vimmerse_async.batch.row import Row
from vimmerse_async.batch.sharing import Sharing, shared
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.workers import WorkerPool
from vimmerse_async.errors import InvalidRequestError, JournalError
from vimmerse_async.gate import Gate
from vimmerse_async.models import PromptResult

if TYPE_CHECKING:
    from vimmerse_async.batch.intake import Intake
    from vimmerse_async.batch.source import RowSource

MOST_AHEAD = 256
"""Rows that are looked up or wait for another's call at most, while few are in flight."""


class Notification:
    """Wakes all that wait for something to change; they look for themselves what it was."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def notify_all(self) -> None:
        """Wake them."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def wait(self) -> None:
        """Wait for the next change."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


class Pipeline:
    """The way of every row from the input to its reader; nobody else changes what is counted here.

    A row is in one state at a time, and leaves it in one way::

        taken ── to be asked ─► ready ─► admitted ─► in flight ─► recorded ─► delivered ─► read
          │                       ▲          │           └► abandoned ▲            ▲
          │                       └ too many ┘                        │            │
          ├── cannot be sent, or is known to the journal ─────────────┘            │
          └── another row asks the same ─► waiting for its answer ─────────────────┘

    =========  ===============  ================================================================
    state      counted in       left when
    =========  ===============  ================================================================
    taken      `source.taken`   `prepare` has read it; with a journal, `Intake` has looked it up
    waiting    `sharing`        the row that asks for it is acknowledged
    ready      the source       a worker takes it; one too many gives it back
    admitted   the gate         it is sent
    in flight  `in_flight`      `receive`: answered, failed or cancelled
    recorded   `recorded`       `acknowledge`: it is on disk; without a journal at once
    delivered  `delivered`      the sink's reader takes it
    =========  ===============  ================================================================

    Args:
        plan: How the batch is asked.
        source: Where rows come from.
        sink: Where results go.
        gate: Tells how much could be in flight.
        pool: The workers.
        fail: Called with what `on_result` raises, or why the disk cannot be written.
        abort: Called with what `on_result` raises if it is no `Exception`.
        idle: Called when the last recorded row was acknowledged, and when none can be any more.

    Attributes:
        source: Hands out the rows that are to be asked.
        sharing: Knows which rows ask the same.
        pool: As given.
        in_flight: Rows that are in flight or wait to be sent again.
        paused: Whether nothing new may begin for now.
        recorded: Rows whose results are known but not safe yet.
        peak: The most of both of late: what a kill can have cost.
        delivered: Rows whose results went into the sink.
        outcomes: How many of these were answered, failed, or known before.
        size: The most rows there may be that are begun and that nobody has read.
        changed: Notified whenever there may be room for more.
    """

    source: "RowSource | Intake"

    def __init__(
        self,
        plan: BatchPlan,
        source: "RowSource",
        sink: Sink,
        gate: Gate,
        pool: WorkerPool,
        fail: Callable[[Exception], None],
        abort: Callable[[BaseException], None],
        idle: Callable[[], None],
    ) -> None:
        self.in_flight: int = 0
        self.recorded: int = 0
        self.peak: int = 0
        self.paused: bool = False
        self.delivered: int = 0
        self.outcomes: dict[str, int] = {"answered": 0, "failed": 0, "cached": 0}
        self.size: int = 1
        self._window = 1
        self.pool: WorkerPool = pool
        self.changed: Notification = Notification()
        self.sharing: Sharing = Sharing(keep=not (plan.ledger.remembers or sink.streams))
        self._plan = plan
        self._read, self._identify, self._on_result = plan.read, plan.identify, plan.on_result
        self._ledger = plan.ledger
        self._sink = sink
        self._gate = gate
        self._fail = fail
        self._abort = abort
        self._idle = idle
        sink.on_read = plan.ledger.attach(self)
        self.source = plan.ledger.source_of(source, plan, self)

    @property
    def not_attempted(self) -> int:
        """Rows taken but not sent, plus those of a sized input that were never taken."""
        return self.source.taken - self.delivered + self.source.never_taken

    @property
    def under_way(self) -> int:
        """Rows whose calls a kill would lose."""
        return self.in_flight + self.recorded

    def prepare(self, row: Row) -> bool:
        """Return whether a row is to be asked: it can be, and no other asks the same."""
        try:
            row.call = self._read(row.item)
        except InvalidRequestError as error:
            self.record(row, PromptResult(row.index, row.item, error=error.at(row.index)))
            return False
        row.question = self._identify(row.item, row.call)
        if row.question is None:
            return True
        claim = self.sharing.claim(row)
        if claim is True:
            return True
        if claim is False:
            self._widen(self.allowed())  # rows that wait for another's call need no window
        else:
            self._deliver(claim)
        return False

    def send(self) -> None:
        """Count one more row that is in flight."""
        self.in_flight += 1
        if self.in_flight > self.size:
            self._widen(self.in_flight)
        under_way = self.in_flight + self.recorded
        if under_way > self.peak:
            self.peak = under_way
            if under_way > self._ledger.covered:
                self._ledger.cover(under_way)

    def receive(self) -> None:
        """Count one row that is in flight no more: answered, failed or cancelled."""
        self.in_flight -= 1

    def record(self, row: Row, result: PromptResult) -> None:
        """Take a row's result; it is delivered as soon as the ledger has it safe."""
        self.recorded += 1
        try:
            self._ledger.record(row, result)
        except JournalError as error:
            self.lose(error)

    def know(self, row: Row, result: PromptResult) -> None:
        """Take a result that is safe already."""
        self.recorded += 1
        self.settle(row, result)

    def settle(self, row: Row, result: PromptResult) -> None:
        """Deliver a row's result, which is safe, and those of the rows that waited for it."""
        self.recorded -= 1
        self._deliver(result)
        if row.question is not None:
            for other in self.sharing.finish(row, result) or ():
                self._deliver(shared(other, result))

    def acknowledge(self, about: list[tuple[Row, PromptResult]]) -> None:
        """Take the word of the disk that it has the results of rows."""
        raised: BaseException | None = None
        for row, result in about:
            try:
                self.settle(row, result)
            except BaseException as error:  # noqa: BLE001 - raised when the others have their word
                raised = raised or error
        self._widen_window()
        self.changed.notify_all()
        if not self.recorded:
            self._idle()
        if raised is not None:
            raise raised

    def lose(self, error: JournalError) -> None:
        """Take the word of the disk that it has nothing more, and never will."""
        self.recorded = 0
        self._fail(error)
        self.changed.notify_all()
        self._idle()

    def allowed(self) -> int:
        """Return how many rows may be looked up or wait for another's call."""
        return max(self.size, min(int(self._gate.limit.snapshot().window), MOST_AHEAD))

    def is_behind(self) -> bool:
        """Return whether nothing new may begin: a kill could cost two windows, or it is paused."""
        return self.paused or self.in_flight + self.recorded >= 2 * self._window

    def wake(self) -> None:
        """Let all that wait for room look again."""
        self._sink.wake()
        self.changed.notify_all()

    def _widen(self, size: int) -> None:
        if size > self.size:
            self.size = size
            self._widen_window()

    def _widen_window(self) -> None:
        window = self.allowed()
        if window != self._window:
            self._window = window
            self._ledger.expect(window)

    def _deliver(self, result: PromptResult) -> None:
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
                self._fail(error)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - also where no task of ours would raise it
                self._abort(error)
        self.delivered += 1
        self.outcomes["failed" if result.error else "cached" if result.cached else "answered"] += 1
        self._sink.put(result)
