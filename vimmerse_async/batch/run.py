"""One run of a batch: workers that pull, ask and deliver, as many as the limit admits.

A worker takes a row, is admitted, sees to it that there is a sibling if the limit would admit one
more, asks, delivers, and begins anew. So there are as many tasks as requests in flight, and one
more while the limit makes them wait; never one per row. Where a window is full or shrinks, a few
wait and the others give their rows back and end.
"""

import asyncio
import math
from collections.abc import Callable

from anyio.abc import TaskGroup

from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import Row, Source
from vimmerse_async.control.limit import LatencyClass, Outcome, Permit
from vimmerse_async.control.retry import LONGEST_BATCH_WAIT, Attempts
from vimmerse_async.errors import (
    AuthenticationError,
    BatchStoppedError,
    InsufficientCreditsError,
    InternalServerError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    SessionError,
    StopReason,
    VimmerseError,
)
from vimmerse_async.gate import LaneClosedError
from vimmerse_async.models import PromptResult
from vimmerse_async.session import VimmerseSession
from vimmerse_async.wire import Call

FORBIDDEN_IN_A_ROW = 3
"""403s without a success between them after which the key, not the row, is to blame."""
AHEAD = 16
"""Rows that may wait at the gate, and as many to be sent again, before fewer are pulled."""
ENOUGH = 4
"""Requests in flight that make a worker, which would wait for one of them to end, end itself."""
BREATH = 64
"""Rows that cannot be sent after which others in this loop get their turn."""
WATCH = 5.0
"""Seconds between looks at whether the server still accepts anything."""
JITTER = 1.1
"""How much longer than it was told a limit may wait, and the answer may take."""

HINTS: dict[StopReason, str] = {
    "auth": "check the API key, then run it again",
    "credits": "add credits to the account, then run it again",
    "permission": "the key may not use this route: check its permissions, then run it again",
    "max_calls": "allow more calls, then run it again",
    "throttled": "the account's limit is used up for a longer time: run it again later",
    "unavailable": "the service does not answer: run it again later",
    "input": "mend the input, then run it again",
}


