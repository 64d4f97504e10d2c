"""How long an answer takes: fixed, uniform, lognormal, or growing with the load.

Pure: chance and time are arguments.
"""

import heapq
import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Literal

import attrs

Shape = Literal["fixed", "uniform", "lognormal", "queue"]

_NORMAL = NormalDist()
_LONGEST = 3_600.0


@attrs.frozen
class Latency:
    """Seconds from the request to its answer.

    Attributes:
        shape: `fixed`: always `first`. `uniform`: from `first` to `second`. `lognormal`: the
            median is `first`, the spread (sigma of the logarithm) `second`. `queue`: `first`
            workers take `second` seconds for each request, and requests wait for a worker.
        first: See `shape`.
        second: See `shape`.

    Raises:
        ValueError: The numbers make no sense for the shape.

    Example:
        >>> Latency.parse("uniform:0.5,2")
        Latency(shape='uniform', first=0.5, second=2.0)
    """

    shape: Shape
    first: float
    second: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.shape not in _SECONDS:
            raise ValueError(f"latency must be one of {', '.join(_SECONDS)}, not {self.shape!r}")
        for number in (self.first, self.second):
            if not 0 <= number <= _LONGEST:
                raise ValueError(f"latency must be from 0 to {_LONGEST:g}, not {number!r}")
        if self.shape == "uniform" and self.second < self.first:
            raise ValueError("a uniform latency needs its shortest time first")
        if self.shape == "queue" and (self.first < 1 or self.first != int(self.first)):
            raise ValueError("a queue needs a whole number of workers, at least 1")

    @classmethod
    def parse(cls, text: "str | float | Latency") -> "Latency":
        """Return the latency of `0.2`, `uniform:0.1,2`, `lognormal:1,0.5` or `queue:4,0.25`.

        Raises:
            ValueError: The text is none of these.
        """
        if isinstance(text, cls):
            return text
        shape, colon, numbers = str(text).partition(":")
        if not colon:
            shape, numbers = "fixed", shape
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError:
            raise ValueError(f"{text!r} is no latency: write 0.2 or uniform:0.1,2") from None
        if len(values) != (1 if shape == "fixed" else 2):
            raise ValueError(f"{text!r} is no latency: a number of seconds, or shape:number,number")
        return cls(shape, *values)  # type: ignore[arg-type]  # __attrs_post_init__ checks the shape


class Clockwork:
    """The state behind a latency: when each worker of a queue is free again."""

    def __init__(self, latency: Latency | None) -> None:
        self.latency = latency
        workers = int(latency.first) if latency and latency.shape == "queue" else 0
        self._free_at = [-math.inf] * workers

    @property
    def by_chance(self) -> bool:
        """Whether two requests may take different times without any load."""
        return self.latency is not None and self.latency.shape in {"uniform", "lognormal"}

    def seconds(self, now: float, chance: float) -> float:
        """Return how long the answer of a request that came now takes."""
        if self.latency is None:
            return 0.0
        if self._free_at:
            done = max(now, self._free_at[0]) + self.latency.second
            heapq.heapreplace(self._free_at, done)
            return done - now
        return min(_SECONDS[self.latency.shape](self.latency, chance), _LONGEST)


def _lognormal(latency: Latency, chance: float) -> float:
    # inv_cdf has no value at 0 itself
    return latency.first * math.exp(latency.second * _NORMAL.inv_cdf(max(chance, 1e-12)))


_SECONDS: Mapping[str, Callable[[Latency, float], float]] = {
    "fixed": lambda latency, _: latency.first,
    "uniform": lambda latency, chance: latency.first + chance * (latency.second - latency.first),
    "lognormal": _lognormal,
    "queue": lambda latency, _: latency.second,
}
