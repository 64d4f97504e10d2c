"""How long answers take on a route, so that nothing is sent that cannot be answered in time."""

import math
from collections.abc import Iterable

from vimmerse_async.control.limit import LimitSnapshot

BLOCK = 32  # answers after which the shortest is found anew: a floor that rose is known after two
MEAN = 1 / 8  # weight of the newest answer in the mean, and below in its deviation: RFC 6298's
DEVIATION = 1 / 4
SPREAD = 4.0  # deviations above the mean within which an answer is expected, RFC 6298's too
FAIR = 3.0  # mean answers after which silence tells of the server, and not of the caller's haste
UNKNOWN = 1e9  # s of an open breaker, and more: only the return of its probe can tell
STALE = 5.0  # s without an answer after which one call may find out whether it became quicker


class AnswerTimes:
    """The latest answers of one route.

    Attributes:
        least: Seconds of the shortest of the last answers, 32 to 64 of them.
        mean: Seconds on average, the newest counting most.
        enough: Seconds within which an answer is to be expected.
        answers: Answers so far.
        known_at: When the last came, or when a call was let go to find out.
        operations: The names of the routes that were answered.
    """

    __slots__ = (
        "_deviation", "_left", "_newest", "answers", "enough", "known_at", "least", "mean",
        "operations",
    )  # fmt: skip

    def __init__(self) -> None:
        self.least: float = 0.0
        self.mean: float = 0.0
        self.enough: float = 0.0
        self.answers: int = 0
        self.known_at: float = -math.inf
        self.operations: set[str] = set()
        self._deviation = 0.0
        self._left = BLOCK
        self._newest = math.inf

    def add(self, now: float, latency: float, operation: str = "") -> None:
        """Take in an answer of a route that took `latency` seconds."""
        self.known_at = now
        self.operations.add(operation)
        if not self.answers:
            self.least, self.mean, self._deviation = latency, latency, latency / 2
        self.answers += 1
        mean, deviation = self.mean, self._deviation
        off = latency - mean
        self.mean = mean = mean + MEAN * off
        self._deviation = deviation = deviation + DEVIATION * (abs(off) - deviation)
        self.enough = mean + SPREAD * deviation
        if latency < self._newest:
            self._newest = latency
            self.least = min(self.least, latency)
        self._left -= 1
        if not self._left:
            self.least, self._newest, self._left = self._newest, math.inf, BLOCK

    def is_hopeless(self, now: float, left: float) -> bool:
        """Return whether no answer can come in the `left` seconds; seldom, let one find out."""
        if left >= self.least:
            return False
        if now - self.known_at < STALE or left <= 0.0:
            return True
        self.known_at = now
        return False

    def is_fair(self, seconds: float) -> bool:
        """Return whether a request had so much time that its silence is the server's fault."""
        return self.answers > 0 and seconds >= FAIR * self.mean


def expected_wait(limit: LimitSnapshot, waiting: int, known: Iterable[AnswerTimes]) -> float:
    """Return the seconds that a request made now has to wait for its turn, by Little's law.

    Args:
        limit: What the limit does right now.
        waiting: Requests that wait already.
        known: The routes' answers.
    """
    if not waiting and limit.binding is None:
        return 0.0
    routes = [each for each in known if each.answers]
    answers = sum(each.answers for each in routes)
    mean = sum(each.mean * each.answers for each in routes) / answers if answers else 0.0
    each_takes = max(mean / max(limit.window, 1.0), 1.0 / limit.rate)
    shut = limit.gate if limit.gate < UNKNOWN else mean
    return shut + (waiting + 1) * each_takes
