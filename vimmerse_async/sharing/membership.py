"""How a member finds whoever leads, leads itself, or goes on alone.

    JOINING -- the leader answers ------------------------------> JOINED
            -- nobody has the right to lead --------------------> leads, and joins itself
            -- who has it did not answer for a second ----------> takes it, and joins itself
            -- neither within a second -------------------------> ALONE
    JOINED  -- the leader goes away, or says nothing for 1 s ---> JOINING
    ALONE   -- the leader answers again ------------------------> JOINED

What cannot mend (an unsafe folder) is told once and never tried again; another version that leads
is, now and then: it may be the old one of a deployment.
"""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import Protocol

from vimmerse_async.hooks import logger
from vimmerse_async.sharing.folder import CannotShareError
from vimmerse_async.sharing.leader import Leader
from vimmerse_async.sharing.meeting import Channel, Claim, Meeting
from vimmerse_async.sharing.records import (
    TELLING,
    VERSION,
    Kind,
    ProtocolError,
    Record,
    Standing,
    pack,
    told,
)

ALONE = 0.5
"""Seconds later a member goes alone that could not take its place."""
ANSWER = 0.3
"""Seconds in which a leader answers that does not hang."""
LOOK = 0.25
"""Seconds between two looks whether it hangs, and, at first, alone, whether there is one."""
PULSE = 1.0
"""Seconds after which a member says that it is there."""
RARELY, RARER = 2.0, 1.2
"""Seconds between two looks of one that has been alone for long, and how much rarer each is."""
LATER = 5.0
"""Seconds after which a folder is tried again that had no room, or a leader of another version."""
WITH = {"host": "of this host", "redis": "at this Redis server", "ray": "of this Ray run"}
"""Whom the limit is shared with, by the meeting's scope."""
_rng = Random()  # noqa: S311 - spreads processes, hides nothing


class Part(Protocol):
    """What a member does with what it is told."""

    def joins(self, send: Callable[[bytes], None]) -> None:
        """Say what is under way, to a leader that may not answer."""
        ...

    def joined(self) -> None:
        """Ask the leader from now on."""
        ...

    def lost(self) -> None:
        """Wait for another leader."""
        ...

    def granted(self, record: Record) -> None:
        """Let one go."""
        ...

    def stands(self, standing: Standing) -> None:
        """Take note of how the limit stands."""
        ...

    def alone(self) -> None:
        """Go on alone."""
        ...


