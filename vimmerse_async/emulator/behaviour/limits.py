"""The limits that the server keeps to itself: what is admitted, for how long not, what is left.

Pure decisions: `now` (monotonic seconds) is an argument, nothing waits and nothing reads a clock.
"""

import math
from collections import deque
from typing import Any, Literal, get_args

import attrs

from vimmerse_async.emulator.behaviour.refusals import Quota, QuotaHeaders, Refuse, RetryAfter

Window = Literal["fixed", "sliding"]

_MINUTE = 60.0
_IN_FLIGHT_HINT = 1.0


def _positive(_: object, attribute: "attrs.Attribute[float]", value: float | None) -> None:
    if value is not None and not (type(value) in {int, float} and 0 < value < math.inf):
        raise ValueError(f"{attribute.name} must be a number above 0, not {value!r}")


def _whole(_: object, attribute: "attrs.Attribute[int]", value: int | None) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"{attribute.name} must be a whole number of at least 1, not {value!r}")


def _word(value: Any) -> Any:
    return str(value)


def _one_of(choices: Any) -> Any:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if value is not None and value not in get_args(choices):
            raise ValueError(f"{attribute.name} must be one of {get_args(choices)}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class Limits:
    """The hidden limits of an account; all that are given hold together.

    Attributes:
        per_second: Requests a second, refilled evenly; None: no such limit.
        burst: Requests that may come at once under `per_second`; None: one second's worth.
        per_minute: Requests in a minute; None: no such limit.
        window: How a minute is counted: `fixed` begins anew with the first request after the
            last minute ended, `sliding` looks back from every request.
        in_flight: Requests being worked on at the same time; None: no such limit.
        retry_after: How a refusal tells the wait: `seconds`, an HTTP `date`, the `milliseconds`
            header, a date of a server with a `wrong-clock`, or `garbage`; None: not at all.
        refuse: How a request too many ends: with a status, as the service says `429` and gateways
            say `403`, `500` or `503`, or with a `reset` of its connection.
        refuse_after: Seconds that a refusal takes, as behind a tarpit; None: none.
        ban: Seconds for which a refusal bans the account, begun anew by whoever asks meanwhile;
            None: it does not.
        quota_headers: The dialect in which every reply tells what is left of `per_minute`, else of
            `per_second`; None: none does.
        changes: What holds later: pairs of seconds since these limits were set and the limits
            that hold from then on.

    Raises:
        ValueError: A limit makes no sense; the message names it.

    Example:
        >>> Limits(per_second=10, burst=20, in_flight=8, retry_after="seconds").per_minute is None
        True
    """

    per_second: float | None = attrs.field(default=None, validator=_positive)
    burst: int | None = attrs.field(default=None, validator=_whole)
    per_minute: int | None = attrs.field(default=None, validator=_whole)
    window: Window = attrs.field(default="fixed", validator=_one_of(Window))
    in_flight: int | None = attrs.field(default=None, validator=_whole)
    retry_after: RetryAfter | None = attrs.field(default=None, validator=_one_of(RetryAfter))
    refuse: Refuse = attrs.field(default="429", converter=_word, validator=_one_of(Refuse))
    refuse_after: float | None = attrs.field(default=None, validator=_positive)
    ban: float | None = attrs.field(default=None, validator=_positive)
    quota_headers: QuotaHeaders | None = attrs.field(default=None, validator=_one_of(QuotaHeaders))
    changes: "tuple[tuple[float, Limits], ...]" = ()

    def __attrs_post_init__(self) -> None:
        if self.burst is not None and self.per_second is None:
            raise ValueError("burst needs per_second")
        moments = [after for after, _ in self.changes]
        if moments != sorted(set(moments)) or any(not 0 < after < math.inf for after in moments):
            raise ValueError("changes must come in order, each some seconds after the one before")

    @property
    def depth(self) -> float:
        """The most requests that `per_second` lets through at once."""
        return self.burst or max(1.0, math.floor(self.per_second or 1.0))

    def at(self, age: float) -> "Limits":
        """Return the limits that hold this many seconds after these were set."""
        held: Limits = self
        for after, changed in self.changes:
            if age >= after:
                held = changed
        return held


class Limiter:
    """The state behind `Limits`: admits or refuses, all limits or none.

    A request that one limit refuses takes nothing from the others.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self.given: Limits = limits
        self._since = now
        self._tokens = math.inf
        self._refilled = now
        self._minute_began = -math.inf
        self._minute_count = 0
        self._recent: deque[float] = deque()
        self._banned_until = -math.inf
        self.in_flight: int = 0
        self.peak: int = 0

    def set(self, limits: Limits, now: float) -> None:
        """Hold other limits from now on; requests in flight stay counted."""
        self.given = limits
        self._since = now

    def limits(self, now: float) -> Limits:
        """Return the limits that hold now."""
        return self.given.at(now - self._since) if self.given.changes else self.given

    def admit(self, now: float) -> float:
        """Admit a request and return 0.0, or the seconds after which asking may succeed."""
        limits = self.limits(now)
        wait = max(
            self._rate_wait(limits, now),
            self._window_wait(limits, now),
            self._flight_wait(limits),
        )
        if limits.ban is not None and (wait or now < self._banned_until):
            self._banned_until = now + limits.ban
            wait = limits.ban
        if wait:
            return wait
        self._tokens -= 1
        self._minute_count += 1
        if limits.window == "sliding" and limits.per_minute:
            self._recent.append(now)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return 0.0

    def release(self) -> None:
        """Give back the place of an admitted request."""
        self.in_flight -= 1

    def quota(self, now: float) -> Quota | None:
        """Return what is left of a limit that is counted; None when none is."""
        limits = self.limits(now)
        if limits.per_minute is not None:
            used, reset = self._minute(limits, now)
            return Quota(limits.per_minute, max(0, limits.per_minute - used), reset, _MINUTE)
        if limits.per_second is None:
            return None
        left = max(0.0, min(self._tokens, limits.depth))
        reset = (limits.depth - left) / limits.per_second
        return Quota(int(limits.depth), int(left), reset, limits.depth / limits.per_second)

    def _minute(self, limits: Limits, now: float) -> tuple[int, float]:
        """Return the requests of the minute, and the seconds until some of them count no more."""
        if limits.window == "fixed":
            return self._minute_count, _MINUTE - min(_MINUTE, now - self._minute_began)
        oldest = self._recent[0] if self._recent else now
        return len(self._recent), _MINUTE - min(_MINUTE, now - oldest)

    def _rate_wait(self, limits: Limits, now: float) -> float:
        if limits.per_second is None:
            self._tokens = math.inf
            return 0.0
        refill = (now - self._refilled) * limits.per_second
        self._tokens = min(limits.depth, self._tokens + refill)
        self._refilled = now
        # a token that is whole but for rounding is whole
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) / limits.per_second

    def _window_wait(self, limits: Limits, now: float) -> float:
        count = self._fixed_wait if limits.window == "fixed" else self._sliding_wait
        return count(limits, now)

    def _fixed_wait(self, limits: Limits, now: float) -> float:
        if now - self._minute_began >= _MINUTE:
            self._minute_began, self._minute_count = now, 0
        if limits.per_minute is None or self._minute_count < limits.per_minute:
            return 0.0
        return self._minute_began + _MINUTE - now

    def _sliding_wait(self, limits: Limits, now: float) -> float:
        recent = self._recent
        while recent and now - recent[0] >= _MINUTE:
            recent.popleft()
        if limits.per_minute is None or len(recent) < limits.per_minute:
            return 0.0
        return recent[-limits.per_minute] + _MINUTE - now

    def _flight_wait(self, limits: Limits) -> float:
        free = limits.in_flight is None or self.in_flight < limits.in_flight
        return 0.0 if free else _IN_FLIGHT_HINT
