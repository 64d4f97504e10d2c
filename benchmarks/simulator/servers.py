"""Servers that refuse: any set of limits at once, each of which may change over time."""

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from statistics import fmean
from typing import NamedTuple, Protocol

import attrs

from benchmarks.simulator.latency import CAPTION, Latency, mean

Changing = float | Callable[[float], float]  # a number, or a function of the time in seconds
RetryAfter = Callable[[float, Random], float | None]  # (seconds until there is room, rng)


def at(number: Changing, time: float) -> float:
    """The value of a number that may change."""
    return number(time) if callable(number) else number


class Reply(NamedTuple):
    """What comes back.

    Attributes:
        status: Of the reply; 0: the connection was lost.
        seconds: In the server.
        retry_after: What it asks to wait, in seconds; None: nothing.
        refused: Whether a limit refused it, whatever the status.
    """

    status: int
    seconds: float
    retry_after: float | None
    refused: bool = False


class Limiter(Protocol):
    """One reason to refuse."""

    def wait(self, now: float) -> float:
        """Seconds until there may be room; 0.0 when there is."""
        ...

    def take(self, now: float, seconds: float) -> float:
        """Let a request in that takes `seconds`; return the seconds it takes here."""
        ...

    def capacity(self, now: float, service: float) -> float:
        """The most requests per second, when each takes `service` seconds."""
        ...


class Bucket:
    """A token bucket: `rate` per second, `burst` saved up; it may charge for refusals too."""

    def __init__(self, rate: Changing, burst: float, *, charges_refusals: bool = False) -> None:
        self.rate, self.burst, self.charges = rate, burst, charges_refusals
        self.tokens, self.filled = float(burst), 0.0

    def wait(self, now: float) -> float:
        rate = at(self.rate, now)
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * rate)
        self.filled = now
        if self.tokens >= 1.0:
            return 0.0
        missing = (1.0 - self.tokens) / rate
        if self.charges:
            self.tokens = max(-self.burst, self.tokens - 1.0)
        return missing

    def take(self, now: float, seconds: float) -> float:
        self.tokens -= 1.0
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return at(self.rate, now)


