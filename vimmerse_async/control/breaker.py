"""The circuit breaker in front of a limit: opened by refusals and outages, closed by one probe.

    CLOSED     everything may pass.
    OPEN       nobody may pass until the hold is over; the first one after it is the probe.
    HALF_OPEN  the probe is out, the others wait for its fate.

    CLOSED    -- a refusal, or an outage: five sends in a row that failed -->  OPEN, for a hold
    OPEN      -- the hold is over, one request passes --------------------->  HALF_OPEN
    HALF_OPEN -- the probe was refused or failed -------------------------->  OPEN, twice as long
    HALF_OPEN -- the probe was lost (cancelled, no socket) ---------------->  OPEN, for no longer
    HALF_OPEN -- the probe was answered, or, when only refusals had opened
                 it, was not refused within three refusal times ----------->  CLOSED

Refusals take milliseconds and answers seconds, so silence soon means "accepted". An outage is
different: its faults may take as long as answers, so only an answer ends it. Some gateways ban who
is refused, and begin the ban anew with every request: until a block has ended in spite of probes, a
hold now and then is a long silence, and once one has ended a block, the first probe that is refused
begins another. If that one ends nothing, it is no ban of that kind, and is looked for as at first.

No state is dead: whenever there is no time at which the block ends, the probe is in flight.
"""

import math
from collections import deque
from enum import Enum, auto
from random import Random
from typing import Final

import attrs

from vimmerse_async.control.limit import Outcome

HOLD = 0.3  # s, the first hold at most: longer than a network's round trip, shorter than an answer
HOLD_MIN = 0.02  # s, the first hold at least; between, it is the silence after a request
HOLD_MAX = 8.0  # s, the longest: what an outage may cost after its end
SILENT = 11.0  # s, a hold now and then among them: a ban that asking renews ends only in silence
SILENT_EVERY = 6  # longest holds: the second ends after a minute's quota does
SLOW = 2  # holds later, where refusals are slow: a tarpit makes wait, and bans nobody
SILENT_MOST = 60.0  # s, the longest of these; each is twice the one before
SILENT_FAULT = 22.0  # s, the same where faults came after refusals, which may as well be an outage
SILENT_JITTER = 0.1  # share added to these: each second more of them is lost
JITTER = 0.25  # share by which holds differ, so that clients do not come back together
RETRY_AFTER_JITTER = 0.05  # share added to the server's own figure, never taken off it
RETRY_AFTER_MAX = 3600.0  # s: a caller with less patience gives up before (unknown: assumed)
SILENCE = 3.0  # refusal times after which a request that was not refused counts as accepted
QUICKEST = 0.001  # s, the shortest time that a refusal can take; clocks may say less
NEWEST = 0.2  # weight of the newest refusal's time
OUTAGE = 5  # sends in a row that failed: 1 in 3,000 by chance when one in five fails
RECENT = 64  # failed sends remembered


