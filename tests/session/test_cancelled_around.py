"""Cancelled from where users cancel: in generators, task groups and timeouts of their own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from every_await import nothing_left, open_files, tasks_end
from loop_kinds import LOOPS, run
from scripted_server import ScriptedServer, slow

from vimmerse_async import VimmerseSession, gather_prompts, refine_prompt, stream_prompts

URLS = [f"https://a.example/{number}" for number in range(12)]
LONGEST = 0.02
"""Seconds after which whatever runs is cancelled: the run takes somewhat longer."""

Work = Callable[[], Awaitable[object]]
Shape = Callable[[Work, Random], Awaitable[None]]


class LeftError(Exception):
    """A user's own error."""


async def moment(rng: Random) -> None:
    """Wait some turns of the loop, or some of the time that a run takes."""
    if rng.random() < 0.5:
        for _ in range(rng.randrange(40)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(rng.random() * LONGEST)


async def in_a_task(work: Work, rng: Random) -> None:
    task = asyncio.ensure_future(work())
    await moment(rng)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None


async def beside_one_that_fails(work: Work, rng: Random) -> None:
    """A task group whose other task raises."""

    async def fail() -> None:
        await moment(rng)
        raise LeftError

    caught = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(anyway(work))
            group.create_task(fail())
    except* LeftError as errors:
        caught = errors
    assert caught, "the error was lost"


async def in_anyios_group(work: Work, rng: Random) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(anyway, work)
        await moment(rng)
        group.cancel_scope.cancel()


async def in_a_timeout(work: Work, rng: Random) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(rng.random() * LONGEST):
            await work()


async def in_wait_for(work: Work, rng: Random) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(anyway(work), rng.random() * LONGEST)


async def in_fail_after(work: Work, rng: Random) -> None:
    with suppress(TimeoutError):
        with anyio.fail_after(rng.random() * LONGEST):
            await work()


async def in_two_timeouts(work: Work, rng: Random) -> None:
    """The inner one may fire while the outer one cleans up, and the other way round."""
    with suppress(TimeoutError):
        async with asyncio.timeout(rng.random() * LONGEST):
            with anyio.move_on_after(rng.random() * LONGEST):
                await work()


async def anyway(work: Work) -> None:
    await work()


SHAPES: tuple[Shape, ...] = (
    in_a_task,
    beside_one_that_fails,
    in_anyios_group,
    in_a_timeout,
    in_wait_for,
    in_fail_after,
    in_two_timeouts,
)


async def captions(session: VimmerseSession, journal: Path | None) -> AsyncIterator[str]:
    """A user's own generator around a stream."""
    async with stream_prompts(session, URLS, journal=journal) as results:
        async for result in results:
            yield result.prompt or ""


async def read_all(session: VimmerseSession, journal: Path | None, _rng: Random) -> None:
    async for _ in captions(session, journal):
        pass


async def read_some(session: VimmerseSession, journal: Path | None, rng: Random) -> None:
    """Leave the generator to the loop."""
    async for _ in captions(session, journal):
        if rng.random() < 0.3:
            break


async def read_and_close(session: VimmerseSession, journal: Path | None, rng: Random) -> None:
    async with aclosing(captions(session, journal)) as each:
        async for _ in each:
            if rng.random() < 0.3:
                break


async def gather(session: VimmerseSession, journal: Path | None, _rng: Random) -> None:
    await gather_prompts(session, URLS, journal=journal)


async def call(session: VimmerseSession, _journal: Path | None, _rng: Random) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(refine_prompt(session, f"fox {number}"))


WORKS = (read_all, read_some, read_and_close, gather, call)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("times", [35, pytest.param(350, marks=pytest.mark.full)])
def test_D1_D2_cancelled_around(kind: str, times: int, tmp_path: Path, monkeypatch: Any) -> None:
    """Wherever a user's own frame cancels it, nothing is left, locked, or raised in a thread."""
    complaints: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    rng = Random(f"{kind} {times}")

    async def main() -> None:
        async with ScriptedServer(slow(0.002)) as server, server.session(limit=3) as session:
            await gather_prompts(session, URLS)
            others, files = asyncio.all_tasks(), open_files()
            for number in range(times):
                shape, work = SHAPES[number % len(SHAPES)], WORKS[number % len(WORKS)]
                journal = tmp_path / f"{number}.db"
                kept = journal if rng.random() < 0.7 else None
                await shape(partial(work, session, kept, rng), rng)
                await tasks_end(others)
                await nothing_left(session, journal, others)
            assert open_files() <= files + 3  # the connections that were broken off open again

    run(kind, main)
    assert not complaints