class Leaky:
    """nginx's `limit_req` without `nodelay`: a burst is accepted, but made to wait its turn."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.turn = rate, burst, 0.0

    def wait(self, now: float) -> float:
        ahead = (self.turn - now) * self.rate - self.burst
        return max(0.0, ahead / self.rate)

    def take(self, now: float, seconds: float) -> float:
        start = max(now, self.turn)
        self.turn = start + 1.0 / self.rate
        return start - now + seconds

    def capacity(self, now: float, service: float) -> float:
        return self.rate


class Concurrency:
    """So many requests at once; a place is free again `lag` seconds after its answer.

    Attributes:
        given: Seconds of work that were taken on.
    """

    def __init__(self, places: Changing, *, lag: float = 0.0) -> None:
        self.places, self.lag = places, lag
        self.busy: list[float] = []
        self.given = 0.0

    def wait(self, now: float) -> float:
        while self.busy and self.busy[0] <= now:
            heapq.heappop(self.busy)
        return 0.0 if len(self.busy) < at(self.places, now) else 1.0

    def take(self, now: float, seconds: float) -> float:
        heapq.heappush(self.busy, now + seconds + self.lag)
        self.given += seconds
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return at(self.places, now) / (service + self.lag)


class Quota:
    """So many requests per period, counted from the clock's full periods."""

    def __init__(self, requests: int, period: float) -> None:
        self.requests, self.period = requests, period
        self.current, self.used = -1, 0

    def wait(self, now: float) -> float:
        current = int(now // self.period)
        if current != self.current:
            self.current, self.used = current, 0
        return 0.0 if self.used < self.requests else (current + 1) * self.period - now

    def take(self, now: float, seconds: float) -> float:
        self.used += 1
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return self.requests / self.period


class SlidingQuota:
    """So many requests in the last period, whenever one looks."""

    def __init__(self, requests: int, period: float) -> None:
        self.requests, self.period = requests, period
        self.taken: deque[float] = deque()

    def wait(self, now: float) -> float:
        while self.taken and self.taken[0] <= now - self.period:
            self.taken.popleft()
        if len(self.taken) < self.requests:
            return 0.0
        return self.taken[0] + self.period - now

    def take(self, now: float, seconds: float) -> float:
        self.taken.append(now)
        return seconds

    def capacity(self, now: float, service: float) -> float:
        return self.requests / self.period


class Workers:
    """A server that never refuses: what its workers cannot do yet waits in line."""

    def __init__(self, workers: int) -> None:
        self.free = [0.0] * workers

    def wait(self, now: float) -> float:
        return 0.0

    def take(self, now: float, seconds: float) -> float:
        done = max(now, heapq.heappop(self.free)) + seconds
        heapq.heappush(self.free, done)
        return done - now

    def capacity(self, now: float, service: float) -> float:
        return len(self.free) / service


def whole_seconds(wait: float, _: Random) -> float:
    """The truth, rounded up to a whole second."""
    return float(math.ceil(wait))


def anything(_: float, rng: Random) -> float:
    """A number of seconds that has nothing to do with the truth."""
    return float(rng.randint(1, 30))


def silent(_wait: float, _rng: Random) -> None:
    """No `Retry-After` at all."""


@attrs.frozen
class Fault:
    """A time in which accepted requests fail.

    Attributes:
        start: When it begins, in seconds.
        end: When it is over, in seconds.
        share: How many of the requests fail, 0.0 to 1.0.
        status: What they get.
        seconds: Shortest and longest time until they get it; beyond the timeout of an attempt
            it is a black hole.
    """

    start: float
    end: float
    share: float = 1.0
    status: int = 503
    seconds: tuple[float, float] = (0.1, 1.0)

    def at(self, now: float) -> float:
        """The share that fails at a moment."""
        return self.share if self.start <= now < self.end else 0.0


NO_FAULT = Fault(0.0, 0.0)


@attrs.define
class Server:
    """Refuses by its limiters, fails by its fault, answers after its latency.

    Attributes:
        limiters: All of them must have room.
        latencies: Seconds until an answer, for each route that clients use, in equal parts.
        refusal: Seconds until a refusal, on average.
        varies: Least and most of it that a refusal takes.
        retry_after: What a refusal says.
        fault: When accepted requests fail.
        network: Shortest and longest time that each way takes, in seconds.
        status: What a refusal is called; 0: the connection is reset.
    """

    limiters: tuple[Limiter, ...]
    latencies: Mapping[str, Latency] = attrs.Factory(lambda: {"text": CAPTION})
    refusal: float = 0.02
    retry_after: RetryAfter = silent
    fault: Fault = NO_FAULT
    network: tuple[float, float] = (0.015, 0.045)
    status: int = 429
    varies: tuple[float, float] = (0.6, 1.6)

    def arrive(self, now: float, route: str, rng: Random) -> Reply:
        """Decide about a request at the moment when it arrives."""
        wait = max(limiter.wait(now) for limiter in self.limiters)
        if wait > 0.0:
            seconds = self.refusal * rng.uniform(*self.varies)
            return Reply(self.status, seconds, self.retry_after(wait, rng), refused=True)
        fails = rng.random() < self.fault.at(now)
        seconds = rng.uniform(*self.fault.seconds) if fails else self.latencies[route](rng)
        for limiter in self.limiters:
            seconds = limiter.take(now, seconds)
        return Reply(self.fault.status if fails else 200, seconds, None)

    def capacity(self, now: float) -> float:
        """The most requests per second that anybody could have answered."""
        service = fmean(mean(latency) for latency in self.latencies.values())
        works = 1.0 - self.fault.at(now)
        return works * min(limiter.capacity(now, service) for limiter in self.limiters)
