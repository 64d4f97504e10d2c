"""How the rows of a batch get their permits: at once, in their turn, or from another worker.

A worker that asks sees to it that there is another while the limit admits more, and gets a permit
for it. The permit is the batch's until a worker takes it: a task that is cancelled before it begins
gives nothing back.
"""

import math
from collections import deque
from typing import TYPE_CHECKING

from vimmerse_async.batch.pipeline import Pipeline
from vimmerse_async.batch.row import Row
from vimmerse_async.control.limit import LatencyClass, Outcome, Permit
from vimmerse_async.errors import SessionError
from vimmerse_async.lanes import Lane, LaneClosedError

if TYPE_CHECKING:
    from vimmerse_async.session import VimmerseSession

AHEAD = 16
"""Rows that may wait at the gate, and as many to be sent again, before fewer are pulled."""
ENOUGH = 4
"""Requests in flight that make a worker, which would wait for one of them to end, end itself."""


class Admission:
    """One batch at the gate.

    Args:
        session: Whose gate it is.
        lane: The batch's queue there.
        pipeline: Tells what is under way, and takes back rows of workers of which there are too
            many.
    """

    def __init__(self, session: "VimmerseSession", lane: Lane, pipeline: Pipeline) -> None:
        self._session = session
        self._gate = session.gate
        self._lane = lane
        self._pipeline = pipeline
        self._source = pipeline.source
        self._granted: deque[Permit] = deque()

    def grow(self, route: LatencyClass) -> bool:
        """Return whether there is to be another worker, now that one more row is in flight.

        Args:
            route: The row's latency class; the next row's is most likely the same.
        """
        source, lane, pipeline = self._source, self._lane, self._pipeline
        if pipeline.pool.working > pipeline.in_flight or lane.sleeping >= AHEAD:
            return False
        if lane.head() is not None or not source.has_room(pipeline):
            return False
        entered = 0.0 if source.is_async else self._gate.enter(route)
        if isinstance(entered, (float, int)):
            return entered < math.inf
        self._granted.append(entered)
        return True

    def granted(self) -> Permit | None:
        """Take a permit that another worker got; None when there is none, or the disk is behind."""
        permit = self._granted.popleft() if self._granted else None
        if permit is None or not (self._pipeline.recorded and self._pipeline.is_behind()):
            return permit
        self.give_up(permit)
        return None

    async def permit(self, row: Row) -> Permit | None:
        """Return a permit for a row when it is its turn; None when it is not to be asked here.

        Raises:
            SessionError: The session was closed meanwhile.
        """
        assert row.call is not None  # noqa: S101 - the caller has seen to it
        route, pipeline = row.call.operation.latency, self._pipeline
        while True:
            if self._lane.waiting >= AHEAD:
                self._source.give_back(row)
                return None
            entered = math.inf if self._lane.closed else self._gate.enter(route)
            permit = (
                await self._wait(row, route, entered)
                if isinstance(entered, (float, int))
                else entered
            )
            if permit is None or not (pipeline.recorded and pipeline.is_behind()):
                return permit
            self.give_up(permit)
            await pipeline.changed.wait()

    def give_up(self, permit: Permit | None) -> None:
        """Give a permit back with which nothing was sent."""
        if permit is not None:
            self._gate.release(permit, Outcome.CANCEL, 0.0)

    def close(self) -> None:
        """Give back what nobody took, and leave the gate."""
        self._gate.close_lane(self._lane)
        while self._granted:
            self.give_up(self._granted.popleft())

    async def _wait(self, row: Row, route: LatencyClass, entered: float) -> Permit | None:
        if entered == math.inf and self._is_spare():
            self._source.give_back(row)
            return None
        try:
            return await self._gate.wait(route, self._lane)
        except LaneClosedError:
            if self._session.closed:
                message = "the session was closed while this batch was running"
                raise SessionError(message) from None
            return None

    def _is_spare(self) -> bool:
        if self._source.is_async or self._lane.closed:
            return False
        return self._pipeline.in_flight - self._lane.sleeping - self._lane.waiting >= ENOUGH
