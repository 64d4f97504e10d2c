"""One learned ceiling: it climbs back to its last peak, rests there, and then looks beyond."""

import math

CUT = 0.94  # share of a refused level to go on with: CUBIC cuts to 0.7, but its losses are dearer
YIELD = 0.90  # the same when the level fell: others have joined, or the limit has shrunk
NEAR = 0.97  # share of the last peak from which on a level counts as the same
STEEPNESS = 3.0  # how much faster it climbs beyond the peak than up to it
DOUBLINGS = 3.0  # per period, of a guess: slow start, in time
ADD = 1.0  # units that a period adds at least: small ceilings must grow by whole requests


class Ceiling:
    """A number that is cubic in time around the level of its last refusal, as in CUBIC (RFC 9438).

    Growth by time and not by request keeps newcomers from starving: whoever has little grows
    as fast as who has much.

    Attributes:
        value: Where the ceiling is now; `inf` when there is none.
        peak: The level at which it was refused last; `inf` before the first refusal.
        yields: Whether that was lower than the time before: it is shared, or the limit fell.
    """

    __slots__ = ("_elapsed", "_floor", "_period", "_steepness", "peak", "value", "yields")

    def __init__(self, value: float, floor: float, steepness: float = STEEPNESS) -> None:
        self.value: float = value
        self.peak: float = math.inf
        self.yields: bool = False
        self._floor = floor
        self._elapsed = 0.0  # periods since the peak was refused
        self._period = 0.0
        self._steepness = steepness

    def grow(self, seconds: float, period: float, unit: float) -> None:
        """Climb for `seconds`, when it takes `period` seconds to be back at the peak."""
        step = seconds / max(period, self._period)
        if self.peak == math.inf:
            self.value *= 2.0 ** min(1.0, DOUBLINGS * step)
            return
        self._elapsed += step
        way = self._elapsed - 1.0
        if way > 0.0:
            way *= self._steepness
        curve = self.peak * (1.0 + (1.0 - CUT) * way**3)
        self.value = max(self.value + ADD * unit * step, curve)

    def cut(self, level: float, share: float = CUT) -> None:
        """Go below a level that was refused; yield when it is lower than the last one."""
        self.yields = level < NEAR * self.peak < math.inf
        if self.yields:
            share = min(share, YIELD)
            self.settle(level * (1.0 + share) / 2.0)
        else:
            self.settle(level)
        self.value = max(self._floor, level * share)

    def retreat(self, level: float) -> None:
        """Go below a level whose refusal measures little: a guess stays a guess, nothing yields."""
        level = min(level, self.value)
        if self.peak < math.inf:
            self.settle(level)
        self.value = max(self._floor, level * CUT)

    def guess(self, level: float) -> None:
        """Go on from a level, without a peak: it doubles until it is cut."""
        self.value = max(level, self._floor)
        self.peak = math.inf

    def settle(self, level: float, period: float = 0.0) -> None:
        """Rest on a level for one period, of at least `period` seconds."""
        self.value = self.peak = max(level, self._floor)
        self._elapsed = 0.0
        self._period = period
