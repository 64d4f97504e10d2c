"""Callers, faults and blocked loops by chance: whatever comes together, the same laws hold."""

import asyncio
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar
from random import Random
from typing import Any

import attrs
import pytest
from scripted_server import NEVER, Answer, Request, ScriptedServer

from vimmerse_async import Timeouts, VimmerseError, VimmerseSession, refine_prompt
from vimmerse_async.control.answer_times import STALE
from vimmerse_async.hooks import CallEvent

FAULTS: dict[str, tuple[Answer, bool]] = {
    "refused": (Answer(429), False),
    "refused with a wait": (Answer(429, headers={"Retry-After": "1"}), False),
    "busy": (Answer(503), False),
    "busy with a wait": (Answer(503, headers={"Retry-After": "2"}), False),
    "broken": (Answer(500, delay=0.1), False),
    "gateway": (Answer(502, delay=0.3), True),
    "lost": (Answer(0, delay=0.3), True),
    "hangs": (NEVER, True),
}
"""What a server may do, and whether it may bill for it."""
SECONDS = 20.0
CALLERS = 60
RECOVERED = 90.0
"""Seconds after the last fault, more than the longest silence that a ban is given."""
_name: ContextVar[str] = ContextVar("name")


@attrs.define
class Schedule:
    """What happens when, drawn from one seed, and what was seen of it.

    Attributes:
        faults: Until when which fault lasts, by when it begins.
        blocks: When the loop is blocked, and for how long.
        until: When each call wants its answer.
        billed: What the server may have billed, by call.
        told: What each call told of it: its answer, and what is possibly charged.
        too_late: When something came to the server that no answer could reach in time.
    """

    rng: Random
    session: VimmerseSession = attrs.field(init=False)
    faults: list[tuple[float, float, str]] = attrs.Factory(list)
    blocks: list[tuple[float, float]] = attrs.Factory(list)
    until: dict[str, float] = attrs.Factory(dict)
    billed: Counter[str] = attrs.Factory(Counter)
    told: Counter[str] = attrs.Factory(Counter)
    too_late: list[float] = attrs.Factory(list)

    def draw(self, begun: float) -> None:
        """Draw the faults and blocks."""
        rng = self.rng
        for _ in range(rng.randrange(6)):
            when = begun + rng.uniform(1.0, SECONDS)
            self.faults.append((when, when + rng.uniform(0.1, 4.0), rng.choice([*FAULTS])))
        for _ in range(rng.randrange(4)):
            self.blocks.append((begun + rng.uniform(0.0, SECONDS), rng.choice((0.1, 0.5, 2.0))))

    def answer(self, request: Request) -> Answer:
        """Answer as the moment has it, and check that the answer can come in time."""
        now, name = request.time, request.name
        known = self.session.gate.known.get("text")
        after_block = any(when <= now <= when + took + 0.01 for when, took in self.blocks)
        if known and not after_block and self.until[name] - now < known.least - 0.002:
            self.too_late.append(now)
        kind = next((kind for begin, end, kind in self.faults if begin <= now < end), None)
        if kind is None:
            self.billed[name] += 1
            return Answer(value="A fox.", delay=self.rng.uniform(0.1, 0.2))
        self.billed[name] += FAULTS[kind][1]
        return FAULTS[kind][0]

    def on_call(self, event: CallEvent) -> None:
        """Take note of what a call told."""
        ended_well = event.error is None and not event.cancelled
        self.told[_name.get()] += ended_well + event.possibly_charged

    def on_retry(self, event: Any) -> None:
        """Do nothing."""

    async def caller(self, number: int) -> None:
        """Ask once, at some time, with some patience."""
        rng, loop, name = self.rng, asyncio.get_running_loop(), str(number)
        total, patience = rng.choice((0.12, 0.3, 1.0, 5.0, 300.0)), rng.choice((0.3, 2.0, None))
        await asyncio.sleep(rng.uniform(0.0, rng.choice((1.0, SECONDS))))
        _name.set(name)
        self.until[name] = loop.time() + total
        hurried = self.session.with_options(timeouts=Timeouts(total=total))
        with suppress(VimmerseError, TimeoutError):
            async with asyncio.timeout(patience):
                await refine_prompt(hurried, name)


async def play(seed: int) -> None:
    """Let one schedule happen, and hold it to its laws."""
    rng, loop = Random(seed), asyncio.get_running_loop()
    limit = rng.choice((None, None, 4, 16))
    schedule = Schedule(rng)
    async with (
        ScriptedServer() as server,
        server.session(limit=limit, hooks=[schedule]) as session,
    ):
        schedule.session = session
        schedule.draw(loop.time())
        server.script = schedule.answer
        for when, seconds in schedule.blocks:
            loop.call_at(when, loop.block, seconds)
        await asyncio.gather(*(schedule.caller(number) for number in range(CALLERS)))
        underpaid = schedule.billed - schedule.told
        assert not underpaid, f"{seed}: billed, and not told: {dict(underpaid)}"
        assert max(schedule.billed.values(), default=0) <= 2, f"{seed}: sent again too often"
        found_out = (schedule.too_late[-1:] or [0.0])[0] - (schedule.too_late or [0.0])[0]
        assert len(schedule.too_late) <= 1 + found_out / STALE, f"{seed}: sent too late"
        gate = session.gate
        assert (gate.in_flight, gate.waiting, gate.calls_waiting) == (0, 0, 0), seed
        assert session.statistics().limit.in_flight == 0, seed
        await asyncio.sleep(RECOVERED)
        _name.set("later")
        for _ in range(3):
            schedule.until["later"] = loop.time() + 300.0
            assert await refine_prompt(session, "later"), f"{seed}: shut for good"
            schedule.billed.clear()
        assert session.statistics().limit.gate == 0.0, seed


@pytest.mark.parametrize("first", [0, 6])
async def test_whatever_comes_together_the_laws_hold(first: int) -> None:
    """Nothing is sent too late or billed untold, and no gate is shut for good."""
    for seed in range(first, first + 6):
        await play(seed)


@pytest.mark.full
@pytest.mark.parametrize("first", range(100, 1100, 50))
async def test_whatever_comes_together_in_a_thousand_schedules(first: int) -> None:
    """The same, a thousand times."""
    for seed in range(first, first + 50):
        await play(seed)
