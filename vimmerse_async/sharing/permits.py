"""A shared limit, as one member sees it: the leader's while it has one, else a limit of its own."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import Limit, LimitSnapshot, Outcome
from vimmerse_async.sharing.records import (
    OUTCOME_NUMBERS,
    ROUTE_NUMBERS,
    SUSPECTS,
    Kind,
    Record,
    Standing,
    pack,
)


class SharedPermit:
    """The right to send one request, from the leader or from an own limit.

    Attributes:
        number: Its name between this member and the leader.
        route: The latency class.
        sent: When it was given, on the loop's clock.
        probe: Whether the others wait for its fate.
        own: The own limit's permit; None while the leader counts it.
        known: Whether the leader of now knows of it.
    """

    __slots__ = ("known", "number", "own", "probe", "route", "sent")

    def __init__(self, number: int, route: str, sent: float, *, probe: bool) -> None:
        self.number: int = number
        self.route: str = route
        self.sent: float = sent
        self.probe: bool = probe
        self.own: Any = None
        self.known: bool = False


class SharedLimit:
    """A limit of which this member has a part.

    It admits by itself only while it is alone; else whoever leads does, through `grant`.

    Args:
        make: Makes the limit of its own; also tells how many requests this process can carry.
        clock: The loop's.
        number: The most requests in flight that are wanted; 0: any.

    Attributes:
        standing: What the leader told last; None before.
        own: The limit of its own; None while it is not alone.
        send: Tells the leader something; None while there is none.
        held: Permits whose requests are under way.
    """

    def __init__(
        self, make: Callable[[], Limit], clock: Callable[[], float], number: int = 0
    ) -> None:
        self.standing: Standing | None = None
        self.own: Limit | None = None
        self.send: Callable[[bytes], None] | None = None
        self.held: dict[int, SharedPermit] = {}
        self._make = make
        self._clock = clock
        self._cap = make().cap
        self._number = number
        self._last = 0
        self._warm: LimitSnapshot | None = None

    def __repr__(self) -> str:
        doing = "joining" if self.standing is None else self.standing.limit
        return f"<SharedLimit {doing if self.own is None else self.own!r}>"

    @property
    def cap(self) -> int:
        """The most requests that this process may have in flight."""
        return self._cap

    @cap.setter
    def cap(self, value: int) -> None:
        self._cap = value
        if self.own is not None:
            self.own.cap = value

    def admit(self, now: float, route: str = "text") -> SharedPermit | float:
        """Return a permit of the limit of its own; 0.0: the leader has to be asked."""
        if self.own is None:
            return 0.0
        answer = self.own.admit(now, route)
        if isinstance(answer, (float, int)):
            return answer
        permit = self.grant(self._last + 1, route, now, probe=answer.probe)
        permit.own, permit.known = answer, False
        return permit

    def grant(self, number: int, route: str, now: float, *, probe: bool) -> SharedPermit:
        """Return the permit that the leader gave under a number."""
        self._last = max(self._last, number)
        permit = self.held[number] = SharedPermit(number, route, now, probe=probe)
        permit.known = True
        return permit

    def release(
        self,
        permit: Any,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        """Give a permit back to whoever counts it."""
        del self.held[permit.number]
        if permit.own is not None and self.own is not None:
            self.own.release(permit.own, now, outcome, latency, retry_after)
        if self.send is None or not permit.known:
            return
        if outcome is Outcome.CANCEL and not latency:
            self.send(pack(Record(Kind.UNUSED, number=permit.number)))
            return
        done = Record(
            Kind.DONE, ROUTE_NUMBERS[permit.route], OUTCOME_NUMBERS[outcome], 0, permit.number,
            max(0.0, latency), max(0.0, retry_after or 0.0),
        )  # fmt: skip
        self.send(pack(done))

    def warm_up(self, snapshot: LimitSnapshot) -> None:
        """Go on from what an earlier run learned, unless something was learned by now."""
        self._warm = snapshot
        if self.own is not None:
            _warm_up(self.own, snapshot)
        elif self.send is not None:
            self.send(self.warmth())

    def warmth(self) -> bytes:
        """Return what was learned before, to be told to a leader that has learned nothing."""
        told = None if self.standing is None else self.standing.limit
        known = self._warm if told is None or told.suspect is None else told
        if known is None or known.suspect is None:
            return b""
        suspect = SUSPECTS.index(known.suspect)
        return pack(Record(Kind.WARM, suspect, a=known.window, b=known.rate))

    def part(self) -> None:
        """Go on alone, at this member's part of what all had, with what is under way."""
        if self.own is not None:
            return
        self.own = limit = self._make()
        limit.cap = min(self._cap, self._number) if self._number else self._cap
        standing = self.standing
        if isinstance(limit, AdaptiveLimit):
            if standing is not None:
                limit.resume(_divided(standing.limit, standing.processes), self._clock())
            for permit in self.held.values():
                permit.own = limit.hold(permit.route, permit.sent)
        if self._warm is not None:
            _warm_up(limit, self._warm)

    def join(self) -> None:
        """Let the leader count, who may have been told already."""
        self.own = None
        for permit in self.held.values():
            permit.own = None

    def forget_leader(self) -> None:
        """Take note that no leader knows of any permit."""
        self.send = None
        for permit in self.held.values():
            permit.known = False

    def untold(self) -> Iterator[Record]:
        """Tell what is under way and the leader does not know."""
        now = self._clock()
        for permit in self.held.values():
            if not permit.known:
                permit.known = True
                age = max(0.0, now - permit.sent)
                yield Record(Kind.HOLD, ROUTE_NUMBERS[permit.route], 0, 0, permit.number, age)

    def snapshot(self) -> LimitSnapshot:
        """Return what the shared limit does, or the own one."""
        if self.own is not None:
            if isinstance(self.own, AdaptiveLimit):
                return self.own.snapshot(self._clock())
            return self.own.snapshot()
        if self.standing is not None:
            return self.standing.limit
        return LimitSnapshot(float(min(16, self._cap)), math.inf, len(self.held))


def _divided(limit: LimitSnapshot, members: int) -> LimitSnapshot:
    members = max(1, members)
    return LimitSnapshot(
        max(1.0, limit.window / members), limit.rate / members, 0, suspect=limit.suspect,
        latency=limit.latency, peak=limit.peak / members, climbed=limit.climbed,
    )  # fmt: skip


def _warm_up(limit: Limit, snapshot: LimitSnapshot) -> None:
    warm_up = getattr(limit, "warm_up", None)
    if warm_up is not None:
        warm_up(snapshot)
