"""One run of a batch: workers that pull, ask and deliver, as many as the limit admits.

A worker takes a row, is admitted, sees to it that there is a sibling if the limit would admit one
more, asks, delivers, and begins anew. So there are as many tasks as requests in flight, and one
more while the limit makes them wait; never one per row. Where a window is full or shrinks, a few
wait and the others give their rows back and end.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from vimmerse_async.batch.delivery import Delivery
from vimmerse_async.batch.plan import Plan
from vimmerse_async.batch.sharing import Sharing
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import Row, Source
from vimmerse_async.batch.stopping import Judge, Watch
from vimmerse_async.control.limit import LatencyClass, Outcome, Permit
from vimmerse_async.control.retry import Attempts
from vimmerse_async.errors import (
    BatchStoppedError,
    InvalidRequestError,
    SessionError,
    VimmerseError,
)
from vimmerse_async.gate import LaneClosedError
from vimmerse_async.models import PromptResult
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from vimmerse_async.batch.intake import Intake
    from vimmerse_async.batch.ledger import Ledger

AHEAD = 16
"""Rows that may wait at the gate, and as many to be sent again, before fewer are pulled."""
ENOUGH = 4
"""Requests in flight that make a worker, which would wait for one of them to end, end itself."""
MOST_AHEAD = 256
"""Rows that are looked up or wait for another's call at most, while few are in flight."""
BREATH = 64
"""Rows that are not sent after which others in this loop get their turn."""


