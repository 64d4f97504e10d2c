"""Awaitable admission around a limit.

A free limit admits in one synchronous step. Otherwise a request waits for a future in its queue:
calls are served before batches, but while both wait every fourth admission goes to a batch, and
batches take turns. A call that no answer can reach in the time it has left is turned away; while
the oldest has not ample time for one, the newest goes first. Calls that were cancelled tell how
long others are going to wait: that counts as time left, but turns nobody away. One timer, set for
the moment the limit named, asks again.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.answer_times import UNKNOWN, AnswerTimes, expected_wait
from vimmerse_async.control.breaker import Passage
from vimmerse_async.control.fixed import FixedLimit
from vimmerse_async.control.limit import Limit, LimitSnapshot, Outcome, Permit
from vimmerse_async.control.patience import Patience
from vimmerse_async.control.refusals import DOUBTED, RefusalReader, Scene, believed_wait
from vimmerse_async.control.retry import Attempts, rule_of
from vimmerse_async.control.turns import Turns
from vimmerse_async.errors import APIError
from vimmerse_async.lanes import Lane, LaneClosedError, Waiter
from vimmerse_async.models import SharingStatistics
from vimmerse_async.wire import Operation

AMPLE = 2.0
"""Times as long as an answer is expected to take: who has less left goes after the newest."""
BLOCKED = 0.05
"""Seconds between a permit and its use after which the loop must have stood still."""
STUCK_DELAY = 1.0
"""Seconds after which a limit that wants to wait for a release of nothing is asked again."""


_NOTHING = AnswerTimes()
_OK: Final = Outcome.OK  # an enum's member takes 75 ns to look up in Python 3.11
_CANCEL: Final = Outcome.CANCEL


class TooLateError(Exception):
    """No answer can come in the time that a call has left."""


class Gate:
    """Admission to one limit in one event loop.

    Attributes:
        limit: What decides.
        in_flight: Requests admitted and not yet released.
        accepted_at: Loop time of the last request that was neither refused nor failed.
        troubled: The last outcome other than OK.
        told: Seconds that the server asked to wait when it last refused or failed.
        known: How long answers take, by latency class.
        calls_waiting: Single calls that wait to be admitted.
        patience: How long calls last that their callers give up.
        shut_until: Loop time until which nobody passes unless something is answered: a wait that
            a server asks for while it accepts others may be meant for one request alone.
    """

    def __init__(self, limit: Limit, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.in_flight: int = 0
        self.accepted_at: float = clock()
        self.troubled: Outcome | None = None
        self.told: float = 0.0
        self.known: dict[str, AnswerTimes] = {}
        self.calls_waiting: int = 0
        self.patience: Patience = Patience()
        self.shut_until: float = -math.inf
        self._reader = RefusalReader()
        self._clock = clock
        self._departures: dict[int, float] = {}
        self._calls = Lane()
        self._turns = Turns(self._calls)
        self._served_at = 0.0
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def __repr__(self) -> str:
        return f"<Gate {self.summary()}>"

    def summary(self) -> str:
        """Return for people what goes on: how many are in flight and wait, and what is allowed."""
        now = self.snapshot()
        rate = f", {now.rate:.3g}/s" if now.suspect == "rate" else ""
        until = "until a probe is answered" if now.gate >= UNKNOWN else f"for {now.gate:.0f} s"
        shut = f", shut {until}" if now.gate else ""
        busy = f"{now.in_flight} of {now.window:.0f} in flight{rate}"
        return f"{busy}, {self._waiting} waiting{shut}"

    @property
    def waiting(self) -> int:
        """Requests that wait to be admitted."""
        return self._waiting

    def snapshot(self) -> LimitSnapshot:
        """Return what the limit does right now; another's limit may tell how it was last asked."""
        if isinstance(self.limit, (AdaptiveLimit, FixedLimit)):
            return self.limit.snapshot(self._clock())
        return self.limit.snapshot()

    def has_room(self) -> bool:
        """Return whether who waits is going to be admitted at once: here, nobody waits then."""
        return False

    def sharing(self) -> SharingStatistics | None:
        """Return how the limit is shared with other processes; None: it is not."""
        return None

    def expected_wait(self) -> float:
        """Return the seconds that a request made now has to wait for its turn."""
        return expected_wait(self.snapshot(), self._waiting, self.known.values())

    def open_lane(self) -> Lane:
        """Return a queue for a batch."""
        lane = Lane()
        self._turns.add(lane)
        return lane

    def close_lane(self, lane: Lane) -> None:
        """Turn away what waits in a batch's queue and forget it."""
        lane.close()
        self._turns.remove(lane)

    def enter(self, route: str, until: float = math.inf) -> Permit | float:
        """Return a permit at once, or the seconds to wait.

        `inf` means until something is released, 0.0 that others wait already.

        Args:
            route: The latency class.
            until: When its answer has to be there, on the loop's clock.

        Raises:
            TooLateError: No answer can come until then any more.
        """
        now = self._clock()
        known = self.known.get(route)
        if known is not None and until - now < known.least and known.is_hopeless(now, until - now):
            raise TooLateError
        if self._waiting:
            return 0.0
        if now < self.shut_until:
            return self.shut_until - now
        answer = self.limit.admit(now, route)
        if not isinstance(answer, (float, int)):
            self.in_flight += 1
            self._departures[id(answer)] = now
        return answer

    async def wait(
        self,
        route: str,
        lane: Lane | None = None,
        *,
        front: bool = False,
        until: float = math.inf,
    ) -> Permit:
        """Return a permit when it is this request's turn.

        Args:
            route: The latency class.
            lane: A batch's queue; None: the calls'.
            front: Whether it goes to the head of its queue.
            until: When its answer has to be there, on the loop's clock.

        Raises:
            LaneClosedError: The batch has ended.
            TooLateError: No answer can come until then any more.
        """
        lane = lane or self._calls
        if lane.closed:
            raise LaneClosedError
        future: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        lane.queue((future, route, until, self._clock()), front=front)
        self._waiting += 1
        self.calls_waiting += lane is self._calls
        granted = False
        try:
            self._serve()
            permit = await future
            if lane.closed:
                raise LaneClosedError
            if (
                self._stood_still()
                and self.known.get(route, _NOTHING).least > until - self._clock()
            ):
                raise TooLateError
            granted = True
            return permit
        finally:
            self._waiting -= 1
            self.calls_waiting -= lane is self._calls
            if not granted and not future.cancel() and not future.cancelled():
                self._give_up(future)

    def was_fair(self, route: str, seconds: float) -> bool:
        """Return whether a request had so much time that its silence is the server's fault."""
        known = self.known.get(route)
        return known is not None and known.is_fair(seconds)

    def judge(
        self,
        error: APIError,
        operation: Operation,
        took: float,
        attempts: Attempts,
        permit: Permit,
    ) -> Outcome:
        """Return what an error tells the limit, having marked it when a limit is what it meant.

        Args:
            error: What came back.
            operation: The route.
            took: Seconds from the request's departure to its end.
            attempts: The call's; a connection that ends as it is used again tells nothing.
            permit: Its request's, which is marked where an outage may be meant as well.
        """
        status, kind = getattr(error, "status", None), getattr(error, "kind", None)
        if kind == "deadline":
            return _CANCEL
        if status == 429:
            self._reader.hear(took)
        is_open = status not in {None, 429} or (kind == "lost" and not attempts.reused)
        if is_open and attempts.doubted < DOUBTED:
            now, oldest = self._clock(), next(iter(self._departures.values()), math.inf)
            known, others = self.known.get(operation.latency), len(self._departures) > 1
            scene = Scene(known, now - self.accepted_at, now - oldest, others, permit.probe, now)
            answers = sum(each.answers for each in self.known.values())
            error.refused = self._reader.is_refusal(status, operation.name, took, scene, answers)
            is_timed = status is None and self._reader.is_timed_end(took, scene)
            if (error.refused or is_timed) and status != 403 and isinstance(permit, Passage):
                permit.doubted = True
            if is_timed:  # the limit learns; the row has been sent, and may be charged
                return Outcome.THROTTLE
        return rule_of(error).outcome

    def wait_of(self, error: APIError, permit: Permit) -> float | None:
        """Return the seconds that an error asks everybody to wait; None: nobody, or it is open.

        While it is open, nobody asks before something is answered.
        """
        after: float | None = getattr(error, "retry_after", None)
        others, by_evidence = len(self._departures) > 1, error.refused
        believed = believed_wait(after, by_evidence=by_evidence, probe=permit.probe, others=others)
        if after and by_evidence and believed is None:
            self.shut_until = max(self.shut_until, self._clock() + after)
        return believed

    def release(
        self,
        permit: Permit,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
        answered: Operation | None = None,
    ) -> None:
        """Give a permit back, let the limit learn, and serve who waits.

        Args:
            permit: What was given.
            outcome: How its request ended.
            latency: Seconds that it took.
            retry_after: Seconds that everybody is asked to wait; None: nobody is.
            answered: The route, where a 2xx came; None for any other end.
        """
        now = self._clock()
        if answered is not None:
            known = self.known.get(answered.latency)
            if known is None:
                known = self.known[answered.latency] = AnswerTimes()
            known.add(now, latency, answered.name)
        self.in_flight -= 1
        self._departures.pop(id(permit), None)
        if outcome is _OK:
            self.accepted_at, self.shut_until = now, -math.inf
        elif outcome is not _CANCEL:
            self.troubled = outcome
            self.told = retry_after or 0.0
        self.limit.release(permit, now, outcome, latency, retry_after)
        if self._waiting:
            self._serve()

    def _stood_still(self) -> bool:
        """Return whether the loop was blocked between a permit and who waited for it."""
        return self._clock() - self._served_at > BLOCKED

    def _give_up(self, future: asyncio.Future[Permit]) -> None:
        if future.exception() is None:
            self.release(future.result(), _CANCEL, 0.0)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _serve(self) -> None:
        if self._clock() < self.shut_until:
            self._ask_again(self.shut_until - self._clock())
            return
        while (turn := self._next_turn()) is not None:
            lane, (future, route, *_) = turn
            try:
                answer = self.limit.admit(self._clock(), route)
            except Exception as error:  # noqa: BLE001 - a limit may be the user's: who waits is told
                future.set_exception(error)
                continue
            if isinstance(answer, (float, int)):
                self._ask_again(answer)
                return
            self.in_flight += 1
            self._served_at = self._departures[id(answer)] = self._clock()
            future.set_result(answer)
            self._turns.taken(lane)

    def _next_turn(self) -> tuple[Lane, Waiter] | None:
        return self._turns.next(self._next_call(), Lane.head)

    def _next_call(self) -> Waiter | None:
        """Turn away what is too late, and return the call whose turn it is."""
        now, next_of = self._clock(), self._calls.head
        while (call := next_of()) is not None:
            future, route, until, begun = call
            known = self.known.get(route)
            if known is None:
                return call
            ample = AMPLE * known.enough
            if until - now >= ample and not self.patience.is_ending(now, begun, ample):
                return call
            if known.is_hopeless(now, until - now):
                future.set_exception(TooLateError())
            elif next_of == self._calls.tail:
                return call
            else:
                next_of = self._calls.tail
        return None

    def _ask_again(self, delay: float) -> None:
        if delay == math.inf:
            if self.in_flight:
                return
            delay = STUCK_DELAY
        loop = asyncio.get_running_loop()
        when = loop.time() + delay
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiting:
            self._serve()
