"""How the rows of a batch get their permits: at once, in their turn, or from a sibling.

A worker that asks sees to it that there is another while the limit admits more, and gets a permit
for it. The permit is the batch's until a worker takes it: a task that is cancelled before it begins
gives nothing back.
"""

import math
from collections import deque
from typing import TYPE_CHECKING

from vimmerse_async.control.limit import LatencyClass, Outcome, Permit
from vimmerse_async.errors import SessionError
from vimmerse_async.gate import Lane, LaneClosedError

if TYPE_CHECKING:
    from vimmerse_async.batch.backpressure import Backpressure
    from vimmerse_async.batch.intake import Intake
    from vimmerse_async.batch.ledger import Ledger
    from vimmerse_async.batch.source import Row, RowSource
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
        window: Counts what is under way.
        source: Takes back the rows of workers of which there are too many.
        ledger: Tells when the disk is not behind any more; None: there is no journal.
    """

    def __init__(
        self,
        session: "VimmerseSession",
        lane: Lane,
        window: "Backpressure",
        source: "RowSource | Intake",
        ledger: "Ledger | None",
    ) -> None:
        self._session = session
        self._gate = session.gate
        self._lane = lane
        self._window = window
        self._source = source
        self._ledger = ledger
        self._granted: deque[Permit] = deque()

    def grow(self, route: LatencyClass) -> bool:
        """Note that one more row is asked, and return whether there is to be another worker.

        Args:
            route: The row's latency class; the next row's is most likely the same.
        """
        source, lane, window = self._source, self._lane, self._window
        window.size = max(window.size, window.asking)
        if self._ledger is not None:
            self._ledger.widen(window.size)
        if source.ended or window.workers > window.asking or lane.sleeping >= AHEAD:
            return False
        if lane.head() is not None or not window.has_room(source):
            return False
        entered = 0.0 if source.is_async else self._gate.enter(route)
        if isinstance(entered, (float, int)):
            return entered < math.inf
        self._granted.append(entered)
        return True

    def granted(self) -> Permit | None:
        """Take a permit that a sibling got; None when there is none."""
        return self._granted.popleft() if self._granted else None

    async def permit(self, row: "Row") -> Permit | None:
        """Return a permit for a row when it is its turn; None when it is not to be asked here.

        Raises:
            SessionError: The session was closed meanwhile.
        """
        permit = await self._permit(row)
        while permit is not None and self._ledger is not None and self._window.is_behind():
            self.give_up(permit)
            await self._ledger.bell.wait()
            permit = await self._permit(row)
        return permit

    def give_up(self, permit: Permit | None) -> None:
        """Give a permit back with which nothing was sent."""
        if permit is not None:
            self._gate.release(permit, Outcome.CANCEL, 0.0)

    def close(self) -> None:
        """Give back what nobody took, and leave the gate."""
        self._gate.close_lane(self._lane)
        while self._granted:
            self.give_up(self._granted.popleft())

    async def _permit(self, row: "Row") -> Permit | None:
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
                message = "the session was closed while this batch was running"
                raise SessionError(message) from None
            return None

    def _is_spare(self) -> bool:
        if self._source.is_async or self._lane.closed:
            return False
        return self._window.asking - self._lane.sleeping - self._lane.waiting >= ENOUGH
