"""Drives clients against a server in virtual time, as the real session drives its limit."""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from benchmarks.simulator.servers import Reply, Server
from vimmerse_async.control.answer_times import AnswerTimes
from vimmerse_async.control.breaker import Passage
from vimmerse_async.control.limit import Limit, Outcome
from vimmerse_async.control.refusals import RefusalReader, Scene, believed_wait

ATTEMPT_TIMEOUT = 120.0  # s
Pause = Callable[[int, float | None, Random], float]  # (failures so far, Retry-After, rng) -> s


def full_jitter(base: float, cap: float) -> Pause:
    """U(0, min(cap, base * 2^k)), or `Retry-After` when that is longer."""
    return lambda failures, after, rng: max(
        after or 0.0, rng.uniform(0.0, min(cap, base * 2.0 ** min(failures, 20)))
    )


@attrs.frozen
class Habits:
    """How a client treats its failures.

    Attributes:
        refusal_pause: Seconds before a refused row is sent again; None puts it back to the head
            of its queue, where the limit releases it.
        fault_pause: Seconds before a failed row is sent again.
        refusals_allowed: Refusals after which a row is lost.
        faults_allowed: Faults after which a row is lost.
        timeouts_allowed: Timeouts, each of which may have been charged, after which it is lost.
        holds_slot: Whether a row keeps its place while it pauses.
        budget: Retries of faults saved up; an empty budget adds ten seconds to each pause.
    """

    refusal_pause: Pause | None = None
    fault_pause: Pause = attrs.field(default=full_jitter(0.5, 20.0))
    refusals_allowed: float = math.inf
    faults_allowed: int = 5
    timeouts_allowed: int = 2
    holds_slot: bool = False
    budget: float = 100.0


class Row:
    """One piece of work, and what happened to it so far."""

    __slots__ = ("faults", "first_sent", "refusals", "route", "timeouts")

    def __init__(self, route: str) -> None:
        self.route = route
        self.first_sent = -1.0
        self.refusals = self.faults = self.timeouts = 0


