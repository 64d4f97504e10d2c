"""Processes that share one limit, in virtual time: the leader's real desk, and what members say.

A record takes `way` seconds from process to process. A process may be killed: what it has under way
goes on at the server, and where it led, another does so `TAKEOVER` seconds later. With a lease, a
process uses a permit again without asking, so many times, until it expires.
"""

import math
from collections import deque
from random import Random
from typing import Any

import attrs

from benchmarks.simulator.drive import Client, Habits, World
from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.limit import Outcome
from vimmerse_async.sharing.desk import Desk, Member
from vimmerse_async.sharing.gate import AHEAD
from vimmerse_async.sharing.office import BEAT
from vimmerse_async.sharing.records import (
    OUTCOME_NUMBERS,
    ROUTE_NUMBERS,
    TELLING,
    VERSION,
    Kind,
    Reader,
    Record,
    Standing,
    told,
)

WAY = 0.0002  # s
EXPIRES = 2.0  # s
TAKEOVER = 0.03  # s


@attrs.define(eq=False)
class Permit:
    """What the leader gave a process."""

    number: int
    route: str
    probe: bool
    sent: float
    used: int = 1
    since: float = 0.0


class Process:
    """One process' part of the shared limit, as a client of the simulator uses a limit.

    Attributes:
        pid: Its number, from 1 on.
        cap: Nobody lowers it.
        held: Its requests under way.
    """

    def __init__(self, host: "Host", pid: int) -> None:
        self.pid = pid
        self.cap = 1000
        self.held: dict[int, Permit] = {}
        self._host = host
        self._grants: deque[Record] = deque()
        self._again: deque[Permit] = deque()

    def admit(self, now: float, route: str = "text") -> Permit | float:
        if self._host.joins(self):
            self._host.say(self, self._greeting(now))
        if self._again:
            return self._again.popleft()
        if not self._grants:
            return math.inf
        grant = self._grants.popleft()
        self._host.say(self, [Record(Kind.ASK, ROUTE_NUMBERS[route], lane=1, number=1)])
        permit = Permit(grant.number, route, bool(grant.flag), now, since=now)
        self.held[grant.number] = permit
        return permit

    def release(
        self,
        permit: Permit,
        now: float,
        outcome: Outcome,
        latency: float,
        retry_after: float | None = None,
    ) -> None:
        if self.held.pop(permit.number, None) is not None:
            words = ROUTE_NUMBERS[permit.route], OUTCOME_NUMBERS[outcome], 0, permit.number
            said = [Record(Kind.DONE, *words, latency, retry_after or 0.0)]
            fresh = permit.used < self._host.lease and now - permit.since < EXPIRES
            if outcome is Outcome.OK and fresh:
                said.append(Record(Kind.HOLD, words[0], number=permit.number))
                again = Permit(
                    permit.number, permit.route, False, now, permit.used + 1, permit.since
                )
                self.held[permit.number] = again
                self._again.append(again)
            self._host.say(self, said)

    def hear(self, records: list[Record]) -> None:
        self._grants.extend(each for each in records if each.kind == Kind.GRANT)

    def meet(self, now: float) -> None:
        """Go to a new leader."""
        self._grants.clear()
        if self._host.joins(self):
            self._host.say(self, self._greeting(now))

    def _greeting(self, now: float) -> list[Record]:
        held = [
            Record(Kind.HOLD, ROUTE_NUMBERS[each.route], number=each.number, a=now - each.sent)
            for each in self.held.values()
        ]
        hello = Record(Kind.HELLO, flag=VERSION, number=self.pid)
        return [hello, *held, Record(Kind.ASK, lane=1, number=AHEAD)]


class Host:
    """Processes that share, and whoever leads them."""

    def __init__(self, world: World, way: float = WAY, lease: int = 1) -> None:
        self.world = world
        self.way = way
        self.lease = lease
        self.clients: dict[Process, Client] = {}
        self._desk = self._open(0)
        self._leader: Process | None = None
        self._members: dict[Process, Member] = {}
        self._gone: set[Member] = set()
        self._standing: Standing | None = None
        self._timer = math.inf
        self._pids = 0
        world.schedule(0.0, self._beat, None)

    def start(self, rows: int, start: float) -> Process:
        """Begin one process."""
        self._pids += 1
        process = Process(self, self._pids)
        self.clients[process] = self.world.join(process, Habits(), rows, start)
        return process

    def kill(self, process: Process, now: float) -> None:
        """End a process where it stands."""
        client = self.clients.pop(process)
        client.end()
        process.held.clear()
        member = self._members.pop(process, None)
        if process is self._leader:
            self._leader = None
            self._members.clear()
            self.world.schedule(now + TAKEOVER, self._take_over, None)
        elif member is not None:
            self._gone.add(member)
            self._desk.leave(member)
            self._serve(now)

    @property
    def leader(self) -> Process | None:
        """Who leads; None: nobody right now."""
        return self._leader

    def joins(self, process: Process) -> bool:
        """Return whether a process is to greet whoever leads now."""
        if self._leader is None and not self._members and self._standing is None:
            self._leader = process  # the first that comes
            self._desk = self._open(process.pid)
        if self._leader is None or process in self._members:
            return False
        self._members[process] = Member(self.world.now)
        return True

    def say(self, process: Process, records: list[Record]) -> None:
        """Carry what a process says to whoever leads now."""
        member = self._members.get(process)
        if member is not None:
            when = self.world.now + self.way
            self.world.schedule(when, self._arrive, (self._desk, member, records))

    def _open(self, pid: int) -> Desk:
        limit = AdaptiveLimit(rng=Random(self.world.rng.random()))
        return Desk(limit, lambda: self.world.now, pid)

    def _arrive(self, now: float, said: tuple[Desk, Member, list[Record]]) -> None:
        desk, member, records = said
        if desk is self._desk and self._leader is not None and member not in self._gone:
            desk.take(member, records)
            self._serve(now)

    def _serve(self, now: float) -> None:
        delay = self._desk.serve()
        if delay < math.inf and not now < self._timer <= now + delay:
            self._timer = now + delay
            self.world.schedule(self._timer, self._served_later, self._timer)
        whose = {member: process for process, member in self._members.items()}
        for member in self._desk.outbox():
            records = Reader().feed(bytes(member.out))
            member.out.clear()
            process = whose.get(member)
            if process is not None:
                self.world.schedule(now + self.way, self._tell, (self._desk, process, records))

    def _served_later(self, now: float, timer: float) -> None:
        if timer == self._timer and self._leader is not None:
            self._timer = math.inf
            self._serve(now)

    def _tell(self, now: float, message: tuple[Desk, Process, list[Record]]) -> None:
        desk, process, records = message
        if desk is not self._desk or self._leader is None or process not in self.clients:
            return
        telling = [each for each in records if each.kind in TELLING]
        if telling:
            self._standing = told(telling[-len(TELLING) :])
        process.hear(records)
        self.clients[process].pump(now)

    def _beat(self, now: float, _: Any = None) -> None:
        if self._leader is not None:
            self._desk.beat()
            self._serve(now)
        self.world.schedule(now + BEAT, self._beat, None)

    def _take_over(self, now: float, _: Any) -> None:
        if not self.clients or self._standing is None:
            return
        self._leader = next(iter(self.clients))
        self._desk = self._open(self._leader.pid)
        self._timer = math.inf
        self._desk.follow(self._standing, self._standing.processes - 1, now + 0.1)
        for process in self.clients:
            process.meet(now)
