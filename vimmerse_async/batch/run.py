"""One run of a batch: workers that pull, ask and deliver, as many as the limit admits.

A worker takes a row, is admitted, sees to it that there is another worker if the limit would admit
one more, asks, delivers, and begins anew. So there are as many tasks as requests in flight, and one
more while the limit makes them wait; never one per row. Where a window is full or shrinks, a few
wait and the others give their rows back and end. Where a row is meanwhile, `Pipeline` knows.
"""

import asyncio
from collections.abc import Awaitable, Callable

import anyio

from vimmerse_async.batch.admission import Admission
from vimmerse_async.batch.pipeline import Pipeline
from vimmerse_async.batch.plan import Allowance, BatchPlan
from vimmerse_async.batch.row import Row
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import RowSource
from vimmerse_async.batch.stopping import Judge, Watch
from vimmerse_async.batch.workers import WorkerPool
from vimmerse_async.control.limit import Permit
from vimmerse_async.control.retry import Attempts, longest_wait
from vimmerse_async.errors import BatchStoppedError, SessionError, StopReason, VimmerseError
from vimmerse_async.loops import clock_of
from vimmerse_async.models import PromptResult
from vimmerse_async.session import VimmerseSession

YIELD_AFTER = 64
"""Rows that are not sent after which others in this loop get their turn."""