@attrs.define(eq=False)
class Client:
    """A batch of rows behind one limit."""

    world: "World"
    limit: Limit
    habits: Habits
    fresh: int
    start: float = 0.0
    rows_open: int = attrs.field(init=False)
    ready: deque[Row] = attrs.field(init=False, factory=deque)
    sent: int = attrs.field(init=False, default=0)
    refused: int = attrs.field(init=False, default=0)
    lost: int = attrs.field(init=False, default=0)
    finished: list[float] = attrs.field(init=False, factory=list)
    latencies: list[float] = attrs.field(init=False, factory=list)
    _budget: float = attrs.field(init=False)
    _known: dict[str, AnswerTimes] = attrs.field(init=False, factory=dict)
    _departures: dict[Any, float] = attrs.field(init=False, factory=dict)
    _reader: RefusalReader = attrs.field(init=False, factory=RefusalReader)
    _accepted_at: float = attrs.field(init=False, default=0.0)
    _shut_until: float = attrs.field(init=False, default=-math.inf)
    _timer: float = attrs.field(init=False, default=math.inf)
    _has_ended: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.rows_open = self.fresh
        self._budget = self.habits.budget
        self.world.schedule(self.start, self.pump, None)

    def pump(self, now: float, _: Any = None) -> None:
        """Send as much as the limit admits."""
        if now < self.start or self._has_ended:
            return
        while self.ready or self.fresh:
            if not self.ready:
                self.fresh -= 1
                self.ready.append(Row(self.world.next_route()))
            if now < self._shut_until:
                self._wait(now, self._shut_until - now)
                return
            answer = self.limit.admit(now, self.ready[0].route)
            if isinstance(answer, float):
                self._wait(now, answer)
                return
            self._send(now, self.ready.popleft(), answer)

    def end(self) -> None:
        """Send nothing more, and hear of nothing; the server goes on with what it has."""
        self._has_ended = True
        self.world.live -= 1

    def _wait(self, now: float, seconds: float) -> None:
        wake = now + seconds + 1e-9
        if wake < math.inf and not now < self._timer <= wake:
            self._timer = wake
            self.world.schedule(wake, self._woken, wake)

    def _woken(self, now: float, timer: float) -> None:
        if timer == self._timer:
            self._timer = math.inf
            self.pump(now)

    def _send(self, now: float, row: Row, permit: Any) -> None:
        if row.first_sent < 0.0:
            row.first_sent = now
        self.sent += 1
        self._departures[row] = now
        self.world.exchange(now, row.route, self._answered, (now, row, permit))

    def _read(self, now: float, sent: float, row: Row, permit: Any, reply: Reply) -> Outcome:
        """Return what the limit is told, as a session reads it."""
        route, probe = row.route, getattr(permit, "probe", False)
        if reply.status == 200:
            self._accepted_at, self._shut_until = now, -math.inf
            self._known.setdefault(route, AnswerTimes()).add(now, now - sent, route)
            return Outcome.OK
        oldest = next(iter(self._departures.values()), math.inf)
        if reply.status == 429:
            self._reader.hear(now - sent)
            return Outcome.THROTTLE
        known, others = self._known.get(route), bool(self._departures)
        scene = Scene(known, now - self._accepted_at, now - oldest, others, probe, now)
        status, answers = reply.status or None, len(self.finished)
        if self._reader.is_refusal(status, route, now - sent, scene, answers):
            if status != 403 and isinstance(permit, Passage):
                permit.doubted = True
            return Outcome.THROTTLE
        return Outcome.ERROR if reply.status else Outcome.TIMEOUT

    def _answered(self, now: float, flight: Any) -> None:
        if self._has_ended:
            return
        (sent, row, permit), reply = flight
        self._departures.pop(row, None)
        self.refused += reply.refused
        outcome = self._read(now, sent, row, permit, reply)
        if outcome is Outcome.OK:
            self.finished.append(now)
            self.latencies.append(now - row.first_sent)
            self._budget = min(self.habits.budget, self._budget + 0.2)
            self._close()
            pause = None
        else:
            pause = self._judge(row, permit, outcome, reply)
        if pause is not None and self.habits.holds_slot:
            self.limit.hear(now, outcome)  # type: ignore[attr-defined]  # rivals have it
            self.world.schedule(now + pause, self._resend, (row, permit))
        else:
            after = self._believed(now, permit, outcome, reply)
            self.limit.release(permit, now, outcome, now - sent, after)
            if pause is not None:
                self._put_back(now, row, permit, outcome, pause)
        self.pump(now)

    def _believed(self, now: float, permit: Any, outcome: Outcome, reply: Reply) -> float | None:
        after = reply.retry_after
        by_evidence = outcome is Outcome.THROTTLE and reply.status != 429
        probe, others = getattr(permit, "probe", False), bool(self._departures)
        believed = believed_wait(after, by_evidence=by_evidence, probe=probe, others=others)
        if after and by_evidence and believed is None:
            self._shut_until = max(self._shut_until, now + after)
        return believed

    def _judge(self, row: Row, permit: Any, outcome: Outcome, reply: Reply) -> float | None:
        """Seconds until the row is sent again; None when it is lost."""
        if outcome is Outcome.THROTTLE:
            row.refusals += 1
            if row.refusals > self.habits.refusals_allowed:
                return self._lose()
            pause = self.habits.refusal_pause
            return pause(row.refusals - 1, reply.retry_after, self.world.rng) if pause else 0.0
        if not getattr(permit, "probe", False):
            row.faults += 1
            row.timeouts += outcome is Outcome.TIMEOUT
        if row.faults >= self.habits.faults_allowed or row.timeouts >= self.habits.timeouts_allowed:
            return self._lose()
        failures = max(0, row.faults - 1)
        seconds = self.habits.fault_pause(failures, reply.retry_after, self.world.rng)
        if self._budget < 1.0:
            return seconds + 10.0
        self._budget -= 1.0
        return seconds

    def _put_back(self, now: float, row: Row, permit: Any, outcome: Outcome, pause: float) -> None:
        if pause > 0.0:
            self.world.schedule(now + pause, self._ready_again, row)
        elif outcome is Outcome.THROTTLE and not getattr(permit, "probe", False):
            self.ready.appendleft(row)
        else:
            self.ready.append(row)

    def _ready_again(self, now: float, row: Row) -> None:
        self.ready.append(row)
        self.pump(now)

    def _resend(self, now: float, waiting: tuple[Row, Any]) -> None:
        seconds = self.limit.again(now)  # type: ignore[attr-defined]  # rivals have it
        if seconds > 0.0:
            self.world.schedule(now + seconds, self._resend, waiting)
        else:
            self._send(now, *waiting)

    def _lose(self) -> None:
        self.lost += 1
        self._close()

    def _close(self) -> None:
        self.rows_open -= 1
        if not self.rows_open:
            self.world.live -= 1


class World:
    """The clock, the wires, the server, and whoever uses it."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.rng = Random(seed)
        self.live = 0
        self.now = 0.0
        self.clients: list[Client] = []
        self._routes = tuple(server.latencies)
        self._server_rng = Random(seed + 7919)
        self._events: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._order = itertools.count()

    def join(self, limit: Limit, habits: Habits, rows: int, start: float = 0.0) -> Client:
        """Add a client that begins at `start`."""
        client = Client(self, limit, habits, rows, start)
        self.clients.append(client)
        self.live += 1
        return client

    def next_route(self) -> str:
        return self._routes[0] if len(self._routes) == 1 else self.rng.choice(self._routes)

    def schedule(self, when: float, action: Callable[[float, Any], None], argument: Any) -> None:
        heapq.heappush(self._events, (when, next(self._order), action, argument))

    def exchange(self, now: float, route: str, done: Any, sent: Any) -> None:
        """Carry a request to the server and its answer back to `done`."""
        there = now + self.rng.uniform(*self.server.network)
        self.schedule(there, self._arrive, (now, route, done, sent))

    def _arrive(self, now: float, request: Any) -> None:
        sent_at, route, done, sent = request
        reply = self.server.arrive(now, route, self._server_rng)
        back = now + reply.seconds + self.rng.uniform(*self.server.network)
        if back - sent_at > ATTEMPT_TIMEOUT:
            reply, back = Reply(0, ATTEMPT_TIMEOUT, None), sent_at + ATTEMPT_TIMEOUT
        self.schedule(back, done, (sent, reply))

    def run(self, until: float, watch: Callable[[float], None] | None = None) -> None:
        """Let time pass until the work is done, or until a moment; `watch` sees every event."""
        while self._events and self.live and self._events[0][0] <= until:
            when, _, action, argument = heapq.heappop(self._events)
            self.now = when
            action(when, argument)
            if watch:
                watch(when)
