"""Requests whose client died: until when a server works on for nobody, by how long answers take.

Nobody is told when it is done with one, but of many it is known well how many are left: each is
given the end of one of the last answers that took longer than it has taken already, and all of them
together such ends as are evenly spread over what may be. A place that is kept for longer is missed
by others; one that is taken too soon costs a refusal, and teaches that less is allowed.
"""

import heapq
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator

from vimmerse_async.control.levels import LearnedPermit

KNOWN = 128
"""Answers that are remembered."""
GUESSED = 16
"""Answers that a mean stands for, from half of it to one and a half."""
UNKNOWN = 1.0
"""Seconds that an answer is thought to take before there was one."""
LATEST = 1.5
"""Answers' times after which a request has ended that takes longer than all that are known."""
CAREFUL = 0.5
"""Standard deviations by which of so many requests fewer may have ended than is likely."""
_GOLDEN = 0.618033988749895
_STEPS = 32


class Lingering:
    """Permits of the dead, until the server must be done with them."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=KNOWN)
        self._ends: list[tuple[float, int, LearnedPermit]] = []
        self._given: deque[LearnedPermit] = deque()
        self._count = 0

    def __len__(self) -> int:
        return len(self._ends)

    def note(self, latency: float) -> None:
        """Take note of how long an answer took."""
        self._times.append(latency)

    def guess(self, latency: float) -> None:
        """Take a mean for the answers that were before."""
        mean = latency or UNKNOWN
        self._times.extend(mean * (0.5 + (place + 0.5) / GUESSED) for place in range(GUESSED))

    def stay(self, permits: Collection[LearnedPermit], now: float, mean: float) -> None:
        """Keep what a member had under way when it died; `mean`: where no answer was noted."""
        if not self._times:
            self.guess(mean)
        times = sorted(self._times)
        for permit in sorted(permits, key=lambda each: each.sent):
            age = now - permit.sent
            longer = times[bisect_right(times, age) :]
            latest = max(now, permit.sent + LATEST * times[-1])
            until = now + self._one_of(longer, len(permits)) - age if longer else latest
            self._keep(permit, until)

    def inherit(self, permits: Collection[LearnedPermit], now: float, mean: float) -> None:
        """Keep what a leader had under way, of which nobody knows since when."""
        self.guess(mean)
        times = sorted(self._times)
        step = times[-1] / _STEPS
        left = sorted(step * each for time in times for each in range(1, int(time / step) + 1))
        for permit in permits:
            self._keep(permit, now + self._one_of(left, len(permits)))

    def next_end(self) -> float:
        """Return when the server is done with the next one; `inf`: there is none."""
        return self._ends[0][0] if self._ends else math.inf

    def done(self, now: float) -> Iterator[LearnedPermit]:
        """Yield those with which the server is done by now, as it seems, and forget them."""
        while self._ends and self._ends[0][0] <= now:
            permit = heapq.heappop(self._ends)[2]
            self._given.append(permit)
            yield permit

    def mistaken(self, now: float) -> float | None:
        """Return since when a request is under way that was thought done with; None: none can be.

        Each is the reason of one refusal at most.
        """
        longest = max(self._times, default=0.0)
        while self._given:
            sent = self._given.pop().sent
            if now - sent < longest:
                return sent
        return None

    def _one_of(self, spans: list[float], of: int) -> float:
        place = self._count * _GOLDEN % 1.0
        place += CAREFUL * math.sqrt(place * (1.0 - place) / of)
        return spans[min(int(place * len(spans)), len(spans) - 1)]

    def _keep(self, permit: LearnedPermit, until: float) -> None:
        self._count += 1
        heapq.heappush(self._ends, (until, self._count, permit))
