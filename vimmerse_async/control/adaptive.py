"""AdaptiveLimit: learns a concurrency or rate limit that nobody publishes, from the answers alone.

At any moment one limit binds: requests in flight (the window) or requests per second (the rate).
Only the one that is suspected is learned; the other follows by Little's law, window = rate x
latency, with room to spare, so that it stays out of the way.

    START   nothing is suspected: the window grows by one with each accepted request. It stops
            growing at a few times what Little's law explains (beyond, requests only queue).
    WINDOW  the window is learned.         RATE  the rate is learned.

    START  -- a refusal -----------------------------------------> RATE, the milder cut: if it is
              wrong, the next refusal says so, where a wrong window would starve in silence
    START  -- the server queues: waiting is 2/3 of latency ------> WINDOW, at twice what it works on
    RATE   -- refused at a level in flight that was not accepted
              lately, and not above the level refused before ----> WINDOW, below that level
    WINDOW -- refused at a level that was accepted lately -------> RATE, at what was accepted
    WINDOW -- grown 1.25 times beyond the last refusal ----------> START: the limit has risen
    any    -- a scout was refused: a quota is spent -------------> RATE, at what was accepted in the
              minute before the block, the block included

A refusal cuts once an episode, however many requests it hits; what was refused becomes the peak to
which the ceiling climbs back, cubic in time (`ceiling`). The period is 70 s / sqrt(accepted/s): a
probe costs a refusal or two, so waste falls with size, big clients find new room in seconds, and
equal shares are the fixpoint of clients that do not know of each other. Refusals and outages shut
the door for a hold, then one scout goes (`door`). Cancelled requests teach nothing.
"""

import math
from enum import Enum
from random import Random
from typing import Any

from vimmerse_async.control.ceiling import Ceiling
from vimmerse_async.control.door import RETRY_AFTER_MAX, SILENCE, Door
from vimmerse_async.control.lane import Lane
from vimmerse_async.control.levels import Levels, Permit
from vimmerse_async.control.limit import Binding, LimitSnapshot, Outcome
from vimmerse_async.control.meter import LATELY, Meter
from vimmerse_async.control.pace import Pace

PERIOD = 70.0  # s x sqrt(requests/s): back at the peak; CUBIC's own takes seconds, but pays nothing
PROBE = 150.0  # requests that a period lasts at least: one refusal in 150 is below 1 %
AFTER_COST = 30.0  # periods per announced Retry-After: a probe that costs a minute is made rarely
QUOTA = 60.0  # s: the commonest quota; how far back it is measured, and its shortest period
SLACK = 2.5  # x Little's law: the ceiling that is not suspected
RAMP = 3.0  # x Little's law: where the start stops growing
BLIND = 16.0  # x the first window: the same while there are too few answers for Little's law
FEW = 16  # answers
STRETCH = (
    0.5  # power of the start's growth by which its silence grows: refusals slow down with load
)
FIRST_REFUSAL = 0.1  # s a refusal is thought to take before there was one: a network's round trip
FIRST = 1.0  # s over which the first refusal measures the rate
ERODE = 0.85  # of the highest accepted level, when the rate is blamed: the next blame may differ
QUEUED = 2 / 3  # share of latency spent waiting at which the server is full
LINED = 1 / 2  # the same at which the window does not grow
RESTART = 1.25  # x the peak: nothing here explains that any more
STALE = 1 / 64  # weight of the newest latency, as in a mean of 64
IDLE = 60.0  # s without traffic after which a scout goes first
LOWEST_RATE = 1 / 60  # requests/s
EVIDENCE = 4  # requests accepted in a minute; from fewer, a refusal tells of other clients' traffic


class Suspect(Enum):
    """Which limit is thought to bind."""

    NONE = None
    WINDOW = "window"
    RATE = "rate"


