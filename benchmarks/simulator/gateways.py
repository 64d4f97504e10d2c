"""Gateways and rate-limit packages as they come: how they count, and how they say no.

Fifty seconds each, cold start included, before an upstream that takes 0.3 to 1 s. `../discovery`
runs real ones; here they run in no time, on any seed.
"""

import math
from collections.abc import Callable
from random import Random

from benchmarks.simulator.latency import Latency
from benchmarks.simulator.scenarios import Scenario
from benchmarks.simulator.servers import (
    Bucket,
    Concurrency,
    Leaky,
    Limiter,
    Quota,
    RetryAfter,
    Server,
    SlidingQuota,
    silent,
)

SECONDS = 50.0
LOCAL = (0.0002, 0.001)  # s, each way
UPSTREAM = Latency(lambda rng: rng.uniform(0.3, 1.0))


class Strict:
    """nginx's `limit_req` with `nodelay`: what is over `rate` per second is forgiven up to a burst.

    Unlike a bucket it charges only what it lets in, and without a burst two that come closer
    together than 1 / rate are one too many.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.excess, self.seen = 0.0, -math.inf

    def wait(self, now: float) -> float:
        drained = (now - self.seen) * self.rate if self.seen > -math.inf else math.inf
        over = max(0.0, self.excess - drained + 1.0) if drained < math.inf else 0.0
        return max(0.0, over - self.burst) / self.rate

    def take(self, now: float, seconds: float) -> float:
        if self.seen > -math.inf:
            self.excess = max(0.0, self.excess - (now - self.seen) * self.rate + 1.0)
        self.seen = now
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return self.rate


class Stick:
    """HAProxy's `http_req_rate`: this period's requests and a part of the last one's.

    Refused ones count, too.
    """

    def __init__(self, requests: int, period: float) -> None:
        self.requests, self.period = requests, period
        self.begun, self.current, self.last = 0.0, 0, 0

    def wait(self, now: float) -> float:
        while now - self.begun >= self.period:
            self.last = self.current if now - self.begun < 2 * self.period else 0
            self.current = 0
            self.begun += self.period
        self.current += 1
        rate = self.current + self.last * (1.0 - (now - self.begun) / self.period)
        return 1.0 if rate > self.requests else 0.0

    def take(self, now: float, seconds: float) -> float:
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return self.requests / self.period


class Anchored(Quota):
    """A window that begins with the first request after the last one ended; refused ones count."""

    def __init__(self, requests: int, period: float) -> None:
        super().__init__(requests, period)
        self.begun = -math.inf

    def wait(self, now: float) -> float:
        if now >= self.begun + self.period:
            self.begun, self.used = now, 0
        return 0.0 if self.used < self.requests else self.begun + self.period - now


class Banning(Quota):
    """A window whose excess is banned, and every request of the banned begins the ban anew.

    The first window is a `phase` shorter: it ends while a client still starts.
    """

    def __init__(self, requests: int, period: float, ban: float, phase: float = 0.0) -> None:
        super().__init__(requests, period)
        self.ban, self.until, self.phase = ban, -math.inf, phase

    def wait(self, now: float) -> float:
        if super().wait(now + self.phase) == 0.0 and now >= self.until:
            return 0.0
        self.until = now + self.ban
        return self.ban


class Line(Concurrency):
    """Places with a line before them, from which whoever has waited too long is turned away."""

    def __init__(self, places: int, patience: float) -> None:
        super().__init__(places)
        self.patience = patience
        self.free = [0.0] * places

    def wait(self, now: float) -> float:
        return 1.0 if min(self.free) - now > self.patience else 0.0

    def take(self, now: float, seconds: float) -> float:
        place = self.free.index(min(self.free))
        start = max(now, self.free[place])
        self.free[place] = start + seconds
        return start + seconds - now


class Polled(Concurrency):
    """@fastify/under-pressure: whether there is room is looked at now and then, and holds so long.

    Within a look any number is let in, or turned away.
    """

    def __init__(self, places: int, every: float) -> None:
        super().__init__(places)
        self.every, self.look, self.is_full = every, -1, False

    def wait(self, now: float) -> float:
        look = int(now / self.every)
        if look != self.look:
            self.look, self.is_full = look, super().wait(look * self.every) > 0.0
        return 1.0 if self.is_full else 0.0


class Blocked(Bucket):
    """Varnish's vsthrottle with a block: who finds the bucket empty is out for a while."""

    def __init__(self, rate: float, burst: float, block: float) -> None:
        super().__init__(rate, burst)
        self.block, self.until = block, -math.inf

    def wait(self, now: float) -> float:
        if now >= self.until and super().wait(now) > 0.0:
            self.until = now + self.block
        return max(0.0, self.until - now)


