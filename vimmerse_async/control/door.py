"""The door in front of a limit: shut after refusals and outages, reopened by one scout.

    OPEN      everything may pass.
    SHUT      nobody may pass until the hold is over; the first one after it is the scout.
    SCOUTED   the scout is out, the others wait for its fate.

    OPEN    -- a refusal, or an outage: five sends in a row that failed -->  SHUT, for a hold
    SHUT    -- the hold is over, one request passes --------------------->  SCOUTED
    SCOUTED -- the scout was refused or failed -------------------------->  SHUT, twice as long
    SCOUTED -- the scout was lost (cancelled, no socket) ---------------->  SHUT, for no longer
    SCOUTED -- the scout was answered, or, when only refusals had shut
               the door, was not refused within three refusal times ---->  OPEN

Refusals take milliseconds and answers seconds, so silence soon means "accepted". An outage is
different: its faults may take as long as answers, so only an answer ends it.

No state is dead: whenever the door has no time at which it opens, its scout is in flight.
"""

import math
from collections import deque
from enum import Enum, auto
from random import Random

from vimmerse_async.control.limit import Outcome

HOLD = 0.3  # s, the first hold at most: longer than a network's round trip, shorter than an answer
HOLD_MIN = 0.02  # s, the first hold at least; between, it is the silence after a request
HOLD_MAX = 8.0  # s, the longest: what an outage may cost after its end
JITTER = 0.25  # share by which holds differ, so that clients do not come back together
RETRY_AFTER_JITTER = 0.05  # share added to the server's own figure, never taken off it
RETRY_AFTER_MAX = 3600.0  # s: a caller with less patience gives up before (unknown: assumed)
SILENCE = 3.0  # refusal times after which a request that was not refused counts as accepted
QUICKEST = 0.001  # s, the shortest time that a refusal can take; clocks may say less
NEWEST = 0.2  # weight of the newest refusal's time
OUTAGE = 5  # sends in a row that failed: 1 in 3,000 by chance when one in five fails
RECENT = 64  # failed sends remembered


class DoorState(Enum):
    """Whether requests may pass."""

    OPEN = auto()
    SHUT = auto()
    SCOUTED = auto()


class Passage:
    """One request that passed the door.

    Attributes:
        route: Its latency class.
        number: How many requests passed before it.
        sent: When it passed, in seconds on the caller's clock.
        scout: Whether the others waited for its fate.
    """

    __slots__ = ("number", "route", "scout", "sent")

    def __init__(self, route: str, sent: float) -> None:
        self.route: str = route
        self.sent: float = sent
        self.number: int = 0
        self.scout: bool = False


class Door:
    """Shuts after a refusal or an outage, and lets one scout find out whether it is over.

    Attributes:
        opens: When requests may pass again; in the past when the door is open, `inf` while only
            the return of the scout can tell.
        outage: Whether faults, and not refusals, shut the door.
        holds: Holds in a row that no scout has ended; 0 when the door is open.
        refusal: How long a refusal takes, in seconds, learned.
        passed: Requests that passed so far.
    """

    def __init__(self, rng: Random) -> None:
        self.opens: float = -math.inf
        self.outage: bool = False
        self.holds: int = 0
        self.refusal: float = HOLD
        self.passed: int = 0
        self._refusals = 0
        self._rng = rng
        self._state = DoorState.OPEN
        self._scout: Passage | None = None
        self._shut_at = -math.inf
        self._failed: deque[int] = deque(maxlen=RECENT)

    def enter(self, passage: Passage, now: float) -> None:
        """Let a request pass; the caller has waited until `opens`."""
        passage.number = self.passed
        self.passed += 1
        if self._state is DoorState.SHUT:
            self._state = DoorState.SCOUTED
            self._scout = passage
            passage.scout = True
            self.opens = math.inf if self.outage else now + SILENCE * self.refusal
        elif self._state is DoorState.SCOUTED:
            self._open(now)

    def leave(
        self, passage: Passage, now: float, outcome: Outcome, latency: float, after: float | None
    ) -> bool:
        """Take a request back and learn; True when it is the first refusal of an episode.

        Args:
            passage: What passed.
            now: Seconds on the caller's clock.
            outcome: How it ended.
            latency: Seconds from its departure to its end.
            after: The server's `Retry-After` in seconds; None when it sent none.
        """
        if outcome is Outcome.OK:
            if passage is self._scout:
                self._open(now)
        elif outcome is Outcome.THROTTLE:
            return self._refused(passage, now, latency, after)
        elif outcome in (Outcome.ERROR, Outcome.TIMEOUT):
            self._fault(passage, now, after)
        elif outcome is Outcome.LOCAL:
            self._shut(now, 0, None)
        elif passage is self._scout:
            self._await_scout(now)
        return False

    def ask(self, now: float) -> None:
        """Shut the door for no time: the next request is a scout."""
        if self._state is DoorState.OPEN:
            self._await_scout(now)

    def _open(self, now: float) -> None:
        self._state = DoorState.OPEN
        self._scout = None
        self.opens = min(self.opens, now)
        self.outage = False
        self.holds = 0

    def _await_scout(self, opens: float) -> None:
        self._state = DoorState.SHUT
        self._scout = None
        self.opens = opens

    def _shut(self, now: float, doublings: int, after: float | None) -> None:
        first = min(HOLD, max(HOLD_MIN, SILENCE * self.refusal))
        hold = min(HOLD_MAX, first * 2 ** min(doublings, 10))
        hold *= self._rng.uniform(1 - JITTER, 1 + JITTER)
        if after is not None:
            wait = min(after, RETRY_AFTER_MAX) * self._rng.uniform(1.0, 1 + RETRY_AFTER_JITTER)
            hold = max(hold, wait)
        standing = self.opens if self._state is DoorState.SHUT else now
        self._await_scout(max(standing, now + hold))

    def _refused(self, passage: Passage, now: float, latency: float, after: float | None) -> bool:
        self._refusals += 1
        took = max(latency, QUICKEST)
        self.refusal += (took - self.refusal) * max(NEWEST, 1 / self._refusals)
        fresh = passage.sent > self._shut_at
        if fresh:
            self.holds = self.holds + 1 if passage is self._scout else 1
            self.outage = False
            self._shut_at = now
        if fresh or after:
            self._shut(now, self.holds - 1, after)
        return fresh

    def _fault(self, passage: Passage, now: float, after: float | None) -> None:
        self._failed.append(passage.number)
        if passage is self._scout and self.outage:
            self.holds += 1
        elif self._in_a_row(passage.number) >= OUTAGE and not self.outage:
            self.holds = 1
        elif not after:
            return
        self.holds = max(1, self.holds)
        self.outage = True
        self._shut_at = now
        self._shut(now, self.holds - 1, after)

    def _in_a_row(self, number: int) -> int:
        first = last = number
        while first - 1 in self._failed:
            first -= 1
        while last + 1 in self._failed:
            last += 1
        return last - first + 1
