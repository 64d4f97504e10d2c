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
              lately, and not above the level refused before,
              or in company -------------------------------------> WINDOW, below that level
    WINDOW -- refused at a level that was accepted lately -------> RATE, at what was accepted; but
              a refusal that spoke for the window outweighs one that does not, twice at most
    WINDOW -- grown 1.25 times, and 5, beyond the last refusal ---> START: the limit has risen,
              unless it was a queue that set the window: there it falls again when a line forms
    any    -- probes were refused for longer than an answer takes:
              a quota is spent ----------------------------------> RATE, at what was accepted in the
              minute before the block, the block included

A refusal cuts once an episode, however many requests it hits; what was refused becomes the peak to
which the ceiling climbs back (`ceiling`). Who is refused at like intervals is alone (`rhythm`): it
climbs cubic in time, rests near the peak, and probes once in 150 requests at most; the period is
70 s / sqrt(accepted/s), as a probe costs a refusal or two. Everybody else may share the limit, and
climbs straight, at most 110 s long, whatever it has: equal steps and cuts by the same share make
equal shares the fixpoint of clients that do not know of each other. Who is refused early, again and
again, takes the window for it (`company`), until that wins less, or refusals in clusters. From
17/s on, and until 100 answers have come, all climb as who is alone. Refusals and outages open the
circuit breaker for a hold, then one probe goes (`breaker`). Cancelled requests teach nothing.

