"""Which limit is suspected, and where it is: the states that `adaptive` tells of."""

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from vimmerse_async.control.blame import Blame, Suspect
from vimmerse_async.control.breaker import HOLD, SILENCE, CircuitBreaker
from vimmerse_async.control.ceiling import Ceiling
from vimmerse_async.control.company import Company
from vimmerse_async.control.evidence import Evidence
from vimmerse_async.control.levels import LearnedPermit, Levels
from vimmerse_async.control.limit import LimitSnapshot, Outcome
from vimmerse_async.control.meter import Bin, Meter
from vimmerse_async.control.periods import period_of
from vimmerse_async.control.queueing import ServerQueue
from vimmerse_async.control.ramp import FEW, FIRST_REFUSAL, blind_room, explained_room

if TYPE_CHECKING:
    from collections import deque

SLACK = 2.5  # x Little's law: the ceiling that is not suspected
SLACK_SLOW = 1.2  # the same where a refusal takes as long as an answer
SLOW = 0.5  # of an answer's time, from which on a refusal is slow
LASTING = 0.3  # the same, from which on the holds after it take as long as what was measured
EASE = 0.25  # of the first pace, for the first request: who comes last meets a full server
EASED = 12  # requests in flight from which on, and a few less, the pace of the start is full
ERODE = 0.85  # of the highest accepted level, when the rate is blamed: the next blame may differ
LONG = 1.5  # x the mean, after which the server is done with what was cancelled
RISE = 1 / 16  # share of the way to a higher level, while the window is suspected: one may be luck
RISE_RATE = 1 / 8  # the same while the rate is, where answers are quick: some are on the wire
QUICK = 0.5  # s that such an answer takes
STALE = 1 / 64  # weight of the newest latency, as in a mean of 64
RATE_STEEPNESS = 2.0  # as a ceiling's: what goes over a rate was saved, and is missed later
RATE_ALONE = 0.4  # share of a request that a period adds to a rate where nobody else is
KNOWN = 100  # answers; a level that was refused before so many is looked beyond sooner
BANNED = 0.94  # of the rate before a ban: another one costs more than what the rest could earn
BANNED_LEAST = 0.85  # of the least that it can have been, where it is not known: the ban came soon
BANNED_HALF = 0.5  # of the pace that was banned so soon, at least: what was measured may be chance
HELD = 3.0  # s without a refusal after which a window that few answers spoke for was too small
DOUBLED = 1.5  # s of doubling after which what was measured meanwhile lags far behind
FEWER = 0.5  # of the first window, where fewer than tell anything were accepted: a full house
MUCH = 17.0  # requests/s from which on it climbs as who is alone: what it has makes up for a cut
PLACES = 2  # in flight up to which a window is no other thing than a rate
SOON = 5.0  # s, or an answer's time, in which refusals belong to one cluster
BEFORE = 30.0  # s over which it is measured what a window wins or loses
LOWEST_RATE = 1 / 60  # requests/s
AGAIN = 120.0  # s after a block that may have been an outage, in which the next is taken for none
EARLY = 0.8  # of the rate before a block, at least, where a refusal soon after it measures little
FADED = 0.5  # of the wait that refusals announced is left with each that announces none
STEP = 5.0  # s between answers that count as growth; more is idling, which grows nothing


_NONE: Final = Suspect.NONE  # an enum's member takes 75 ns to look up in Python 3.11
_WINDOW: Final = Suspect.WINDOW
_RATE: Final = Suspect.RATE


