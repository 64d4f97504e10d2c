"""The scenarios: which server, how many rows, and what the truth would have allowed."""

import math
from collections.abc import Callable

import attrs

from benchmarks.simulator.latency import Latency, bimodal, constant, lognormal, pareto
from benchmarks.simulator.servers import (
    Bucket,
    Concurrency,
    Fault,
    Leaky,
    Limiter,
    Quota,
    Server,
    SlidingQuota,
    Workers,
    anything,
    whole_seconds,
)
from vimmerse_async.control.adaptive import START


@attrs.frozen
class Scenario:
    """One experiment.

    Attributes:
        name: What it is called, and what the limits are.
        server: Makes a fresh server.
        rows: Work to be done by each client.
        clients: How many share the server, each with a limit of its own.
        seconds: When to stop; None: when all work is done.
        late: Whether the last client joins after a third of the time.
        start: The first window of each client, in requests; actors of one run divide it.
        settled: Share of the seconds that do not count, as the clients have to settle first.
    """

    name: str
    server: Callable[[], Server]
    rows: int = 10_000
    clients: int = 1
    seconds: float | None = None
    late: bool = False
    start: int = START
    settled: float = 0.25

    @property
    def key(self) -> str:
        return self.name.split()[0]


def steps(*levels: tuple[float, float]) -> Callable[[float], float]:
    """A number that changes: pairs of (from this second on, value)."""

    def value(now: float) -> float:
        current = levels[0][1]
        for start, level in levels:
            if now >= start:
                current = level
        return current

    return value


def swing(low: float, high: float, period: float) -> Callable[[float], float]:
    """A number that swings like a sine."""
    middle, reach = (low + high) / 2, (high - low) / 2
    return lambda now: middle + reach * math.cos(2 * math.pi * now / period)


def limited(*limiters: Callable[[], Limiter], **options: object) -> Callable[[], Server]:
    return lambda: Server(tuple(make() for make in limiters), **options)  # type: ignore[arg-type]


def texts(latency: Latency) -> dict[str, Latency]:
    return {"text": latency}


