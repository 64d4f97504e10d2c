"""Cancellation at every single await of a journal and of batches: nothing is left, all goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from every_await import WAYS, nothing_left, open_files, tasks_end
from loop_kinds import LOOPS, run
from scripted_server import ScriptedServer

import vimmerse_async.batch.ledger  # noqa: F401 - pytest cannot rewrite it in the midst of these
from vimmerse_async import (
    PromptJournal,
    VimmerseSession,
    gather_prompts,
    image_2_prompt,
    refine_prompt,
    stream_prompts,
)
from vimmerse_async.emulator import Emulator

URLS = [f"https://a.example/{number}" for number in range(3)]


async def keep(_session: VimmerseSession, path: Path) -> None:
    async with PromptJournal(path) as journal:
        await journal.flush()


async def gather(session: VimmerseSession, path: Path) -> None:
    await gather_prompts(session, URLS, journal=path)


async def gather_unkept(session: VimmerseSession, _path: Path) -> None:
    await gather_prompts(session, URLS)


async def stream(session: VimmerseSession, path: Path) -> None:
    async with stream_prompts(session, URLS, journal=path) as results:
        async for _ in results:
            pass


async def leave(session: VimmerseSession, path: Path) -> None:
    async with stream_prompts(session, URLS, journal=path) as results:
        async for _ in results:
            break


WORKS = {
    "journal": keep,
    "gather": gather,
    "unkept": gather_unkept,
    "stream": stream,
    "left": leave,
}


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("work", WORKS)
def test_D1_D2_cancelled_at_every_await(kind: str, work: str, tmp_path: Path) -> None:
    """Wherever it is cancelled, once or again while it cleans up, the next one works at once."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=2) as session:
            await image_2_prompt(session, URLS[0])
            others = asyncio.all_tasks()
            for way in WAYS:
                for again in (False, True):
                    number, most = 1, 1
                    while number <= most:
                        path = tmp_path / f"{way.__name__}-{again}-{number}.db"
                        numbers = {number, number + 1} if again else {number}
                        most = await way(WORKS[work](session, path), numbers)
                        await nothing_left(session, path, others)
                        number += 1
                    assert number > 3

    run(kind, main)


async def emulate() -> None:
    async with Emulator() as emulator:
        options: Any = {"api_key": emulator.key, "base_url": emulator.url}
        async with VimmerseSession(**options) as session:
            await refine_prompt(session, "a fox")


@pytest.mark.parametrize("kind", LOOPS)
def test_D1_emulator_and_session_cancelled_at_every_await(
    kind: str,
) -> None:
    """Whoever is cancelled while he ends an emulator or a session has ended it all the same."""

    async def main() -> None:
        await emulate()
        await asyncio.sleep(0.05)
        others, opened = asyncio.all_tasks(), open_files()
        for way in WAYS:
            for again in (False, True):
                number, most = 1, 1
                while number <= most:
                    numbers = {number, number + 1} if again else {number}
                    most = await way(emulate(), numbers)
                    await tasks_end(others)
                    number += 1
                assert number > 3
        await asyncio.sleep(0.05)
        assert open_files() <= opened

    run(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("journaled", [False, True])
def test_D2_stream_left_by_a_finaliser(kind: str, journaled: bool, tmp_path: Path) -> None:
    """A user's own generator around a stream may be left to the loop: nobody else is cancelled."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=4) as session:
            journal = tmp_path / "run.db" if journaled else None

            async def prompts() -> Any:
                async with stream_prompts(session, URLS * 20, journal=journal) as results:
                    async for result in results:
                        yield result

            others = asyncio.all_tasks()
            async for _ in prompts():
                break
            while asyncio.all_tasks() != others:  # noqa: ASYNC110 - the finaliser's task tells nobody
                await asyncio.sleep(0.001)
            assert await image_2_prompt(session, URLS[0])
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            assert session.gate.in_flight == 0
            assert len(await gather_prompts(session, URLS, journal=journal)) == 3

    run(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_D2_stream_entered_read_and_left_in_three_tasks(kind: str) -> None:
    """A stream belongs to no task: one may enter it, another read it and a third leave it."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=4) as session:
            results = stream_prompts(session, URLS * 20)
            await asyncio.create_task(results.__aenter__())  # type: ignore[arg-type]
            first = await asyncio.create_task(anext(results))  # type: ignore[arg-type]
            assert first.ok
            await asyncio.create_task(results.__aexit__(None, None, None))
            assert session.gate.in_flight == 0

    run(kind, main)


class ForeignError(BaseException):
    """What no `except Exception` catches."""


def raised(error: BaseException) -> set[type[BaseException]]:
    """Return the classes of what came out, groups opened."""
    if isinstance(error, BaseExceptionGroup):
        return set[type[BaseException]]().union(*map(raised, error.exceptions))
    return {type(error)}


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("error", [ForeignError, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("at", [0, 59])
def test_D2_on_result_raises_what_is_no_exception(
    kind: str, journaled: bool, error: type[BaseException], at: int, tmp_path: Path
) -> None:
    """It ends the run in the same way wherever it is raised: in a worker or by the disk's word."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=4) as session:
            urls = [f"https://a.example/{number}" for number in range(60)]

            def on_result(result: Any) -> None:
                if result.index == at:
                    raise error

            async def stream() -> None:
                async with stream_prompts(
                    session, urls, on_result=on_result, journal=path
                ) as results:
                    async for _ in results:
                        pass

            path = tmp_path / "gather.db" if journaled else None
            asked = gather_prompts(session, urls, on_result=on_result, journal=path)
            for turn in (0, 1):
                task = asyncio.ensure_future(stream() if turn else asked)
                await asyncio.wait([task])
                if error is asyncio.CancelledError:
                    assert task.cancelled()
                else:
                    failure = task.exception()
                    assert failure is not None
                    assert raised(failure) == {error}
                path = tmp_path / "stream.db" if journaled else None
            assert session.gate.in_flight == session.gate.waiting == 0
            assert await image_2_prompt(session, URLS[0])

    run(kind, main)
