"""One learned ceiling: it climbs back to its last peak, and then looks beyond.

Who seems alone climbs as in CUBIC (RFC 9438), rests near its peak, and probes rarely. Who may share
the limit climbs straight, in a time that hangs little on what it has, and is cut by the same share:
so equal shares are the fixpoint of clients that do not know of each other (Chiu and Jain, 1989). A
rest near its own peak would keep what chance gave it. From near the peak on both climb ever faster,
as a limit that has risen must be found soon.
"""

import math

from vimmerse_async.control.rhythm import Rhythm

CUT = 0.94  # share of a refused level to go on with: CUBIC cuts to 0.7, but its losses are dearer
YIELD = 0.90  # the same when the level fell: others have joined, or the limit has shrunk
YIELD_FEW = 0.80  # the same where there are few, once more each time in a row: a crowd shares them
YIELD_LEAST = 0.60  # and the least that is left
NEAR = 0.97  # share of the last peak from which on a level counts as the same
STEEPNESS = 3.0  # how much faster it climbs beyond the peak than up to it
DOUBLINGS = 3.0  # per period, of a guess: slow start, in time
ADD = 1.0  # requests that a period adds at least: small ceilings must grow by whole ones
FEW = 8.0  # requests in flight below which it climbs straight: with CUBIC who has more gets more
ADD_FEW = 1.25  # requests that a period adds there
STRAIGHT = 0.75  # periods in which who may share is back at the peak
OUTGROWN = 1.25  # x the peak, and requests more, beyond which the limit must have risen
MORE, MORE_SHARED = 2.0, 5.0  # requests: others leave room now and then
AT_ONCE = 0.1  # periods: a refusal so soon was brought by the same climb as the last
HALF = 0.49  # of a place: windows are rounded, and one that was refused must fall


class Ceiling:
    """A number that climbs around the level of its last refusal, cubic or straight in time.

    Growth by time and not by request keeps newcomers from starving: whoever has little grows
    as fast as who has much. Below a few requests in flight it is straight in any case, by whole
    requests, and yields more: there, a crowd shares the limit, and comes to equal parts sooner.

    Attributes:
        value: Where the ceiling is now; `inf` when there is none.
        peak: The level at which it was refused last; `inf` before the first refusal.
        elapsed: Periods since then.
        may_share: Whether enough is known for others to be told from chance.
    """

    __slots__ = (
        "_alone",
        "_floor",
        "_is_few",
        "_left",
        "_most",
        "_period",
        "_rhythm",
        "_steepness",
        "_yielded",
        "elapsed",
        "may_share",
        "peak",
        "value",
    )

    def __init__(
        self, value: float, floor: float, steepness: float = STEEPNESS, alone: float = 1.0
    ) -> None:
        self.value: float = value
        self.peak: float = math.inf
        self._most = math.inf
        self._floor = floor
        self._steepness = steepness
        self._alone = alone  # share of what a period adds where nobody else is
        self.elapsed: float = 0.0
        self._period = 0.0
        self._yielded = 0  # times in a row
        self._is_few = False
        self.may_share: bool = False
        self._rhythm = Rhythm()
        self._left = value  # where it ceased to climb straight

    @property
    def is_shared(self) -> bool:
        """Whether others seem to have a part in it."""
        return self.may_share and not self._rhythm.is_even

    @property
    def is_straight(self) -> bool:
        """Whether it climbs straight at the moment."""
        return self.is_shared and self.elapsed <= STRAIGHT and self.peak < math.inf

    @property
    def is_outgrown(self) -> bool:
        """Whether nothing that was refused explains any more where it is."""
        more = MORE_SHARED if self.is_shared else MORE
        return self.value > OUTGROWN * self.peak + more

    @property
    def yields(self) -> bool:
        """Whether it was refused lower than the time before: it is shared, or the limit fell."""
        return self._yielded > 0

    def grow(self, seconds: float, period: float, request: float) -> None:
        """Climb for a while.

        Args:
            seconds: How long.
            period: Seconds until it is back at the peak.
            request: By how much one request in flight more would raise it.
        """
        step = seconds / max(period, self._period)
        if self.peak == math.inf:
            self.value *= 2.0 ** min(1.0, DOUBLINGS * step)
            if self.value >= self._most:
                self.settle(self._most)
            return
        self.elapsed += step
        self._is_few = self.peak < FEW * request
        if self.is_shared:
            self._climb(step, request)
            return
        added = request * step * (1.0 if self._yielded else self._alone)
        if self._is_few:
            self.value += ADD_FEW * added
            return
        way = self.elapsed - 1.0
        if way > 0.0:
            way *= self._steepness
        curve = self.peak * (1.0 + (1.0 - CUT) * way**3)
        self.value = max(self.value + ADD * added, curve)

    def _climb(self, step: float, request: float) -> None:
        """Climb straight, by a request a period at least, and beyond the peak ever faster."""
        added = request * step
        if self.elapsed <= STRAIGHT:
            self.value += max((1.0 - CUT) * self.peak / STRAIGHT * step, added)
            self._left = self.value
            return
        way = STEEPNESS * (self.elapsed - STRAIGHT)
        self.value = max(self.value + added, self._left * (1.0 + (1.0 - CUT) * way**3))

    def cut(self, level: float, share: float = CUT, part: float = 0.0) -> None:
        """Go below a level that was refused; yield when it is lower than the last one.

        Args:
            level: What was accepted at most.
            share: What is left of it.
            part: How far beyond it the value may have been, as only whole requests count.
        """
        if self.may_share and self.peak < math.inf:
            self._rhythm.note(self.elapsed)
        if self.is_shared:
            self._yielded = self._yielded + 1 if self.elapsed < AT_ONCE else 0
            self.settle(max(level, min(self.value, level + part)))
            self.value = max(self._floor, min(level + HALF * part, CUT * self.peak))
            return
        fell = level < NEAR * self.peak < math.inf
        self._yielded = self._yielded + 1 if fell else 0
        if fell:
            yielded = max(YIELD_LEAST, YIELD_FEW**self._yielded) if self._is_few else YIELD
            share = min(share, yielded)
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

    def guess(self, level: float, most: float = math.inf) -> None:
        """Go on from a level, without a peak: it doubles until it is cut, or rests at `most`."""
        self.value = max(level, self._floor)
        self.peak, self._most = math.inf, most

    def resume(self, value: float, peak: float, elapsed: float) -> None:
        """Go on where another stopped on its way to a peak, or beyond it."""
        self.guess(value)
        self.peak, self.elapsed = max(peak, self._floor), elapsed

    def settle(self, level: float, period: float = 0.0) -> None:
        """Rest on a level for one period, of at least `period` seconds."""
        self.value = self.peak = max(level, self._floor)
        self.elapsed = 0.0
        self._period = period
