"""AdaptiveLimit: learns a concurrency or rate limit that nobody publishes, from the answers alone.

At any moment one limit binds: requests in flight (the window) or requests per second (the rate).
Only the one that is suspected is learned; the other follows by Little's law, window = rate x
latency, with room to spare, so that it stays out of the way.

    START   nothing is suspected: the window grows by one with each accepted request. It stops
            growing at a few times what Little's law explains (beyond, requests only queue).
    WINDOW  the window is learned.         RATE  the rate is learned.

    START  -- a refusal -----------------------------------------> RATE, the milder cut, at what
              was just accepted. A ramp measures a rate badly, so from there it doubles, three
              times a period, until the next refusal, which measures it or blames the window
    START  -- the server queues: waiting is 2/3 of latency ------> WINDOW, at twice what it works on
    RATE   -- refused at a level in flight that was not accepted
              lately, and not above the level refused before ----> WINDOW, below that level
    WINDOW -- refused at a level that was accepted lately -------> RATE, at what was accepted
    WINDOW -- grown 1.25 times beyond the last refusal ----------> START: the limit has risen,
              unless it was a queue that set the window: there it falls again when a line forms
    any    -- scouts were refused for longer than an answer takes:
              a quota is spent ----------------------------------> RATE, at what was accepted in the
              minute before the block, the block included

A refusal cuts once an episode, however many requests it hits; what was refused becomes the peak to
which the ceiling climbs back, cubic in time (`ceiling`). The period is 70 s / sqrt(accepted/s): a
probe costs a refusal or two, so waste falls with size, and big clients find new room in seconds.
Who is refused well below its last peak shares the limit, or it fell: it yields, and climbs by the
same amount as everybody, so that equal shares are the fixpoint of clients that do not know of each
other. Who is refused at its peak is alone, and probes once in 150 requests at most. Refusals and
outages shut the door for a hold, then one scout goes (`door`). Cancelled requests teach nothing.
"""

import math
from enum import Enum
from random import Random
from typing import Any

from vimmerse_async.control.ceiling import Ceiling
from vimmerse_async.control.door import RETRY_AFTER_MAX, SILENCE, Door
from vimmerse_async.control.evidence import QUOTA, Evidence
from vimmerse_async.control.lane import Lane
from vimmerse_async.control.levels import Levels, Permit
from vimmerse_async.control.limit import Binding, LimitSnapshot, Outcome
from vimmerse_async.control.meter import Meter
from vimmerse_async.control.pace import Pace