def always(seconds: float) -> RetryAfter:
    """The same figure, whatever the truth."""
    return lambda _wait, _rng: seconds


def rounded_up(wait: float, _: Random) -> float:
    return float(max(1, math.ceil(wait)))


def exactly(wait: float, _: Random) -> float:
    return round(wait, 3)


def gateway(
    name: str, limiter: Callable[[], Limiter], status: int = 429, says: RetryAfter = silent,
    *, refusal: float = 0.002, seconds: float = SECONDS,
) -> Scenario:  # fmt: skip
    """Return the scenario of one gateway that one client meets for the first time."""
    return Scenario(
        name,
        lambda: Server(
            (limiter(),), {"text": UPSTREAM}, refusal=refusal, retry_after=says, network=LOCAL,
            status=status, varies=(1.0, 1.0) if refusal >= 0.5 else (0.6, 1.6),
        ),
        10**6, seconds=seconds, settled=0.0,
    )  # fmt: skip


def places() -> Concurrency:
    return Concurrency(8)


ONE_SECOND, TEN_SECONDS = (20, 1.0), (200, 10.0)
GATEWAYS = (
    gateway("nginx-burst-503", lambda: Strict(20, 10), 503),
    gateway("nginx-burst-429", lambda: Strict(20, 10)),
    gateway("nginx-delay-503", lambda: Leaky(20, 10), 503),
    gateway("nginx-strict-503", lambda: Strict(20, 0), 503),
    gateway("nginx-strict-429", lambda: Strict(20, 0)),
    gateway("places-429", places),
    gateway("places-503", places, 503),
    gateway("places-500", places, 500),
    gateway("places-403", places, 403),
    gateway("places-reset", places, 0),
    gateway("places-429+1", places, 429, always(1.0)),
    gateway("varnish-503+5", places, 503, always(5.0)),
    gateway("pressure-503+10", lambda: Polled(8, 0.02), 503, always(10.0)),
    gateway("haproxy-403", lambda: Stick(*TEN_SECONDS), 403),
    gateway("haproxy-429", lambda: Stick(*TEN_SECONDS)),
    gateway("tarpit-500", lambda: Stick(*TEN_SECONDS), 500, refusal=2.0),
    gateway("tarpit-429", lambda: Stick(*TEN_SECONDS), refusal=2.0),
    gateway("queue-503", lambda: Line(8, 1.0), 503, refusal=1.0),
    gateway("vsthrottle", lambda: Bucket(20, 200), 429, always(5.0)),
    gateway("vsthrottle-block", lambda: Blocked(20, 200, 10.0), 429, always(5.0)),
    gateway("traefik-10", lambda: Bucket(20, 10), 429, always(1.0)),
    gateway("traefik-1", lambda: Bucket(20, 1), 429, always(1.0)),
    gateway("traefik-20", lambda: Bucket(20, 20), 429, always(1.0)),
    gateway("window-1s", lambda: Anchored(*ONE_SECOND)),
    gateway("window-1s+1", lambda: Anchored(*ONE_SECOND), 429, rounded_up),
    gateway("window-1s+exact", lambda: Anchored(*ONE_SECOND), 429, exactly),
    gateway("clock-1s", lambda: Quota(*ONE_SECOND)),
    gateway("clock-1s+1", lambda: Quota(*ONE_SECOND), 429, rounded_up),
    gateway("clock-1s-403", lambda: Quota(*ONE_SECOND), 403),
    gateway("sliding-1s+1", lambda: SlidingQuota(*ONE_SECOND), 429, rounded_up),
    gateway("clock-10s", lambda: Quota(*TEN_SECONDS)),
    gateway("clock-10s-503", lambda: Quota(*TEN_SECONDS), 503),
    gateway("clock-10s-403", lambda: Quota(*TEN_SECONDS), 403),
    gateway("window-20s+", lambda: Anchored(200, 20.0), 429, rounded_up),
    gateway("ban-429", lambda: Banning(20, 1.0, 10.0), seconds=110.0),
    gateway("ban-403", lambda: Banning(20, 1.0, 10.0), 403, seconds=110.0),
)
"""By how they count and what they say; many real ones are alike in both."""