class BreakerState(Enum):
    """Whether requests may pass."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


_CLOSED: Final = BreakerState.CLOSED
_OPEN: Final = BreakerState.OPEN
_HALF_OPEN: Final = BreakerState.HALF_OPEN


@attrs.define(eq=False)
class Passage:
    """One request that passed.

    Attributes:
        route: Its latency class.
        number: How many requests passed before it.
        sent: When it passed, in seconds on the caller's clock.
        probe: Whether the others waited for its fate.
        after: As a probe, the holds in a row before it, and the seconds of its silence.
        doubted: Whether it was refused in words, or without any, that may mean an outage.
    """

    route: str
    sent: float
    number: int = 0
    probe: bool = False
    after: tuple[int, float] = (0, 0.0)
    doubted: bool = False


class CircuitBreaker:
    """Opens after a refusal or an outage, and lets one probe find out whether it is over.

    Attributes:
        blocked_until: When requests may pass again; in the past when it is closed, `inf` while only
            the return of the probe can tell.
        closed: Whether everything may pass, and nobody waits for a probe.
        outage: Whether faults, and not refusals, opened it.
        holds: Holds in a row that no probe has ended; 0 when it is closed.
        refusal: How long a refusal takes, in seconds, learned.
        passed: Requests that passed so far.
        refused_at: When a request was refused or failed that opened it last.
        ban: Seconds of silence that ended the last block; 0.0: it ended in spite of probes.
        doubted: Whether the newest refusal may have meant an outage.
    """

    def __init__(self, rng: Random) -> None:
        self.blocked_until: float = -math.inf
        self.closed: bool = True
        self.outage: bool = False
        self.holds: int = 0
        self.refusal: float = HOLD
        self.passed: int = 0
        self._refusals = 0
        self._rng = rng
        self._state = _CLOSED
        self._probe: Passage | None = None
        self.refused_at: float = -math.inf
        self.ban: float = 0.0
        self.doubted: bool = False
        self._may_ban = True
        self._has_refused = False  # in this block: then what is read as faults may be a ban
        self._silence = 0.0
        self._failed: deque[int] = deque(maxlen=RECENT)

    def enter(self, passage: Passage, now: float) -> None:
        """Let a request pass; the caller has waited until `blocked_until`."""
        passage.number = self.passed
        self.passed += 1
        if self._state is _OPEN:
            self._state = _HALF_OPEN
            self._probe = passage
            passage.probe = True
            passage.after = self.holds, self._silence
            self.blocked_until = math.inf if self.outage else now + SILENCE * self.refusal
        elif self._state is _HALF_OPEN:
            self._close(now)

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
            self.outage = self.outage and not self.refused_holds
            if passage.after[0] > 1 and not self.outage:
                self._may_ban = passage.after[1] > 0.0  # else asking did not make the block longer
            if passage is self._probe:
                self._close(now)
        elif outcome is Outcome.THROTTLE:
            return self._refused(passage, now, latency, after)
        elif outcome in (Outcome.ERROR, Outcome.TIMEOUT):
            self._fault(passage, now, after)
        elif outcome is Outcome.LOCAL:
            self._trip(now, 0, None)
        elif passage is self._probe:
            self._await_probe(now)
        return False

    @property
    def refused_holds(self) -> int:
        """Holds in a row after refusals; 0 in an outage, but where it may be a ban's silence."""
        is_ban = self._has_refused and self._silence > 0.0
        return self.holds if is_ban or not self.outage else 0

    def ask(self, now: float) -> None:
        """Open for no time: the next request is a probe."""
        if self._state is _CLOSED:
            self._await_probe(now)

    def _close(self, now: float) -> None:
        if self.holds > 1 and not self.outage:
            self.ban = self._silence
        self._state = _CLOSED
        self.closed = True
        self._probe = None
        self.blocked_until = min(self.blocked_until, now)
        self.outage = self._has_refused = False
        self.holds = 0

    def _await_probe(self, blocked_until: float) -> None:
        self._state = _OPEN
        self.closed = False
        self._probe = None
        self.blocked_until = blocked_until

    def _trip(self, now: float, doublings: int, after: float | None, took: float = 0.0) -> None:
        first = min(HOLD, max(HOLD_MIN, SILENCE * self.refusal))
        hold = min(HOLD_MAX, first * 2.0 ** min(doublings, 60))
        most = SILENT_MOST if not self.outage else SILENT_FAULT if self._has_refused else 0.0
        self._silence = min(most, self._long_silence(first, doublings))
        hold *= self._rng.uniform(1 - JITTER, 1 + JITTER)
        hold = max(HOLD_MIN, hold - took)  # who was refused slowly has waited already
        hold = max(hold, self._silence * self._rng.uniform(1.0, 1 + SILENT_JITTER))
        if after is not None:
            wait = min(after, RETRY_AFTER_MAX) * self._rng.uniform(1.0, 1 + RETRY_AFTER_JITTER)
            hold = max(hold, wait)
        standing = self.blocked_until if self._state is _OPEN else now
        self._await_probe(max(standing, now + hold))

    def _long_silence(self, first: float, doublings: int) -> float:
        """Return the seconds of silence that a ban is given to end in; 0.0: it is not time."""
        longest = doublings - math.ceil(math.log2(HOLD_MAX / first))
        if self.refusal > HOLD:
            longest -= SLOW
        if not self._may_ban or not doublings:
            return 0.0
        if self.ban and doublings == 1:
            return self.ban
        if longest and (longest <= 1 or longest % SILENT_EVERY != 1):
            return 0.0
        return min(SILENT_MOST, SILENT * 2.0 ** min(longest // SILENT_EVERY, 10))

    def _refused(self, passage: Passage, now: float, latency: float, after: float | None) -> bool:
        self._refusals += 1
        took = max(latency, QUICKEST)
        self.refusal += (took - self.refusal) * max(NEWEST, 1 / self._refusals)
        fresh = passage.sent > self.refused_at
        if fresh:
            # of a probe, too, that was thought accepted, as its refusal took long
            self.holds = passage.after[0] + 1 if passage.probe else 1
            self.outage, self._has_refused, self.doubted = False, True, passage.doubted
            self.refused_at = now
        if fresh or after:
            self._trip(now, self.holds - 1, after, took if passage.probe else 0.0)
        return fresh

    def _fault(self, passage: Passage, now: float, after: float | None) -> None:
        self._failed.append(passage.number)
        if passage is self._probe:
            self.holds += 1
        elif self._in_a_row(passage.number) >= OUTAGE and not self.outage:
            self.holds = 1
        elif not after:
            return
        self.holds = max(1, self.holds)
        self.outage = True
        self.refused_at = now
        self._trip(now, self.holds - 1, after)

    def _in_a_row(self, number: int) -> int:
        first = last = number
        while first - 1 in self._failed:
            first -= 1
        while last + 1 in self._failed:
            last += 1
        return last - first + 1
