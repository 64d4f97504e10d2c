"""The leader's end of every member's channel: whoever comes, speaks and goes away.

It tells all members every so often how the limit stands; while nobody asks for anything, rarely.
"""

import asyncio
import math
from collections.abc import Callable
from functools import partial

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.sharing.desk import Desk, Member
from vimmerse_async.sharing.identity import this_process
from vimmerse_async.sharing.meeting import Channel, Claim, OnLost, OnRecords
from vimmerse_async.sharing.records import Record, Standing

BEAT = 0.05
"""Seconds between two tellings."""
SLOWLY = 5
"""Beats of which one is told while nothing is asked for."""
COMING = 0.1
"""Seconds that a new leader waits for those who followed the old one."""
SILENT = 5.0
"""Seconds of silence after which a member is given up; it says something every second."""
LATE = 10
"""Beats without one after which this process has stood still, and may lead no more."""


class Office:
    """Leads in the running loop, once it is opened.

    Args:
        claim: The right to lead.
        before: What the leader before it told last; None: there was none.
        end: Called when another leads.
        beat: Seconds between two tellings.
    """

    def __init__(
        self, claim: Claim, before: Standing | None, end: Callable[[], None], beat: float = BEAT
    ) -> None:
        self._claim = claim
        self._before = before
        self._end = end
        self._every = beat
        self._channels: dict[Member, Channel] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next_beat: asyncio.TimerHandle | None = None
        self._is_slow = False
        self._beaten = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no member is there."""
        return not self._channels

    def open(self) -> None:
        """Let members come."""
        self._loop = asyncio.get_running_loop()
        self._desk = Desk(AdaptiveLimit(), self._loop.time, this_process())
        if self._before is not None:
            awaited = self._before.processes - 1
            self._desk.follow(self._before, awaited, self._loop.time() + COMING)
        self._claim.open(self._welcome)
        self._beat()

    def close(self) -> None:
        """Send everybody away, and let others lead."""
        for timer in (self._timer, self._next_beat):
            if timer is not None:
                timer.cancel()
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        self._claim.close()

    def _welcome(self, make: Callable[[OnRecords, OnLost], Channel]) -> None:
        member = Member(self._loop.time())
        self._channels[member] = make(partial(self._listen, member), partial(self._lose, member))

    def _listen(self, member: Member, records: list[Record]) -> None:
        late = self._loop.time() > self._beaten + LATE * self._every
        if late and not self._claim.is_held():
            self._end()
        elif member in self._channels:
            self._desk.take(member, records)
            self._serve()
            if self._is_slow and not self._desk.idle:
                self._beat_in(self._every)

    def _lose(self, member: Member) -> None:
        channel = self._channels.pop(member, None)
        if channel is not None:
            channel.close()
        self._desk.leave(member)
        self._serve()

    def _serve(self) -> None:
        delay = self._desk.serve()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self._serve) if delay < math.inf else None
        for member in self._desk.outbox():
            channel = self._channels.get(member)
            if channel is not None:
                channel.send(bytes(member.out))
                channel.flush()
            member.out.clear()

    def _beat(self) -> None:
        if not self._claim.is_held():
            self._end()
            return
        now = self._beaten = self._loop.time()
        for member in [each for each in self._channels if each.heard < now - SILENT]:
            self._lose(member)
        self._desk.beat()
        self._serve()
        self._is_slow = self._desk.idle
        self._beat_in(self._every * SLOWLY if self._is_slow else self._every)

    def _beat_in(self, seconds: float) -> None:
        self._is_slow = self._is_slow and seconds > self._every
        if self._next_beat is not None:
            self._next_beat.cancel()
        self._next_beat = self._loop.call_later(seconds, self._beat)
