"""FixedLimit: a number that somebody knows."""

import math
from random import Random
from typing import Any, Final

from vimmerse_async.control.breaker import CircuitBreaker, Passage
from vimmerse_async.control.limit import Binding, LimitSnapshot, Outcome
from vimmerse_async.control.pace import Pace

_OK: Final = Outcome.OK
_THROTTLE: Final = Outcome.THROTTLE


class FixedLimit:
    """Allows a fixed number of requests in flight, and, when given, a fixed rate.

    It learns nothing, but it is no battering ram: after a 429, a `Retry-After` or five failed
    sends in a row it holds everything back for a moment and sends one request ahead.

    Args:
        concurrency: Requests in flight, at least 1.
        per_second: Requests per second, evenly spaced; None paces nothing.

    Attributes:
        cap: The most requests in flight; a session lowers it where the process has too few
            descriptors.

    Raises:
        ValueError: A number is below 1, or a rate is not positive and finite.

    Example:
        >>> limit = FixedLimit(2)
        >>> permits = [limit.admit(now=0.0), limit.admit(now=0.0)]
        >>> limit.admit(now=0.0)
        inf
    """

    def __init__(self, concurrency: int, *, per_second: float | None = None) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if per_second is not None and not 0.0 < per_second < math.inf:
            raise ValueError(f"per_second must be positive and finite, not {per_second}")
        self.cap = concurrency
        self._rate = math.inf if per_second is None else float(per_second)
        self._pace = Pace()
        self._breaker = CircuitBreaker(Random())  # noqa: S311  # spreads clients, hides nothing
        self._in_flight = 0
        self._refused = 0
        self._now = -math.inf

    def admit(self, now: float, route: str = "text") -> Passage | float:
        """Return a permit, or the seconds after which to ask again; `inf`: after a release."""
        self._now = now
        if self._in_flight >= self.cap:
            return math.inf
        if now < self._breaker.blocked_until:
            return self._breaker.blocked_until - now
        if now < self._pace.next:
            return self._pace.wait(now)
        if self._rate < math.inf:
            self._pace.depart(now, self._rate)
        self._in_flight += 1
        passage = Passage(route, now)
        self._breaker.enter(passage, now)
        return passage

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
        self._in_flight -= 1
        self._refused += outcome is _THROTTLE
        if permit.probe or outcome is not _OK:
            self._breaker.leave(permit, now, outcome, latency, retry_after)

    def snapshot(self, now: float | None = None) -> LimitSnapshot:
        """Return what the limit does at `now`, in seconds; None: as it was last asked or told."""
        self._now = self._now if now is None else max(self._now, now)
        return LimitSnapshot(
            window=float(self.cap),
            rate=self._rate,
            in_flight=self._in_flight,
            gate=max(0.0, self._breaker.blocked_until - self._now),
            refused=self._refused / max(1, self._breaker.passed),
            binding=self._binding(),
        )

    def _binding(self) -> Binding | None:
        if self._now < self._breaker.blocked_until:
            return "gate"
        if self._in_flight >= self.cap:
            return "window"
        if self._now < self._pace.next:
            return "rate"
        return None