class Run:
    """Asks every row of a source once and puts the results into a sink.

    Attributes:
        error: What the input, `on_result` or the journal raised; None when none did.
        stopped: Why the run ended early; None when it did not.
        halted: True when nothing new is sent any more.
    """

    def __init__(self, session: VimmerseSession, source: Source, sink: Sink, plan: Plan) -> None:
        self.error: Exception | None = None
        self.stopped: BatchStoppedError | None = None
        self.halted: bool = False
        self._session = session
        self._sink = sink
        self._plan = plan
        self._read = plan.read
        self._gate = session.gate
        self._lane = session.open_lane()
        self._loop = asyncio.get_running_loop()
        self._workers = 0
        self._asking = 0
        self._window = 1
        self._passed_over = 0
        self._tending = 0
        self._left = False
        self._outcome: str | None = None
        self._tasks: TaskGroup | None = None
        self._judge = Judge(self._stop)
        self._watch: Watch | None = None
        self._ledger = plan.ledger
        self._allowance = plan.allowance
        keep = plan.ledger is None and not sink.streams
        asks_each = plan.identify is None and plan.ledger is None
        self._sharing = None if asks_each else Sharing(keep=keep)
        self._delivery = Delivery(sink, plan.on_result, self._sharing, plan.ledger, self._fail)
        self._deliver = self._delivery.finish if plan.ledger else self._delivery.settle
        self._source: Source | Intake = source
        if plan.ledger is not None:
            self._source = self._intake(source, plan.ledger)

    @property
    def not_attempted(self) -> int:
        """Rows taken but not sent, plus those of a sized input that were never taken."""
        return self._source.taken - self._delivery.delivered + self._source.never_taken

    def start(self, tasks: TaskGroup) -> None:
        """Begin to ask, in tasks of the given group."""
        self._tasks = tasks
        patience = self._session.timeouts.total
        self._watch = Watch(self._gate, self._loop, self._judge, self._is_idle, patience)
        for tender in self._source.tenders():
            self._tending += 1
            tasks.start_soon(self._tend, tender)
        self._spawn(None)
        self._spawn(None)  # in a window of one, a row that failed must not be the only one tried

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

    async def settled(self) -> None:
        """Wait until every result is delivered; the tasks have ended."""
        if self._ledger is not None:
            await self._ledger.settled()

    async def close(self) -> None:
        """Give everything back; the tasks have ended."""
        if self._watch is not None:
            self._watch.close()
        self._gate.close_lane(self._lane)
        if self._ledger is not None:
            self._ledger.close(self._outcome or "cancelled")
        await self._source.close()

    def _intake(self, source: Source, ledger: "Ledger") -> "Intake":
        from vimmerse_async.batch.intake import (  # noqa: PLC0415 - SQLite, which few runs need
            Intake,
        )

        ledger.listen(self._fail, self._end_if_done)
        self._sink.on_read = ledger.bell.ring
        assert self._sharing is not None  # noqa: S101 - there always is one with a journal
        return Intake(
            source, self._read, self._plan.policy, ledger, self._sharing, self._delivery,
            self._sink, self._allowed,
        )  # fmt: skip

    def _allowed(self) -> int:
        return max(self._window, min(int(self._gate.limit.snapshot().window), MOST_AHEAD))

    def _spawn(self, permit: Permit | None) -> None:
        if self._tasks is not None:
            self._workers += 1
            self._tasks.start_soon(self._work, permit)

    async def _tend(self, tender: Callable[[], Awaitable[None]]) -> None:
        try:
            await tender()
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._tending -= 1
            self._end_if_done()

    async def _work(self, permit: Permit | None) -> None:
        try:
            await asyncio.sleep(0)  # a run that was cancelled meanwhile takes no more rows
            while permit is not None or await self._room():
                row = self._source.take()
                if row is None and self._source.is_async:
                    row = await self._source.take_later()
                if row is None:
                    break
                if row.call is None and not self._prepare(row):
                    permit = await self._breathe(permit)
                    continue
                if self._allowance is not None and not self._allowance.take():
                    self._run_out()
                    break
                granted = permit or await self._admitted(row)
                permit = None
                if granted is None:
                    break
                await self._ask(row, granted)
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._leave(permit)

    def _leave(self, permit: Permit | None) -> None:
        if permit is not None:
            self._gate.release(permit, Outcome.CANCEL, 0.0)
        self._workers -= 1
        if self._source.ended:
            self._wake()
        self._end_if_done()

    def _end_if_done(self) -> None:
        behind = self._ledger is not None and self._ledger.unacknowledged
        if not self._workers and not self._tending and not behind:
            self._fail(self._source.error)
            self._outcome = "cancelled" if self._left else self._how_it_ended()
            self._sink.finish()

    def _how_it_ended(self) -> str:
        if self.stopped is not None:
            return self.stopped.reason
        if self.error is not None:
            return "failed"
        return "interrupted" if self.halted else "finished"

    async def _room(self) -> bool:
        if self._ledger is not None:
            return await self._room_behind(self._ledger)
        while not self._source.ended and not self._sink.has_room(self._window, self._source.out):
            await self._sink.room()
        return not self._source.ended

    async def _room_behind(self, ledger: "Ledger") -> bool:
        while not self._source.ended:
            if self._has_room():
                return True
            if self._workers - self._asking > 1:
                return False  # one that waits is enough: it will see to it that there are others
            await ledger.bell.wait()
        return False

    def _has_room(self) -> bool:
        if self._ledger is None:
            return self._sink.has_room(self._window, self._source.out)
        return self._asking + self._sink.unread <= self._window and not self._is_behind(
            self._ledger
        )

    def _is_behind(self, ledger: "Ledger") -> bool:
        """Return whether a kill could cost two windows: what is in flight or not on disk yet."""
        return self._asking + ledger.unacknowledged >= 2 * self._window

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
            self._window = self._allowed()  # rows that wait for another's call need no window
            return False
        return True

    async def _breathe(self, permit: Permit | None) -> Permit | None:
        self._passed_over += 1
        breathes = not self._passed_over % BREATH
        if permit is not None and (breathes or not self._has_room()):
            self._gate.release(permit, Outcome.CANCEL, 0.0)
            permit = None
        if breathes:
            await asyncio.sleep(0)
        return permit

    def _run_out(self) -> None:
        self._judge.stop("max_calls", "as many calls were made as were allowed")

    async def _admitted(self, row: Row) -> Permit | None:
        permit = await self._permit(row)
        while permit is not None and self._ledger is not None and self._is_behind(self._ledger):
            self._gate.release(permit, Outcome.CANCEL, 0.0)
            await self._ledger.bell.wait()
            permit = await self._permit(row)
        if permit is None and self._allowance is not None:
            self._allowance.left += 1
        return permit

    async def _permit(self, row: Row) -> Permit | None:
        if self._lane.waiting >= AHEAD:
            self._source.give_back(row)
            return None
        assert row.call is not None  # noqa: S101 - the caller has seen to it
        route = row.call.operation.latency
        entered = math.inf if self._lane.closed else self._gate.enter(route)
        if not isinstance(entered, (float, int)):
            return entered
        if entered == math.inf and self._is_spare():
            self._source.give_back(row)
            return None
        try:
            return await self._gate.wait(route, self._lane)
        except LaneClosedError:
            if self._session.closed:
                self._fail(SessionError("the session was closed while this batch was running"))
            return None

    def _is_spare(self) -> bool:
        if self._source.is_async or self._lane.closed:
            return False
        return self._asking - self._lane.sleeping - self._lane.waiting >= ENOUGH

    async def _ask(self, row: Row, permit: Permit) -> None:
        call, attempts = row.call, Attempts()
        assert call is not None  # noqa: S101 - the caller has seen to it
        if self._allowance is not None:
            attempts.allowance, attempts.allowed = self._allowance, 1
        prompt: str | None = None
        failed: VimmerseError | None = None
        self._asking += 1
        self._window = max(self._window, self._asking)
        if self._ledger is not None:
            self._ledger.widen(self._window)
        try:
            self._grow(call.operation.latency)
            prompt = await self._session.send(
                call, lane=self._lane, permit=permit, attempts=attempts
            )
            self._judge.forbidden = 0
        except VimmerseError as error:
            failed = error
            if isinstance(error, SessionError):
                self._fail(error)
            self._judge.see(error)
        except asyncio.CancelledError:
            self._abandon(row, attempts)
            raise
        finally:
            self._asking -= 1
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

    def _grow(self, route: LatencyClass) -> None:
        source, lane = self._source, self._lane
        if source.ended or self._workers > self._asking or lane.sleeping >= AHEAD:
            return
        if lane.head() is not None or not self._has_room():
            return
        entered = 0.0 if source.is_async else self._gate.enter(route)
        if not isinstance(entered, (float, int)):
            self._spawn(entered)
        elif entered < math.inf:
            self._spawn(None)

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
        self._wake()

    def _wake(self) -> None:
        self._sink.wake(self._workers)
        if self._ledger is not None:
            self._ledger.bell.ring()

    def _is_idle(self) -> bool:
        return not self._asking and self._lane.head() is None
