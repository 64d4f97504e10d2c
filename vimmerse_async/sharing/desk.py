"""Where the leader admits: the members' queues, their permits, and the limit that all share.

It has no sockets: records come in, and what goes out is gathered for each member. Calls stand in
one queue in the order in which they came, whoever's they are; each batch of each member has a queue
of its own, so that the order is the one inside a process. A permit is given only for a request that
leaves now. The permits of a member that went away come back when the server must be done with them.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import LimitSnapshot, Outcome
from vimmerse_async.control.turns import Turns
from vimmerse_async.sharing.lingering import Lingering
from vimmerse_async.sharing.records import (
    OUTCOMES,
    ROUTES,
    SUSPECTS,
    VERSION,
    Kind,
    ProtocolError,
    Record,
    Standing,
    pack,
    tell,
)

if TYPE_CHECKING:
    from vimmerse_async.control.levels import LearnedPermit

AGAIN = 1.0
"""Seconds after which a limit that waits for a release of nothing is asked again."""
MOST = 1000
"""Requests in flight, of all members together, unless one of them allows fewer."""
MOST_KNOWN = 1e9
"""Requests in flight, or a second, beyond which nobody has learned a limit."""


class Queue:
    """Requests that wait to be admitted: their members and latency classes, in turn."""

    __slots__ = ("asks", "member", "number")

    def __init__(self, member: "Member | None", number: int) -> None:
        self.asks: deque[tuple[Member, int]] = deque()
        self.member: Member | None = member
        self.number: int = number


class Member:
    """One gate of one process, as the leader sees it.

    Attributes:
        process: Its process; 0 until it has said HELLO.
        refused: Whether it speaks another version; nothing that it says then is understood.
        number: The most requests in flight that it wants for all together; 0: any number.
        heard: When it said something last, on the desk's clock.
        waiting: Requests that it asks for.
        lanes: Its batches' queues.
        permits: What it has under way.
        out: What it is to be told.
    """

    __slots__ = (
        "heard",
        "lanes",
        "last",
        "number",
        "out",
        "permits",
        "process",
        "refused",
        "waiting",
    )

    def __init__(self, now: float) -> None:
        self.process: int = 0
        self.refused: bool = False
        self.number: int = 0
        self.heard: float = now
        self.waiting: int = 0
        self.lanes: dict[int, Queue] = {}
        self.permits: dict[int, LearnedPermit] = {}
        self.last: int = 0
        self.out: bytearray = bytearray()


class Desk:
    """Admission to one limit for all members.

    Args:
        limit: What decides.
        clock: Seconds, of the leader's loop.
        process: The leader's own.

    Attributes:
        limit: What decides.
        members: Who shares it.
        waiting: Requests that wait, of all of them.
    """

    def __init__(self, limit: AdaptiveLimit, clock: Callable[[], float], process: int) -> None:
        self.limit = limit
        self.members: set[Member] = set()
        self.waiting: int = 0
        self._clock = clock
        self._process = process
        self._turns = Turns(Queue(None, 0))
        self._lingering = Lingering()
        self._awaited, self._closed_until, self._expected = 0, -math.inf, 0
        self._told: list[Member] = []
        self._handlers: dict[int, Callable[[Member, Record], None]] = {
            Kind.HELLO: self._hello,
            Kind.HOLD: self._hold,
            Kind.ASK: self._ask,
            Kind.UNASK: self._unask,
            Kind.DONE: self._done,
            Kind.UNUSED: self._unused,
            Kind.SHUT: self._shut,
            Kind.WARM: self._warm,
            Kind.LOOK: self._look,
            Kind.PULSE: lambda _member, _record: None,
        }

    def follow(self, standing: Standing, awaited: int, until: float) -> None:
        """Go on where a leader stopped that went away.

        Args:
            standing: What it told last.
            awaited: Members that are going to come, and to say what they have under way.
            until: When to begin without those that have not come.
        """
        now = self._clock()
        self.limit.resume(standing.limit, now)
        self._inherit(standing.untold, standing.limit.latency)
        if awaited > 0:
            self._awaited, self._closed_until = awaited, until
            self._expected = standing.limit.in_flight - standing.untold

    def take(self, member: Member, records: list[Record]) -> None:
        """Do what a member says; `serve` and `outbox` come after it.

        Raises:
            ProtocolError: No member says that.
        """
        member.heard = self._clock()
        for record in records:
            if member.refused:
                return
            handler = self._handlers.get(record.kind)
            if handler is None or not (member.process or record.kind in (Kind.HELLO, Kind.LOOK)):
                raise ProtocolError
            handler(member, record)

    def leave(self, member: Member) -> None:
        """Forget a member that went away; what it has under way lingers."""
        self.members.discard(member)
        calls = self._turns.calls
        if member.waiting:
            self.waiting -= member.waiting
            member.waiting = 0
            calls.asks = deque(ask for ask in calls.asks if ask[0] is not member)
        for lane in member.lanes.values():
            self._turns.remove(lane)
        now = self._clock()
        self._lingering.stay(member.permits.values(), now, self.limit.snapshot(now).latency)
        member.permits.clear()
        self._set_cap()

    def serve(self) -> float:
        """Admit whose turn it is; return the seconds after which to do so again, or `inf`."""
        now = self._clock()
        if self._awaited and now < self._closed_until:
            return self._closed_until - now
        if self._awaited:  # who has not come died with the leader
            told = sum(len(each.permits) for each in self.members)
            self._inherit(max(0, self._expected - told), self.limit.snapshot().latency)
            self._awaited = 0
        for permit in self._lingering.done(now):
            self.limit.release(permit, now, Outcome.CANCEL, 0.0)
        return min(self._admit(), max(0.0, self._lingering.next_end() - now))

    def _inherit(self, count: int, latency: float) -> None:
        now = self._clock()
        permits = [self.limit.hold("text", now) for _ in range(count)]
        self._lingering.inherit(permits, now, latency)

    def _admit(self) -> float:
        turns = self._turns
        while (turn := turns.next(_head(turns.calls), _head)) is not None:
            lane, (member, route) = turn
            permit = self.limit.admit(self._clock(), ROUTES[route])
            if isinstance(permit, (float, int)):
                return permit if permit < math.inf or self.limit.snapshot().in_flight else AGAIN
            lane.asks.popleft()
            turns.taken(lane)
            self.waiting -= 1
            member.waiting -= 1
            member.last += 1
            member.permits[member.last] = permit
            grant = Record(Kind.GRANT, flag=permit.probe, lane=lane.number, number=member.last)
            self._send(member, pack(grant))
        return math.inf

    def beat(self) -> None:
        """Tell all members how it stands."""
        standing = tell(self.standing())
        for member in self.members:
            self._send(member, standing)

    def outbox(self) -> list[Member]:
        """Return whom something is to be told, and forget it."""
        told, self._told = self._told, []
        return told

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nobody waits."""
        return not self.waiting and not self.limit.snapshot().in_flight

    def standing(self) -> Standing:
        """Return how it stands."""
        limit = self.limit.snapshot(self._clock())
        own = sum(len(each.permits) for each in self.members if each.process == self._process)
        processes = len({each.process for each in self.members})
        return Standing(limit, self.waiting, processes, self._process, own + len(self._lingering))

    def _send(self, member: Member, data: bytes) -> None:
        if not member.out:
            self._told.append(member)
        member.out += data

    def _hello(self, member: Member, record: Record) -> None:
        if record.flag != VERSION:
            member.refused = True
            self._send(member, pack(Record(Kind.REFUSED, flag=VERSION)))
            return
        if member.process or not record.number:
            raise ProtocolError
        member.process, member.number = record.number, record.lane
        self.members.add(member)
        self._set_cap()
        self._awaited = max(0, self._awaited - 1)
        self._send(member, tell(self.standing()))

    def _set_cap(self) -> None:
        self.limit.cap = min([MOST, *(each.number for each in self.members if each.number)])

    def _hold(self, member: Member, record: Record) -> None:
        if record.number in member.permits:
            raise ProtocolError
        permit = self.limit.hold(ROUTES[record.route], self._clock() - record.a)
        member.permits[record.number] = permit
        member.last = max(member.last, record.number)

    def _ask(self, member: Member, record: Record) -> None:
        lane = self._turns.calls
        if record.lane:
            known = member.lanes.get(record.lane)
            if known is None:
                known = member.lanes[record.lane] = Queue(member, record.lane)
                self._turns.add(known)
            lane = known
        lane.asks.extend([(member, record.route)] * min(record.number, MOST))
        self.waiting += min(record.number, MOST)
        member.waiting += min(record.number, MOST)

    def _unask(self, member: Member, record: Record) -> None:
        lane = member.lanes.get(record.lane) if record.lane else self._turns.calls
        if lane is None:
            return
        for _ in range(record.number):
            place = _last(lane.asks, member)
            if place is None:
                return
            del lane.asks[place]
            self.waiting -= 1
            member.waiting -= 1

    def _done(self, member: Member, record: Record) -> None:
        permit = member.permits.pop(record.number, None)
        if permit is None:
            raise ProtocolError
        permit.route = ROUTES[record.route]
        outcome, now = OUTCOMES[record.flag], self._clock()
        if outcome is Outcome.OK:
            self._lingering.note(record.a)
        elif outcome is Outcome.THROTTLE and not (permit.probe or record.b) and self._excuse(now):
            self.limit.withdraw(permit, now)
            return
        self.limit.release(permit, now, outcome, record.a, record.b or None)

    def _excuse(self, now: float) -> bool:
        """Return whether a refusal may be for a dead member's request, and count that again."""
        sent = self._lingering.mistaken(now)
        if sent is None:
            return False
        permit = self.limit.hold("text", sent)
        self._lingering.stay([permit], now, self.limit.snapshot().latency)
        return True

    def _unused(self, member: Member, record: Record) -> None:
        permit = member.permits.pop(record.number, None)
        if permit is None:
            raise ProtocolError
        self.limit.withdraw(permit, self._clock())

    def _shut(self, member: Member, record: Record) -> None:
        lane = member.lanes.pop(record.lane, None)
        if lane is not None:
            self._turns.remove(lane)
            self.waiting -= len(lane.asks)
            member.waiting -= len(lane.asks)

    def _warm(self, _member: Member, record: Record) -> None:
        suspect = SUSPECTS[record.route]
        if not (record.b if suspect == "rate" else record.a) < MOST_KNOWN:
            raise ProtocolError
        self.limit.warm_up(LimitSnapshot(record.a, record.b, 0, suspect=suspect))

    def _look(self, member: Member, _record: Record) -> None:
        answer = bytearray(tell(self.standing()))
        for each in sorted(self.members, key=lambda one: one.process):
            under_way = float(len(each.permits))
            answer += pack(Record(Kind.MEMBER, lane=each.waiting, number=each.process, a=under_way))
        self._send(member, bytes(answer) + pack(Record(Kind.END)))


def _head(lane: Queue) -> tuple[Member, int] | None:
    return lane.asks[0] if lane.asks else None


def _last(asks: deque[tuple[Member, int]], member: Member) -> int | None:
    for place in range(len(asks) - 1, -1, -1):
        if asks[place][0] is member:
            return place
    return None