class AdaptiveLimit:
    """Learns how many requests may be in flight and how many may leave per second.

    Args:
        start: The first window, in requests.
        cap: The most requests that may ever be in flight.
        rng: Where the jitter of holds comes from; None: a generator of its own.
        warm: A snapshot of an earlier run to go on from; None starts cold.

    Attributes:
        cap: The most requests that may ever be in flight; a session lowers it.

    Example:
        >>> limit = AdaptiveLimit()
        >>> permit = limit.admit(now=0.0)
        >>> limit.release(permit, now=1.5, outcome=Outcome.OK, latency=1.5)
        >>> limit.snapshot().in_flight
        0
    """

    def __init__(
        self,
        *,
        start: int = 16,
        cap: int = 1000,
        rng: Random | None = None,
        warm: LimitSnapshot | None = None,
    ) -> None:
        self.cap = cap
        self._start = start
        self._suspect = Suspect.NONE
        self._window = Ceiling(float(start), 1.0)
        self._rate = Ceiling(math.inf, LOWEST_RATE)
        self._door = Door(rng or Random())  # noqa: S311 - spreads clients, hides nothing
        self._door.refusal = FIRST_REFUSAL
        self._pace = Pace()
        self._levels = Levels()
        self._lanes: dict[str, Lane] = {}
        self._accepted, self._answered = Meter(), Meter()
        self._in_flight = self._refusals = self._answers = 0
        self._latency = self._announced = 0.0
        self._now = self._sent_at = self._answered_at = self._blocked_at = 0.0
        self._blamed_at, self._accepted_then = 0.0, 0
        self._paced = self._queues = False
        self._size, self._speed = start, float(start)
        self._tie()
        if warm is not None:
            self.warm_up(warm)

    def warm_up(self, snapshot: LimitSnapshot) -> None:
        """Go on from what an earlier run learned, unless this one has learned something itself."""
        if snapshot.suspect is None or self._answers or self._refusals:
            return
        self._suspect = Suspect(snapshot.suspect)
        rate_binds = self._suspect is Suspect.RATE
        (self._rate if rate_binds else self._window).settle(
            snapshot.rate if rate_binds else snapshot.window
        )
        self._tie()

    def admit(self, now: float, route: str = "text") -> Permit | float:
        """Return a permit, or the seconds after which to ask again; `inf`: after a release."""
        self._now = now
        paced, self._paced = self._paced, False
        if self._suspect is Suspect.NONE:
            self._confirm(now)
        if self._in_flight >= self._size or self._in_flight >= self.cap:
            return self._full(now)
        if now < self._door.opens:
            return self._door.opens - now
        if now < self._pace.next:
            self._paced = True
            return self._pace.wait(now)
        if self._door.passed and not self._in_flight and now - self._sent_at > IDLE:
            self._door.ask(now)
        self._pace.depart(now, self._speed)
        self._in_flight += 1
        self._sent_at = now
        permit = Permit(route, now)
        permit.level, permit.full = self._in_flight, self._in_flight >= self._size
        permit.paced, permit.outcome = paced, None
        holds = self._door.holds
        self._door.enter(permit, now)
        self._note_opening(now, holds)
        self._accepted.add(now)
        self._levels.enter(permit)
        return permit

    def release(
        self,
        permit: Any,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        """Give the permit back and tell how the request ended.

        Args:
            permit: What `admit` gave.
            now: Seconds on the caller's clock.
            outcome: How the request ended.
            latency: Seconds from its departure until its body was read.
            retry_after: The server's `Retry-After` in seconds; None when it sent none.
        """
        self._now = now
        permit.outcome = outcome
        holds = self._door.holds
        begins = self._door.leave(permit, now, outcome, latency, retry_after)
        self._note_opening(now, holds)
        if retry_after:
            self._announced = max(self._announced, min(retry_after, RETRY_AFTER_MAX))
        if outcome is Outcome.OK:
            self._learn(permit, now, max(latency, 0.001))
        elif outcome is Outcome.THROTTLE:
            self._refusals += 1
            self._accepted.add(now, -1)
            if begins and self._door.holds == 1:
                self._confirm(now)
                self._blame(permit, now)
                self._blocked_at = now
        elif outcome is Outcome.LOCAL:
            self._suspect = Suspect.WINDOW
            self._window.cut(self._in_flight, 0.5)
        self._in_flight -= 1
        self._confirm(now)
        self._tie()

    def snapshot(self) -> LimitSnapshot:
        """Return what the limit does right now."""
        return LimitSnapshot(
            window=float(min(self._size, self.cap)),
            rate=self._speed,
            in_flight=self._in_flight,
            gate=max(0.0, self._door.opens - self._now),
            refused=self._refusals / max(1, self._door.passed),
            binding=self._binding(),
            suspect=self._suspect.value,
        )

    def _binding(self) -> Binding | None:
        if self._now < self._door.opens:
            return "gate"
        if self._in_flight >= min(self._size, self.cap):
            return "server" if self._queues else "window"
        if self._now < self._pace.next:
            return "rate"
        return None

    def _silence(self) -> float:
        silence = SILENCE * self._door.refusal
        if self._suspect is Suspect.NONE:
            silence *= max(1.0, self._window.value / self._start) ** STRETCH
        return silence

    def _full(self, now: float) -> float:
        oldest = self._levels.oldest()
        if self._suspect is Suspect.NONE and oldest is not None and self._in_flight < self.cap:
            return max(0.001, oldest + self._silence() - now)
        return math.inf

    def _tie(self) -> None:
        """Let the ceiling that is not suspected follow the other by Little's law."""
        window, rate = self._window.value, self._rate.value
        if self._suspect is Suspect.RATE:
            tied = int(SLACK * rate * self._latency + 0.5)
            self._size = max(4, tied) if self._answers else self.cap
            self._speed = rate
            return
        self._size = max(1, int(window + 0.5))
        tied_rate = SLACK * window / self._latency if self._answers else window
        spread = self._silence() if self._suspect is Suspect.NONE else 1.0
        self._speed = max(tied_rate, window / spread)

    def _confirm(self, now: float) -> None:
        before = self._window.value
        slowly = self._suspect is Suspect.WINDOW
        self._levels.confirm(now, self._silence(), slowly=slowly, note=self._grow_start)
        if self._window.value != before:
            self._tie()

    def _grow_start(self) -> None:
        window = self._window.value
        if self._suspect is not Suspect.NONE or 2 * self._in_flight < window:
            return
        room = BLIND * self._start
        if self._answers >= FEW:
            room = RAMP * self._answered.lately * self._latency
        if window < room:
            self._window.value = min(self.cap, window + 1)

    def _learn(self, permit: Permit, now: float, latency: float) -> None:
        self._answers += 1
        self._answered.add(now)
        self._latency += (latency - self._latency) * max(STALE, 1 / self._answers)
        lane = self._lanes.get(permit.route)
        if lane is None:
            lane = self._lanes[permit.route] = Lane()
        if lane.add(permit.sent, latency):
            self._look_at_queue(lane, now)
        seconds, self._answered_at = min(now - self._answered_at, 1.0), now
        accepted = self._accepted.lately + 0.01
        period = max(PERIOD / math.sqrt(accepted), PROBE / accepted, AFTER_COST * self._announced)
        if self._suspect is Suspect.RATE:
            if permit.paced:
                self._rate.grow(seconds, period, 1 / self._latency)
        elif self._suspect is Suspect.WINDOW and permit.full and not self._queues:
            self._window.grow(seconds, period, 1.0)
            self._window.value = min(self._window.value, self.cap)
            if self._window.value > RESTART * self._window.peak:
                self._suspect = Suspect.NONE

    def _look_at_queue(self, lane: Lane, now: float) -> None:
        whole = lane.wait + lane.work
        self._queues = lane.wait > LINED * whole
        if lane.wait > QUEUED * whole and self._suspect is not Suspect.RATE:
            self._suspect = Suspect.WINDOW
            worked_on = self._answered.lately * lane.work
            if 2 * worked_on < self._window.value:
                self._window.settle(2 * worked_on)
            for each in self._lanes.values():
                each.restart(now)

    def _blame(self, permit: Permit, now: float) -> None:
        """Decide which limit refused a request, and cut it."""
        on_the_wire = self._accepted.lately * self._door.refusal
        unsure = 0.0 if self._suspect is Suspect.WINDOW else on_the_wire
        novel = permit.level > self._levels.top + 0.5 - unsure
        again = permit.level <= self._levels.refused + 1 + on_the_wire
        rate = self._accepted_rate(now)
        if self._accepted.count(now, QUOTA) < EVIDENCE:
            return
        if self._suspect is not Suspect.NONE and novel and again:
            self._suspect = Suspect.WINDOW
            self._window.cut(permit.level - 1)
        else:
            self._rate.cut(min(rate, self._rate.value) if self._suspect is Suspect.RATE else rate)
            self._suspect = Suspect.RATE
            self._levels.top *= ERODE
        self._levels.refused = permit.level

    def _accepted_rate(self, now: float) -> float:
        """Return requests/s accepted since the last blame: the budget was empty at both ends."""
        span, count = now - self._blamed_at, self._accepted.total - self._accepted_then
        self._blamed_at, self._accepted_then = now, self._accepted.total
        if self._suspect is Suspect.NONE:
            return self._accepted.over(now, FIRST)
        lately = self._accepted.lately
        return max(lately, count / span) if span >= LATELY else lately

    def _note_opening(self, now: float, holds: int) -> None:
        """Take a block that outlasted a scout for a spent quota, once it is over."""
        if holds < 2 or self._door.holds:
            return
        span = QUOTA + now - self._blocked_at
        if self._accepted.count(now, span) < EVIDENCE:
            return
        quota = self._accepted.over(now, span)
        if self._suspect is not Suspect.RATE or quota < self._rate.value:
            self._suspect = Suspect.RATE
            self._rate.settle(quota, QUOTA)
            self._tie()
