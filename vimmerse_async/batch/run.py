"""One run of a batch: workers that pull, ask and deliver, as many as the limit admits.

A worker takes a row, is admitted, sees to it that there is a sibling if the limit would admit one
more, asks, delivers, and begins anew. So there are as many tasks as requests in flight, and one
more while the limit makes them wait; never one per row. Where a window is full or shrinks, a few
wait and the others give their rows back and end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from vimmerse_async.batch.admission import Admission
from vimmerse_async.batch.backpressure import Backpressure
from vimmerse_async.batch.delivery import Delivery
from vimmerse_async.batch.plan import BatchPlan
from vimmerse_async.batch.sharing import Sharing
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import Row, RowSource
from vimmerse_async.batch.stopping import Judge, Watch
from vimmerse_async.batch.workers import WorkerPool
from vimmerse_async.control.limit import Permit
from vimmerse_async.control.retry import Attempts
from vimmerse_async.errors import (
    BatchStoppedError,
    InvalidRequestError,
    SessionError,
    VimmerseError,
)
from vimmerse_async.models import PromptResult
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from vimmerse_async.batch.intake import Intake
    from vimmerse_async.batch.ledger import Ledger

BREATH = 64
"""Rows that are not sent after which others in this loop get their turn."""


class Run:
    """Asks every row of a source once and puts the results into a sink.

    Attributes:
        error: What the input, `on_result` or the journal raised; None when none did.
        stopped: Why the run ended early; None when it did not.
        halted: True when nothing new is sent any more.
        cancelled: True when a task was cancelled: results are missing.
    """

    def __init__(
        self, session: VimmerseSession, source: RowSource, sink: Sink, plan: BatchPlan
    ) -> None:
        self.error: Exception | None = None
        self.stopped: BatchStoppedError | None = None
        self.halted: bool = False
        self.cancelled: bool = False
        self._session = session
        self._sink = sink
        self._plan = plan
        self._read = plan.read
        self._gate = session.gate
        self._lane = session.open_lane()
        self._loop = asyncio.get_running_loop()
        self._crew = WorkerPool(self._missed)
        self._passed_over = 0
        self._tending = 0
        self._left = False
        self._outcome: str | None = None
        self._judge = Judge(self._stop)
        self._watch: Watch | None = None
        self._ledger = plan.ledger
        self._allowance = plan.allowance
        self._window = Backpressure(sink, self._gate, plan.ledger)
        keep = plan.ledger is None and not sink.streams
        asks_each = plan.identify is None and plan.ledger is None
        self._sharing = None if asks_each else Sharing(keep=keep)
        self._delivery = Delivery(sink, plan.on_result, self._sharing, plan.ledger, self._fail)
        self._deliver = self._delivery.finish if plan.ledger else self._delivery.settle
        self._source: RowSource | Intake = source
        if plan.ledger is not None:
            self._source = self._intake(source, plan.ledger)
        self._admission = Admission(session, self._lane, self._window, self._source, plan.ledger)

    @property
    def not_attempted(self) -> int:
        """Rows taken but not sent, plus those of a sized input that were never taken."""
        return self._source.taken - self._delivery.delivered + self._source.never_taken

    def start(self, tasks: TaskGroup) -> None:
        """Begin to ask, in tasks of the given group."""
        patience = self._session.timeouts.total
        self._watch = Watch(self._gate, self._loop, self._judge, self._is_idle, patience)
        for tender in self._source.tenders():
            self._tending += 1
            tasks.start_soon(self._tend, tender)
        tasks.start_soon(self._crew.lead, self._begin)

    def halt(self) -> None:
        """Send nothing new; what is in flight ends by itself."""
        self._end_input()
        self._lane.close()

    def leave(self, *, cancelled: bool = False) -> None:
        """Note that whoever wanted the results has gone, and send nothing new.

        Args:
            cancelled: True when that ended the tasks, which looks to them like their end.
        """
        self._left = True
        if cancelled:
            self._outcome = "cancelled"
        self.halt()

    def check(self) -> None:
        """Raise CancelledError if a task was cancelled, by whomever: a short list is no result."""
        if self.cancelled:
            raise asyncio.CancelledError("a task of this batch was cancelled")

    async def settled(self) -> None:
        """Wait until every result is delivered; the tasks have ended."""
        if self._ledger is not None:
            await self._ledger.settled()

    async def close(self) -> None:
        """Give everything back; the tasks have ended."""
        if self._watch is not None:
            self._watch.close()
        self._admission.close()
        if self._ledger is not None:
            self._ledger.close(self._outcome or "cancelled")
        await self._source.close()

    def _intake(self, source: RowSource, ledger: "Ledger") -> "Intake":
        from vimmerse_async.batch.intake import (  # noqa: PLC0415 - SQLite, which few runs need
            Intake,
        )

        ledger.listen(self._fail, self._end_if_done)
        self._sink.on_read = ledger.bell.ring
        assert self._sharing is not None  # noqa: S101 - there always is one with a journal
        return Intake(
            source, self._read, self._plan.policy, ledger, self._sharing, self._delivery,
            self._sink, self._window.allowed,
        )  # fmt: skip

    def _begin(self) -> None:
        self._spawn()
        self._spawn()  # in a window of one, a row that failed must not be the only one tried

    def _spawn(self) -> None:
        self._window.workers += 1
        self._crew.start(self._work(), "Run._work")

    def _missed(self) -> None:
        self.cancelled = True
        self._admission.give_up(self._admission.granted())
        self._leave()

    async def _tend(self, tender: Callable[[], Awaitable[None]]) -> None:
        try:
            await tender()
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._tending -= 1
            self._end_if_done()

    async def _work(self) -> None:
        await asyncio.sleep(0)
        self._crew.begun()
        permit = self._admission.granted()
        try:
            while (row := await self._next(permit)) is not None:
                assert row.call is not None  # noqa: S101 - an admitted row has one
                attempts, permit, prompt, failed = Attempts(), None, None, None
                if self._allowance is not None:
                    attempts.allowance, attempts.allowed = self._allowance, 1
                self._window.asking += 1
                try:
                    if self._admission.grow(row.call.operation.latency):
                        self._spawn()
                    prompt = await self._session.send(
                        row.call, lane=self._lane, permit=row.permit, attempts=attempts
                    )
                except VimmerseError as error:
                    failed = error
                except asyncio.CancelledError:
                    self._abandon(row, attempts)
                    raise
                finally:
                    self._window.asking -= 1
                self._finish(row, attempts, prompt, failed)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._leave()

    async def _next(self, permit: Permit | None) -> Row | None:
        """Return the next row to be asked, admitted; None when there is one worker too many."""
        try:
            while permit is not None or await self._window.room(self._source):
                row = self._source.take()
                if row is None and self._source.is_async:
                    row = await self._source.take_later()
                if row is None:
                    return None
                if row.call is None and not self._prepare(row):
                    permit = await self._breathe(permit)
                    continue
                if self._allowance is not None and not self._allowance.take():
                    self._run_out()
                    return None
                row.permit, permit = permit or await self._admission.permit(row), None
                if row.permit is None and self._allowance is not None:
                    self._allowance.left += 1
                return None if row.permit is None else row
            return None
        finally:
            if permit is not None:
                self._admission.give_up(permit)

    def _leave(self) -> None:
        self._window.workers -= 1
        if self._source.ended:
            self._window.wake()
        self._end_if_done()

    def _end_if_done(self) -> None:
        behind = self._ledger is not None and self._ledger.unacknowledged
        if not self._window.workers and not self._tending and not behind:
            self._fail(self._source.error)
            self._outcome = self._how_it_ended()
            self._sink.finish()

    def _how_it_ended(self) -> str:
        if self._left or self.cancelled:
            return "cancelled"
        if self.stopped is not None:
            return self.stopped.reason
        if self.error is not None:
            return "failed"
        return "interrupted" if self.halted else "finished"

    def _prepare(self, row: Row) -> bool:
        """Return whether the row is to be asked: it can be, and no other asks the same."""
        try:
            row.call = self._read(row.item)
        except InvalidRequestError as error:
            self._deliver(row, PromptResult(row.index, row.item, error=error.at(row.index)))
            return False
        if self._sharing is None or self._plan.identify is None:
            return True
        row.question = self._plan.identify(row.item, row.call)
        known = self._sharing.answer(row)
        if known is not None:
            self._delivery.deliver(known)
            return False
        if not self._sharing.lead(row):
            self._window.widen()  # rows that wait for another's call need no window
            return False
        return True

    async def _breathe(self, permit: Permit | None) -> Permit | None:
        self._passed_over += 1
        breathes = not self._passed_over % BREATH
        if permit is not None and (breathes or not self._window.has_room(self._source)):
            self._admission.give_up(permit)
            permit = None
        if breathes:
            await asyncio.sleep(0)
        return permit

    def _run_out(self) -> None:
        self._judge.stop("max_calls", "as many calls were made as were allowed")

    def _finish(
        self, row: Row, attempts: Attempts, prompt: str | None, failed: VimmerseError | None
    ) -> None:
        if failed is None:
            self._judge.in_a_row = 0
        else:
            if isinstance(failed, SessionError):
                self._fail(failed)
            self._judge.see(failed)
        if self._allowance is not None or self._ledger is not None:
            self._account(attempts)
        if attempts.started is None:
            return
        self._deliver(
            row,
            PromptResult(
                row.index,
                row.item,
                prompt,
                failed,
                attempts.count + (failed is None),
                self._loop.time() - attempts.started,
                attempts.possibly_charged,
            ),
        )

    def _account(self, attempts: Attempts) -> None:
        if self._ledger is not None:
            self._ledger.spent(attempts)
        if self._allowance is not None:
            self._allowance.settle(attempts)
            if self._allowance.denied:
                self._run_out()

    def _abandon(self, row: Row, attempts: Attempts) -> None:
        if self._ledger is not None and attempts.started is not None:
            self._ledger.spent(attempts)
            self._ledger.abandon(row, attempts, self._loop.time() - attempts.started)

    def _fail(self, error: Exception | None) -> None:
        if error is not None:
            self.error = self.error or error
            self.halt()

    def _stop(self, error: BatchStoppedError) -> None:
        self.stopped = self.stopped or error
        if error.reason == "max_calls":
            self._end_input()  # what was allowed before goes on, also after a 429
        else:
            self.halt()

    def _end_input(self) -> None:
        self.halted = True
        self._source.end()
        self._window.wake()

    def _is_idle(self) -> bool:
        return not self._window.asking and self._lane.head() is None
