"""Who leads: a thread with a loop of its own, so that no application that blocks its loop is in it.

It tells all members every twentieth of a second how the limit stands; while nobody asks for
anything, every quarter.
"""

import asyncio
import math
import os
import threading
from collections.abc import Callable
from functools import partial

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.hooks import logger
from vimmerse_async.sharing.desk import Desk, Member
from vimmerse_async.sharing.meeting import Channel, Claim, OnLost, OnRecords
from vimmerse_async.sharing.records import Record, Standing

BEAT = 0.05
"""Seconds between two tellings."""
SLOW_BEAT = 0.25
"""The same while nothing is asked for."""
COMING = 0.1
"""Seconds that a new leader waits for those who followed the old one."""
SILENT = 5.0
"""Seconds of silence after which a member is given up; it says something every second."""
LATE = 0.5
"""Seconds between beats after which this process has stood still, and may lead no more."""


class Leader:
    """Leads from its making until it is stopped, or another leads.

    Args:
        claim: The right to lead; closed in the end.
        before: What the leader before it told last; None: there was none.
    """

    def __init__(self, claim: Claim, before: Standing | None) -> None:
        self._claim = claim
        self._before = before
        self._loop = asyncio.SelectorEventLoop()
        self._desk = Desk(AdaptiveLimit(), self._loop.time, os.getpid())
        self._channels: dict[Member, Channel] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next_beat: asyncio.TimerHandle | None = None
        self._is_slow = False
        self._beaten = 0.0
        self._thread = threading.Thread(target=self._run, name="vimmerse-leader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let another lead, and wait until nothing of this one is left."""
        if self._thread.ident == threading.get_ident() or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._loop.stop)
        except RuntimeError:  # it has just closed
            return
        self._thread.join(SILENT)

    def _run(self) -> None:
        try:
            self._loop.call_soon(self._begin)
            self._loop.run_forever()
        finally:
            for channel in self._channels.values():
                channel.close()
            self._claim.close()
            self._loop.close()

    def _begin(self) -> None:
        try:
            if self._before is not None:
                awaited = self._before.processes - 1
                self._desk.follow(self._before, awaited, self._loop.time() + COMING)
            self._claim.open(self._welcome)
            self._beat()
        except Exception:  # noqa: BLE001 - whatever it is, another may lead
            self._loop.stop()
            logger.exception("a shared limit could not be led")

    def _welcome(self, make: Callable[[OnRecords, OnLost], Channel]) -> None:
        member = Member(self._loop.time())
        self._channels[member] = make(partial(self._listen, member), partial(self._lose, member))

    def _listen(self, member: Member, records: list[Record]) -> None:
        late = self._loop.time() > self._beaten + LATE
        if late and not self._claim.is_held():
            self._loop.stop()
        elif member in self._channels:
            self._desk.take(member, records)
            self._serve()
            if self._is_slow and not self._desk.idle:
                self._beat_in(BEAT)

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
            self._loop.stop()
            return
        now = self._beaten = self._loop.time()
        for member in [each for each in self._channels if each.heard < now - SILENT]:
            self._lose(member)
        self._desk.beat()
        self._serve()
        self._is_slow = self._desk.idle
        self._beat_in(SLOW_BEAT if self._is_slow else BEAT)

    def _beat_in(self, seconds: float) -> None:
        self._is_slow = self._is_slow and seconds > BEAT
        if self._next_beat is not None:
            self._next_beat.cancel()
        self._next_beat = self._loop.call_later(seconds, self._beat)
