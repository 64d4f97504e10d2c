"""What people use today, behind the same interface as the project's limits."""

import math
from random import Random
from typing import Any

import attrs

from benchmarks.simulator.drive import Habits, full_jitter
from vimmerse_async.control.limit import LimitSnapshot, Outcome


class Semaphore:
    """`asyncio.Semaphore(places)`: knows nothing and learns nothing."""

    def __init__(self, places: int) -> None:
        self.cap = places
        self.in_flight = 0

    def admit(self, now: float, route: str = "text") -> "Semaphore | float":
        if self.in_flight >= self.cap:
            return math.inf
        seconds = self.again(now)
        if seconds > 0.0:
            return seconds
        self.in_flight += 1
        return self

    def release(
        self,
        permit: object,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        self.in_flight -= 1
        self.hear(now, outcome)

    def again(self, now: float) -> float:
        """Seconds before a request that kept its place may be sent again."""
        return 0.0

    def hear(self, now: float, outcome: Outcome) -> None:
        """Learn from an answer."""

    def snapshot(self) -> LimitSnapshot:
        return LimitSnapshot(float(self.cap), math.inf, self.in_flight)


class BotocoreAdaptive(Semaphore):
    """botocore's `adaptive` mode: CUBIC on the send rate, enabled by the first refusal."""

    SCALE, BETA, SMOOTH = 0.4, 0.7, 0.8

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.enabled = False
        self.peak = self.shift = self.refused_at = 0.0
        self.fill = self.most = 1.0
        self.tokens = self.filled = 0.0
        self.measured = self.slot = 0.0
        self.count = 0

    def again(self, now: float) -> float:
        if not self.enabled:
            return 0.0
        self._refill(now)
        if self.tokens < 1.0 - 1e-9:
            return (1.0 - self.tokens) / self.fill + 1e-6
        self.tokens -= 1.0
        return 0.0

    def hear(self, now: float, outcome: Outcome) -> None:
        self._measure(now)
        if outcome is Outcome.THROTTLE:
            rate = min(self.measured, self.fill) if self.enabled else self.measured
            self.peak, self.refused_at = rate, now
            self.shift = (self.peak * (1 - self.BETA) / self.SCALE) ** (1 / 3)
            self.enabled = True
            rate *= self.BETA
        else:
            rate = self.SCALE * (now - self.refused_at - self.shift) ** 3 + self.peak
        self._refill(now)
        self.fill = max(min(rate, 2 * self.measured), 0.5)
        self.most = max(1.0, self.fill)
        self.tokens = min(self.tokens, self.most)

    def _refill(self, now: float) -> None:
        self.tokens = min(self.most, self.tokens + (now - self.filled) * self.fill)
        self.filled = now

    def _measure(self, now: float) -> None:
        self.count += 1
        slot = math.floor(now * 2) / 2
        if slot > self.slot:
            rate = self.count / (slot - self.slot)
            self.measured = self.SMOOTH * rate + (1 - self.SMOOTH) * self.measured
            self.count, self.slot = 0, slot


class Aimd(Semaphore):
    """Netflix's AIMD limit: one more for each answer, a tenth less for each refusal."""

    def __init__(self, start: int = 16, most: int = 1000) -> None:
        super().__init__(start)
        self.most = most

    def hear(self, now: float, outcome: Outcome) -> None:
        if outcome is Outcome.OK and 2 * (self.in_flight + 1) >= self.cap:
            self.cap = min(self.most, self.cap + 1)
        elif outcome in (Outcome.THROTTLE, Outcome.TIMEOUT):
            self.cap = max(1, min(self.cap - 1, int(self.cap * 0.9)))


class InspectAi(Semaphore):
    """The rule of inspect_ai 0.3.285: 10 to 100 places, doubled each round until the first refusal.

    Then a full round of answers adds 5 %, at least one, and a refusal takes a fifth, once in 15 s,
    in which no answer counts. Above ten, places are multiples of five. A round counts only where
    four fifths of the places were used.
    """

    LEAST, MOST, CUT, GROWTH, COOLDOWN, USED, ROUND = 10, 100, 0.8, 0.05, 15.0, 0.8, 4

    def __init__(self, start: int = 20) -> None:
        super().__init__(start)
        self.answers = self.peak = 0
        self.was_refused = False
        self.cool_until = -math.inf

    def admit(self, now: float, route: str = "text") -> "Semaphore | float":
        answer = super().admit(now, route)
        self.peak = max(self.peak, self.in_flight)
        return answer

    def hear(self, now: float, outcome: Outcome) -> None:
        if outcome is Outcome.THROTTLE:
            self.answers = self.peak = 0
            self.was_refused = True
            if now >= self.cool_until:
                self.cool_until = now + self.COOLDOWN
                cut = int(self.cap * self.CUT)
                self.cap = max(self.LEAST, cut if cut < 10 else cut // 5 * 5)
        elif outcome is Outcome.OK and now >= self.cool_until:
            self.answers += 1
            if self.answers >= max(self.cap, self.ROUND):
                self._end_round()

    def _end_round(self) -> None:
        used = self.peak >= self.USED * self.cap
        self.answers = self.peak = 0
        if not used:
            return
        grown = self.cap + max(1, round(self.cap * self.GROWTH))
        if not self.was_refused:
            grown = 2 * self.cap
        elif grown >= 10:
            grown = -(-grown // 5) * 5
        self.cap = min(grown, self.MOST)


@attrs.frozen
class Admitted:
    """A place, and how many there were when it was given."""

    places: int


class DataDesigner(Semaphore):
    """The rule of NeMo Data Designer 0.9.7: AIMD on places, from the user's own figure downwards.

    A refusal takes a quarter, unless the request was admitted under a higher limit than now, and
    shuts the door for 2 s or `Retry-After`; 25 answers in a row give one place back.
    """

    CUT, SUCCESSES, COOLDOWN = 0.75, 25, 2.0

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most, self.in_a_row, self.shut_until = most, 0, -math.inf

    def admit(self, now: float, route: str = "text") -> Any:
        if now < self.shut_until:
            return self.shut_until - now
        answer = super().admit(now, route)
        return answer if isinstance(answer, float) else Admitted(self.cap)

    def release(
        self,
        permit: Any,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        self.in_flight -= 1
        if outcome is Outcome.THROTTLE:
            self.shut_until, self.in_a_row = now + (retry_after or self.COOLDOWN), 0
            if permit.places <= self.cap:
                self.cap = max(1, int(self.cap * self.CUT))
        elif outcome is Outcome.OK and now >= self.shut_until:
            self.in_a_row += 1
            if self.in_a_row >= self.SUCCESSES:
                self.cap, self.in_a_row = min(self.most, self.cap + 1), 0


def inspect_pause(failures: int, after: float | None, rng: Random) -> float:
    """The pause of inspect_ai: 3 s doubling to half an hour, and up to 3 s."""
    return min(1800.0, 3.0 * 2.0**failures + 3.0 * rng.random())


def openai_pause(failures: int, after: float | None, rng: Random) -> float:
    """The pause of openai's client: 0.5 s doubling to 8 s, less up to a quarter."""
    return after or min(8.0, 0.5 * 2.0**failures) * (1 - 0.25 * rng.random())


TENACITY = Habits(full_jitter(0.5, 30.0), holds_slot=True, budget=math.inf)
OPENAI = Habits(openai_pause, openai_pause, 2, 3, holds_slot=True, budget=math.inf)
BOTOCORE = Habits(full_jitter(1.0, 20.0), full_jitter(0.05, 20.0), holds_slot=True, budget=math.inf)
AIMD = Habits(full_jitter(0.5, 30.0), budget=math.inf)
INSPECT = Habits(inspect_pause, inspect_pause, budget=math.inf)
DESIGNER = Habits(None, full_jitter(2.0, 60.0), budget=math.inf)
NAIVE = Habits(
    full_jitter(0.5, 20.0), full_jitter(0.5, 20.0), 5, 6, 6, holds_slot=True, budget=math.inf
)