class Suspicion:
    """Learns the limit that is suspected, and ties the other to it by Little's law.

    Attributes:
        suspect: Which limit is thought to bind.
        size: Requests that may be in flight.
        speed: Requests that may leave per second.
        cap: The most requests that may ever be in flight.
        in_flight: Requests in flight, and those that the server still has.
        left_behind: When it is done with each that was cancelled: few servers notice that nobody
            waits any more (unknown: assumed because uvicorn, for one, lets handlers end).
        answers: Requests answered so far.
        young: Requests whose fate is unknown yet, oldest first.
        line: What is known of a line of the server's.
    """

    def __init__(self, breaker: CircuitBreaker, start: int, cap: int) -> None:
        self.suspect: Suspect = _NONE
        self.size: int = start
        self.speed: float = float(start)
        self.cap: int = cap
        self.in_flight: int = 0
        self.answers: int = 0
        self.line: ServerQueue = ServerQueue()
        self.left_behind: list[float] = []
        self._start = start
        self._breaker = breaker
        self._breaker.refusal = FIRST_REFUSAL
        self._window = Ceiling(float(start), 1.0)
        self._rate = Ceiling(math.inf, LOWEST_RATE, RATE_STEEPNESS, RATE_ALONE)
        self._levels = Levels(FIRST_REFUSAL)
        self._blamed = Blame(self._levels)
        self.young: deque[LearnedPermit] = self._levels.young
        self._company = Company()
        self._evidence, self._answered = Evidence(), Meter()
        self._latency = self._announced = self._answered_at = 0.0
        self._doubted_at = self._blamed_at = -math.inf
        self._banned = 0.0  # the pace that was refused last, if that was a ban
        self._is_first_guess = self._is_thin = False
        self._slower = 1.0  # times that refusals take longer than at first: with load, they do
        self._tie()

    def settle(self, snapshot: LimitSnapshot) -> None:
        """Begin where an earlier run stopped."""
        self.suspect = Suspect(snapshot.suspect)
        if self.suspect is _RATE:
            self._rate.settle(snapshot.rate)
        elif self.suspect is _WINDOW:
            self._window.settle(snapshot.window)
        self._tie()

    @property
    def latency(self) -> float:
        """Seconds that an answer takes on average; 0.0 before the first."""
        return self._latency

    @property
    def suspected(self) -> Ceiling:
        """The ceiling that is learned."""
        return self._rate if self.suspect is _RATE else self._window

    def resume(self, snapshot: LimitSnapshot, now: float) -> None:
        """Begin where another learner stopped a moment ago, though it may suspect nothing yet."""
        if snapshot.latency:
            self._latency, self.answers = snapshot.latency, FEW
        if snapshot.suspect == "rate":
            self._rate.resume(snapshot.rate, snapshot.peak, snapshot.climbed)
        elif snapshot.suspect == "window" and snapshot.peak == math.inf:
            self._window.settle(snapshot.window)
        else:
            self._window.resume(snapshot.window, snapshot.peak, snapshot.climbed)
        self.suspect, self._answered_at = Suspect(snapshot.suspect), now
        self._tie()

    def enter(self, permit: LearnedPermit, now: float) -> None:
        """Take note of a request that leaves."""
        self.in_flight += 1
        permit.level, permit.full = self.in_flight, self.in_flight >= self.size
        if self.left_behind:  # most are done on time: these hold their place, but are no evidence
            on_time = now + (LONG - 1.0) * self._latency
            permit.level -= sum(done <= on_time for done in self.left_behind)
        permit.bin = self._evidence.accepted.add(now)
        self.young.append(permit)

    def hold(self, permit: LearnedPermit) -> None:
        """Take note of a request under way that another learner has counted."""
        self.in_flight += 1
        permit.level, permit.full = self.in_flight, True
        permit.bin = Bin(permit.sent)
        self.young.append(permit)

    def forget_left(self, now: float) -> None:
        """Take out what the server is done with by now."""
        while self.left_behind and self.left_behind[0] <= now:
            heappop(self.left_behind)
            self.in_flight -= 1

    def wait(self, now: float, seconds: float) -> None:
        """Take note of a wait that the server asks for with a refusal; 0.0: of none."""
        if not seconds:
            self._announced *= FADED
            return
        self._evidence.told_to_wait(now + seconds)
        self._announced = max(self._announced, seconds)

    def patience(self, now: float) -> float:
        """Return the seconds after which a full window may have grown; `inf`: after a release."""
        oldest, done = self._levels.oldest(), math.inf
        if self.left_behind:
            done = self.left_behind[0] - now
        if self.suspect is _NONE and oldest is not None and self.in_flight < self.cap:
            silence = SILENCE * self._breaker.refusal * self._slower
            return min(done, max(0.001, oldest + silence - now))
        return done

    def confirm(self, now: float, ended: int = 0) -> None:
        """Count as accepted what has not been refused for so long that it will not be.

        Args:
            now: Seconds.
            ended: Requests that have ended.
        """
        self.in_flight -= ended
        young, silence = self.young, SILENCE * self._breaker.refusal
        before = window = self._window.value
        # else there is no news: what is asked here is never asked of less silence
        if young and (young[0].outcome is not None or young[0].sent <= now - silence):
            if self.suspect is _NONE:
                note = self._grow_start if 2 * self.in_flight >= window != self.cap else None
                self._levels.confirm(now, silence * self._slower, rise=1.0, note=note)
                window = self._window.value
            else:
                self._levels.confirm(now, silence, rise=self._rise())
        if ended or window != before:
            self._tie()

    def _rise(self) -> float:
        """Return how far one request is believed that was accepted at a higher level."""
        if self.suspect is _WINDOW:
            return RISE
        return RISE_RATE if 0.0 < self._latency < QUICK else 1.0

    def accept(self, permit: LearnedPermit, now: float, latency: float) -> None:
        """Learn from an answer that took `latency` seconds."""
        self.answers += 1
        self._answered.add(now)
        self._levels.answer(now)
        weight = STALE if self.answers > 1 / STALE else 1 / self.answers
        self._latency += (latency - self._latency) * weight
        detector = self.line.routes.get(permit.route) or self.line.add_route(permit.route)
        if detector.add(permit.sent, latency) and self.line.is_long(detector):
            self._shorten_line(now)
        before, self._answered_at = self._answered_at, now
        if self._is_first_guess:
            self._look_at_guess()
        if self.suspect is not _NONE:
            self._grow(permit, min(now - before, STEP))

    def refuse(self, permit: LearnedPermit, now: float, *, blame: bool) -> None:
        """Learn from a refusal; `blame` a limit for it when an episode begins with it."""
        self._evidence.refuse(permit)
        self._levels.refuse(permit, now)
        if not (blame or permit.probe) and self.suspect is _WINDOW:
            self._company.note_beside()
        if blame:
            self._banned = self._rate.value if self.suspect is _RATE else 0.0
            self.confirm(now)
            self._blame(permit, now)
            self._evidence.blocked(now)

    def fail(self, permit: LearnedPermit, now: float, outcome: Outcome, latency: float) -> None:
        """Take note of a request without an answer: what has no room here, and what is left."""
        if outcome is Outcome.LOCAL:  # go on with half of what is in flight
            self.suspect = _WINDOW
            self._window.cut(self.in_flight, 0.5)
        elif outcome is Outcome.CANCEL and latency > 0.0:
            done = permit.sent + LONG * self._latency
            if done > now:
                self.in_flight += 1  # until then
                heappush(self.left_behind, done)

    def reopen(self, now: float, holds: int) -> None:
        """Take a block that outlasted a probe for a spent quota, once it is over."""
        quota = self._evidence.opened(now, holds, self._latency, self._breaker.refused_at)
        if holds > 1 and self._breaker.doubted and self._was_outage(now):
            self._breaker.ban = 0.0
            return
        if self._breaker.ban and self.answers:
            self._undercut()
            return
        if quota is None or (self.suspect is _RATE and quota >= self._rate.value):
            return
        self.suspect, self._is_first_guess = _RATE, False
        self._evidence.spent = True
        self._rate.settle(quota, self._evidence.span)
        self._tie()

    def _was_outage(self, now: float) -> bool:
        """Return whether a block by another name than a limit's is taken for an outage.

        A quota or ban is met soon, or again and again; what comes late, and once, tells no limit.
        """
        before, self._doubted_at = self._doubted_at, now
        return now - before > AGAIN and self._evidence.was_late()

    def _undercut(self) -> None:
        """Go on clearly below the rate that was banned, and look beyond it rarely.

        A ban that came soon measures little: from the least that it can mean, the rate doubles
        slowly until it is banned again, or is at the most that it can mean.
        """
        least, most = self._evidence.before_block()
        if not most:  # nothing was accepted that could tell
            return
        self.suspect, self._is_first_guess = _RATE, False
        self._announced = max(self._announced, self._breaker.ban)
        if least < most:
            least = max(BANNED_LEAST * least, BANNED_HALF * self._banned)
            self._rate.guess(least, max(least, BANNED * most))
        else:
            self._rate.settle(BANNED * least)
        self._tie()

    def _tie(self) -> None:
        """Let the ceiling that is not suspected follow the other by Little's law."""
        window, rate = self._window.value, self._rate.value
        if self.suspect is _RATE:
            tied = int(self._slack() * rate * self._latency + 0.5)
            self.size = max(4, tied) if self.answers else self.cap
            self.speed = rate
            return
        self.size = int(window + 0.5) or 1
        tied_rate = SLACK * window / self._latency if self.answers else window
        if self.suspect is _NONE:
            growth, eased = window / self._start, EASE + self.in_flight / EASED
            self._slower = math.sqrt(growth) if growth > 1.0 else 1.0
            window /= SILENCE * self._breaker.refusal * self._slower
            if eased < 1.0:
                window *= eased
        self.speed = window if window > tied_rate else tied_rate  # noqa: FURB136 - max is slow

    def _grow(self, permit: LearnedPermit, seconds: float) -> None:
        if self.suspect is _RATE:
            if permit.paced:
                self._rate.grow(seconds, self._period(self._rate), 1 / self._latency)
        elif permit.full and not self.line.queues:
            self._window.grow(seconds, self._period(self._window), 1.0)
            self._window.value = min(self._window.value, self.cap)
            if self._window.is_outgrown and not self.line.is_cause:
                self.suspect = _NONE
                self._tie()

    def _slack(self) -> float:
        """Return the room above Little's law: what is refused slowly keeps its place meanwhile."""
        slow = self._breaker.refusal / self._latency if self.answers else 0.0
        return SLACK if slow < SLOW else SLACK + (SLACK_SLOW - SLACK) * min(1.0, slow)

    def _grow_start(self) -> None:
        window = self._window.value
        if 2 * self.in_flight < window:
            return
        if self.answers < FEW:
            room = blind_room(self._start)
        else:
            room = explained_room(self._latency, self.line.work, self._answered, self._answered_at)
        if window < room:
            self._window.value = min(self.cap, window + 1)

    def _look_at_guess(self) -> None:
        """Raise a guess to what is served already: a crowd is refused before its first answers."""
        if self.answers >= self._levels.top:
            self._rate.value = max(self._rate.value, self._levels.top / self._latency)

    def _period(self, ceiling: Ceiling) -> float:
        """Return the seconds that a ceiling takes back to its peak."""
        return period_of(
            ceiling,
            self._evidence.accepted.lately,
            announced=self._announced,
            refusal=self._breaker.refusal,
            is_thin=self._is_thin,
        )

    def _shorten_line(self, now: float) -> None:
        if self.suspect is _RATE:
            return
        self.suspect = _WINDOW
        worked_on = self._answered.lately * self.line.work
        self._window.settle(min(2 * worked_on, self._window.value))
        self.line.shorten(now)

    def _blame(self, permit: LearnedPermit, now: float) -> None:
        """Decide which limit refused a request, and cut it."""
        self.line.is_cause = False
        self._is_thin = self.answers < KNOWN
        self._look_around(now)
        # At the start a window is tried sooner: one answer on the wire would hide it for seconds.
        level = permit.level if self._is_first_guess else self._levels.beside(permit)
        if not self._evidence.is_enough(now):
            if self.suspect is _NONE:
                self._window.value = max(PLACES, FEWER * self._window.value)
            return
        if self._blamed.is_for_window(level, self.suspect) or self._shares_places(level):
            self.suspect, self._is_first_guess = _WINDOW, False
            self._window.cut(permit.level - 1, part=1.0)
            self._evidence.spent = False
        else:
            self._cut_rate(permit)
            self.suspect = _RATE
            self._levels.top *= ERODE
        self._levels.refused = level

    def _look_around(self, now: float) -> None:
        """Take note of what a refusal tells of others."""
        has_little = self._is_thin or self._levels.top < PLACES + 0.5
        may_share = not (has_little or self._evidence.accepted.lately > MUCH)
        self._window.may_share = self._rate.may_share = may_share
        soon = now - self._blamed_at < max(SOON, self._latency)
        self._blamed_at = now
        suspected = self.suspected
        if may_share and self.suspect is not _NONE and suspected.peak < math.inf:
            accepted = self._evidence.accepted.over(now - BEFORE, now)
            is_window = self.suspect is _WINDOW
            self._company.note(suspected.elapsed, accepted, is_window=is_window, soon=soon)

    def _shares_places(self, level: int) -> bool:
        """Return whether places are blamed as others seem to have some, too."""
        if self.suspect is _NONE or level <= PLACES or self._evidence.spent:
            return False
        return self._rate.may_share and self._company.shares_places

    def _has_grown(self, sent: float) -> bool:
        """Return whether the rate was climbing alone, so that what was measured lags behind it."""
        rate = self._rate
        if rate.yields or self._evidence.spent:
            return False
        has_doubled = self._evidence.since_block(sent) > DOUBLED and self._breaker.refusal < HOLD
        return rate.peak < math.inf or has_doubled

    def _first_guess(self, sent: float) -> float:
        """Return what the start had reached; refused as slowly as answered, answers tell by now."""
        reached = self._evidence.first_rate(sent)
        if self.answers and self._breaker.refusal >= self._latency:
            return min(reached, self._answered.lately)
        return reached

    def _cut_rate(self, permit: LearnedPermit) -> None:
        sent, refusal = permit.sent, self._breaker.refusal
        self._is_first_guess = self.suspect is _NONE
        if self._is_first_guess:
            self._rate.guess(self._first_guess(sent))
            return
        known = self._rate.value if self.suspect is _RATE else math.inf
        is_slow = refusal > LASTING * self._latency
        measured = self._evidence.rate(sent, slow=is_slow)
        is_early = self._evidence.is_early(sent, refusal)
        if is_slow and is_early and not self._evidence.spent:  # most of what was measured was shut
            measured = max(measured, EARLY * self._evidence.rate_before())
        rate = min(measured, known)
        if self.suspect is _WINDOW and self._is_thin and self._evidence.since_block(sent) > HELD:
            self._rate.guess(rate)  # the window held back what there is
            return
        if permit.paced and known < math.inf and self._has_grown(sent):
            rate = (rate + known) / 2.0  # less was accepted before, and more was refused
        if self.suspect is _RATE and is_early:
            self._rate.retreat(rate)
        else:
            self._rate.cut(rate)
