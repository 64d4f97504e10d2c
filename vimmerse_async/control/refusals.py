"""Tells a refusal from a fault, whatever the server calls it: by what else it does meanwhile. Pure.

The service's documentation names 429. What stands between a user and the service (a company's
gateway, a firewall, a content network) says 503, 500 or 403 by default, or resets the connection,
and means the same.
"""

import math
from collections import deque

import attrs

from vimmerse_async.control.answer_times import MEAN, AnswerTimes
from vimmerse_async.control.retry import rule_of_status

QUICK = 0.5  # share of the shortest answer below which nothing was worked on
PENDING = 10.0  # times as long as a refusal took, and a moment: what is out so long was accepted
MOMENT = 0.02  # s
BLOCK = 30.0  # s for which probes that hear the same as the refusal before them are refused, too
LATELY = 1.0  # shortest answers, and a second, since which something has to have been accepted
TIMED = 0.03  # share of its time by which a timer's refusals differ, and a moment
TIMER = 0.5  # s, the shortest that gateways are told to hold a request back
SLOWEST = 10.0  # s after which a connection's end is no timer's refusal: work may take as long
ALIKE = 2  # earlier ones that took as long, from which on it is a timer's and no accident
REMEMBERED = 8  # slow faults
SELDOM = 15  # answers between refusals, as where a limit is being learned
TOO_MANY = 2.5  # refusals more often than that
DECIDED = 0.25  # of one, where they take as long as each other: who decides at the door is no ruin
DOUBTED = 8  # refusals of one call by another name than 429, after which it is the call's own fault
NAMED = 1.5  # times as long as a 429 took, and a moment: what is no slower means the same
LEAST_WAIT = 1.0  # s, the least that `Retry-After` can say in whole ones: no more than "soon"


@attrs.frozen
class Scene:
    """What the server does when one of its replies has to be judged.

    Attributes:
        known: The answers of the route's latency class; None: none came yet.
        accepted_ago: Seconds since the server last accepted anything.
        pending: Seconds for which the oldest of the other requests has been under way.
        others: Whether others are under way.
        probe: Whether it went ahead of the others, so that it tells of no other limit.
        now: Seconds on the caller's clock.
    """

    known: AnswerTimes | None
    accepted_ago: float
    pending: float
    others: bool = False
    probe: bool = False
    now: float = 0.0

    @property
    def has_answers(self) -> bool:
        """Whether anything was answered in this latency class."""
        return self.known is not None and self.known.answers > 0

    def accepts_others(self, took: float) -> bool:
        """Return whether others are taken for accepted, before anything is known: by silence."""
        return not self.has_answers and self.pending > MOMENT + PENDING * took


class RefusalReader:
    """Reads what came back for refusals, and remembers what speaks for and against.

    For it: a gateway's timer says no after the same time always. Against it: a limit that is kept
    to refuses one request in a hundred, while a server that is out of order goes on as before; and
    who has said 429 knows the word, so that another one, said more slowly, means something else.
    What it says again, with nothing accepted between, means the same, however busy it is.
    """

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._answers = 0
        self._often, self._last = 0.0, -math.inf
        self._read_at = -math.inf
        self._status: int | None = 0  # of the last refusal by another name than 429; None: a reset
        self._named = math.inf  # s that a 429 takes
        self._is_timed = False  # the last that was read: as slow as those before it
        self._is_barred = False  # by a 403 that came when nobody else could be answered

    def hear(self, took: float) -> None:
        """Take note of a 429 that came after `took` seconds."""
        known = self._named if self._named < math.inf else took
        self._named = known + MEAN * (took - known)

    def is_refusal(
        self, status: int | None, operation: str, took: float, scene: Scene, answers: int
    ) -> bool:
        """Return whether the server spoke to the limit, with another status than 429.

        A 403 does, where the same key was answered before; before the first answer it is open while
        others are under way, as the network alone may take as long as they do. A 5xx does, while
        other requests are being accepted, when it came so quickly that nothing can have been worked
        on, or as if by a timer: a line that is too long, or a tarpit. Before the first answer it
        does while others have been under way for much longer without a word.

        Args:
            status: Of the reply; None: the connection ended without one.
            operation: The route's name.
            took: Seconds from the request's departure to its reply.
            scene: What the server does meanwhile.
            answers: How many requests it has answered so far.
        """
        if status == 403:
            return self._is_open(operation, scene)
        if status is not None and not _is_transient(status):
            return False
        timers = sum(_as_long(each, took) for each in self._took)
        self._is_timed = took >= TIMER and timers >= ALIKE
        timed = status is not None and self._is_timed
        self._took.append(took)
        alike = _as_long(self._last, took) or (scene.probe and status == self._status)
        again = alike and scene.accepted_ago < BLOCK
        if took > NAMED * self._named + MOMENT:
            return False
        if not _is_unworked(took, scene, timed=timed, again=again):
            return False
        since, self._answers = answers - self._answers, answers
        was_told, self._read_at = scene.now - took > self._read_at, scene.now
        if since and was_told and not scene.probe:  # else it is of the same mistake
            weight = DECIDED if _as_long(self._last, took) else 1.0
            self._often = max(0.0, self._often - since / SELDOM) + weight
        self._last, self._status = took, status
        return self._often <= TOO_MANY

    def is_timed_end(self, took: float, scene: Scene) -> bool:
        """Return whether a connection that ended without words, and was read, tells the limit.

        One that always ends after the same time, while others are accepted, is turned away by a
        timer. Its request may have been worked on for so long, so that for its row it is none.
        """
        known = scene.known
        if not self._is_timed or took > SLOWEST or known is None:
            return False
        return scene.accepted_ago < 1.0 + LATELY * known.least + took * scene.probe

    def _is_open(self, operation: str, scene: Scene) -> bool:
        """Return whether a 403 may be a limit's: the key may not be what forbids it."""
        if scene.known is not None and scene.has_answers:
            return operation in scene.known.operations
        self._is_barred = self._is_barred or not scene.others
        return not self._is_barred


def believed_wait(
    after: float | None, *, by_evidence: bool, probe: bool, others: bool
) -> float | None:
    """Return the seconds of a `Retry-After` that everybody has to wait; None: it is open.

    Who says "unavailable for ten seconds" while others are being accepted may mean one request
    alone, and is believed when a probe is told so, too, beside which nothing is under way that may
    have the place which it wants. A second is what milliseconds are rounded up to: while others are
    under way, the limit finds out.

    Args:
        after: What a refusal asks for.
        by_evidence: Whether it was called by another name than 429.
        probe: Whether the request went ahead of the others.
        others: Whether others are under way.
    """
    if by_evidence and (others or not probe):
        return None
    return None if after == LEAST_WAIT and others else after


def _is_transient(status: int) -> bool:
    rule = rule_of_status(status)
    return status >= 500 and rule.charge == "refused" and rule.resend == "backoff"


def _as_long(one: float, other: float) -> bool:
    return abs(one - other) < TIMED * other + MOMENT


def _is_unworked(took: float, scene: Scene, *, timed: bool, again: bool) -> bool:
    """Return whether a request ended unworked, while others are being accepted.

    Where nothing is accepted it is an outage, and an outage tells nothing about limits.
    """
    if scene.known is None or not scene.has_answers:
        return scene.accepts_others(took)
    least = scene.known.least
    if again and (timed or took < least):  # no answer is as quick
        return True
    unworked = timed or took < QUICK * least
    return unworked and scene.accepted_ago < 1.0 + LATELY * least
