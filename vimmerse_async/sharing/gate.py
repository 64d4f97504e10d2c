"""The gate of a process that shares its limit: its queues are here, whose turn it is there.

It tells how many wait in each queue, and gets a permit for one of them when it is that queue's
turn; which request of a queue goes is decided here, as in any gate. Alone it is any gate.
"""

import math
from collections.abc import Callable

from vimmerse_async.control.answer_times import expected_wait
from vimmerse_async.control.limit import Limit, LimitSnapshot, Permit
from vimmerse_async.gate import Gate
from vimmerse_async.lanes import Lane, Waiter
from vimmerse_async.models import SharingStatistics
from vimmerse_async.sharing.identity import pid_of, this_process
from vimmerse_async.sharing.meeting import Meeting
from vimmerse_async.sharing.membership import Membership
from vimmerse_async.sharing.permits import SharedLimit
from vimmerse_async.sharing.records import ROUTE_NUMBERS, Kind, Record, Standing, pack

AHEAD = 32
"""Requests of one queue that are asked for at a time."""


class SharedGate(Gate):
    """Admission to a limit that other processes share.

    Args:
        meeting: Where the processes meet.
        make_limit: Makes the limit for going alone.
        clock: The loop's.
        number: The most requests in flight that this process wants for all together; 0: any.

    Attributes:
        limit: The shared limit, as this process sees it.
    """

    limit: SharedLimit

    def __init__(
        self,
        meeting: Meeting,
        make_limit: Callable[[], Limit],
        clock: Callable[[], float],
        number: int = 0,
    ) -> None:
        super().__init__(SharedLimit(make_limit, clock, number), clock)
        self.scope: str = meeting.scope
        self._numbers: dict[Lane, int] = {self._calls: 0}
        self._lanes: dict[int, Lane] = {0: self._calls}
        self._asked: dict[int, int] = {}
        self._opened = 0
        self._membership = Membership(meeting, self, this_process(), number)

    @property
    def standing(self) -> Standing | None:
        """How the shared limit stands; None while this process is alone."""
        return self.limit.standing if self._membership.is_joined else None

    @property
    def waiting(self) -> int:
        """Requests that wait to be admitted, in all processes."""
        standing = self.standing
        return self._waiting if standing is None else max(self._waiting, standing.waiting)

    def snapshot(self) -> LimitSnapshot:
        """Return what the limit does right now."""
        return self.limit.snapshot()

    def has_room(self) -> bool:
        """Return whether who waits is going to be admitted at once, as far as is known."""
        if self.limit.own is not None:
            return False
        return self.standing is None or self.snapshot().binding is None

    def sharing(self) -> SharingStatistics:
        """Return how the limit is shared with other processes."""
        standing, alone = self.standing, self._membership.reason
        if standing is None:
            return SharingStatistics(self.scope, alone=alone)
        return SharingStatistics(self.scope, standing.processes, pid_of(standing.leader))

    def expected_wait(self) -> float:
        """Return the seconds that a request made now has to wait for its turn."""
        return expected_wait(self.snapshot(), self.waiting, self.known.values())

    def open_lane(self) -> Lane:
        """Return a queue for a batch."""
        lane = super().open_lane()
        self._opened += 1
        self._numbers[lane], self._lanes[self._opened] = self._opened, lane
        return lane

    def close_lane(self, lane: Lane) -> None:
        """Turn away what waits in a batch's queue and forget it."""
        super().close_lane(lane)
        number = self._numbers.pop(lane, 0)
        if number:
            del self._lanes[number]
            if self._asked.pop(number, None) is not None:
                self._tell(Record(Kind.SHUT, lane=number))

    async def wait(
        self,
        route: str,
        lane: Lane | None = None,
        *,
        front: bool = False,
        until: float = math.inf,
    ) -> Permit:
        """Return a permit when it is this request's turn."""
        try:
            return await super().wait(route, lane, front=front, until=until)
        except BaseException:
            self._serve()  # it waits no more: it is not to be asked for
            raise

    def close(self) -> None:
        """Leave the others."""
        super().close()
        self._membership.close()

    def joins(self, send: Callable[[bytes], None]) -> None:
        """Say what is under way, to a leader that may not answer."""
        self.limit.send = send
        for record in self.limit.untold():
            send(pack(record))

    def joined(self) -> None:
        """Ask the leader from now on."""
        for record in self.limit.untold():
            self._tell(record)
        self.limit.join()
        self._asked.clear()
        if warmth := self.limit.warmth():
            self._send(warmth)
        self._serve()

    def lost(self) -> None:
        """Wait for another leader."""
        self.limit.forget_leader()

    def alone(self) -> None:
        """Go on with a limit of its own."""
        self.limit.part()
        self._serve()

    def stands(self, standing: Standing) -> None:
        """Take note of how the shared limit stands."""
        self.limit.standing = standing

    def granted(self, record: Record) -> None:
        """Let the request go whose turn it is in a queue."""
        number = record.lane
        if number in self._asked:
            self._asked[number] = max(0, self._asked[number] - 1)  # one that is wanted no more
        shut = self._clock() < self.shut_until
        waiter = None if shut else self._first(self._lanes.get(number))
        if waiter is None:
            self._tell(Record(Kind.UNUSED, number=record.number))
            return
        future, route, *_ = waiter
        now = self._clock()
        permit = self.limit.grant(record.number, route, now, probe=bool(record.flag))
        self.in_flight: int = self.in_flight + 1
        self._served_at = self._departures[id(permit)] = now
        future.set_result(permit)
        self._ask(number)

    def _first(self, lane: Lane | None) -> Waiter | None:
        if lane is None:
            return None
        return self._next_call() if lane is self._calls else lane.head()

    def _serve(self) -> None:
        if self.limit.own is not None:
            super()._serve()
        elif self._membership.is_joined:
            if self._clock() < self.shut_until:
                self._ask_again(self.shut_until - self._clock())
            for number in self._lanes:
                self._ask(number)

    def _ask(self, number: int) -> None:
        """Tell how many wait in a queue: never more than do, and not too many at a time."""
        lane, asked = self._lanes[number], self._asked.get(number, 0)
        room = self.limit.cap - self.in_flight - sum(self._asked.values()) + asked
        shut = self._clock() < self.shut_until
        wanted = 0 if shut else max(0, min(lane.waiting, AHEAD, room))
        if wanted == asked:
            return
        self._asked[number] = wanted
        head = lane.head()
        route = 0 if head is None else ROUTE_NUMBERS[head[1]]
        kind = Kind.ASK if wanted > asked else Kind.UNASK
        self._tell(Record(kind, route, 0, number, abs(wanted - asked)))

    def _tell(self, record: Record) -> None:
        self._send(pack(record))

    def _send(self, data: bytes) -> None:
        if self.limit.send is not None:
            self.limit.send(data)
