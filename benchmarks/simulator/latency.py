"""How long a server takes to answer: distributions in seconds, each with its own mean."""

import math
from collections.abc import Callable
from functools import cache
from random import Random
from statistics import fmean

import attrs

Draw = Callable[[Random], float]


@attrs.frozen
class Latency:
    """Seconds that an answer takes.

    Attributes:
        draw: Takes one latency from the distribution.
        shortest: No answer is faster than this, in seconds.
        longest: No answer is slower than this, in seconds.
    """

    draw: Draw
    shortest: float = 0.0
    longest: float = math.inf

    def __call__(self, rng: Random) -> float:
        return min(self.longest, max(self.shortest, self.draw(rng)))


@cache
def sample(latency: Latency) -> list[float]:
    """Many draws with a fixed seed, sorted."""
    rng = Random(0)
    return sorted(latency(rng) for _ in range(50_000))


@cache
def mean(latency: Latency) -> float:
    return fmean(sample(latency))


@cache
def median(latency: Latency) -> float:
    return sample(latency)[25_000]


def lognormal(
    middle: float, sigma: float = 0.5, shortest: float = 1.0, longest: float = 20.0
) -> Latency:
    mu = math.log(middle)
    return Latency(lambda rng: rng.lognormvariate(mu, sigma), shortest, longest)


def constant(seconds: float) -> Latency:
    return Latency(lambda _: seconds)


def bimodal(quick: float, slow: float, share_slow: float) -> Latency:
    """Two kinds of work, such as text and pictures, each varying by a tenth."""

    def draw(rng: Random) -> float:
        centre = slow if rng.random() < share_slow else quick
        return centre * rng.uniform(0.9, 1.1)

    return Latency(draw)


def pareto(shortest: float, alpha: float, longest: float) -> Latency:
    """A heavy tail: a few answers take most of the time."""
    return Latency(lambda rng: shortest * rng.paretovariate(alpha), shortest, longest)


CAPTION = lognormal(3.0)  # "calls take 1-20 s"