Here is the way of one request, in and out; `suspicion` has the states above.
"""

from random import Random
from typing import Any, Final

from vimmerse_async.control.blame import Suspect
from vimmerse_async.control.breaker import RETRY_AFTER_MAX, SILENCE, CircuitBreaker
from vimmerse_async.control.levels import LearnedPermit
from vimmerse_async.control.limit import Binding, LimitSnapshot, Outcome
from vimmerse_async.control.pace import Pace
from vimmerse_async.control.suspicion import Suspicion

IDLE = 60.0  # s without traffic after which a probe goes first
START = 16  # requests in flight
SHORTEST = 0.001  # s, the least that an answer is thought to take
_NONE: Final = Suspect.NONE
_OK: Final = Outcome.OK
_THROTTLE: Final = Outcome.THROTTLE


class AdaptiveLimit:
    """Learns how many requests may be in flight and how many may leave per second.

    Args:
        start: The first window, in requests; clients that begin together may divide it.
        cap: The most requests that may ever be in flight.
        rng: Where the jitter of holds comes from; None: a generator of its own.
        warm: A snapshot of an earlier run to go on from; None starts cold.

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
        start: int = START,
        cap: int = 1000,
        rng: Random | None = None,
        warm: LimitSnapshot | None = None,
    ) -> None:
        self._breaker = CircuitBreaker(rng or Random())  # noqa: S311 - spreads clients, hides nothing
        self._pace = Pace()
        self._learned = Suspicion(self._breaker, start, cap)
        self._refusals = 0
        self._now = self._sent_at = 0.0
        self._paced = False
        if warm is not None:
            self.warm_up(warm)

    @property
    def cap(self) -> int:
        """The most requests that may ever be in flight; a session lowers it."""
        return self._learned.cap

    @cap.setter
    def cap(self, value: int) -> None:
        self._learned.cap = value

    def warm_up(self, snapshot: LimitSnapshot) -> None:
        """Go on from what an earlier run learned, unless this one has learned something itself."""
        if snapshot.suspect is not None and not self._learned.answers and not self._refusals:
            self._learned.settle(snapshot)

    def resume(self, snapshot: LimitSnapshot, now: float = 0.0) -> None:
        """Go on at once from where another limit of the same account stopped, guesses included."""
        self._learned.resume(snapshot, now)

    def hold(self, route: str, sent: float) -> LearnedPermit:
        """Return a permit for a request that left at `sent` by another limit's leave.

        It counts as in flight, but neither for the pace nor as accepted: who admitted it has
        learned from its departure already.
        """
        permit = LearnedPermit(route, sent, self._breaker.passed, refusals=self._refusals)
        self._breaker.passed += 1
        self._learned.hold(permit)
        return permit

    def withdraw(self, permit: LearnedPermit, now: float) -> None:
        """Take a permit back with which nothing was sent: it is no evidence of acceptance."""
        permit.bin.count -= 1
        self.release(permit, now, Outcome.CANCEL, 0.0)

    def admit(self, now: float, route: str = "text") -> LearnedPermit | float:
        """Return a permit, or the seconds after which to ask again; `inf`: after a release."""
        learned, breaker, pace = self._learned, self._breaker, self._pace
        self._now = now
        paced, self._paced = self._paced, False
        young = learned.young
        if young and learned.suspect is _NONE and young[0].sent <= now - SILENCE * breaker.refusal:
            learned.confirm(now)
        if learned.left_behind:
            learned.forget_left(now)
        under_way = learned.in_flight
        if under_way >= learned.size or under_way >= learned.cap:
            return learned.patience(now)
        if now < breaker.blocked_until:
            return breaker.blocked_until - now
        if now < pace.next:
            self._paced = True
            return pace.wait(now)
        if not under_way and breaker.passed and now - self._sent_at > IDLE:
            breaker.ask(now)
        pace.depart(now, learned.speed)
        self._sent_at = now
        permit = LearnedPermit(route, now, breaker.passed)
        permit.refusals, permit.paced = self._refusals, paced
        if breaker.closed:
            breaker.passed += 1
        else:
            self._enter_open(permit, now)
        learned.enter(permit, now)
        return permit

    def _enter_open(self, permit: LearnedPermit, now: float) -> None:
        holds = self._breaker.refused_holds
        self._breaker.enter(permit, now)
        if holds and not self._breaker.holds:
            self._learned.reopen(now, holds)

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
        learned, breaker = self._learned, self._breaker
        self._now = now
        permit.outcome = outcome
        if outcome is _OK and breaker.closed and not (permit.probe or retry_after):
            learned.accept(permit, now, max(latency, SHORTEST))
            learned.confirm(now, ended=1)
            return
        holds = breaker.refused_holds  # an outage tells nothing of a quota
        begins = False
        if permit.probe or outcome is not _OK:
            begins = breaker.leave(permit, now, outcome, latency, retry_after)
        if holds and not breaker.holds:
            learned.reopen(now, holds)
        if retry_after or begins:
            learned.wait(now, min(retry_after or 0.0, RETRY_AFTER_MAX))
        if outcome is _OK:
            learned.accept(permit, now, max(latency, SHORTEST))
        elif outcome is _THROTTLE:
            self._refusals += 1
            learned.refuse(permit, now, blame=begins and breaker.holds == 1)
        else:
            learned.fail(permit, now, outcome, latency)
        learned.confirm(now, ended=1)

    def snapshot(self, now: float | None = None) -> LimitSnapshot:
        """Return what the limit does at `now`, in seconds; None: as it was last asked or told."""
        self._now = self._now if now is None else max(self._now, now)
        learned = self._learned
        return LimitSnapshot(
            window=float(min(learned.size, learned.cap)),
            rate=learned.speed,
            in_flight=learned.in_flight - len(learned.left_behind),
            gate=max(0.0, self._breaker.blocked_until - self._now),
            refused=self._refusals / max(1, self._breaker.passed),
            binding=self._binding(),
            suspect=learned.suspect.value,
            latency=learned.latency,
            peak=learned.suspected.peak,
            climbed=learned.suspected.elapsed,
        )

    def _binding(self) -> Binding | None:
        learned = self._learned
        if self._now < self._breaker.blocked_until:
            return "gate"
        if learned.in_flight >= min(learned.size, learned.cap):
            return "server" if learned.line.queues else "window"
        if self._now < self._pace.next:
            return "rate"
        return None