PERIOD = 70.0  # s x sqrt(requests/s): back at the peak; CUBIC's own takes seconds, but pays nothing
PROBE = 150.0  # requests that a period lasts at least where nobody else is: a refusal or two each
AFTER_COST = 30.0  # periods per announced Retry-After: a probe that costs a minute is made rarely
SLACK = 2.5  # x Little's law: the ceiling that is not suspected
RAMP = 3.0  # x Little's law: where the start stops growing
BLIND = 16.0  # x the first window: the same while there are too few answers for Little's law
FEW = 16  # answers
FIRST_REFUSAL = 0.06  # s a refusal is thought to take before there was one: a network's round trip
ERODE = 0.85  # of the highest accepted level, when the rate is blamed: the next blame may differ
QUEUED = 2 / 3  # share of latency spent waiting at which the server is full
LINED = 1 / 2  # the same at which the window does not grow; once full, at which it falls
RESTART = 1.25  # x the peak, and 2: nothing here explains that any more
STALE = 1 / 64  # weight of the newest latency, as in a mean of 64
RATE_STEEPNESS = 2.0  # as a ceiling's: what goes over a rate was saved, and is missed later
IDLE = 60.0  # s without traffic after which a scout goes first
LOWEST_RATE = 1 / 60  # requests/s
STEP = 5.0  # s between answers that count as growth; more is idling, which grows nothing


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
        self._rate = Ceiling(math.inf, LOWEST_RATE, RATE_STEEPNESS)
        self._door = Door(rng or Random())  # noqa: S311 - spreads clients, hides nothing
        self._door.refusal = FIRST_REFUSAL
        self._pace = Pace()
        self._levels = Levels()
        self._lanes: dict[str, Lane] = {}
        self._evidence, self._answered = Evidence(), Meter()
        self._in_flight = self._refusals = self._answers = 0
        self._latency = self._announced = self._work = 0.0
        self._now = self._sent_at = self._answered_at = 0.0
        self._paced = self._queues = self._lined = False
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
        permit.paced, permit.refusals, permit.outcome = paced, self._refusals, None
        holds = self._door.holds
        self._door.enter(permit, now)
        if holds and not self._door.holds:
            self._note_opening(now, holds)
        permit.bin = self._evidence.add(now)
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
        if holds and not self._door.holds:
            self._note_opening(now, holds)
        if retry_after:
            told = min(retry_after, RETRY_AFTER_MAX)
            self._evidence.told_to_wait(now + told)
            self._announced = max(self._announced, told)
        if outcome is Outcome.OK:
            self._learn(permit, now, max(latency, 0.001))
        elif outcome is Outcome.THROTTLE:
            self._refusals += 1
            permit.bin.count -= 1
            self._levels.refuse(permit)
            if begins and self._door.holds == 1:
                self._confirm(now)
                self._blame(permit, now)
                self._evidence.blocked(now)
        elif outcome is Outcome.LOCAL:
            self._suspect = Suspect.WINDOW
            self._window.cut(self._in_flight, 0.5)
        self._in_flight -= 1
        self._confirm(now)
        self._tie()

    def snapshot(self, now: float | None = None) -> LimitSnapshot:
        """Return what the limit does at `now`, in seconds; None: as it was last asked or told."""
        self._now = self._now if now is None else max(self._now, now)
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
        """Return the seconds after which a request of the start counts as accepted."""
        growth = max(1.0, self._window.value / self._start)
        return SILENCE * self._door.refusal * math.sqrt(growth)  # refusals slow down with load

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
        self._size = int(window + 0.5) or 1
        tied_rate = SLACK * window / self._latency if self._answers else window
        if self._suspect is Suspect.NONE:
            window = window / self._silence()
        self._speed = max(window, tied_rate)

    def _confirm(self, now: float) -> None:
        silence = SILENCE * self._door.refusal
        if self._suspect is not Suspect.NONE:
            self._levels.confirm(now, silence, slowly=self._suspect is Suspect.WINDOW)
            return
        before = self._window.value
        self._levels.confirm(now, self._silence(), slowly=False, note=self._grow_start)
        if self._window.value != before:
            self._tie()

    def _grow_start(self) -> None:
        window = self._window.value
        if 2 * self._in_flight < window:
            return
        room = BLIND * self._start
        if self._answers >= FEW:
            room = RAMP * self._answered.lately * (self._work or self._latency)
        if window < room:
            self._window.value = min(self.cap, window + 1)

    def _learn(self, permit: Permit, now: float, latency: float) -> None:
        self._answers += 1
        self._answered.add(now)
        weight = STALE if self._answers > 1 / STALE else 1 / self._answers
        self._latency += (latency - self._latency) * weight
        lane = self._lanes.get(permit.route)
        if lane is None:
            lane = self._lanes[permit.route] = Lane()
        if lane.add(permit.sent, latency):
            self._look_at_queue(lane, now)
        seconds, self._answered_at = min(now - self._answered_at, STEP), now
        if self._suspect is Suspect.RATE and permit.paced:
            add = 1 / self._latency if self._rate.yields else 0.0
            self._rate.grow(seconds, self._period(self._rate), add)
        elif self._suspect is Suspect.WINDOW and permit.full and not self._queues:
            self._window.grow(seconds, self._period(self._window), 1.0)
            self._window.value = min(self._window.value, self.cap)
            if self._window.value > RESTART * self._window.peak + 2.0 and not self._lined:
                self._suspect = Suspect.NONE

    def _period(self, ceiling: Ceiling) -> float:
        """Return the seconds that a ceiling takes back to its peak."""
        accepted = self._evidence.lately + 0.01
        period = max(PERIOD / math.sqrt(accepted), AFTER_COST * self._announced)
        return period if ceiling.yields else max(period, PROBE / accepted)

    def _look_at_queue(self, lane: Lane, now: float) -> None:
        whole = lane.wait + lane.work
        self._queues, self._work = lane.wait > LINED * whole, lane.work
        line = LINED if self._lined else QUEUED
        if lane.wait > line * whole and self._suspect is not Suspect.RATE:
            self._suspect, self._lined = Suspect.WINDOW, True
            worked_on = self._answered.lately * lane.work
            self._window.settle(min(2 * worked_on, self._window.value))
            for each in self._lanes.values():
                each.restart(now)

    def _blame(self, permit: Permit, now: float) -> None:
        """Decide which limit refused a request, and cut it."""
        self._lined = False
        novel = permit.level > self._levels.top + 0.5
        again = permit.level <= self._levels.refused + 1
        if not self._evidence.is_enough(now):
            return
        if self._suspect is not Suspect.NONE and novel and again:
            self._suspect = Suspect.WINDOW
            self._window.cut(permit.level - 1)
            self._evidence.spent = False
        else:
            self._cut_rate(permit.sent)
            self._suspect = Suspect.RATE
            self._levels.top *= ERODE
        self._levels.refused = permit.level

    def _cut_rate(self, sent: float) -> None:
        if self._suspect is Suspect.NONE:
            self._rate.guess(self._evidence.first_rate(sent))
            return
        known = self._rate.value if self._suspect is Suspect.RATE else math.inf
        rate = min(self._evidence.rate(sent), known)
        if self._suspect is Suspect.RATE and self._evidence.is_early(sent):
            self._rate.retreat(rate)
        else:
            self._rate.cut(rate)

    def _note_opening(self, now: float, holds: int) -> None:
        """Take a block that outlasted a scout for a spent quota, once it is over."""
        quota = self._evidence.opened(now, holds, self._latency)
        if quota is None or (self._suspect is Suspect.RATE and quota >= self._rate.value):
            return
        self._suspect = Suspect.RATE
        self._evidence.spent = True
        self._rate.settle(quota, QUOTA)
        self._tie()