class Run:
    """Asks every row of a source once and puts the results into a sink.

    Attributes:
        error: What the input, `on_result` or the journal raised; None when none did.
        fault: Whose that error is: the caller's, or this package's own.
        stopped: Why the run ended early; None when it did not.
        halted: True when nothing new is sent any more.
        cancelled: True when a task was cancelled: results are missing.
    """

    def __init__(
        self, session: VimmerseSession, source: RowSource, sink: Sink, plan: BatchPlan
    ) -> None:
        self.error: Exception | None = None
        self.fault: StopReason = "input"
        self.stopped: BatchStoppedError | None = None
        self.halted: bool = False
        self.cancelled: bool = False
        self._session = session
        self._sink = sink
        self._gate = session.gate
        self._loop = asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._passed_over = 0
        self._background = 1  # until the first workers have begun
        self._left = False
        self._scope = anyio.CancelScope()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._outcome = "cancelled"
        self._ledger = plan.ledger
        self._allowance = plan.allowance
        self._judge = Judge(self._stop, longest_wait(session.retry))
        self._pool = WorkerPool(self._missed)
        self._pipeline = Pipeline(
            plan, source, sink, self._gate, self._pool, self._fail, self._abort, self._end_if_done
        )
        self._source = self._pipeline.source
        self._lane = session.open_lane()
        self._admission = Admission(session, self._lane, self._pipeline)
        patience = session.timeouts.total
        self._watch = Watch(
            self._gate, self._loop, self._judge, self._is_idle, session.last_cause, patience
        )

    @property
    def not_attempted(self) -> int:
        """Rows taken but not sent, plus those of a sized input that were never taken."""
        return self._pipeline.not_attempted

    async def work(self) -> None:
        """Ask every row, and wait until every result is delivered, or until `leave`."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                for work in self._source.background():
                    self._background += 1
                    tasks.start_soon(self._run_background, work)
                await asyncio.sleep(0)  # they begin: an input is closed by the task that opened it
                await self._pool.lead(self._begin)
                await self._over  # the disk may have results that no worker waits for
                self._pool.check()

    def halt(self, error: BatchStoppedError | None = None) -> None:
        """Send nothing new; what is in flight ends by itself.

        Args:
            error: Why the run ends early; None: it was told to.
        """
        self.stopped = self.stopped or error
        self._end_input()
        self._lane.close()

    @property
    def allowance(self) -> Allowance:
        """How many requests may be sent, and were."""
        return self._allowance

    @property
    def is_paused(self) -> bool:
        """Whether nothing new is sent until `resume`."""
        return self._pipeline.paused

    def pause(self, *, paused: bool) -> None:
        """Begin nothing new until told otherwise, in a run with a journal."""
        self._pipeline.paused = paused
        self._pipeline.wake()

    def leave(self) -> None:
        """Note that whoever wanted the results has gone, and end what is in flight."""
        self._left = True
        self.halt()
        self._scope.cancel()

    def check(self) -> None:
        """Raise CancelledError if a task was cancelled, by whomever: a short list is no result."""
        if self.cancelled:
            raise asyncio.CancelledError("a task of this batch was cancelled")

    async def close(self, *, cancelled: bool) -> None:
        """Give everything back; the tasks have ended.

        Args:
            cancelled: True when that ended them, which looks to them like their end.
        """
        if cancelled:
            self._outcome = "cancelled"
        self._watch.close()
        self._admission.close()
        try:
            self._ledger.close(self._outcome)
        finally:
            await self._source.close()

    def _begin(self) -> None:
        self._spawn()
        self._spawn()  # in a window of one, a row that failed must not be the only one tried
        self._background -= 1

    def _spawn(self) -> None:
        self._pool.start(self._work(), "Run._work")

    def _missed(self) -> None:
        self.cancelled = True
        self._admission.give_up(self._admission.granted())
        self._worker_ended()

    async def _run_background(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._background -= 1
            self._end_if_done()

    async def _work(self) -> None:
        await asyncio.sleep(
            0
        )  # so that an eager task does not run inside the worker that spawned it
        self._pool.begun()  # from here on the permit below is this task's to give back
        permit = self._admission.granted()
        try:
            while (row := await self._next(permit)) is not None:
                assert row.call is not None  # noqa: S101 - an admitted row has one
                attempts, permit, prompt, failed = Attempts(), None, None, None
                attempts.allowance, attempts.allowed = self._allowance, 1
                self._pipeline.send()
                try:
                    # before the row is sent: else the next one waits until this one is answered
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
                    self._pipeline.receive()  # before its result goes on, which asks for room
                if self._ledger.binding is not None and self._ledger.binding.is_open:
                    await self._ledger.binding.confirm(failed)
                self._finish(row, attempts, prompt, failed)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self.fault = "internal"  # what the input or a callback raises does not come here
            self._fail(error)
        finally:
            self._pool.ended()
            self._worker_ended()

    async def _next(self, permit: Permit | None) -> Row | None:
        """Return the next row to be asked, admitted; None when there is one worker too many."""
        try:
            # a permit means that there was room when it was got: waiting for room would hold it up
            while permit is not None or await self._source.room(self._pipeline):
                row = self._source.take()  # at once after `room`, or others would overfill it
                if row is None and self._source.is_async:
                    self._admission.give_up(permit)
                    permit = None
                    row = await self._source.take_later()
                if row is None:
                    return None
                if row.call is None and not self._pipeline.prepare(row):
                    permit = await self._yield_to_loop(permit)
                    continue
                if (
                    not self._allowance.take()
                ):  # before the gate: what waits there is going to be sent
                    self._run_out()
                    return None
                row.permit, permit = permit or await self._admission.permit(row), None
                if row.permit is None:
                    self._allowance.give_back()
                    return None
                return row
            return None
        finally:
            if permit is not None:
                self._admission.give_up(permit)

    def _worker_ended(self) -> None:
        if self._source.ended:
            self._pipeline.wake()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._pool.working or self._background:
            return
        if self._pipeline.recorded:
            self._ledger.hurry()  # nothing comes for which the disk could wait
        else:
            self._fail(self._source.error)
            self._outcome = self._how_it_ended()
            self._sink.finish()
            if not self._over.done():
                self._over.set_result(None)

    def _how_it_ended(self) -> str:
        if self._left or self.cancelled:
            return "cancelled"
        if self.stopped is not None:
            return self.stopped.reason
        if self.error is not None:
            return "failed"
        return "interrupted" if self.halted else "finished"

    async def _yield_to_loop(self, permit: Permit | None) -> Permit | None:
        self._passed_over += 1
        yields = not self._passed_over % YIELD_AFTER
        if permit is not None and (yields or not self._source.has_room(self._pipeline)):
            self._admission.give_up(permit)
            permit = None
        if yields:
            await asyncio.sleep(0)
        return permit

    def _run_out(self) -> None:
        self._judge.stop("max_calls", "as many calls were made as were allowed")

    def _finish(
        self, row: Row, attempts: Attempts, prompt: str | None, failed: VimmerseError | None
    ) -> None:
        if isinstance(failed, SessionError):
            self._fail(failed)
        self._judge.see(failed)
        self._allowance.settle(attempts)
        if self._allowance.denied:
            self._run_out()
        if attempts.started is None:
            return
        self._pipeline.record(
            row,
            PromptResult(
                row.index,
                row.item,
                prompt,
                failed,
                attempts.count + (failed is None),
                self._clock() - attempts.started,
                attempts.possibly_charged,
            ),
        )

    def _abandon(self, row: Row, attempts: Attempts) -> None:
        if attempts.started is not None:
            self._allowance.settle(attempts)
            self._ledger.abandon(row, attempts, self._clock() - attempts.started)

    def _fail(self, error: Exception | None) -> None:
        if error is not None:
            self.error = self.error or error
            self.halt()

    def _abort(self, error: BaseException) -> None:
        """End all tasks with what is no `Exception`, wherever it was raised."""
        self._pool.fail(error)
        if isinstance(error, asyncio.CancelledError):
            self.cancelled = True
            self._over.cancel()
        elif not self._over.done():
            self._over.set_result(None)
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
        self._pipeline.wake()

    def _is_idle(self) -> bool:
        return not self._pipeline.in_flight and self._lane.head() is None
