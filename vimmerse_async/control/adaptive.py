"""draft"""

import math
from collections import deque
from enum import Enum, auto
from random import Random
from typing import Any

from vimmerse_async.control.ceiling import Ceiling
from vimmerse_async.control.door import Door, Passage
from vimmerse_async.control.lane import Lane
from vimmerse_async.control.limit import Binding, LimitSnapshot, Outcome
from vimmerse_async.control.meter import LATELY, Meter
from vimmerse_async.control.pace import Pace

PERIOD = 70.0
PROBE = 150.0
SLACK = 2.5
RAMP = 3.0
GUESS = 16.0
QUEUED = 2 / 3
LINED = 1 / 2
AFTER_COST = 30.0
QUOTA = 60.0
IDLE = 60.0
FADE = 0.9998
ERODE = 0.85
RISE = 1 / 16
RESTART = 1.25
LAT = 1 / 64
SIL = 3.0
SQ = 0.5
REF0 = 0.1
FIRST = 1.0


class Suspect(Enum):
    NONE = auto()
    WINDOW = auto()
    RATE = auto()


class Permit(Passage):
    __slots__ = ("full", "level", "outcome", "paced")


class AdaptiveLimit:
    def __init__(self, *, start=16, cap=1000, rng=None, warm=None):
        self.cap = cap
        self._start = start
        self._suspect = Suspect.NONE
        self._window = Ceiling(float(start), 1.0)
        self._rate = Ceiling(math.inf, 1 / 60)
        self._door = Door(rng or Random())
        self._door.refusal = REF0
        self._pace = Pace()
        self._in_flight = self._refusals = self._answers = 0
        self._accepted, self._answered = Meter(), Meter()
        self._young = deque()
        self._lanes = {}
        self._latency = 0.0
        self._top = 0.0
        self._low = math.inf
        self._paced = False
        self._since = (0.0, 0)
        self._announced = 0.0
        self._ok_at = self._now = self._last = 0.0
        self._blocked = 0.0
        self._size, self._speed = start, 1.0
        self._queues = False
        self._tie()

    def silence(self):
        s = SIL * self._door.refusal
        if self._suspect is Suspect.NONE:
            return s * max(1.0, self._window.value / self._start) ** SQ
        return s

    def _tie(self):
        w, r = self._window.value, self._rate.value
        if self._suspect is Suspect.RATE:
            self._size = max(4, int(SLACK * r * self._latency + 0.5)) if self._answers else self.cap
            self._speed = r
        else:
            self._size = max(1, int(w + 0.5))
            tied = SLACK * w / self._latency if self._answers else w
            self._speed = max(tied, w)
            if self._suspect is Suspect.NONE:
                self._speed = max(tied, w / self.silence())

    def admit(self, now, route="text"):
        self._now = now
        paced, self._paced = self._paced, False
        if self._suspect is Suspect.NONE:
            self._confirm(now)
        if self._in_flight >= self._size or self._in_flight >= self.cap:
            if self._suspect is Suspect.NONE and self._young and self._in_flight < self.cap:
                return max(1e-3, self._young[0].sent + self.silence() - now)
            return math.inf
        if now < self._door.opens:
            return self._door.opens - now
        if now < self._pace.next:
            self._paced = True
            return self._pace.next - now
        if self._door.passed and not self._in_flight and now - self._last > IDLE:
            self._door.ask(now)
        self._pace.depart(now, self._speed)
        self._in_flight += 1
        self._last = now
        p = Permit(route, now)
        p.level, p.full, p.paced, p.outcome = self._in_flight, self._in_flight >= self._size, paced, None
        holds = self._door.holds
        self._door.enter(p, now)
        if holds and not self._door.holds:
            self._unblocked(now, holds)
        self._accepted.add(now)
        self._young.append(p)
        return p

    def _unblocked(self, now, holds):
        if holds < 2:
            return
        quota = self._accepted.over(now, QUOTA + now - self._blocked)
        if self._suspect is not Suspect.RATE or quota < self._rate.value:
            self._suspect = Suspect.RATE
            self._rate.settle(quota, QUOTA)
            self._tie()

    def release(self, permit, now, outcome, latency, retry_after=None):
        self._now = now
        permit.outcome = outcome
        holds = self._door.holds
        fresh = self._door.leave(permit, now, outcome, latency, retry_after)
        if holds and not self._door.holds:
            self._unblocked(now, holds)
        if retry_after: self._announced = max(self._announced, min(retry_after, 3600.0))
        if outcome is Outcome.OK:
            self._ok(permit, now, latency)
        elif outcome is Outcome.THROTTLE:
            self._refusals += 1
            self._accepted.add(now, -1)
            if fresh and self._door.holds == 1:
                self._confirm(now)
                self._blame(permit, now)
                self._blocked = now
        elif outcome is Outcome.LOCAL:
            self._suspect = Suspect.WINDOW
            self._window.cut(self._in_flight, 0.5)
        self._in_flight -= 1
        self._confirm(now)
        self._tie()

    def _room(self):
        if self._answers < 16:
            return self._window.value < GUESS * self._start
        return self._window.value < RAMP * self._answered.lately * self._latency

    def _confirm(self, now):
        s = self.silence()
        young = self._young
        moved = False
        while young and (young[0].outcome is not None or young[0].sent <= now - s):
            p = young.popleft()
            if p.outcome is not None and p.outcome is not Outcome.OK:
                continue
            self._top *= FADE
            if p.level > self._top:
                self._top += (p.level - self._top) * (RISE if self._suspect is Suspect.WINDOW else 1.0)
            if self._suspect is Suspect.NONE and 2 * self._in_flight >= self._window.value and self._room():
                self._window.value = min(self.cap, self._window.value + 1)
                moved = True
        if moved: self._tie()

    def _ok(self, p, now, latency):
        latency = max(latency, 0.001)  # a loop's clock may stand still for a whole answer
        self._answers += 1
        self._answered.add(now)
        self._latency += (latency - self._latency) * max(LAT, 1 / self._answers)
        lane = self._lanes.get(p.route)
        if lane is None:
            lane = self._lanes[p.route] = Lane()
        if lane.add(p.sent, latency):
            whole = lane.wait + lane.work
            self._queues = lane.wait > LINED * whole
            if lane.wait > QUEUED * whole and self._suspect is not Suspect.RATE:
                self._suspect = Suspect.WINDOW
                level = 2 * self._answered.lately * lane.work
                if level < self._window.value:
                    self._window.settle(level)
                for l in self._lanes.values(): l.restart(now)
        dt, self._ok_at = min(now - self._ok_at, 1.0), now
        a = self._accepted.lately + 0.01
        period = max(PERIOD / math.sqrt(a), PROBE / a, AFTER_COST * self._announced)
        if self._suspect is Suspect.RATE:
            if p.paced:
                self._rate.grow(dt, period, 1 / self._latency)
        elif p.full and self._suspect is Suspect.WINDOW and not self._queues:
            self._window.grow(dt, period, 1.0)
            self._window.value = min(self._window.value, self.cap)
            if self._window.value > RESTART * self._window.peak:
                self._suspect = Suspect.NONE

    def _blame(self, p, now):
        a = self._accepted.lately
        wire = a * self._door.refusal
        first = self._suspect is Suspect.NONE
        slack = 0 if self._suspect is Suspect.WINDOW else wire
        novel = p.level > self._top + 0.5 - slack
        again = p.level <= self._low + 1 + wire
        t0, n0 = self._since
        span = now - t0
        self._since = (now, self._accepted.total)
        if not first and novel and again:
            self._suspect = Suspect.WINDOW
            self._window.cut(p.level - 1)
        else:
            if first: level = self._accepted.over(now, FIRST)
            elif span >= LATELY: level = max(a, (self._accepted.total - n0) / span)
            else: level = a
            self._rate.cut(min(level, self._rate.value) if self._suspect is Suspect.RATE else level)
            self._suspect = Suspect.RATE
            self._top *= ERODE
        self._low = p.level

    def debug(self):
        return f"{self._suspect.name} top={self._top:.1f} low={self._low:.1f} lat={self._latency:.2f} peakW={self._window.peak:.1f} peakR={self._rate.peak:.2f} a={self._accepted.lately:.1f} holds={self._door.holds} ref={self._door.refusal:.3f} wait={[(round(l.wait,1),round(l.work,1)) for l in self._lanes.values()]}"

    def snapshot(self):
        return LimitSnapshot(
            window=float(self._size), rate=self._speed, in_flight=self._in_flight,
            gate=max(0.0, self._door.opens - self._now),
            refused=self._refusals / max(1, self._door.passed),
            binding=None,
        )