class Membership:
    """One member's place among those that share.

    Args:
        meeting: Where they meet.
        part: Who is told.
        process: This one's number.
        number: The most requests in flight that it wants for all together; 0: any number.

    Attributes:
        is_joined: Whether the leader answers.
        reason: Why it is alone; empty while it is not.
    """

    def __init__(self, meeting: Meeting, part: Part, process: int, number: int) -> None:
        self.is_joined: bool = False
        self.reason: str = ""
        self._meeting = meeting
        self._part = part
        self._hello = pack(Record(Kind.HELLO, flag=VERSION, lane=number, number=process))
        self._loop = asyncio.get_running_loop()
        self._channel: Channel | None = None
        self._leader: Leader | None = None
        self._standing: Standing | None = None
        self._telling: list[Record] = []
        self._changed = asyncio.Event()
        self._refused = False
        self._why = ""  # a try failed
        self._holder: object = None
        self._since, self._tries = 0.0, 0
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._loop.time()
        self._pulsed = 0.0
        self._task = self._loop.create_task(self._stay())

    def close(self) -> None:
        """Leave the others, and let another lead."""
        self._task.cancel()
        self._drop()
        if self._leader is not None:
            self._leader.stop()
            self._leader = None

    async def _stay(self) -> None:
        try:
            while True:
                await self._join()
                await self._listen()
        except CannotShareError as error:
            self._go_alone(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits is not to wait for ever
            self._drop()
            self._go_alone(f"{type(error).__name__}: {error}")

    async def _listen(self) -> None:
        while self._channel is not None:
            before = self._loop.time()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._changed.wait()
            now = self._loop.time()
            if now - before > 2 * LOOK:  # this loop stood still: what came meanwhile is read first
                continue
            if now - self._heard > self._meeting.patience:
                self._drop()

    async def _join(self) -> None:
        self._holder, self._since, self._tries = self._meeting.holder(), 0.0, 0
        self._give_up_in_time()
        look = LOOK
        try:
            while (pause := await self._tried()) is not None:
                if self.reason:
                    pause = max(pause, look * _rng.uniform(0.8, 1.0))
                    look = min(RARELY, look * RARER)
                await asyncio.sleep(pause)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _tried(self) -> float | None:
        """Try to take a place; return None, or the seconds after which to try again."""
        hangs = self._tries and self._mute() > self._meeting.patience
        try:
            if await self._try(self._holder if hangs else None):
                return None
        except CannotShareError as error:
            if error.lasting:
                raise
            self._go_alone(str(error))
            return LATER
        self._tries += 1
        if self._meeting.holder() != self._holder:
            self._holder, self._since, self._tries = self._meeting.holder(), self._loop.time(), 0
        return _rng.uniform(0.002, 0.01)

    def _mute(self) -> float:
        return self._loop.time() - max(self._since, self._heard)

    def _give_up_in_time(self) -> None:
        """Go alone when it is time to, though a try may be under way: a server may hang."""
        meeting = self._meeting
        patience = meeting.starting if self._standing is None else meeting.patience
        left = patience + ALONE - self._mute()
        self._timer = None
        if left > 0.0:
            self._timer = self._loop.call_later(left, self._give_up_in_time)
        elif not self.is_joined:
            self._go_alone(self._why or "whoever leads does not answer")

    async def _try(self, hanging: object) -> bool:
        claim = None
        try:
            claim = await self._meeting.claim()
        except OSError as error:
            self._why = str(error)
        if claim is None and hanging is not None:
            claim = await self._meeting.overthrow(hanging)
        if claim is not None:
            self._lead(claim)
        self._refused = False
        self._telling.clear()
        self._changed.clear()
        try:
            self._channel = await self._meeting.connect(self._on_records, self._drop)
        except OSError as error:
            self._why = str(error) or self._why
            return False
        self._channel.send(self._hello)
        self._part.joins(self._channel.send)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER):
                await self._changed.wait()
        if self._refused:
            self._drop()
            reason = "a process with another version of vimmerse-async leads"
            raise CannotShareError(reason, lasting=False)
        if not self.is_joined:
            self._drop()
        return self.is_joined

    def _lead(self, claim: Claim) -> None:
        if self._leader is not None:
            self._leader.stop()
            self._leader = None
        try:
            self._leader = Leader(claim, self._standing)
        except (OSError, RuntimeError) as error:  # no descriptor, or no thread, is left
            claim.close()
            raise CannotShareError(f"nobody can lead here: {error}", lasting=False) from None

    def _on_records(self, records: list[Record]) -> None:
        self._heard = self._loop.time()
        for record in records:
            if record.kind == Kind.GRANT:
                self._part.granted(record)
            elif record.kind in TELLING:
                self._telling.append(record)
                if record.kind == Kind.CROWD:
                    self._stand(told(self._telling))
                    self._telling.clear()
            elif record.kind == Kind.REFUSED:
                self._refused = True
                self._changed.set()
            else:
                raise ProtocolError

    def _stand(self, standing: Standing) -> None:
        self._standing = standing
        self._part.stands(standing)
        if not self.is_joined:
            self.is_joined = True
            if self.reason:
                logger.info("the limit is shared again")
            self.reason = self._why = ""
            self._part.joined()
            self._changed.set()
        if self._heard > self._pulsed + PULSE and self._channel is not None:
            self._pulsed = self._heard
            self._channel.send(pack(Record(Kind.PULSE)))

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self.is_joined = False
            self._part.lost()
            self._changed.set()

    def _go_alone(self, reason: str) -> None:
        if self.reason:
            return
        self.reason = reason
        logger.warning(
            "the limit is not shared with other processes %s: %s; this one goes on with a limit "
            "of its own", WITH.get(self._meeting.scope, ""), reason,
        )  # fmt: skip
        self._part.alone()