class Run:
    """Asks every row of a source once and puts the results into a sink.

    Attributes:
        error: What the input or `on_result` raised; None when neither did.
        stopped: Why the run ended early; None when it did not.
    """

    def __init__(
        self,
        session: VimmerseSession,
        source: Source,
        read: Callable[[object], Call],
        sink: Sink,
        on_result: Callable[[PromptResult], object] | None,
    ) -> None:
        self.error: Exception | None = None
        self.stopped: BatchStoppedError | None = None
        self._session = session
        self._source = source
        self._read = read
        self._sink = sink
        self._on_result = on_result
        self._gate = session.gate
        self._lane = session.open_lane()
        self._loop = asyncio.get_running_loop()
        self._workers = 0
        self._asking = 0
        self._window = 1
        self._unsendable = 0
        self._forbidden = 0
        self._not_sent = 0
        self._tasks: TaskGroup | None = None
        self._watcher: asyncio.TimerHandle | None = None
        self._accepted_at = self._gate.accepted_at
        self._stalled = 0.0

    @property
    def not_attempted(self) -> int:
        """Rows taken but not sent, plus those of a sized input that were never taken."""
        return self._not_sent + self._source.never_taken

    def start(self, tasks: TaskGroup) -> None:
        """Begin to ask, in tasks of the given group."""
        self._tasks = tasks
        self._watcher = self._loop.call_later(WATCH, self._watch)
        self._spawn(None)
        self._spawn(None)  # in a window of one, a row that failed must not be the only one tried

    def halt(self) -> None:
        """Send nothing new; what is in flight ends by itself."""
        self._not_sent += self._source.end()
        self._lane.close()
        self._sink.wake(self._workers)

    async def close(self) -> None:
        """Give everything back; the tasks have ended."""
        if self._watcher is not None:
            self._watcher.cancel()
        self._gate.close_lane(self._lane)
        await self._source.close()

    def _spawn(self, permit: Permit | None) -> None:
        if self._tasks is not None:
            self._workers += 1
            self._tasks.start_soon(self._work, permit)

    async def _work(self, permit: Permit | None) -> None:
        try:
            await asyncio.sleep(0)  # a run that was cancelled meanwhile takes no more rows
            while permit is not None or await self._room():
                row = self._source.take()
                if row is None and self._source.is_async:
                    row = await self._source.take_later()
                if row is None:
                    break
                call = self._call(row)
                if call is None:
                    permit = await self._breathe(permit)
                    continue
                granted = permit or await self._admitted(row, call)
                permit = None
                if granted is None:
                    break
                await self._ask(row, call, granted)
        except Exception as error:  # noqa: BLE001 - comes out where the caller waits
            self._fail(error)
        finally:
            self._leave(permit)

    def _leave(self, permit: Permit | None) -> None:
        if permit is not None:
            self._gate.release(permit, Outcome.CANCEL, 0.0)
        self._workers -= 1
        if self._source.ended:
            self._sink.wake(self._workers)
        if not self._workers:
            self._fail(self._source.error)
            self._sink.finish()

    async def _room(self) -> bool:
        while not self._source.ended and not self._sink.has_room(self._window, self._source.out):
            await self._sink.room()
        return not self._source.ended

    def _call(self, row: Row) -> Call | None:
        try:
            return self._read(row.item)
        except InvalidRequestError as error:
            self._deliver(PromptResult(row.index, row.item, error=error.at(row.index)))
            return None

    async def _breathe(self, permit: Permit | None) -> Permit | None:
        self._unsendable += 1
        if self._unsendable % BREATH:
            return permit
        if permit is not None:
            self._gate.release(permit, Outcome.CANCEL, 0.0)
        await asyncio.sleep(0)
        return None

    async def _admitted(self, row: Row, call: Call) -> Permit | None:
        if self._lane.waiting >= AHEAD:
            self._source.give_back(row)
            return None
        route = call.operation.latency
        entered = math.inf if self._lane.closed else self._gate.enter(route)
        if not isinstance(entered, (float, int)):
            return entered
        if entered == math.inf and self._is_spare():
            self._source.give_back(row)
            return None
        try:
            return await self._gate.wait(route, self._lane)
        except LaneClosedError:
            self._not_sent += 1
            if self._session.closed:
                self._fail(SessionError("the session was closed while this batch was running"))
            return None

    def _is_spare(self) -> bool:
        if self._source.is_async or self._lane.closed:
            return False
        return self._asking - self._lane.sleeping - self._lane.waiting >= ENOUGH

    async def _ask(self, row: Row, call: Call, permit: Permit) -> None:
        attempts = Attempts()
        prompt: str | None = None
        failed: VimmerseError | None = None
        self._asking += 1
        self._window = max(self._window, self._asking)
        try:
            self._grow(call.operation.latency)
            prompt = await self._session.send(
                call, lane=self._lane, permit=permit, attempts=attempts
            )
            self._forbidden = 0
        except VimmerseError as error:
            failed = error
            self._judge(error)
        finally:
            self._asking -= 1
        if attempts.started is None:
            self._not_sent += 1
            return
        self._deliver(
            PromptResult(
                row.index,
                row.item,
                prompt,
                failed,
                attempts.count + (failed is None),
                self._loop.time() - attempts.started,
                attempts.possibly_charged,
            )
        )

    def _grow(self, route: LatencyClass) -> None:
        source, lane = self._source, self._lane
        if source.ended or self._workers > self._asking or lane.sleeping >= AHEAD:
            return
        if lane.head() is not None or not self._sink.has_room(self._window, source.out):
            return
        entered = 0.0 if source.is_async else self._gate.enter(route)
        if not isinstance(entered, (float, int)):
            self._spawn(entered)
        elif entered < math.inf:
            self._spawn(None)

    def _deliver(self, result: PromptResult) -> None:
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception as error:  # noqa: BLE001 - it is the user's, and comes out at the end
                self._fail(error)
        self._sink.put(result)

    def _fail(self, error: Exception | None) -> None:
        if error is not None:
            self.error = self.error or error
            self.halt()

    def _judge(self, error: VimmerseError) -> None:
        after = getattr(error, "retry_after", None)
        too_long = after is not None and after > LONGEST_BATCH_WAIT
        if isinstance(error, SessionError):
            self._fail(error)
        elif isinstance(error, AuthenticationError):
            self._stop("auth", str(error))
        elif isinstance(error, InsufficientCreditsError):
            self._stop("credits", str(error))
        elif isinstance(error, PermissionDeniedError):
            self._forbidden += 1
            if self._forbidden >= FORBIDDEN_IN_A_ROW:
                self._stop("permission", str(error))
        elif isinstance(error, RateLimitError) and too_long:
            self._stop("throttled", str(error), after)
        elif isinstance(error, InternalServerError) and too_long:
            self._stop("unavailable", str(error), after)

    def _stop(self, reason: StopReason, message: str, after: float | None = None) -> None:
        if self.stopped is None:
            self.stopped = BatchStoppedError(
                f"the batch stopped ({reason}): {message}",
                reason=reason,
                resume_hint=HINTS[reason],
                resume_after=after,
            )
            self.halt()

    def _watch(self) -> None:
        self._watcher = self._loop.call_later(WATCH, self._watch)
        moved = self._gate.accepted_at > self._accepted_at
        self._accepted_at = self._gate.accepted_at
        idle = not self._asking and self._lane.head() is None
        self._stalled = 0.0 if moved or idle else self._stalled + WATCH
        if self._stalled >= max(LONGEST_BATCH_WAIT, JITTER * self._gate.told):
            throttled = self._gate.troubled is Outcome.THROTTLE
            self._stop(
                "throttled" if throttled else "unavailable",
                f"nothing was accepted for {self._stalled:.0f} s",
            )