THIRDS = (0.0, 200.0, 400.0)
LISTED = (
    Scenario("S1a 10/s, burst 10", limited(lambda: Bucket(10, 10))),
    Scenario("S1b 10/s, no burst", limited(lambda: Bucket(10, 1))),
    Scenario("S1c 50/s, burst 100", limited(lambda: Bucket(50, 100))),
    Scenario("S1d 2/s, burst 2", limited(lambda: Bucket(2, 2)), 3_000),
    Scenario("S2a 64 in flight", limited(lambda: Concurrency(64))),
    Scenario("S2b 8 in flight", limited(lambda: Concurrency(8)), 3_000),
    Scenario("S2c 256 in flight", limited(lambda: Concurrency(256))),
    Scenario("S2d 64 in flight, freed 0.1 s late", limited(lambda: Concurrency(64, lag=0.1))),
    Scenario("S3a 12/s and 32 in flight", limited(lambda: Bucket(12, 12), lambda: Concurrency(32))),
    Scenario("S3b 8/s and 32 in flight", limited(lambda: Bucket(8, 8), lambda: Concurrency(32))),
    Scenario("S4a 600 per minute", limited(lambda: Quota(600, 60))),
    Scenario("S4b 600 per minute, sliding", limited(lambda: SlidingQuota(600, 60))),
    Scenario("S5 32 workers, a queue, no 429", limited(lambda: Workers(32))),
    Scenario(
        "S6a 20, 10, 20 per second",
        limited(lambda: Bucket(steps((0, 20), (200, 10), (400, 20)), 20)),
    ),
    Scenario(
        "S6b 64, 32, 64 in flight",
        limited(lambda: Concurrency(steps((0, 64), (200, 32), (450, 64)))),
    ),
    Scenario(
        "S6c 32, 16, 128 in flight",
        limited(lambda: Concurrency(steps((0, 32), (150, 16), (300, 128)))),
    ),
    Scenario(
        "S7a 600 per minute, Retry-After",
        limited(lambda: Quota(600, 60), retry_after=whole_seconds),
    ),
    Scenario("S7b 10/s, Retry-After 1", limited(lambda: Bucket(10, 10), retry_after=whole_seconds)),
    Scenario(
        "S7c 64 in flight, Retry-After 1-30",
        limited(lambda: Concurrency(64), retry_after=anything),
    ),
    Scenario(
        "S8a 64 in flight, 60 s of 20 % faults",
        limited(lambda: Concurrency(64), fault=Fault(120, 180, share=0.2)),
    ),
    Scenario(
        "S8b 64 in flight, 60 s outage", limited(lambda: Concurrency(64), fault=Fault(120, 180))
    ),
    Scenario(
        "S8c 64 in flight, 300 s outage", limited(lambda: Concurrency(64), fault=Fault(120, 420))
    ),
)
SMALL = tuple(
    Scenario(f"J{rows}-{places} {rows} rows, {places} in flight", server, rows)
    for places, server in (
        (100, limited(lambda: Concurrency(100))),
        (150, limited(lambda: Concurrency(150))),
        (200, limited(lambda: Concurrency(200))),
    )
    for rows in (200, 1_000)
)
NGINX = {"latencies": texts(constant(0.3)), "network": (0.0002, 0.001), "refusal": 0.001}
SERVED = (
    Scenario("N1 200/s, burst 20, 0.3 s", limited(lambda: Bucket(200, 20), **NGINX), 6_000),
    Scenario("N2 60 in flight, 0.3 s", limited(lambda: Concurrency(60), **NGINX), 6_000),
    Scenario("N3 200/s, delayed burst 20, 0.3 s", limited(lambda: Leaky(200, 20), **NGINX), 6_000),
)
SHARES = (
    ("R", "20/s", limited(lambda: Bucket(20, 20))),
    ("C", "64 in flight", limited(lambda: Concurrency(64))),
)
SHARED = tuple(
    Scenario(f"{name}x{clients} {clients} clients share {limit}", server, 10**7, clients, 1_200.0)
    for name, limit, server in SHARES
    for clients in (2, 4, 8, 16)
)
ACTORS = tuple(
    Scenario(f"{name}a16 16 actors share {limit}", server, 10**7, 16, 1_200.0, start=START // 16)
    for name, limit, server in SHARES
)
ODD = (
    Scenario(
        "O1 64 in flight, bimodal",
        limited(lambda: Concurrency(64), latencies=texts(bimodal(1.0, 12.0, 0.3))),
    ),
    Scenario(
        "O2 10/s, bimodal",
        limited(lambda: Bucket(10, 10), latencies=texts(bimodal(1.0, 12.0, 0.3))),
    ),
    Scenario(
        "O3 64 in flight, heavy tail",
        limited(lambda: Concurrency(64), latencies=texts(pareto(1.0, 1.3, 100.0))),
    ),
    Scenario(
        "O4 10/s, heavy tail",
        limited(lambda: Bucket(10, 10), latencies=texts(pareto(1.0, 1.3, 100.0))),
    ),
    Scenario("O5 64 in flight, 429s take 1 s", limited(lambda: Concurrency(64), refusal=1.0)),
    Scenario("O6 10/s, 429s take 1 s", limited(lambda: Bucket(10, 10), refusal=1.0)),
    Scenario("O7 600 per minute, 429s take 1 s", limited(lambda: Quota(600, 60), refusal=1.0)),
    Scenario("O8 32-96 in flight, swinging", limited(lambda: Concurrency(swing(32, 96, 240)))),
    Scenario("O9 8-24 per second, swinging", limited(lambda: Bucket(swing(8, 24, 240), 10))),
    Scenario("O10 60 per minute", limited(lambda: Quota(60, 60)), 2_000),
    Scenario("O11 1 in flight", limited(lambda: Concurrency(1)), 800),
    Scenario("O12 2 in flight", limited(lambda: Concurrency(2)), 1_500),
    Scenario("O13 0.5/s, burst 1", limited(lambda: Bucket(0.5, 1)), 1_000),
    Scenario("O14 200/s, burst 200", limited(lambda: Bucket(200, 200)), 40_000),
    Scenario("O15 512 in flight", limited(lambda: Concurrency(512)), 40_000),
    Scenario(
        "O16 64 in flight, text and vision",
        limited(
            lambda: Concurrency(64),
            latencies={"text": lognormal(2.0), "vision": lognormal(9.0, 0.4)},
        ),
    ),
    Scenario(
        "O17 64 workers, text and vision",
        limited(
            lambda: Workers(64), latencies={"text": lognormal(2.0), "vision": lognormal(9.0, 0.4)}
        ),
    ),
    Scenario("O18 10/s, refusals charged", limited(lambda: Bucket(10, 10, charges_refusals=True))),
    Scenario(
        "O19 32 in flight, long answers",
        limited(lambda: Concurrency(32), latencies=texts(lognormal(10.0))),
        4_000,
    ),
    Scenario(
        "O20 64 in flight, short answers",
        limited(lambda: Concurrency(64), latencies=texts(constant(0.5))),
    ),
)
ALL = LISTED + SMALL + SERVED + SHARED + ACTORS + ODD
